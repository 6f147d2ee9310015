//! Balance: who gets which items, so that all finish together.
//!
//! Both divisions cut by cost, not by count, and say how even they came out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// Items divided into blocks of about equal cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Blocks<I> {
    /// The blocks; some are empty if there are fewer items than blocks.
    pub blocks: Vec<Vec<I>>,
    /// The cost of each.
    pub loads: Vec<u64>,
}

impl<I> Blocks<I> {
    /// Divides `items` into `count` blocks: the costliest item first, each into the block that is
    /// lightest so far. The heaviest block is then at most a third heavier than in the best division.
    pub fn balanced(
        items: impl IntoIterator<Item = I>,
        count: usize,
        cost: impl Fn(&I) -> u64,
    ) -> Self {
        assert!(count > 0, "items need at least one block");
        let mut costed: Vec<(u64, I)> = items.into_iter().map(|item| (cost(&item), item)).collect();
        costed.sort_by_key(|&(cost, _)| Reverse(cost));
        let mut blocks: Vec<Vec<I>> = (0..count).map(|_| Vec::new()).collect();
        let mut loads = vec![0; count];
        let mut lightest: BinaryHeap<_> = (0..count).map(|block| Reverse((0_u64, block))).collect();
        for (cost, item) in costed {
            let Reverse((load, block)) = lightest.pop().expect("there is at least one block");
            blocks[block].push(item);
            loads[block] = load + cost;
            lightest.push(Reverse((load + cost, block)));
        }
        Self { blocks, loads }
    }

    /// The heaviest block's cost over the mean: 1 is even.
    pub fn imbalance(&self) -> f64 {
        let total: u64 = self.loads.iter().sum();
        let heaviest = self.loads.iter().max().copied().unwrap_or(0);
        if total == 0 {
            1.0
        } else {
            heaviest as f64 * self.loads.len() as f64 / total as f64
        }
    }
}

/// Cuts items 0 to n − 1 into `count` ranges of about equal cost, where `ends[i]` is the cost of
/// items 0 to i together (as the row pointers of a sparse matrix are). For memory read in order.
pub fn contiguous(ends: &[usize], count: usize) -> Vec<Range<usize>> {
    assert!(count > 0, "items need at least one range");
    let total = ends.last().copied().unwrap_or(0);
    let mut start = 0;
    let mut ranges = Vec::with_capacity(count);
    for part in 1..=count {
        let goal = (total as u128 * part as u128 / count as u128) as usize;
        let end = if part == count {
            ends.len()
        } else {
            nearest(ends, goal).max(start)
        };
        ranges.push(start..end);
        start = end;
    }
    ranges
}

/// How many items to take for a cost nearest to `goal`.
fn nearest(ends: &[usize], goal: usize) -> usize {
    let below = ends.partition_point(|&end| end <= goal);
    let under = if below == 0 { 0 } else { ends[below - 1] };
    match ends.get(below) {
        Some(&over) if over - goal < goal - under => below + 1,
        _ => below,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By cost, not by count: one heavy item weighs as much as many light ones.
    #[test]
    fn a_heavy_item_gets_a_block_of_its_own() {
        let blocks = Blocks::balanced([1, 1, 9, 1, 1, 1, 1, 1, 1, 1], 2, |&cost| cost);
        assert_eq!(blocks.loads, [9, 9]);
        assert_eq!(blocks.imbalance(), 1.0);
    }

    proptest! {
        /// Every item is in one block, and no block exceeds the mean by more than one item.
        #[test]
        fn blocks_hold_every_item_once(costs in prop::collection::vec(0u64..1000, 0..100), count in 1usize..9) {
            let blocks = Blocks::balanced(0..costs.len(), count, |&item| costs[item]);
            let mut all: Vec<usize> = blocks.blocks.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..costs.len()).collect::<Vec<_>>());
            let mean = costs.iter().sum::<u64>() as f64 / count as f64;
            let largest = costs.iter().max().copied().unwrap_or(0) as f64;
            for (block, &load) in blocks.blocks.iter().zip(&blocks.loads) {
                prop_assert_eq!(load, block.iter().map(|&item| costs[item]).sum::<u64>());
                prop_assert!(load as f64 <= mean + largest);
            }
        }

        /// Ranges follow each other, cover everything, and miss the mean by at most one item.
        #[test]
        fn ranges_cover_everything_in_order(costs in prop::collection::vec(0usize..1000, 0..100), count in 1usize..9) {
            let ends: Vec<usize> = costs.iter().scan(0, |sum, &c| { *sum += c; Some(*sum) }).collect();
            let ranges = contiguous(&ends, count);
            prop_assert_eq!(ranges.len(), count);
            let mut next = 0;
            let largest = costs.iter().max().copied().unwrap_or(0) as f64;
            for range in ranges {
                prop_assert_eq!(range.start, next);
                next = range.end;
                let load = costs[range].iter().sum::<usize>() as f64;
                prop_assert!(load <= ends.last().copied().unwrap_or(0) as f64 / count as f64 + largest + 1.0);
            }
            prop_assert_eq!(next, costs.len());
        }
    }
}
