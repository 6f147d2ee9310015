//! What training goes on from: a topic a token, in the order of the corpus.
//!
//! Everything else is counted from that, so a run can go on with any number of workers.

use bytes::Bytes;
use strads::cluster::{pack, unpack};
use strads_datasets::Corpus;

use super::annealing::Annealing;
use super::exact::Prior;
use super::program::Lda;
use super::shard::Shard;
use crate::checkpoint::Kept;
use crate::failure::Failure;

/// A state of training.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// How many sweeps were completed.
    pub sweeps: u64,
    /// α and β as they were.
    pub prior: Prior,
    /// How β falls, as far as that was known.
    pub annealing: Annealing,
    /// The topic of each token.
    pub topics: Vec<u32>,
}

strads::travel_by_fields!(State {
    sweeps,
    prior,
    annealing,
    topics
});

/// The state of `lda`, in parts.
pub fn parts(corpus: &Corpus, lda: &Lda, shards: &[Shard]) -> Vec<(&'static str, Bytes)> {
    let mut topics = vec![0; lda.tokens() as usize];
    for (worker, shard) in shards.iter().enumerate() {
        shard.topics(corpus, &lda.layout, worker, |token, topic| {
            topics[token as usize] = topic;
        });
    }
    let state = State {
        sweeps: lda.sweeps(),
        prior: lda.prior,
        annealing: lda.annealing,
        topics,
    };
    vec![("topics", pack(&state))]
}

/// The state that was kept of `tokens` tokens with `topics` topics.
pub fn state(kept: &Kept, tokens: u64, topics: usize) -> Result<State, Failure> {
    let state: State = unpack(kept.part("topics")?).map_err(|what| kept.unreadable(what))?;
    let known = |&topic: &u32| (topic as usize) < topics;
    if state.topics.len() as u64 != tokens || !state.topics.iter().all(known) {
        return Err(kept.unreadable("its topics are not those of this corpus"));
    }
    Ok(state)
}

/// What makes a training the same one, to go on with: whatever its topics depend on but workers.
pub fn job(corpus: &Corpus, topics: usize, seed: u64) -> String {
    let words = corpus.words.iter().zip(&corpus.counts);
    let hash = words.fold(corpus.documents() as u64, |hash, (&word, &count)| {
        let entry = u64::from(word) << 32 | u64::from(count);
        (hash.rotate_left(5) ^ entry).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    format!("{hash} {} {topics} {seed}", corpus.word_kinds)
}
