//! Thousands of seeds of workers that broadcast over a bad network, some of which crash.
//!
//! Invariants held up (see `oracle.rs`): every update is handed out once, whole and in its
//! origin's order; nobody begins a clock without what the bound asks for; under BSP all hand out
//! the same sequence; of what a crashed worker said all survivors have the same part; everything
//! comes to an end. What is not seen here: sockets, threads and bytes, which have tests of their
//! own.
//!
//! A failing seed prints the command that replays it.

#![allow(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod oracle;
mod tcp;
mod workload;

use workload::Workload;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

fn check(seed: u64) {
    let run = || Workload::new(seed).run(|_| ());
    if let Err(violation) = run() {
        panic!(
            "seed {seed}: {violation}\nreplay: BROADCAST_SEED={seed} cargo test -p bosen --test broadcast -- seeds"
        );
    }
}

#[test]
fn seeds() {
    if let Some(seed) = number("BROADCAST_SEED") {
        return check(seed);
    }
    (0..number("BROADCAST_SEEDS").unwrap_or(2_000)).for_each(check);
}

/// An oracle that never complains would prove nothing: falsified runs are caught.
#[test]
fn falsified_runs_are_caught() {
    let caught = |falsify: fn(&mut Vec<bosen::broadcast::Update>)| {
        (0..20).any(|seed| Workload::new(seed).run(falsify).is_err())
    };
    assert!(caught(|updates| drop(updates.pop())), "a lost update");
    assert!(
        caught(|updates| updates.extend_from_within(..updates.len().min(1))),
        "a repeated update"
    );
    assert!(caught(|updates| updates.reverse()), "another order");
    assert!(
        caught(|updates| updates
            .iter_mut()
            .for_each(|update| update.pieces.truncate(1))),
        "a lost piece"
    );
}
