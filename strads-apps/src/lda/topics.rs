//! The topics of a trained model, held still: what topics do new documents have, and how likely are
//! their words?
//!
//! A document is *folded in* by Gibbs sampling of its tokens' topics under fixed φ: token of word w takes
//! topic k with probability proportional to (n_dk + α) φ_kw. Of (n_dk + α)(n_wk + β) / (n_k + Vβ) the terms
//! with n_wk are over the topics of the word, those with β n_dk over the topics of the document, and
//! those with αβ are the same for every token: so a token costs what the two rows have, not K.

use rand::RngExt;
use serde::{Deserialize, Serialize};
use strads_common::random::Stream;

use super::exact::Prior;

/// How many sweeps over a document come first.
const WARM_UP: u32 = 10;
/// How many are counted after that.
const COUNTED: u32 = 20;

/// Topics of words, held still.
#[derive(Clone, Debug)]
pub struct Topics {
    /// α, β and V.
    pub prior: Prior,
    /// Where each word's topics begin, and at last where they end.
    starts: Vec<usize>,
    /// A topic of a word, and n_wk / (n_k + Vβ).
    shares: Vec<(u32, f32)>,
    /// 1 / (n_k + Vβ).
    inverse: Vec<f32>,
    /// Running sums of `inverse`.
    ends: Vec<f64>,
}

/// Where one document at a time is folded in.
#[derive(Clone, Debug)]
pub struct Fold {
    /// n_dk; all 0 between documents.
    counts: Vec<u32>,
    /// n_dk summed over the sweeps that count; all 0 between documents.
    sums: Vec<u32>,
    /// Topics that the document has or had.
    seen: Vec<u32>,
    /// The tokens' topics.
    topics: Vec<u32>,
    /// Mean counts; all 0 between documents.
    means: Vec<f32>,
}

/// The topics of a document: mean counts, and how many tokens it has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// Topics that occur, ascending, with the mean number of tokens.
    pub counts: Vec<(u32, f32)>,
    /// Tokens with a known word.
    pub tokens: u32,
}

impl Topics {
    /// From each word's row of counts, in the order of words, and the totals.
    pub fn new(prior: Prior, totals: &[u32], rows: &[Vec<(u32, u32)>]) -> Self {
        let smoothing = prior.beta * prior.words as f32;
        let inverse: Vec<f32> = totals
            .iter()
            .map(|&total| 1.0 / (total as f32 + smoothing))
            .collect();
        let ends = inverse.iter().scan(0.0, |end, &x| {
            *end += f64::from(x);
            Some(*end)
        });
        let mut starts = vec![0];
        let mut shares = Vec::new();
        for row in rows {
            let share =
                |&(topic, count): &(u32, u32)| (topic, count as f32 * inverse[topic as usize]);
            shares.extend(row.iter().map(share));
            starts.push(shares.len());
        }
        Self {
            prior,
            starts,
            shares,
            ends: ends.collect(),
            inverse,
        }
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.inverse.len()
    }

    /// How many words are known.
    pub fn words(&self) -> usize {
        self.starts.len() - 1
    }

    /// An empty place to fold documents in.
    pub fn fold(&self) -> Fold {
        Fold {
            counts: vec![0; self.len()],
            sums: vec![0; self.len()],
            seen: Vec::new(),
            topics: Vec::new(),
            means: vec![0.0; self.len()],
        }
    }

    fn row(&self, word: u32) -> &[(u32, f32)] {
        &self.shares[self.starts[word as usize]..self.starts[word as usize + 1]]
    }

    /// The topics of a document with these tokens.
    pub fn mixture(&self, words: &[u32], fold: &mut Fold, random: &mut Stream) -> Mixture {
        fold.topics.clear();
        for &word in words {
            let topic = self.draw(word, fold, random);
            fold.put(topic);
            fold.topics.push(topic);
        }
        for sweep in 1..WARM_UP + COUNTED {
            for (token, &word) in words.iter().enumerate() {
                fold.counts[fold.topics[token] as usize] -= 1;
                let topic = self.draw(word, fold, random);
                fold.put(topic);
                fold.topics[token] = topic;
            }
            fold.tidy();
            if sweep >= WARM_UP {
                for &topic in &fold.seen {
                    fold.sums[topic as usize] += fold.counts[topic as usize];
                }
            }
        }
        fold.finish(words.len() as u32)
    }

    /// A topic for a token of `word` beside those already in.
    fn draw(&self, word: u32, fold: &Fold, random: &mut Stream) -> u32 {
        let (alpha, beta) = (self.prior.alpha, f64::from(self.prior.beta));
        let row = self.row(word);
        let of_row = |&(topic, share): &(u32, f32)| {
            f64::from((fold.counts[topic as usize] as f32 + alpha) * share)
        };
        let of_seen = |&topic: &u32| {
            beta * f64::from(fold.counts[topic as usize] as f32 * self.inverse[topic as usize])
        };
        let by_word: f64 = row.iter().map(of_row).sum();
        let by_document: f64 = fold.seen.iter().map(of_seen).sum();
        let even = f64::from(alpha) * beta;
        let by_prior = even * self.ends[self.len() - 1];
        let mut mark = random.random::<f64>() * (by_word + by_document + by_prior);
        if mark < by_word {
            for entry in row {
                mark -= of_row(entry);
                if mark < 0.0 {
                    return entry.0;
                }
            }
        }
        mark = (mark - by_word).max(0.0);
        if mark < by_document {
            for topic in &fold.seen {
                mark -= of_seen(topic);
                if mark < 0.0 {
                    return *topic;
                }
            }
        }
        let mark = (mark - by_document).max(0.0) / even;
        let topic = self.ends.partition_point(|&end| end <= mark);
        topic.min(self.len() - 1) as u32
    }

    /// Σ log p(w | mixture) over `words`.
    pub fn log_likelihood(&self, words: &[u32], mixture: &Mixture, fold: &mut Fold) -> f64 {
        let alpha = f64::from(self.prior.alpha);
        let tokens = f64::from(mixture.tokens) + alpha * self.len() as f64;
        // Σ_k (n_dk + α) β / (n_k + Vβ) is the same for all words.
        let mut even = alpha * self.ends[self.len() - 1];
        for &(topic, count) in &mixture.counts {
            even += f64::from(count * self.inverse[topic as usize]);
            fold.means[topic as usize] = count;
        }
        even *= f64::from(self.prior.beta);
        let of_share = |&(topic, share): &(u32, f32)| {
            (f64::from(fold.means[topic as usize]) + alpha) * f64::from(share)
        };
        let probability = |word| (self.row(word).iter().map(of_share).sum::<f64>() + even) / tokens;
        let sum = words.iter().map(|&word| probability(word).ln()).sum();
        for &(topic, _) in &mixture.counts {
            fold.means[topic as usize] = 0.0;
        }
        sum
    }
}

impl Fold {
    fn put(&mut self, topic: u32) {
        let count = &mut self.counts[topic as usize];
        if *count == 0 && !self.seen.contains(&topic) {
            self.seen.push(topic);
        }
        *count += 1;
    }

    /// Forgets topics that went.
    fn tidy(&mut self) {
        let Self {
            counts, sums, seen, ..
        } = self;
        seen.retain(|&topic| counts[topic as usize] > 0 || sums[topic as usize] > 0);
    }

    /// Takes the document off.
    fn finish(&mut self, tokens: u32) -> Mixture {
        self.seen.sort_unstable();
        let mut counts = Vec::new();
        for &topic in &self.seen {
            self.counts[topic as usize] = 0;
            let sum = std::mem::take(&mut self.sums[topic as usize]);
            if sum > 0 {
                counts.push((topic, sum as f32 / COUNTED as f32));
            }
        }
        self.seen.clear();
        Mixture { counts, tokens }
    }
}
