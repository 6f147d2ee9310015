//! What `schedule` knows about the round that it plans.

use strads_common::random::{Stream, stream};

/// The round that is being planned.
#[derive(Clone, Debug)]
pub struct Round {
    number: u64,
    workers: usize,
    seed: u64,
}

impl Round {
    pub(crate) fn new(number: u64, workers: usize, seed: u64) -> Self {
        Self {
            number,
            workers,
            seed,
        }
    }

    /// The round's number, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many workers there are to plan for.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// This round's random stream for `purpose`: a function of the run's seed, the purpose and
    /// the round's number, so that one round can be planned again by itself.
    pub fn random(&self, purpose: &str) -> Stream {
        stream(self.seed, purpose, self.number)
    }
}
