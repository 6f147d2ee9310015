//! What was found out about the sets of rows that were used last.
//!
//! A set that is used again is the same allocation, so that it is recognised by its address. Large
//! batches come as many sets, round after round.

use crate::rows::RowSet;
use std::sync::Arc;

/// Of smaller sets, rows are found as quickly as the set is recognised.
pub const WORTH_ROWS: usize = 32;

/// Of the last `SETS` sets of rows, a `T` for each.
pub struct Recent<T, const SETS: usize> {
    known: Vec<(Arc<RowSet>, T)>,
    oldest: usize,
}

impl<T, const SETS: usize> Default for Recent<T, SETS> {
    fn default() -> Self {
        Recent {
            known: Vec::new(),
            oldest: 0,
        }
    }
}

impl<T: Clone, const SETS: usize> Recent<T, SETS> {
    /// What is known of `rows`.
    pub fn of(&self, rows: &Arc<RowSet>) -> Option<T> {
        let known = self
            .known
            .iter()
            .find(|(known, _)| Arc::ptr_eq(known, rows));
        known.map(|(_, what)| what.clone())
    }

    /// Remembers what is known of `rows`, in place of the set that has been known for longest.
    pub fn remember(&mut self, rows: &Arc<RowSet>, what: &T) {
        let known = (rows.clone(), what.clone());
        if self.known.len() < SETS {
            self.known.push(known);
        } else {
            self.known[self.oldest] = known;
            self.oldest = (self.oldest + 1) % SETS;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set is known by its address for as long as it is among the last ones, and never by its keys.
    #[test]
    fn the_last_sets_are_known() {
        const SETS: usize = 3;
        let sets: Vec<_> = (0..2 * SETS as u64)
            .map(|first| Arc::new(RowSet::range(first, 2)))
            .collect();
        let mut recent = Recent::<usize, SETS>::default();
        for (number, set) in sets.iter().enumerate() {
            assert_eq!(recent.of(set), None);
            recent.remember(set, &number);
            assert_eq!(recent.of(set), Some(number));
        }
        assert_eq!(recent.of(&sets[SETS - 1]), None);
        assert_eq!(recent.of(&sets[SETS]), Some(SETS));
        assert_eq!(recent.of(&Arc::new((*sets[SETS]).clone())), None);
        recent.clear();
        assert_eq!(recent.of(&sets[SETS]), None);
    }
}
