//! The data-parallel alternative, to compare with: every worker samples with its own copy of all
//! counts, and the copies are merged every few sweeps.
//!
//! Same documents, same sampler, same likelihood as the scheduled program. What differs is that
//! workers sample the same words at the same time, so that the counts they go by grow stale with
//! the number of workers and of sweeps between merges.

use std::sync::Arc;

use strads::{Moved, Plan, Program, Round, Shares};

use super::counts::WordCounts;
use super::exact::Prior;
use super::shard::{Random, Shard, View};

/// All counts of words, merged.
#[derive(Clone, Debug)]
pub struct Counts {
    /// The word blocks.
    pub blocks: Vec<WordCounts>,
    /// Totals and head words, as in the scheduled program.
    pub shared: Vec<u32>,
}

/// The coordinator's part.
#[derive(Debug)]
pub struct Replicas {
    counts: Arc<Counts>,
    prior: Prior,
    topics: usize,
    seed: u64,
    /// Sweeps between merges.
    period: u64,
    /// Sweeps completed.
    sweeps: u64,
    predictive: f64,
}

/// Sweeps on a copy.
pub struct Task {
    counts: Arc<Counts>,
    prior: Prior,
    seed: u64,
    /// The number of the first sweep, times the workers, plus the worker.
    number: u64,
    workers: u64,
    period: u64,
}

/// The copy afterwards, and the likelihood before.
pub struct Share {
    counts: Counts,
    predictive: f64,
}

impl Replicas {
    /// Starts from `counts`.
    pub fn new(counts: Counts, prior: Prior, topics: usize, seed: u64, period: u64) -> Self {
        Self {
            counts: Arc::new(counts),
            prior,
            topics,
            seed,
            period,
            sweeps: 0,
            predictive: 0.0,
        }
    }

    /// The counts as last merged.
    #[cfg(test)]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many sweeps there were when the last round began, and Σ log p over tokens at that time.
    pub fn measured(&self) -> (u64, f64) {
        (self.sweeps - self.period, self.predictive)
    }
}

impl Program for Replicas {
    type Shard = Shard;
    type Task = Task;
    type Share = Share;

    fn schedule(&mut self, round: &mut Round) -> Plan<Task> {
        let workers = round.workers() as u64;
        Plan::one_each((0..workers).map(|worker| Task {
            counts: Arc::clone(&self.counts),
            prior: self.prior,
            seed: self.seed,
            number: self.sweeps * workers + worker,
            workers,
            period: self.period,
        }))
    }

    fn push(shard: &mut Shard, task: Task) -> Share {
        let mut counts = (*task.counts).clone();
        let Counts { blocks, shared } = &mut counts;
        let prior = task.prior;
        let mut predictive = 0.0;
        for (number, block) in blocks.iter_mut().enumerate() {
            predictive += shard.log_likelihood(
                View {
                    block,
                    shared,
                    prior,
                },
                number,
            );
        }
        for sweep in 0..task.period {
            for (number, block) in blocks.iter_mut().enumerate() {
                let random = Random {
                    seed: task.seed,
                    number: (task.number + sweep * task.workers) * task.workers + number as u64,
                };
                shard.sample(
                    View {
                        block,
                        shared,
                        prior,
                    },
                    number,
                    random,
                );
            }
        }
        Share { counts, predictive }
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        let shares: Vec<Share> = shares.into_values().collect();
        if shares.is_empty() {
            return Moved::default();
        }
        self.predictive = shares.iter().map(|share| share.predictive).sum();
        let copies: Vec<&Counts> = shares.iter().map(|share| &share.counts).collect();
        self.counts = Arc::new(merge(&self.counts, &copies, self.topics));
        self.sweeps += self.period;
        Moved::default()
    }
}

/// `base` with the changes that each copy made to it.
fn merge(base: &Counts, copies: &[&Counts], topics: usize) -> Counts {
    let mut merged = base.clone();
    let before = copies.len() as u32 - 1;
    for (at, count) in merged.shared.iter_mut().enumerate() {
        let all: u32 = copies.iter().map(|copy| copy.shared[at]).sum();
        *count = all - before * *count;
    }
    let mut sums = vec![0u32; topics];
    for (number, block) in merged.blocks.iter_mut().enumerate() {
        for word in 0..block.len() {
            let mut seen = Vec::new();
            for copy in copies {
                for &(topic, count) in copy.blocks[number].row(word) {
                    sums[topic as usize] += count;
                    seen.push(topic);
                }
            }
            for &(topic, count) in base.blocks[number].row(word) {
                sums[topic as usize] = sums[topic as usize].wrapping_sub(before * count);
                seen.push(topic);
            }
            seen.sort_unstable();
            seen.dedup();
            let row = seen
                .iter()
                .map(|&topic| (topic, std::mem::take(&mut sums[topic as usize])));
            block.write(word, row.filter(|&(_, count)| count > 0));
        }
    }
    merged
}
