//! Sets of rows: what one operation speaks of.
//!
//! A set is strictly ascending, which its constructors check: order makes cutting by shard,
//! joining and packing linear, and a key named twice is refused rather than half applied.
//! Sets are shared ([`std::sync::Arc`]); whoever uses one again gives the store the chance to
//! recognise it and to skip looking every row up again.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The key of a row: the unit of placement and of freshness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RowId(pub u64);

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.0)
    }
}

/// A strictly ascending set of rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowSet(Rows);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Rows {
    Range { first: u64, len: usize },
    List(Vec<u64>),
}

/// Keys were not strictly ascending: the one at `position` is not above the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("keys must ascend strictly, and the one at position {position} does not")]
pub struct NotAscending {
    /// Where the first offending key stands.
    pub position: usize,
}

impl RowSet {
    /// The `len` rows from `first` on; cut short at the greatest key.
    pub fn range(first: u64, len: usize) -> RowSet {
        let room = u64::MAX - first;
        let len = usize::try_from(room).map_or(len, |room| len.min(room));
        RowSet(Rows::Range { first, len })
    }

    /// One row.
    pub fn one(row: RowId) -> RowSet {
        RowSet(Rows::List(vec![row.0]))
    }

    /// The rows of `keys`, which must be strictly ascending.
    pub fn ascending(keys: Vec<u64>) -> Result<RowSet, NotAscending> {
        if let Some(before) = keys.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(NotAscending {
                position: before + 1,
            });
        }
        Ok(match (keys.first(), keys.last()) {
            (Some(&first), Some(&last))
                if last - first == keys.len() as u64 - 1 && last < u64::MAX =>
            {
                RowSet::range(first, keys.len())
            }
            _ => RowSet(Rows::List(keys)),
        })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.0 {
            Rows::Range { len, .. } => *len,
            Rows::List(keys) => keys.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows as `(first, len)`, where they are adjacent.
    pub fn as_range(&self) -> Option<(u64, usize)> {
        match &self.0 {
            Rows::Range { first, len } => Some((*first, *len)),
            Rows::List(_) => None,
        }
    }

    /// The key at `position`, which must be below [`len`](Self::len).
    pub fn key(&self, position: usize) -> u64 {
        match &self.0 {
            Rows::Range { first, len } => {
                assert!(
                    position < *len,
                    "position {position} in a set of {len} rows"
                );
                first + position as u64
            }
            Rows::List(keys) => keys[position],
        }
    }

    /// All keys, ascending.
    pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        let (range, list) = match &self.0 {
            Rows::Range { first, len } => (*first..*first + *len as u64, &[][..]),
            Rows::List(keys) => (0..0, &keys[..]),
        };
        range.chain(list.iter().copied())
    }

    /// Where `row` stands.
    pub fn position(&self, row: RowId) -> Option<usize> {
        match &self.0 {
            Rows::Range { first, len } => {
                let offset = row.0.checked_sub(*first)?;
                usize::try_from(offset).ok().filter(|offset| offset < len)
            }
            Rows::List(keys) => keys.binary_search(&row.0).ok(),
        }
    }

    /// The number of rows whose key is below `key`.
    pub fn below(&self, key: u64) -> usize {
        match &self.0 {
            Rows::Range { first, len } => {
                usize::try_from(key.saturating_sub(*first)).map_or(*len, |offset| offset.min(*len))
            }
            Rows::List(keys) => keys.partition_point(|&other| other < key),
        }
    }

    /// The rows at positions `range`.
    pub fn slice(&self, range: std::ops::Range<usize>) -> RowSet {
        match &self.0 {
            Rows::Range { first, len } => {
                assert!(range.end <= *len, "{range:?} of {len} rows");
                RowSet::range(first + range.start as u64, range.len())
            }
            Rows::List(keys) => RowSet(Rows::List(keys[range].to_vec())),
        }
    }
}

/// The pairs of positions at which `a` and `b` hold the same row.
pub fn common_positions(a: &RowSet, b: &RowSet) -> Vec<(usize, usize)> {
    if a.len() > 16 * b.len() {
        return positions_of(b, a).map(|(b, a)| (a, b)).collect();
    }
    if b.len() > 16 * a.len() {
        return positions_of(a, b).collect();
    }
    let mut common = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let (left, right) = (a.key(i), b.key(j));
        if left == right {
            common.push((i, j));
        }
        i += usize::from(left <= right);
        j += usize::from(right <= left);
    }
    common
}

/// Where each of the few rows stands among the many.
fn positions_of<'a>(
    few: &'a RowSet,
    many: &'a RowSet,
) -> impl Iterator<Item = (usize, usize)> + 'a {
    few.keys()
        .enumerate()
        .filter_map(|(i, key)| Some((i, many.position(RowId(key))?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn unordered_and_repeated_keys_are_refused() {
        assert_eq!(
            RowSet::ascending(vec![1, 3, 2]),
            Err(NotAscending { position: 2 })
        );
        assert_eq!(
            RowSet::ascending(vec![4, 4]),
            Err(NotAscending { position: 1 })
        );
    }

    #[test]
    fn adjacent_keys_become_a_range() {
        let rows = RowSet::ascending(vec![5, 6, 7]).unwrap();
        assert_eq!(rows.as_range(), Some((5, 3)));
        assert_eq!(rows.position(RowId(6)), Some(1));
        assert_eq!(rows.position(RowId(8)), None);
    }

    proptest! {
        /// Joining finds what the sets have in common, whatever their sizes.
        #[test]
        fn common_positions_are_the_intersection(
            a in prop::collection::btree_set(0u64..200, 0..120),
            b in prop::collection::btree_set(0u64..200, 0..6),
        ) {
            let set = |keys: &BTreeSet<u64>| RowSet::ascending(keys.iter().copied().collect()).unwrap();
            let (left, right) = (set(&a), set(&b));
            let found: Vec<u64> = common_positions(&left, &right)
                .into_iter()
                .map(|(i, j)| { assert_eq!(left.key(i), right.key(j)); left.key(i) })
                .collect();
            prop_assert_eq!(found, a.intersection(&b).copied().collect::<Vec<_>>());
        }
    }
}
