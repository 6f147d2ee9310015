//! Each sampler agrees in distribution with collapsed Gibbs sampling done one token at a time.
//!
//! The textbook's loop settles; then it and the sampler go on from the same state, and the difference of
//! their mean log p(words, topics) is one observation. Over seeds it has to be 0 within chance for the exact
//! sampler with one worker. Several workers, and moves, use counts that are a little late. On a corpus
//! this small (a few thousand tokens) that may show; these tests bound by how much.

use rand::RngExt;
use strads::Executor;
use strads_common::random::stream;
use strads_datasets::Corpus;

use super::{generated, prior, sweep};
use crate::lda::gamma::ln_gamma;
use crate::lda::program;
use crate::lda::sampler::Sampler;

const TOPICS: usize = 4;
const ALPHA: f32 = 0.3;
const BETA: f32 = 0.05;
const CHAINS: u64 = 16;
const SETTLE: u64 = 200;
const OBSERVED: u64 = 40;
/// Sweeps from one observation to the next.
const APART: u64 = 5;

/// Mean and standard error of the differences, per token.
fn difference(corpus: &Corpus, workers: usize, sampler: Sampler) -> (f64, f64) {
    let differences: Vec<f64> = (0..CHAINS)
        .map(|seed| {
            let (settled, reference) = textbook(corpus, seed);
            ours(corpus, seed, &settled, workers, sampler) - reference
        })
        .collect();
    let n = CHAINS as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let spread = differences.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (spread / n).sqrt())
}

/// The word and the document of each token.
fn tokens(corpus: &Corpus) -> Vec<(usize, usize)> {
    let mut tokens = Vec::new();
    for document in 0..corpus.documents() {
        let (words, counts) = corpus.document(document);
        for (&word, &count) in words.iter().zip(counts) {
            tokens.extend((0..count).map(|_| (word as usize, document)));
        }
    }
    tokens
}

/// Counts of a state: by document, by word, and totals.
struct State {
    documents: Vec<[f64; TOPICS]>,
    words: Vec<[f64; TOPICS]>,
    totals: [f64; TOPICS],
}

impl State {
    fn of(corpus: &Corpus, tokens: &[(usize, usize)], topics: &[u32]) -> Self {
        let mut state = Self {
            documents: vec![[0.0; TOPICS]; corpus.documents()],
            words: vec![[0.0; TOPICS]; corpus.word_kinds],
            totals: [0.0; TOPICS],
        };
        for (&token, &topic) in tokens.iter().zip(topics) {
            state.change(token, topic as usize, 1.0);
        }
        state
    }

    fn change(&mut self, (word, document): (usize, usize), topic: usize, by: f64) {
        self.words[word][topic] += by;
        self.documents[document][topic] += by;
        self.totals[topic] += by;
    }

    /// log p(words, topics), per token.
    fn joint(&self, tokens: usize) -> f64 {
        let (alpha, beta) = (f64::from(ALPHA), f64::from(BETA));
        let gain = |n: f64, base: f64| ln_gamma(n + base) - ln_gamma(base);
        let of_document = |row: &[f64; TOPICS]| {
            let length = row.iter().sum();
            row.iter().map(|&n| gain(n, alpha)).sum::<f64>() - gain(length, alpha * TOPICS as f64)
        };
        let documents: f64 = self.documents.iter().map(of_document).sum();
        let words: f64 = self.words.iter().flatten().map(|&n| gain(n, beta)).sum();
        let smoothing = beta * self.words.len() as f64;
        let totals: f64 = self.totals.iter().map(|&n| gain(n, smoothing)).sum();
        (documents + words - totals) / tokens as f64
    }
}

/// The textbook's loop: the state where it settled, and the mean that it has from there.
fn textbook(corpus: &Corpus, seed: u64) -> (Vec<u32>, f64) {
    let tokens = tokens(corpus);
    let mut random = stream(seed, "textbook", 0);
    let first = || random.random_range(0..TOPICS as u32);
    let mut topics: Vec<u32> = std::iter::repeat_with(first).take(tokens.len()).collect();
    let mut state = State::of(corpus, &tokens, &topics);
    let smoothing = f64::from(BETA) * corpus.word_kinds as f64;
    let (mut settled, mut sum) = (Vec::new(), 0.0);
    for sweep in 0..SETTLE + OBSERVED * APART {
        for (&token, topic) in tokens.iter().zip(&mut topics) {
            state.change(token, *topic as usize, -1.0);
            let (word, document) = token;
            let weights: [f64; TOPICS] = std::array::from_fn(|k| {
                (state.documents[document][k] + f64::from(ALPHA))
                    * (state.words[word][k] + f64::from(BETA))
                    / (state.totals[k] + smoothing)
            });
            let mut mark = random.random::<f64>() * weights.iter().sum::<f64>();
            let mut new = 0;
            while new + 1 < TOPICS && mark >= weights[new] {
                mark -= weights[new];
                new += 1;
            }
            *topic = new as u32;
            state.change(token, new, 1.0);
        }
        if sweep + 1 == SETTLE {
            settled.clone_from(&topics);
        } else if sweep >= SETTLE && sweep.is_multiple_of(APART) {
            sum += state.joint(tokens.len());
        }
    }
    (settled, sum / OBSERVED as f64)
}

/// Ours.
fn ours(corpus: &Corpus, seed: u64, settled: &[u32], workers: usize, sampler: Sampler) -> f64 {
    let tokens = tokens(corpus);
    let prior = prior(corpus, ALPHA, BETA);
    let (mut lda, mut shards) =
        program::prepare(corpus, workers, prior, TOPICS, seed, Some(settled));
    lda.sample_by(sampler, &mut shards);
    let mut sum = 0.0;
    for _ in 0..OBSERVED {
        sweep(&Executor::Inline, &mut lda, &mut shards, APART);
        let mut topics = vec![0; tokens.len()];
        for (worker, shard) in shards.iter_mut().enumerate() {
            shard.show_topics();
            shard.topics(corpus, &lda.layout, worker, |token, topic| {
                topics[token as usize] = topic
            });
            shard.hide_topics();
        }
        sum += State::of(corpus, &tokens, &topics).joint(tokens.len());
    }
    sum / OBSERVED as f64
}

/// Chance alone: three standard errors.
#[test]
fn the_exact_sampler_agrees_with_the_textbook() {
    let corpus = generated(60, 3, 8);
    let (mean, error) = difference(&corpus, 1, Sampler::Exact);
    assert!(mean.abs() < 3.0 * error, "{mean} ± {error}");
    assert!(error < 0.006, "{error} would hide a difference");
}

/// Late totals (several workers) and late counts of the other side (moves) cost at most a hundredth of a
/// nat a token, of about five: 0.3 %, beside chance.
#[test]
fn late_counts_cost_little() {
    let corpus = generated(60, 3, 8);
    for (workers, sampler) in [(4, Sampler::Exact), (1, Sampler::Mh), (3, Sampler::Mh)] {
        let (mean, error) = difference(&corpus, workers, sampler);
        let allowed = 0.015 + 3.0 * error;
        assert!(
            mean.abs() < allowed,
            "{workers} {sampler:?}: {mean} ± {error}"
        );
        println!("{workers} {sampler:?}: {mean:.5} ± {error:.5}");
    }
}
