//! Rotation: blocks travel from worker to worker until all have met all.

/// Blocks that move on by one worker every round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    blocks: usize,
    workers: usize,
}

impl Rotation {
    /// `blocks` blocks among `workers` workers; there are at least as many blocks as workers, so
    /// that nobody has to wait.
    pub fn new(blocks: usize, workers: usize) -> Self {
        assert!(
            workers > 0 && blocks >= workers,
            "{blocks} blocks cannot occupy {workers} workers"
        );
        Self { blocks, workers }
    }

    /// How many rounds it takes until every worker has had every block.
    pub fn rounds(&self) -> u64 {
        self.blocks as u64
    }

    /// The block that `worker` has in `round`.
    pub fn block(&self, worker: usize, round: u64) -> usize {
        (worker + (round % self.blocks as u64) as usize) % self.blocks
    }

    /// The blocks of `round`, in worker order.
    pub fn blocks(&self, round: u64) -> impl Iterator<Item = usize> + use<> {
        let this = *self;
        (0..this.workers).map(move |worker| this.block(worker, round))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// In a round no block has two holders; after `rounds()` rounds every pair has met once.
        #[test]
        fn everybody_meets_every_block_once(workers in 1usize..12, extra in 0usize..6, start in 0u64..1000) {
            let rotation = Rotation::new(workers + extra, workers);
            let mut met = vec![0; workers * (workers + extra)];
            for round in start..start + rotation.rounds() {
                let mut held = vec![false; workers + extra];
                for (worker, block) in rotation.blocks(round).enumerate() {
                    prop_assert!(!std::mem::replace(&mut held[block], true));
                    met[worker * (workers + extra) + block] += 1;
                }
            }
            prop_assert!(met.iter().all(|&times| times == 1));
        }
    }
}
