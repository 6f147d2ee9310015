//! The ratings of one cell of the grid: the users of a strip by the items of a block.
//!
//! Users and items are numbered within their strip and block. A rating is six bytes; who its user
//! is stands once for all of the user's ratings in the cell. Within a run ratings keep the order
//! in which they were given.

use bytemuck::{Pod, Zeroable};

/// The ratings of a user in a cell, which are consecutive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Run {
    /// The user, within the strip.
    pub user: u32,
    /// How many ratings.
    pub len: u32,
}

/// Ratings, ordered by user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    runs: Vec<Run>,
    items: Vec<u16>,
    values: Vec<f32>,
}

/// A cell whose shape is known and which is being filled.
#[derive(Debug)]
pub struct Filling {
    cell: Cell,
    /// Where the next rating of each user goes.
    next: Vec<u32>,
}

impl Cell {
    /// The cell in which user `u` will have `counts[u]` ratings.
    pub fn shaped(counts: &[u32]) -> Filling {
        let mut cell = Self::default();
        let mut next = Vec::with_capacity(counts.len());
        let mut total = 0;
        for (user, &len) in counts.iter().enumerate() {
            next.push(total);
            total += len;
            if len > 0 {
                cell.runs.push(Run {
                    user: user as u32,
                    len,
                });
            }
        }
        cell.runs.shrink_to_fit();
        cell.items = vec![0; total as usize];
        cell.values = vec![0.0; total as usize];
        Filling { cell, next }
    }

    /// How many ratings there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Each run with its items and ratings.
    #[inline(always)]
    pub fn runs(&self) -> impl Iterator<Item = (&Run, &[u16], &[f32])> {
        let mut rest = (&self.items[..], &self.values[..]);
        self.runs.iter().map(move |run| {
            let (items, items_rest) = rest.0.split_at(run.len as usize);
            let (values, values_rest) = rest.1.split_at(run.len as usize);
            rest = (items_rest, values_rest);
            (run, items, values)
        })
    }

    /// Each run with its items and its ratings, to change.
    pub fn runs_mut(&mut self) -> impl Iterator<Item = (&Run, &[u16], &mut [f32])> {
        let mut rest = (&self.items[..], &mut self.values[..]);
        self.runs.iter().map(move |run| {
            let (items, items_rest) = rest.0.split_at(run.len as usize);
            let (values, values_rest) = std::mem::take(&mut rest.1).split_at_mut(run.len as usize);
            rest = (items_rest, values_rest);
            (run, items, values)
        })
    }
}

impl Filling {
    /// Adds a rating; there is room for as many as the shape has.
    #[inline]
    pub fn add(&mut self, user: u32, item: u16, value: f32) {
        let next = &mut self.next[user as usize];
        self.cell.items[*next as usize] = item;
        self.cell.values[*next as usize] = value;
        *next += 1;
    }

    /// The filled cell.
    pub fn finish(self) -> Cell {
        self.cell
    }
}

strads::travel_as_bytes!(Run);
strads::travel_by_fields!(Cell {
    runs,
    items,
    values
});

#[cfg(test)]
mod tests {
    use super::*;

    /// A cell holds what was added, by user, and in the order of addition within a user.
    #[test]
    fn ratings_come_back_by_user() {
        let mut filling = Cell::shaped(&[2, 0, 1]);
        for (user, item, value) in [(0, 7, 1.0), (2, 5, 3.0), (0, 4, 2.0)] {
            filling.add(user, item, value);
        }
        let cell = filling.finish();
        let runs: Vec<_> = cell
            .runs()
            .map(|(run, items, values)| (run.user, items.to_vec(), values.to_vec()))
            .collect();
        assert_eq!(
            runs,
            [(0, vec![7, 4], vec![1.0, 2.0]), (2, vec![5], vec![3.0])]
        );
    }
}
