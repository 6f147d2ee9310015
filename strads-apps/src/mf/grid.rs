//! The grid: users in strips, items in blocks, the ratings of each pair in a cell.
//!
//! A worker that holds a strip and a block can work on their cell without anybody's leave. Users
//! and items are put into a random order first, so that the popular ones are spread, and cut
//! where each part has an equal share of the ratings.

use std::ops::Range;

use rand::RngExt;
use strads_common::random::{Stream, stream};

use super::cells::{Cell, Filling};
use super::rows::Rows;

/// Items within a block have 16-bit numbers.
const BLOCK_ITEMS: usize = 1 << 16;

/// Ratings as users, items and values, numbered from 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Triples {
    /// The user of each rating.
    pub users: Vec<u32>,
    /// The item of each rating.
    pub items: Vec<u32>,
    /// The ratings.
    pub values: Vec<f32>,
}

impl Triples {
    /// How many ratings there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// User, item and value of each rating.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, f32)> + Clone {
        let pairs = self.users.iter().zip(&self.items);
        pairs
            .zip(&self.values)
            .map(|((&user, &item), &value)| (user, item, value))
    }

    /// Adds a rating.
    pub fn push(&mut self, (user, item, value): (u32, u32, f32)) {
        self.users.push(user);
        self.items.push(item);
        self.values.push(value);
    }
}

/// Where a user or an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which strip or block.
    pub part: u32,
    /// Which row of it.
    pub row: u32,
}

/// The order of users or items, cut into parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    places: Vec<Place>,
    sizes: Vec<usize>,
}

impl Parts {
    /// `parts` parts, or more if one would have over `largest` rows; row r weighs `weights[r]`.
    pub fn new(weights: &[u32], parts: usize, largest: usize, random: &mut Stream) -> Self {
        let order = shuffled(weights.len(), random);
        let total: u64 = weights.iter().map(|&w| u64::from(w)).sum();
        let mut places = vec![Place { part: 0, row: 0 }; weights.len()];
        let mut sizes = vec![0];
        let mut passed = 0;
        for id in order {
            let part = sizes.len();
            let full = passed * parts as u64 >= part as u64 * total && part < parts;
            if (full && total > 0) || sizes[part - 1] == largest {
                sizes.push(0);
            }
            let part = sizes.len() - 1;
            places[id as usize] = Place {
                part: part as u32,
                row: sizes[part] as u32,
            };
            sizes[part] += 1;
            passed += u64::from(weights[id as usize]);
        }
        sizes.resize(sizes.len().max(parts), 0);
        Self { places, sizes }
    }

    /// Where `id` is.
    pub fn place(&self, id: u32) -> Place {
        self.places[id as usize]
    }

    /// How many rows there are in all parts.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The number of rows of each part.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }
}

/// The places of all users and items.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Users in strips.
    pub users: Parts,
    /// Items in blocks.
    pub items: Parts,
}

/// How a grid is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Strips of users.
    pub strips: usize,
    /// Blocks of items: at least so many.
    pub blocks: usize,
    /// The seed of the order.
    pub seed: u64,
}

impl Grid {
    /// The grid for `users` users and `items` items with these ratings.
    pub fn new(ratings: &Triples, users: usize, items: usize, cut: Cut) -> Self {
        let order = |purpose| stream(cut.seed, purpose, 0);
        let weights = |ids: &[u32], count: usize| {
            let mut weights = vec![0_u32; count];
            for &id in ids {
                weights[id as usize] += 1;
            }
            weights
        };
        Self {
            users: Parts::new(
                &weights(&ratings.users, users),
                cut.strips,
                usize::MAX,
                &mut order("mf user order"),
            ),
            items: Parts::new(
                &weights(&ratings.items, items),
                cut.blocks,
                BLOCK_ITEMS,
                &mut order("mf item order"),
            ),
        }
    }

    /// The cells of each strip, by block. Ratings are shifted and scaled to (r − `mean`) / `scale`.
    pub fn cells(
        &self,
        ratings: &Triples,
        mean: f32,
        scale: f32,
        threads: usize,
    ) -> Vec<Vec<Cell>> {
        let strips = self.users.sizes().len();
        let share = strips.div_ceil(threads.clamp(1, strips));
        let inverse = 1.0 / scale;
        let fill = |group: Range<usize>| {
            let mut filling = self.shape(ratings, group.clone());
            for (user, item, value) in ratings.iter() {
                let user = self.users.place(user);
                if group.contains(&(user.part as usize)) {
                    let item = self.items.place(item);
                    filling[user.part as usize - group.start][item.part as usize].add(
                        user.row,
                        item.row as u16,
                        (value - mean) * inverse,
                    );
                }
            }
            let finish = |strip: Vec<Filling>| strip.into_iter().map(Filling::finish).collect();
            filling.into_iter().map(finish).collect::<Vec<Vec<Cell>>>()
        };
        std::thread::scope(|scope| {
            let groups: Vec<_> = (0..strips)
                .step_by(share)
                .map(|first| scope.spawn(move || fill(first..strips.min(first + share))))
                .collect();
            let done = groups.into_iter().map(|group| group.join());
            done.flat_map(|cells| cells.expect("filling cells does not panic"))
                .collect()
        })
    }

    /// Empty cells of the strips of `group`, with room for their ratings.
    fn shape(&self, ratings: &Triples, group: Range<usize>) -> Vec<Vec<Filling>> {
        let blocks = self.items.sizes().len();
        let mut counts: Vec<Vec<Vec<u32>>> = group
            .clone()
            .map(|strip| vec![vec![0; self.users.sizes()[strip]]; blocks])
            .collect();
        for (&user, &item) in ratings.users.iter().zip(&ratings.items) {
            let user = self.users.place(user);
            if group.contains(&(user.part as usize)) {
                let item = self.items.place(item);
                counts[user.part as usize - group.start][item.part as usize][user.row as usize] +=
                    1;
            }
        }
        let shape = |strip: &Vec<Vec<u32>>| strip.iter().map(|c| Cell::shaped(c)).collect();
        counts.iter().map(shape).collect()
    }

    /// Rows for every strip of users, or block of items, in the order of parts.
    pub fn rows(
        parts: &Parts,
        rank: usize,
        mut row: impl FnMut(u32, &mut Rows, usize),
    ) -> Vec<Rows> {
        let mut all: Vec<Rows> = parts
            .sizes()
            .iter()
            .map(|&n| Rows::zeros(n, rank))
            .collect();
        for (id, place) in parts.places.iter().enumerate() {
            row(id as u32, &mut all[place.part as usize], place.row as usize);
        }
        all
    }
}

fn shuffled(count: usize, random: &mut Stream) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    for at in (1..count).rev() {
        order.swap(at, random.random_range(0..=at));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ratings(pairs: Vec<(u32, u32)>) -> Triples {
        let mut triples = Triples::default();
        for (at, (user, item)) in pairs.into_iter().enumerate() {
            triples.push((user, item, at as f32));
        }
        triples
    }

    proptest! {
        /// Every rating is in the cell of its user's strip and its item's block, once, whatever
        /// the cut and the number of threads.
        #[test]
        fn cells_hold_every_rating_once(
            pairs in prop::collection::vec((0u32..20, 0u32..15), 0..200),
            strips in 1usize..6, blocks in 1usize..6, threads in 1usize..4,
        ) {
            let triples = ratings(pairs);
            let grid = Grid::new(&triples, 20, 15, Cut { strips, blocks, seed: 1 });
            let cells = grid.cells(&triples, 0.0, 1.0, threads);
            let mut found = Vec::new();
            for (strip, cells) in cells.iter().enumerate() {
                for (block, cell) in cells.iter().enumerate() {
                    for (run, items, values) in cell.runs() {
                        for (&item, &value) in items.iter().zip(values) {
                            found.push((
                                value as usize,
                                Place { part: strip as u32, row: run.user },
                                Place { part: block as u32, row: u32::from(item) },
                            ));
                        }
                    }
                }
            }
            found.sort_by_key(|&(at, ..)| at);
            let expected: Vec<_> = triples
                .iter()
                .map(|(u, i, v)| (v as usize, grid.users.place(u), grid.items.place(i)))
                .collect();
            prop_assert_eq!(found, expected);
        }

        /// Parts hold every row once, are as many as asked, and none is larger than allowed.
        #[test]
        fn parts_are_a_partition(
            weights in prop::collection::vec(0u32..9, 0..60), parts in 1usize..8, largest in 1usize..20,
        ) {
            let cut = Parts::new(&weights, parts, largest, &mut stream(3, "test", 0));
            prop_assert!(cut.sizes().len() >= parts);
            prop_assert!(cut.sizes().iter().all(|&size| size <= largest));
            let mut seen: Vec<Vec<bool>> = cut.sizes().iter().map(|&n| vec![false; n]).collect();
            for id in 0..weights.len() as u32 {
                let place = cut.place(id);
                prop_assert!(!std::mem::replace(&mut seen[place.part as usize][place.row as usize], true));
            }
            prop_assert!(seen.iter().flatten().all(|&s| s));
        }
    }
}
