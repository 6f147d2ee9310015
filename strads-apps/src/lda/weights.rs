//! Weights of topics that change one at a time and are drawn from.
//!
//! A tree of sums with sixteen children a node, one node a cache line: a change touches one value
//! a level, a draw reads one node a level, and K = 100,000 is five levels. It promises that a draw
//! never lands on a topic without weight, whatever was rounded on the way.

use super::wide::{LANES, Lanes, Wide};

/// A weight for each topic, with sums over them.
#[derive(Clone, Debug)]
pub struct Weights {
    /// `levels[0]` are the weights; `levels[i + 1][j]` is the sum of node `j` of `levels[i]`.
    levels: Vec<Vec<Lanes>>,
    /// The sum of the topmost node, by itself: reading a node as a whole right after one of its
    /// values was written stalls.
    total: f32,
}

impl Weights {
    /// `topics` weights of zero.
    pub fn new(topics: usize) -> Self {
        let mut levels = Vec::new();
        let mut nodes = topics;
        loop {
            nodes = nodes.div_ceil(LANES).max(1);
            levels.push(vec![[0.0; LANES]; nodes]);
            if nodes == 1 {
                return Self { levels, total: 0.0 };
            }
        }
    }

    /// The weights by topic, padded with zeros to whole nodes.
    #[inline(always)]
    pub fn leaves(&self) -> &[f32] {
        self.levels[0].as_flattened()
    }

    /// The weights in whole nodes.
    #[inline(always)]
    pub fn nodes(&self) -> &[Lanes] {
        &self.levels[0]
    }

    /// The sum of all weights.
    #[inline(always)]
    pub fn total(&self) -> f32 {
        self.total
    }

    /// Sets a weight and moves the sums above it by the difference.
    #[inline(always)]
    pub fn set(&mut self, topic: u32, weight: f32) {
        let (leaves, sums) = self.levels.split_at_mut(1);
        let mut at = topic as usize;
        let leaf = &mut leaves[0].as_flattened_mut()[at];
        let difference = weight - *leaf;
        *leaf = weight;
        for level in sums {
            at /= LANES;
            level.as_flattened_mut()[at] += difference;
        }
        self.total += difference;
    }

    /// Sets a weight and leaves the sums stale, for [`Weights::refresh`] or [`Weights::rebuild`].
    #[inline(always)]
    pub fn place(&mut self, topic: u32, weight: f32) {
        self.levels[0].as_flattened_mut()[topic as usize] = weight;
    }

    /// As [`Weights::place`], for weights that are read in whole nodes at once.
    #[inline(always)]
    pub fn place_whole<W: Wide>(&mut self, wide: W, topic: u32, weight: f32) {
        let node = &mut self.levels[0][topic as usize / LANES];
        *node = wide.with_lane(node, topic as usize % LANES, weight);
    }

    /// Sums anew above one topic; nothing of earlier rounding remains there.
    #[inline(always)]
    pub fn refresh<W: Wide>(&mut self, wide: W, topic: u32) {
        let mut at = topic as usize;
        for level in 1..self.levels.len() {
            at /= LANES;
            let total = wide.sum(wide.load(&self.levels[level - 1][at]));
            self.levels[level].as_flattened_mut()[at] = total;
        }
        self.total = self.sum_of_top(wide);
    }

    /// Sums everything anew.
    #[inline(always)]
    pub fn rebuild<W: Wide>(&mut self, wide: W) {
        for level in 1..self.levels.len() {
            let (below, above) = self.levels.split_at_mut(level);
            let sums = above[0].as_flattened_mut();
            for (total, node) in sums.iter_mut().zip(&below[level - 1]) {
                *total = wide.sum(wide.load(node));
            }
        }
        self.total = self.sum_of_top(wide);
    }

    #[inline(always)]
    fn sum_of_top<W: Wide>(&self, wide: W) -> f32 {
        wide.sum(wide.load(&self.levels[self.levels.len() - 1][0]))
    }

    /// The topic at `mark` of the line on which all weights are laid end to end.
    #[inline(always)]
    pub fn find<W: Wide>(&self, wide: W, mut mark: f32) -> u32 {
        let mut at = 0;
        for level in self.levels.iter().rev() {
            let node = wide.load(&level[at]);
            let ends = wide.running_sums(node);
            let lane = wide.lane_at(node, ends, wide.splat(mark));
            mark -= wide.store(wide.sub(ends, node))[lane];
            at = at * LANES + lane;
        }
        at as u32
    }
}
