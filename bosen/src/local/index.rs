//! Where the rows of a table are in memory that threads share: a slot for each.
//!
//! For a range of keys that is arithmetic. Other keys are in hash maps, cut by the key so that
//! threads seldom meet; a row keeps its slot for as long as the table lives.

use crate::rows::RowSet;
use crate::spec::Keys;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// Hash maps of a table; a power of two.
const MAPS: usize = 64;
/// In a list of slots: the row is not there.
pub const ABSENT: u32 = u32::MAX;

/// Finds rows.
pub enum Index {
    /// The key `first` has slot 0, and so on.
    Range { first: u64 },
    /// Slots are given as rows come into being.
    Any {
        maps: Box<[RwLock<FxHashMap<u64, u32>>]>,
        next: AtomicU32,
    },
}

/// Where the rows of a set are.
#[derive(Clone)]
pub enum Slots {
    /// Next to each other.
    Run(Range<usize>),
    /// Anywhere.
    List(Arc<[u32]>),
}

impl Slots {
    /// The slot of the row at `position`.
    #[inline]
    pub fn at(&self, position: usize) -> Option<usize> {
        match self {
            Slots::Run(run) => Some(run.start + position),
            Slots::List(list) => {
                let slot = list[position];
                (slot != ABSENT).then_some(slot as usize)
            }
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Slots::Run(run) => run.len(),
            Slots::List(list) => list.len(),
        }
    }

    /// Whether all rows are there.
    pub fn is_complete(&self) -> bool {
        !matches!(self, Slots::List(list) if list.contains(&ABSENT))
    }
}

impl Index {
    pub fn new(keys: Keys) -> Index {
        match keys {
            Keys::Range { first, .. } => Index::Range { first },
            Keys::Any => Index::Any {
                maps: (0..MAPS).map(|_| RwLock::default()).collect(),
                next: AtomicU32::new(0),
            },
        }
    }

    /// The slot of the row `key`, if it is there.
    #[inline]
    pub fn find(&self, key: u64) -> Option<usize> {
        match self {
            Index::Range { first } => Some((key - first) as usize),
            Index::Any { maps, .. } => {
                let map = maps[map_of(key)]
                    .read()
                    .unwrap_or_else(PoisonError::into_inner);
                map.get(&key).map(|&slot| slot as usize)
            }
        }
    }

    /// The slot of the row `key`, which comes into being if it is not there.
    pub fn find_or_make(&self, key: u64) -> usize {
        if let Some(slot) = self.find(key) {
            return slot;
        }
        let Index::Any { maps, next } = self else {
            unreachable!("all rows of a range are there")
        };
        let mut map = maps[map_of(key)]
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let slot = map.entry(key).or_insert_with(|| {
            let slot = next.fetch_add(1, Relaxed);
            assert!(slot < ABSENT, "a table has at most {ABSENT} rows");
            slot
        });
        *slot as usize
    }

    /// Where `rows` are; those that are not there are absent.
    pub fn find_all(&self, rows: &RowSet) -> Slots {
        match (self, rows.as_range()) {
            // No rows may be anywhere, outside of the range too.
            (_, Some((_, 0))) => Slots::Run(0..0),
            (Index::Range { first }, Some((start, len))) => {
                let start = (start - first) as usize;
                Slots::Run(start..start + len)
            }
            _ => Slots::List(
                rows.keys()
                    .map(|key| self.find(key).map_or(ABSENT, |slot| slot as u32))
                    .collect(),
            ),
        }
    }

    /// Where `rows` are, those that are not there having been made.
    pub fn find_or_make_all(&self, rows: &RowSet) -> Slots {
        match self {
            Index::Range { .. } => self.find_all(rows),
            Index::Any { .. } => Slots::List(
                rows.keys()
                    .map(|key| self.find_or_make(key) as u32)
                    .collect(),
            ),
        }
    }
}

/// Fibonacci hashing, of which the upper bits are the good ones.
fn map_of(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - MAPS.ilog2())) as usize
}
