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
    /// Examples of one worker, at most, in any step of this epoch.
    pub share: usize,
    /// Examples over all workers.
    pub total: usize,
    /// Its number in the epoch, of how many.
    place: (usize, usize),
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
        // Steps of nearly one size: a last one of a few examples would undo what others learnt.
        let longest = self.examples.div_ceil(self.workers);
        let steps = longest.div_ceil(share);
        (0..steps).map(move |number| {
            let of_worker = |worker| {
                let own = range(self.examples, self.workers, worker).len();
                range(own, steps, number).len()
            };
            Step {
                epoch,
                share: longest.div_ceil(steps),
                total: (0..self.workers).map(of_worker).sum(),
                place: (number, steps),
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

    /// The order of `epoch`: places in what `worker` owns.
    pub fn order(&self, worker: usize, epoch: u64) -> Vec<usize> {
        let mut own: Vec<usize> = (0..range(self.examples, self.workers, worker).len()).collect();
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
        let (number, steps) = self.place;
        &order[range(order.len(), steps, number)]
    }

    /// Whether nothing follows in this epoch.
    pub fn ends_epoch(&self) -> bool {
        self.place.0 + 1 == self.place.1
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
                        let (own, order) = (batches.own(worker), batches.order(worker, epoch));
                        let taken = step.of(&order);
                        prop_assert!(taken.len() <= step.share);
                        taken.iter().for_each(|&at| seen[own[at]] += 1);
                        total += taken.len();
                    }
                    prop_assert_eq!(total, step.total);
                }
                prop_assert_eq!(seen, vec![1; examples]);
                prop_assert!(steps.last().unwrap().ends_epoch());
                prop_assert_eq!(steps.iter().filter(|step| step.ends_epoch()).count(), 1);
            }
        }
    }
}
