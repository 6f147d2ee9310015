//! Thousands of seeds of workers, shards and a bad network.
//!
//! Invariants held up (see `oracle.rs`): no increment is lost or takes effect twice; a read is no
//! staler than its table allows; a worker reads its own writes; what it reads never goes back;
//! everything comes to an end once the faults stop. What is not seen here: sockets, threads and
//! bytes, which have tests of their own.
//!
//! A failing seed prints the command that replays it.

mod oracle;
mod workload;

use bosen::message::{ToShard, ToWorker};
use bosen::sim::Tamper;
use workload::Workload;

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is no number"))
    })
}

/// Runs `seed`, and says how to run it again if it fails.
fn check(seed: u64) {
    if let Err(violation) = Workload::new(seed).run(None) {
        panic!(
            "seed {seed}: {violation}\nreplay: BOSEN_SEED={seed} cargo test -p bosen --test simulation -- --nocapture seeds"
        );
    }
}

#[test]
fn seeds() {
    if let Some(seed) = number("BOSEN_SEED") {
        return check(seed);
    }
    let seeds = number("BOSEN_SEEDS").unwrap_or(10_000);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        for first in 0..threads {
            scope.spawn(move || (first..seeds).step_by(threads as usize).for_each(check));
        }
    });
}

/// The same seed is the same run, to the byte and the nanosecond.
#[test]
fn a_seed_replays() {
    for seed in 0..50 {
        assert_eq!(
            Workload::new(seed).run(None),
            Workload::new(seed).run(None),
            "seed {seed}"
        );
    }
}

/// How many of the first hundred seeds notice what `tamper` does to the messages, with filters
/// on some tables and with filters on all.
fn noticed(tamper: fn() -> Tamper) -> [usize; 2] {
    [Workload::new, Workload::filtered].map(|workload| {
        (0..100)
            .filter(|&seed| workload(seed).run(Some(tamper())).is_err())
            .count()
    })
}

/// A shard for which every `nth` message to which `harm` applies is another.
fn misled(nth: u32, harm: fn(&mut ToShard) -> bool) -> Tamper {
    let mut count = 0;
    let to_shard = move |message: &mut ToShard| {
        let mut copy = message.clone();
        if harm(&mut copy) {
            count += 1;
            if count % nth == 0 {
                *message = copy;
            }
        }
    };
    Tamper {
        to_shard: Box::new(to_shard),
        to_worker: Box::new(|_| {}),
    }
}

/// Replaces each value of an update by what `f` makes of it.
fn revalue(message: &mut ToShard, f: fn(i64) -> i64) -> bool {
    let ToShard::Update { batch, .. } = message else {
        return false;
    };
    let values = bosen::element::view::<i64>(&batch.values)
        .iter()
        .map(|&value| f(value))
        .collect();
    batch.values = bosen::element::freeze(values);
    true
}

/// Filters on every table, and nothing tampered with.
#[test]
fn filtered_seeds() {
    for seed in 0..1000 {
        let ran = Workload::filtered(seed).run(None);
        assert!(ran.is_ok(), "seed {seed}, all filtered: {ran:?}");
    }
}

#[test]
fn a_server_that_loses_an_increment_is_caught() {
    let caught = noticed(|| misled(3, |message| revalue(message, |_| 0)));
    assert!(
        caught.iter().all(|&caught| caught >= 60),
        "{caught:?} of 100 seeds"
    );
}

#[test]
fn a_server_that_applies_an_increment_twice_is_caught() {
    let caught = noticed(|| misled(3, |message| revalue(message, |value| 2 * value)));
    assert!(
        caught.iter().all(|&caught| caught >= 60),
        "{caught:?} of 100 seeds"
    );
}

#[test]
fn a_server_whose_clock_is_one_too_far_is_caught() {
    let caught = noticed(|| {
        misled(1, |message| match message {
            ToShard::Clock { clock, .. } => {
                *clock = clock.next();
                true
            }
            _ => false,
        })
    });
    assert!(
        caught.iter().all(|&caught| caught >= 10),
        "{caught:?} of 100 seeds"
    );
}

#[test]
fn a_server_that_claims_rows_fresher_than_they_are_is_caught() {
    let caught = noticed(|| Tamper {
        to_shard: Box::new(|_| {}),
        to_worker: Box::new(|message| {
            if let ToWorker::Rows { fresh, .. } | ToWorker::Changes { fresh, .. } = message {
                *fresh = fresh.next();
            }
        }),
    });
    assert!(
        caught.iter().all(|&caught| caught >= 5),
        "{caught:?} of 100 seeds"
    );
}
