//! What slow workers cost, in virtual time.
//!
//! Held up: where bulk synchronous rounds take as long as their slowest worker, slack evens out
//! workers that are slow by turns, and a backup worker makes up for one that is always slow. The
//! times are those of the simulated clock, so that they do not depend on the machine;
//! `-- --nocapture` shows them.

use bosen::batch::Batch;
use bosen::client::{Command, Outcome};
use bosen::consistency::Consistency;
use bosen::rows::RowSet;
use bosen::sim::{Happening, Setting, Simulation};
use bosen::spec::TableSpec;
use std::sync::Arc;
use std::time::Duration;
use strads_common::ids::{Clock, TableId, WorkerId};

const WORKERS: u32 = 4;
const ROUNDS: u64 = 40;
const TABLE: TableId = TableId(0);

/// The time of one round of work: ten milliseconds, or three times that.
fn work(slow: bool) -> Duration {
    Duration::from_millis(if slow { 30 } else { 10 })
}

#[derive(Clone, Copy)]
enum Next {
    Read,
    Work,
    Increment,
    Clock,
}

/// How long it takes until `ROUNDS` rounds are complete.
fn time(consistency: Consistency, slow: fn(WorkerId, Clock) -> bool) -> Duration {
    let setting = Setting::calm(1, WORKERS, 1, Duration::from_micros(100));
    let mut simulation = Simulation::new(setting);
    let rows = Arc::new(RowSet::range(0, 4));
    let mut workers = [(Clock(0), Next::Read); WORKERS as usize];
    for worker in (0..WORKERS).map(WorkerId) {
        let spec = TableSpec::dense::<i64>(1).consistency(consistency);
        simulation.command(worker, TABLE, Command::Create(spec));
    }
    loop {
        let happening = simulation
            .next(Duration::from_secs(100))
            .expect("workers go on");
        if simulation.shards()[0].clock(TABLE) >= Some(Clock(ROUNDS)) {
            return simulation.now();
        }
        let worker = match happening {
            Happening::Woken(worker) => worker,
            Happening::Done { worker, result, .. } => {
                if let Outcome::Clock(clock) = result.expect("nothing fails in fair weather") {
                    workers[worker.index()].0 = clock;
                }
                worker
            }
        };
        let (clock, next) = &mut workers[worker.index()];
        *next = match *next {
            Next::Read => {
                simulation.command(worker, TABLE, Command::Get(rows.clone()));
                Next::Work
            }
            Next::Work => {
                simulation.wake(worker, work(slow(worker, *clock)));
                Next::Increment
            }
            Next::Increment => {
                let batch = Batch::dense(rows.clone(), vec![1i64; 4]);
                simulation.command(worker, TABLE, Command::Inc(batch));
                Next::Clock
            }
            Next::Clock => {
                simulation.command(worker, TABLE, Command::Clock);
                Next::Read
            }
        };
    }
}

#[test]
fn slack_evens_out_workers_that_are_slow_by_turns() {
    let by_turns =
        |worker: WorkerId, clock: Clock| clock.0 % u64::from(WORKERS) == u64::from(worker.0);
    let strict = time(Consistency::Bsp, by_turns);
    let slack = time(Consistency::Ssp { staleness: 3 }, by_turns);
    println!("slow by turns: Bsp {strict:?}, Ssp 3 {slack:?}");
    assert!(slack < strict.mul_f64(0.6), "{slack:?} against {strict:?}");
}

#[test]
fn a_backup_worker_makes_up_for_one_that_is_always_slow() {
    let one = |worker: WorkerId, _: Clock| worker.0 == 0;
    let strict = time(Consistency::Bsp, one);
    let backup = time(
        Consistency::Backup {
            needed: WORKERS - 1,
        },
        one,
    );
    println!("one always slow: Bsp {strict:?}, Backup of 3 {backup:?}");
    assert!(
        backup < strict.mul_f64(0.6),
        "{backup:?} against {strict:?}"
    );
}

/// Slack is no cure for a worker that is always slow: the others wait for it in the end.
#[test]
fn slack_alone_does_not_outrun_a_worker_that_is_always_slow() {
    let one = |worker: WorkerId, _: Clock| worker.0 == 0;
    let strict = time(Consistency::Bsp, one);
    let slack = time(Consistency::Ssp { staleness: 3 }, one);
    println!("one always slow: Bsp {strict:?}, Ssp 3 {slack:?}");
    assert!(slack > strict.mul_f64(0.9), "{slack:?} against {strict:?}");
}
