//! Which sampler a sweep is done with.
//!
//! An exact sweep moves further than one of Metropolis–Hastings moves, but a token costs as many products as
//! its document has topics. `auto` takes whichever is ahead in time. It goes by the corpus and K alone,
//! so that a resumed run takes the same.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use strads_datasets::Corpus;

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

/// Where documents may have more topics than this, moves are ahead. On documents of 120 words exact
/// sweeps are, with a thousand topics and with ten thousand; on documents of 10,000 words moves are.
const MANY: f64 = 800.0;

impl Choice {
    /// The sampler for this many topics, where the document of a token has so many tokens on average.
    pub fn sampler(self, topics: usize, length: f64) -> Sampler {
        let many = length.min(topics as f64) > MANY && topics <= Moves::TOPICS;
        match self {
            Self::Exact => Sampler::Exact,
            Self::Mh => Sampler::Mh,
            Self::Auto if many => Sampler::Mh,
            Self::Auto => Sampler::Exact,
        }
    }
}

/// The mean over tokens of the lengths of their documents.
pub fn mean_length(corpus: &Corpus) -> f64 {
    let lengths = (0..corpus.documents()).map(|document| {
        let (_, counts) = corpus.document(document);
        counts.iter().map(|&count| f64::from(count)).sum::<f64>()
    });
    lengths.map(|length| length * length).sum::<f64>() / corpus.tokens() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only many topics in long documents make moves pay; what was asked for is what is done.
    #[test]
    fn auto_goes_by_topics_and_length() {
        use Sampler::{Exact, Mh};
        for (topics, length, expected) in [
            (100, 50_000.0, Exact),
            (100_000, 120.0, Exact),
            (1000, 10_000.0, Mh),
            (1 << 22, 10_000.0, Exact),
        ] {
            assert_eq!(Choice::Auto.sampler(topics, length), expected);
            assert_eq!(Choice::Exact.sampler(topics, length), Exact);
            assert_eq!(Choice::Mh.sampler(topics, length), Mh);
        }
    }
}
