//! Which examples a step is about: a function of seed, epoch and step, and of nothing else.

use rand::seq::SliceRandom;
use strads_common::random::stream;
use strads_datasets::partition::{Partition, range};

/// How epochs are cut into steps.
#[derive(Clone, Debug)]
pub struct Batches {
    examples: usize,
    workers: usize,
    /// Examples of a step over all workers, in the first epoch.
    batch: usize,
    growth: f64,
    seed: u64,
}

/// A step, as all workers see it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// The pass over the examples that it is in, from 0.
    pub epoch: u64,
    /// Examples of one worker, at most.
    pub share: usize,
    /// Examples over all workers.
    pub total: usize,
    /// Where in each worker's order it begins.
    start: usize,
    /// Nothing follows in this epoch.
    pub ends_epoch: bool,
}

impl Batches {
    /// Steps over `examples`, dealt out to `workers`.
    pub fn new(examples: usize, workers: usize, batch: u32, growth: f64, seed: u64) -> Self {
        Self {
            examples,
            workers,
            batch: batch as usize,
            growth,
            seed,
        }
    }

    /// The steps from the beginning of `epoch` to the beginning of `end`.
    pub fn steps(&self, epoch: u64, end: u64) -> impl Iterator<Item = Step> + '_ {
        (epoch..end).flat_map(|epoch| self.steps_of(epoch))
    }

    fn steps_of(&self, epoch: u64) -> impl Iterator<Item = Step> + '_ {
        let grown = self.batch as f64 * self.growth.powi(epoch.min(i32::MAX as u64) as i32);
        let batch = grown.min(self.examples as f64) as usize;
        let share = batch.div_ceil(self.workers).max(1);
        let longest = self.examples.div_ceil(self.workers);
        (0..longest).step_by(share).map(move |start| {
            let of_worker = |worker| {
                let own = range(self.examples, self.workers, worker).len();
                own.saturating_sub(start).min(share)
            };
            let counts = (0..self.workers).map(of_worker);
            Step {
                epoch,
                share: counts.clone().max().unwrap_or(0),
                total: counts.sum(),
                start,
                ends_epoch: start + share >= longest,
            }
        })
    }

    /// The examples that `worker` owns.
    pub fn own(&self, worker: usize) -> Vec<usize> {
        let partition = Partition::Random { seed: self.seed };
        partition
            .part(self.examples, self.workers, worker, 0)
            .iter()
            .collect()
    }

    /// The same, in the order of `epoch`.
    pub fn order(&self, worker: usize, epoch: u64) -> Vec<usize> {
        let mut own = self.own(worker);
        let number = epoch
            .wrapping_mul(self.workers as u64)
            .wrapping_add(worker as u64);
        own.shuffle(&mut stream(self.seed, "order of examples", number));
        own
    }
}

impl Step {
    /// What a step takes of a worker's order.
    pub fn of<'a>(&self, order: &'a [usize]) -> &'a [usize] {
        let end = order.len().min(self.start + self.share);
        order.get(self.start..end).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    //! Every example is in one step of one worker in every epoch, and the counts are right.
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_epoch_is_all_examples(examples in 1usize..200, workers in 1usize..6, batch in 1u32..50, growth in 1.0f64..3.0) {
            let batches = Batches::new(examples, workers, batch, growth, 7);
            for epoch in 0..3 {
                let mut seen = vec![0; examples];
                let steps: Vec<Step> = batches.steps(epoch, epoch + 1).collect();
                for step in &steps {
                    let mut total = 0;
                    for worker in 0..workers {
                        let order = batches.order(worker, epoch);
                        let taken = step.of(&order);
                        prop_assert!(taken.len() <= step.share);
                        taken.iter().for_each(|&at| seen[at] += 1);
                        total += taken.len();
                    }
                    prop_assert_eq!(total, step.total);
                }
                prop_assert_eq!(seen, vec![1; examples]);
                prop_assert!(steps.last().unwrap().ends_epoch);
                prop_assert_eq!(steps.iter().filter(|step| step.ends_epoch).count(), 1);
            }
        }
    }
}
