//! Holds up: of offered tasks whose claims exclude each other no two run at once, each runs once,
//! a worker's own tasks keep their order even where one of them has to wait for a claim, and
//! whoever is slow does fewer.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use strads::{Executor, Moved, Plan, Program, Record, Round, Run, Shares, Stop};

const BLOCKS: usize = 6;

/// One counter a block: readers count 1, a writer counts this much.
const WRITER: u32 = 1 << 16;

/// What a task does to a block; entering where it must not be is what the test is for.
struct Visit {
    number: usize,
    block: usize,
    write: bool,
    doors: Arc<[AtomicU32; BLOCKS]>,
}

/// Offers tasks that fight for a few blocks, among tasks of worker 0 that do so too.
struct Fight {
    tasks: usize,
    owned: usize,
    doors: Arc<[AtomicU32; BLOCKS]>,
    done: Vec<usize>,
    by: Vec<usize>,
}

impl Program for Fight {
    type Shard = Vec<usize>;
    type Task = Visit;
    type Share = usize;

    fn schedule(&mut self, _: &mut Round) -> Plan<Visit> {
        let mut plan = Plan::new();
        for number in 0..self.tasks {
            let block = number * number % BLOCKS;
            let write = number % 3 != 0;
            let visit = Visit {
                number,
                block,
                write,
                doors: Arc::clone(&self.doors),
            };
            let task = if number < self.owned {
                plan.assign(0, visit)
            } else {
                plan.offer(visit)
            };
            if write {
                task.writing(block..block + 1);
            } else {
                task.reading(block..block + 1);
            }
        }
        plan
    }

    fn push(seen: &mut Vec<usize>, visit: Visit) -> usize {
        let weight = if visit.write { WRITER } else { 1 };
        let door = &visit.doors[visit.block];
        let inside = door.fetch_add(weight, Ordering::SeqCst);
        let clash = if visit.write {
            inside != 0
        } else {
            inside >= WRITER
        };
        assert!(
            !clash,
            "task {} met somebody in block {}",
            visit.number, visit.block
        );
        // Long enough for others to come in, were they let.
        std::hint::black_box((0..20_000).fold(1u64, |a, b| a.wrapping_mul(31) ^ b));
        door.fetch_sub(weight, Ordering::SeqCst);
        seen.push(visit.number);
        visit.number
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        for done in shares.done {
            self.done.push(done.share);
            self.by.push(done.worker);
        }
        Moved::default()
    }
}

fn fight(
    executor: &Executor,
    workers: usize,
    tasks: usize,
    owned: usize,
) -> (Fight, Vec<Vec<usize>>, Record) {
    let mut program = Fight {
        tasks,
        owned,
        doors: Arc::new([const { AtomicU32::new(0) }; BLOCKS]),
        done: Vec::new(),
        by: Vec::new(),
    };
    let mut shards = vec![Vec::new(); workers];
    let run = Run::new().until(Stop::after_rounds(3));
    let record = run.on(executor, &mut program, &mut shards).unwrap();
    (program, shards, record)
}

/// A clash panics in `push` and so fails the run. Results come in the order of the plan, each
/// once, and the tasks that belong to worker 0 were done by it, in order.
#[test]
fn tasks_that_exclude_each_other_never_meet() {
    let simulated = Executor::Simulated {
        speeds: vec![1.0, 0.2, 5.0],
    };
    let threads = (1..=4).map(Executor::Threads);
    for executor in threads.chain([Executor::Inline, simulated]) {
        for owned in [0, 12] {
            let (program, shards, _) = fight(&executor, 4, 60, owned);
            let expected: Vec<usize> = (0..3).flat_map(|_| 0..60).collect();
            assert_eq!(program.done, expected, "{executor:?}");
            let mut ran: Vec<usize> = shards.iter().flatten().copied().collect();
            ran.sort_unstable();
            let mut thrice = expected.clone();
            thrice.sort_unstable();
            assert_eq!(ran, thrice);
            let own: Vec<usize> = shards[0].iter().copied().filter(|&n| n < owned).collect();
            let in_order: Vec<usize> = (0..3).flat_map(|_| 0..owned).collect();
            assert_eq!(own, in_order, "{executor:?}");
        }
    }
}

/// On the virtual clock a worker's share of offered work follows its speed, and the round ends
/// about when equal division by speed would end it.
#[test]
fn whoever_is_slow_gets_fewer() {
    struct Free(Vec<usize>);
    impl Program for Free {
        type Shard = ();
        type Task = ();
        type Share = ();
        fn schedule(&mut self, _: &mut Round) -> Plan<()> {
            let mut plan = Plan::new();
            for _ in 0..140 {
                plan.offer(());
            }
            plan
        }
        fn push((): &mut (), (): ()) {}
        fn pull(&mut self, shares: Shares<Self>) -> Moved {
            shares.done.iter().for_each(|done| self.0[done.worker] += 1);
            Moved::default()
        }
    }
    let mut program = Free(vec![0; 3]);
    let executor = Executor::Simulated {
        speeds: vec![1.0, 2.0, 4.0],
    };
    let run = Run::new().until(Stop::after_rounds(1));
    let record = run.on(&executor, &mut program, &mut [(), (), ()]).unwrap();
    let near = |count: usize, expected: usize| count.abs_diff(expected) <= 1;
    assert!(
        near(program.0[0], 20) && near(program.0[1], 40) && near(program.0[2], 80),
        "{:?}",
        program.0
    );
    assert!((20.0..=21.0).contains(&record.totals.span));
}

/// An offered task that waits for a claim does not stop another one behind it.
#[test]
fn a_blocked_task_lets_others_pass() {
    let executor = Executor::Simulated { speeds: vec![] };
    // Blocks of 6 tasks: 0 1 4 3 4 1; with two workers nobody idles although 4 and 1 come twice.
    let (program, _, record) = fight(&executor, 2, 6, 0);
    assert_eq!(record.totals.span, 3.0 * 3.0);
    assert_eq!(program.by.iter().filter(|&&w| w == 0).count(), 9);
}
