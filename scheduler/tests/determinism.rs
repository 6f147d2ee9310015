//! Holds up: a run is a function of program, shards, seed and depth, to the last bit, on every
//! executor; shares come in the order of the plan and rounds in the order in which they were
//! scheduled; and whatever ends a run, every scheduled round is pulled, so that nothing stays in
//! flight or on loan.
//!
//! Cannot catch: results that depend on the machine, such as other rounding in another `libm`.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use strads::policy::{Blocks, Pairwise, Priority, Rotation};
use strads::{
    Ended, Executor, Freshness, Lender, Loan, Moved, Plan, Program, Record, Round, Run, Shares,
    Stop, Verdict,
};

const VARIABLES: usize = 60;

/// Minimises ½ xᵀAx − Σ x over coordinates, where A has 2 on its diagonal and −0.9 beside it.
/// Uses all that a program can: priority, dependency, balance, loans that rotate, `refresh`.
struct Chain {
    x: Vec<f64>,
    priority: Priority,
    check: Pairwise,
    rotation: Rotation,
    /// Sums that depend on the order of additions: a wrong order shows in their bits.
    tallies: Lender<f64>,
    finish_after: u64,
    scheduled: u64,
    pulled: u64,
}

struct Picks {
    round: u64,
    /// Variables and, from dispatch on, their gradients.
    going: Vec<(usize, f64)>,
    dropped: Vec<usize>,
    tally: Loan<f64>,
}

struct Steps {
    round: u64,
    steps: Vec<(usize, f64)>,
    dropped: Vec<usize>,
}

impl Chain {
    fn new(workers: usize) -> Self {
        Self {
            x: vec![0.0; VARIABLES],
            priority: Priority::new(VARIABLES, 1.0, 1e-4),
            check: Pairwise::new(0.5, 256),
            rotation: Rotation::new(workers + 1, workers),
            tallies: Lender::new((0..=workers).map(|block| block as f64)),
            finish_after: u64::MAX,
            scheduled: 0,
            pulled: 0,
        }
    }

    fn gradient(&self, j: usize) -> f64 {
        let left = if j > 0 { self.x[j - 1] } else { 0.0 };
        let right = self.x.get(j + 1).copied().unwrap_or(0.0);
        1.0 - 2.0 * self.x[j] + 0.9 * (left + right)
    }

    fn objective(&self) -> f64 {
        let term = |j: usize| -0.5 * self.x[j] * (self.gradient(j) + 1.0);
        (0..VARIABLES).map(term).sum()
    }

    fn is_quiet(&self) -> bool {
        self.scheduled == self.pulled
            && self.priority.in_flight() == 0
            && (0..self.tallies.len()).all(|block| self.tallies.at_home(block))
    }

    fn bits(&self) -> Vec<u64> {
        let tallies = (0..self.tallies.len()).map(|block| self.tallies.with(block, |t| *t));
        self.x
            .iter()
            .copied()
            .chain(tallies)
            .map(f64::to_bits)
            .collect()
    }
}

impl Program for Chain {
    type Shard = f64;
    type Task = Picks;
    type Share = Steps;

    fn schedule(&mut self, round: &mut Round) -> Plan<Picks> {
        assert_eq!(round.number(), self.scheduled);
        self.scheduled += 1;
        let coupling = |a: usize, b: usize| if a.abs_diff(b) == 1 { -0.9 } else { 0.0 };
        let wanted = 3 * round.workers();
        let urgent = self
            .priority
            .take(wanted, &mut round.random("pick"), |j, chosen| {
                self.check.fits(j, chosen, coupling)
            });
        let blocks = Blocks::balanced(urgent, round.workers(), |&j| 1 + j as u64 % 5);
        let mut plan = Plan::new();
        for (worker, block) in blocks.blocks.into_iter().enumerate() {
            let tally = self.rotation.block(worker, round.number());
            let task = Picks {
                round: round.number(),
                going: block.into_iter().map(|j| (j, f64::NAN)).collect(),
                dropped: Vec::new(),
                tally: self.tallies.lend(tally),
            };
            let entries = task.going.len();
            plan.assign(worker, task)
                .holding(entries)
                .costing(blocks.loads[worker] as f64)
                .writing(tally..tally + 1);
        }
        plan.asked(wanted);
        plan
    }

    fn refresh(&mut self, task: &mut Picks) -> Freshness {
        for pick in &mut task.going {
            pick.1 = self.gradient(pick.0);
        }
        let stale: Vec<_> = task
            .going
            .extract_if(.., |(_, gradient)| gradient.abs() < 1e-3)
            .map(|(j, _)| j)
            .collect();
        task.dropped.extend(&stale);
        match (stale.len(), task.going.len()) {
            (0, _) => Freshness::Fresh,
            (_, 0) => Freshness::Stale,
            (dropped, _) => Freshness::Trimmed(dropped),
        }
    }

    fn push(damping: &mut f64, mut task: Picks) -> Steps {
        let mut tally = task.tally.open();
        let steps: Vec<_> = task
            .going
            .iter()
            .map(|&(j, gradient)| (j, *damping * gradient / 2.0))
            .collect();
        for &(_, step) in &steps {
            *tally = *tally * 1.1 + step;
        }
        drop(tally);
        Steps {
            round: task.round,
            steps,
            dropped: task.dropped,
        }
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        let round = self.pulled;
        self.pulled += 1;
        assert!(shares.done.windows(2).all(|d| d[0].worker < d[1].worker));
        for task in shares.unsent {
            assert_eq!(task.round, round);
            let picks = task.going.iter().map(|&(j, _)| j).chain(task.dropped);
            picks.for_each(|j| self.priority.give_back(j, 0.01));
        }
        let mut moved = Moved::default();
        for done in shares.done {
            assert_eq!(done.share.round, round);
            for (j, step) in done.share.steps {
                self.x[j] += step;
                self.priority.by_change(j, step);
                moved.updates += 1;
                moved.change = moved.change.max(step.abs());
            }
            for j in done.share.dropped {
                self.priority.by_change(j, 0.0);
            }
        }
        moved.objective = Some(self.objective());
        moved.finished = self.pulled >= self.finish_after;
        moved
    }
}

fn shards(workers: usize) -> Vec<f64> {
    (0..workers)
        .map(|w| 1.0 - 0.01 * w as f64 / workers as f64)
        .collect()
}

fn run(executor: &Executor, workers: usize, seed: u64, depth: usize) -> (Chain, Record) {
    let mut program = Chain::new(workers);
    let run = Run::new()
        .seed(seed)
        .depth(depth)
        .until(Stop::after_rounds(40));
    let record = run
        .on(executor, &mut program, &mut shards(workers))
        .unwrap();
    (program, record)
}

/// Inline, simulated and 1 to 4 threads: one result, at every depth, and the same record of what
/// was planned and dropped. Depth and seed do change it, or the comparison would prove nothing.
#[test]
fn executors_agree_to_the_last_bit() {
    let simulated = Executor::Simulated {
        speeds: vec![0.1, 3.0, 1.0],
    };
    for workers in [1, 2, 3, 5] {
        let mut results = Vec::new();
        for (depth, seed) in [(1, 1), (2, 1), (4, 1), (1, 2), (4, 3)] {
            let (expected, record) = run(&Executor::Inline, workers, seed, depth);
            let others = (1..=4)
                .map(Executor::Threads)
                .chain([simulated.clone(), Executor::Inline]);
            for executor in others {
                let (got, same) = run(&executor, workers, seed, depth);
                assert_eq!(
                    got.bits(),
                    expected.bits(),
                    "{executor:?}, {workers}, {depth}, {seed}"
                );
                let counts = |r: &Record| (r.totals.updates, r.totals.planned, r.totals.dropped);
                assert_eq!(counts(&same), counts(&record));
            }
            assert!(expected.is_quiet());
            results.push(expected.bits());
        }
        results.sort();
        results.dedup();
        assert_eq!(results.len(), 5, "depth and seed matter");
    }
}

/// Each way to end a run, at a depth at which rounds are still waiting when it comes.
#[test]
fn however_a_run_ends_every_scheduled_round_is_pulled() {
    let limit = Stop::when_finished();
    let ends = [
        (Stop::after_rounds(7), Ended::Rounds),
        (
            Stop {
                updates: Some(20),
                ..limit
            },
            Ended::Updates,
        ),
        (
            Stop {
                seconds: Some(0.0),
                ..limit
            },
            Ended::Seconds,
        ),
        (
            Stop {
                objective: Some(-1.0),
                ..limit
            },
            Ended::Objective,
        ),
        (
            Stop {
                change: Some(0.2),
                ..limit
            },
            Ended::Change,
        ),
    ];
    for executor in [Executor::Inline, Executor::Threads(2)] {
        for depth in [1, 2, 4] {
            let settings = Run::new().depth(depth);
            for (stop, ended) in ends {
                let mut program = Chain::new(3);
                let run = settings.until(stop);
                let record = run.on(&executor, &mut program, &mut shards(3)).unwrap();
                assert_eq!(record.ended, ended);
                assert!(program.is_quiet(), "{ended:?} at depth {depth}");
                let ahead = program.scheduled - record.totals.rounds;
                let most = if ended == Ended::Rounds { 0 } else { depth - 1 };
                assert_eq!(ahead, most as u64, "{ended:?} at depth {depth}");
            }

            let mut program = Chain::new(3);
            program.finish_after = 5;
            let record = settings
                .on(&executor, &mut program, &mut shards(3))
                .unwrap();
            assert_eq!((record.ended, record.totals.rounds), (Ended::Finished, 5));
            assert!(program.is_quiet());

            let mut program = Chain::new(3);
            let third = |_: &Chain, round: &strads::RoundRecord| match round.round {
                2 => Verdict::Stop,
                _ => Verdict::Continue,
            };
            let record = settings
                .observed(&executor, &mut program, &mut shards(3), third)
                .unwrap();
            assert_eq!((record.ended, record.totals.rounds), (Ended::Observer, 3));
            assert!(program.is_quiet());
        }
    }
}

/// A run of no rounds asks the program for nothing.
#[test]
fn no_rounds_means_no_schedule() {
    let mut program = Chain::new(2);
    let run = Run::new().depth(4).until(Stop::after_rounds(0));
    let record = run
        .on(&Executor::Inline, &mut program, &mut shards(2))
        .unwrap();
    assert_eq!((record.totals.rounds, program.scheduled), (0, 0));
    assert_eq!(record.ended, Ended::Rounds);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The same for arbitrary seeds, depths, workers and threads.
    #[test]
    fn any_run_is_the_same_on_threads(seed: u64, depth in 1usize..6, workers in 1usize..7, threads in 1usize..5) {
        let (inline, _) = run(&Executor::Inline, workers, seed, depth);
        let (threaded, _) = run(&Executor::Threads(threads), workers, seed, depth);
        prop_assert_eq!(inline.bits(), threaded.bits());
        prop_assert!(inline.is_quiet() && threaded.is_quiet());
    }
}
