//! Holds up: blocks on loan that rotate meet every worker, and what workers do to them is what one
//! worker doing everything in the order of rounds would have done, at every depth.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use strads::policy::Rotation;
use strads::{Executor, Lender, Loan, Moved, Plan, Program, Round, Run, Shares, Stop};

/// Blocks that keep a history: what a visitor does depends on who came before.
#[derive(Clone, Debug, Default, PartialEq)]
struct Visited {
    by: Vec<usize>,
    value: f64,
}

/// Workers that keep one too: what they do depends on which blocks they saw before.
#[derive(Clone, Debug, PartialEq)]
struct Visitor {
    worker: usize,
    value: f64,
}

fn visit(visitor: &mut Visitor, block: &mut Visited) {
    block.by.push(visitor.worker);
    block.value = 0.75 * block.value + visitor.value;
    visitor.value = 0.5 * visitor.value + 0.3 * block.value;
}

struct Carousel {
    rotation: Rotation,
    blocks: Lender<Visited>,
}

impl Program for Carousel {
    type Shard = Visitor;
    type Task = Loan<Visited>;
    type Share = ();

    fn schedule(&mut self, round: &mut Round) -> Plan<Loan<Visited>> {
        let mut plan = Plan::new();
        for (worker, block) in self.rotation.blocks(round.number()).enumerate() {
            plan.assign(worker, self.blocks.lend(block))
                .writing(block..block + 1);
        }
        plan
    }

    fn push(visitor: &mut Visitor, mut loan: Loan<Visited>) {
        visit(visitor, &mut loan.open());
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        Moved {
            updates: shares.done.len() as u64,
            ..Moved::default()
        }
    }
}

fn visitors(workers: usize) -> Vec<Visitor> {
    (0..workers)
        .map(|worker| Visitor {
            worker,
            value: 1.0 + worker as f64 / 7.0,
        })
        .collect()
}

/// One thread, no scheduler, no loans: the rounds one after the other.
fn twin(blocks: usize, workers: usize, rounds: u64) -> (Vec<Visited>, Vec<Visitor>) {
    let rotation = Rotation::new(blocks, workers);
    let mut visited = vec![Visited::default(); blocks];
    let mut visitors = visitors(workers);
    for round in 0..rounds {
        for (worker, visitor) in visitors.iter_mut().enumerate() {
            visit(visitor, &mut visited[rotation.block(worker, round)]);
        }
    }
    (visited, visitors)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Blocks and workers end up as in the sequential twin, to the last bit; after whole turns
    /// everybody has met every block equally often.
    #[test]
    fn rotating_equals_the_sequential_twin(
        workers in 1usize..6,
        spare in 0usize..3,
        turns in 1u64..4,
        depth in 1usize..5,
        threads in 0usize..4,
    ) {
        let rotation = Rotation::new(workers + spare, workers);
        let rounds = turns * rotation.rounds();
        let executor = if threads == 0 { Executor::Inline } else { Executor::Threads(threads) };
        let mut program = Carousel {
            rotation,
            blocks: Lender::new(vec![Visited::default(); workers + spare]),
        };
        let mut shards = visitors(workers);
        let run = Run::new().depth(depth).until(Stop::after_rounds(rounds));
        run.on(&executor, &mut program, &mut shards).unwrap();

        let (visited, expected) = twin(workers + spare, workers, rounds);
        prop_assert_eq!(shards, expected);
        for (block, expected) in visited.iter().enumerate() {
            prop_assert_eq!(&program.blocks.with(block, |b| b.clone()), expected);
            for worker in 0..workers {
                let met = expected.by.iter().filter(|&&by| by == worker).count();
                prop_assert_eq!(met as u64, turns);
            }
        }
    }
}
