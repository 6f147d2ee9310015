//! What a round costs when its tasks do nothing: two workers, an empty `push`.

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
        Moved {
            updates: shares.done.len() as u64,
            ..Moved::default()
        }
    }
}

/// A sample is one run of many rounds: starting threads is not part of a round.
fn rounds(c: &mut Criterion) {
    let mut group = c.benchmark_group("round");
    let executors = [
        ("inline", Executor::Inline),
        ("1 thread", Executor::Threads(1)),
        ("2 threads", Executor::Threads(2)),
    ];
    for (name, executor) in executors {
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                let run = Run::new().until(Stop::after_rounds(rounds));
                let record = run
                    .on(&executor, &mut Idle, &mut [(), ()])
                    .expect("nothing panics");
                std::time::Duration::from_secs_f64(record.totals.seconds)
            });
        });
    }
}

criterion_group!(benches, rounds);
criterion_main!(benches);
