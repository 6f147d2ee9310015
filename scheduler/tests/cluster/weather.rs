//! In whatever order messages arrive and nodes work, the bits are the same.
//!
//! `STRADS_SEEDS=100000 cargo test -p strads --test cluster weather` looks at more seeds.

use strads::cluster::Weather;
use strads::{Cluster, Executor};

use crate::wheel::{TRIP, Trip, programs, travel};

/// How many seeds to look at.
pub fn seeds(usual: u64) -> std::ops::Range<u64> {
    let told = std::env::var("STRADS_SEEDS").ok();
    0..told.and_then(|seeds| seeds.parse().ok()).unwrap_or(usual)
}

fn simulated(nodes: usize, seed: u64) -> Executor {
    let weather = Weather { seed, loss: None };
    Executor::Cluster(Cluster::simulated(nodes, programs(), weather))
}

#[test]
fn every_order_of_messages_gives_the_bits_of_one_thread() {
    for seed in seeds(2000) {
        let trip = Trip {
            workers: 1 + (seed % 5) as usize,
            blocks: 5 + (seed % 3) as usize,
            depth: 1 + (seed % 4) as usize,
            ..TRIP
        };
        let expected = travel(&Executor::Inline, trip).unwrap();
        let nodes = 1 + (seed % 4) as usize;
        let found = travel(&simulated(nodes, seed), trip).unwrap();
        assert_eq!(found, expected, "seed {seed}");
    }
}

/// Offered tasks go to whoever is free, so bits may differ; every task is still done once.
#[test]
fn offered_tasks_are_all_done() {
    for seed in seeds(200) {
        let trip = Trip {
            offered: true,
            depth: 1,
            ..TRIP
        };
        assert!(travel(&simulated(3, seed), trip).is_ok(), "seed {seed}");
    }
}
