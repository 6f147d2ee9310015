//! What goes wrong ends a run with an error that says what, and never with a wrong result or none.

use strads::cluster::Weather;
use strads::{Cluster, Error, Executor, Run, Stop};

use crate::weather::seeds;
use crate::wheel::{Homebody, Liar, TRIP, Trip, programs, travel};

fn simulated(loss: Option<(usize, u64)>, seed: u64) -> Executor {
    Executor::Cluster(Cluster::simulated(3, programs(), Weather { seed, loss }))
}

#[test]
fn a_lost_node_is_named_or_was_not_needed_any_more() {
    let expected = travel(&Executor::Inline, TRIP).unwrap();
    let mut lost = 0;
    for seed in seeds(2000) {
        let node = (seed % 3) as usize;
        match travel(&simulated(Some((node, seed / 3)), seed), TRIP) {
            Ok(found) => assert_eq!(found, expected, "seed {seed}"),
            Err(Error::Lost { node: named, .. }) => {
                assert_eq!(named, format!("simulated node {node}"), "seed {seed}");
                lost += 1;
            }
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
    assert!(lost > 0);
}

#[test]
fn a_panic_is_named_as_on_threads_and_the_cluster_goes_on() {
    let executor = simulated(None, 1);
    let trip = Trip {
        panics: Some(5),
        ..TRIP
    };
    match travel(&executor, trip) {
        Err(Error::Panicked { round, message, .. }) => {
            assert_eq!((round, message.as_str()), (5, "told to panic"));
        }
        other => panic!("{other:?}"),
    }
    let after = travel(&executor, TRIP).unwrap();
    assert_eq!(after, travel(&Executor::Inline, TRIP).unwrap());
}

#[test]
fn a_program_without_a_passport_stays_home() {
    let run = Run::new().until(Stop::after_rounds(1));
    let refused = run.on(&simulated(None, 1), &mut Homebody, &mut [(), ()]);
    assert_eq!(refused.unwrap_err(), Error::StaysHome);
}

#[test]
fn what_cannot_be_read_ends_the_run() {
    let run = Run::new().until(Stop::after_rounds(1));
    let failed = run.on(&simulated(None, 1), &mut Liar, &mut [()]);
    assert!(matches!(failed, Err(Error::Lost { reason, .. }) if reason.contains("the truth")));
}
