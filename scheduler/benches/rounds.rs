//! What a round costs when its tasks do nothing: two workers, an empty `push`.
//!
//! On two threads one may be quick enough to do both tasks before the other looks. *Met* keeps it
//! from that: a task ends when the other one of its round has begun, so every round is handed over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use strads::{Executor, Moved, Plan, Program, Round, Run, Shares, Stop};

struct Idle;

impl Program for Idle {
    type Shard = ();
    type Task = ();
    type Share = ();

    fn schedule(&mut self, round: &mut Round) -> Plan<()> {
        Plan::one_each((0..round.workers()).map(|_| ()))
    }

    fn push((): &mut (), (): ()) {}

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        done(shares.done.len())
    }
}

struct Met;

impl Program for Met {
    /// Counts the tasks that have begun, of all workers.
    type Shard = &'static AtomicU64;
    /// How many there are when both of this round have.
    type Task = u64;
    type Share = ();

    fn schedule(&mut self, round: &mut Round) -> Plan<u64> {
        let all = 2 * (round.number() + 1);
        Plan::one_each([all, all])
    }

    fn push(begun: &mut &'static AtomicU64, all: u64) {
        begun.fetch_add(1, Ordering::AcqRel);
        while begun.load(Ordering::Acquire) < all {
            std::hint::spin_loop();
        }
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        done(shares.done.len())
    }
}

fn done(updates: usize) -> Moved {
    Moved {
        updates: updates as u64,
        ..Moved::default()
    }
}

/// The time of one run of many rounds: starting threads is not part of a round.
fn run<P: Program>(
    rounds: u64,
    executor: &Executor,
    mut program: P,
    shards: &mut [P::Shard],
) -> Duration {
    let run = Run::new().until(Stop::after_rounds(rounds));
    let record = run
        .on(executor, &mut program, shards)
        .expect("nothing panics");
    Duration::from_secs_f64(record.totals.seconds)
}

fn rounds(c: &mut Criterion) {
    let mut group = c.benchmark_group("round");
    let executors = [
        ("inline", Executor::Inline),
        ("1 thread", Executor::Threads(1)),
        ("2 threads", Executor::Threads(2)),
    ];
    for (name, executor) in executors {
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| run(rounds, &executor, Idle, &mut [(), ()]));
        });
    }
    group.bench_function("2 threads, met", |b| {
        b.iter_custom(|rounds| {
            static BEGUN: AtomicU64 = AtomicU64::new(0);
            BEGUN.store(0, Ordering::Release);
            run(rounds, &Executor::Threads(2), Met, &mut [&BEGUN, &BEGUN])
        });
    });
}

criterion_group!(benches, rounds);
criterion_main!(benches);
