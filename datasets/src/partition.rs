//! How samples or features are dealt out to workers.
//!
//! A partition is a value; a part of it is computed from the counts alone, so every worker can find
//! its own without asking. It deals out rows and columns alike.

use crate::generate::sample::shuffle;
use std::ops::Range;
use strads_common::random::stream;

/// A way to deal out `items` (rows or columns) in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partition {
    /// Neighbours stay together: part p has the p-th range.
    Contiguous,
    /// Part p has the items p, p + parts, p + 2 parts…
    RoundRobin,
    /// Each part has items drawn at random, without order in the file mattering.
    Random {
        /// Which draw.
        seed: u64,
    },
    /// A contiguous range and some neighbours of it on both sides, in a new random order every
    /// epoch: parts hear of each other's items, and no order is seen twice.
    OverlapReshuffle {
        /// How many neighbours on each side; the last item's neighbour is the first.
        overlap: usize,
        /// Which orders.
        seed: u64,
    },
}

/// The items of a part, in the order in which they are to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Items {
    /// Neighbours.
    Range(Range<usize>),
    /// Every `step`-th item.
    Stride {
        /// The first item.
        first: usize,
        /// From one to the next.
        step: usize,
        /// All are below it.
        end: usize,
    },
    /// Items one by one.
    List(Vec<usize>),
}

impl Partition {
    /// The items of part `part` in `epoch`; only [`Partition::OverlapReshuffle`] heeds the epoch.
    ///
    /// # Panics
    /// Unless `part` is below `parts`.
    pub fn part(&self, items: usize, parts: usize, part: usize, epoch: u64) -> Items {
        assert!(part < parts, "part {part} of {parts}");
        let own = range(items, parts, part);
        match *self {
            Self::Contiguous => Items::Range(own),
            Self::RoundRobin => Items::Stride {
                first: part,
                step: parts,
                end: items,
            },
            Self::Random { seed } => {
                let mut order: Vec<_> = (0..items).collect();
                shuffle(&mut stream(seed, "random partition", 0), &mut order);
                let mut list = order[own].to_vec();
                list.sort_unstable();
                Items::List(list)
            }
            Self::OverlapReshuffle { overlap, seed } => {
                let mut list = with_neighbours(own, overlap, items);
                let round = epoch.wrapping_mul(parts as u64).wrapping_add(part as u64);
                shuffle(&mut stream(seed, "reshuffled partition", round), &mut list);
                Items::List(list)
            }
        }
    }
}

/// The `part`-th of `parts` ranges of neighbours, whose sizes differ by at most one.
pub fn range(items: usize, parts: usize, part: usize) -> Range<usize> {
    // Multiplied in 128 bits: items × parts may be beyond 64.
    let edge = |part: usize| (items as u128 * part as u128 / parts as u128) as usize;
    edge(part)..edge(part + 1)
}

/// A range and up to `overlap` items on each side of it, going round at the ends; each item once.
fn with_neighbours(own: Range<usize>, overlap: usize, items: usize) -> Vec<usize> {
    let before = overlap.min(items - own.len());
    let after = overlap.min(items - own.len() - before);
    let start = own.start + items - before;
    (start..start + before + own.len() + after)
        .map(|item| item % items)
        .collect()
}

impl Items {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::Stride { first, step, end } => end.saturating_sub(*first).div_ceil(*step),
            Self::List(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items, in the order in which they are to be used.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).map(|at| match self {
            Self::Range(range) => range.start + at,
            Self::Stride { first, step, .. } => first + at * step,
            Self::List(list) => list[at],
        })
    }
}

#[cfg(test)]
mod tests {
    //! Every item is in one part exactly, and in as many as stated where parts overlap; sizes differ
    //! by at most one.

    use super::*;
    use proptest::prelude::*;

    fn parts(partition: Partition, items: usize, parts: usize, epoch: u64) -> Vec<Items> {
        (0..parts)
            .map(|part| partition.part(items, parts, part, epoch))
            .collect()
    }

    /// How often each item occurs.
    fn hits(parts: &[Items], items: usize) -> Vec<usize> {
        let mut hits = vec![0; items];
        parts
            .iter()
            .flat_map(Items::iter)
            .for_each(|item| hits[item] += 1);
        hits
    }

    proptest! {
        #[test]
        fn every_item_is_in_one_part(items in 0usize..500, count in 1usize..20, seed: u64) {
            for partition in [Partition::Contiguous, Partition::RoundRobin, Partition::Random { seed }] {
                let parts = parts(partition, items, count, 0);
                prop_assert_eq!(hits(&parts, items), vec![1; items]);
                let sizes = || parts.iter().map(Items::len);
                prop_assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
                prop_assert!(parts.iter().all(|part| part.iter().is_sorted()));
            }
        }

        #[test]
        fn neighbours_overlap_as_stated(items in 1usize..300, count in 1usize..10, overlap in 0usize..40, seed: u64, epoch: u64) {
            let partition = Partition::OverlapReshuffle { overlap, seed };
            let parts = parts(partition, items, count, epoch);
            for (number, part) in parts.iter().enumerate() {
                let own = range(items, count, number);
                let expected = (own.len() + 2 * overlap).min(items);
                let mut list: Vec<_> = part.iter().collect();
                list.sort_unstable();
                list.dedup();
                prop_assert_eq!(list.len(), expected);
                prop_assert!(own.clone().all(|item| list.binary_search(&item).is_ok()));
                let near = |item: usize| (0..=overlap).any(|away| {
                    own.contains(&((item + away) % items)) || own.contains(&((item + items * overlap - away) % items))
                });
                prop_assert!(own.is_empty() || list.iter().all(|&item| near(item)));
            }
            prop_assert!(hits(&parts, items).iter().all(|&hits| hits >= 1));
        }
    }

    #[test]
    fn every_epoch_has_an_order_of_its_own() {
        let partition = Partition::OverlapReshuffle {
            overlap: 2,
            seed: 5,
        };
        let order = |part, epoch| {
            partition
                .part(100, 4, part, epoch)
                .iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(order(1, 3), order(1, 3));
        assert_ne!(order(1, 3), order(1, 4));
    }

    #[test]
    fn ranges_do_not_overflow() {
        assert_eq!(range(usize::MAX, 7, 6).end, usize::MAX);
    }
}
