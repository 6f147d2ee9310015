//! Which sampler a sweep is done with.
//!
//! An exact sweep moves further than one of Metropolis–Hastings moves, but costs more the more topics there
//! are. `auto` takes whichever is ahead in time: a function of K, the mean length of documents, and
//! the sweep's number, so that a resumed run takes the same.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::moves::Moves;

/// How the tokens of a sweep are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampler {
    /// From the exact conditional distribution, word by word.
    Exact,
    /// By two Metropolis–Hastings moves, first word by word, then document by document.
    Mh,
}

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// Exact sparse collapsed Gibbs sampling
    Exact,
    /// Metropolis–Hastings moves: O(1) a token, however many topics
    Mh,
    /// By the number of topics and the documents' length
    Auto,
}

impl Choice {
    /// The sampler of a sweep.
    pub fn at(self, _sweep: u64, topics: usize, _mean_length: f64) -> Sampler {
        match self {
            Self::Exact => Sampler::Exact,
            Self::Mh => Sampler::Mh,
            Self::Auto if topics <= 2000 => Sampler::Exact,
            Self::Auto if topics <= Moves::TOPICS => Sampler::Mh,
            Self::Auto => Sampler::Exact,
        }
    }
}
