//! Which shard keeps a row, and how an operation on many rows is cut into messages.
//!
//! A range of keys is cut into as many runs as there are shards, so that adjacent rows travel
//! together. Of other keys each goes to the shard that wins a draw which key and shard decide
//! (rendezvous hashing): with one shard more, only what the new one wins moves. A message has at most [`PART_BYTES`] of values
//! (or one row), so that sender, wire and receiver work at the same time and out of their caches.

use crate::batch::{Batch, Cells};
use crate::rows::RowSet;
use crate::spec::{Keys, TableSpec};
use std::ops::Range;
use std::sync::Arc;
use strads_common::ids::ShardId;

/// Values in one message, unless a single row is longer.
pub const PART_BYTES: usize = 256 << 10;
/// Rows in one message where rows are sparse, whose length nobody knows.
const SPARSE_PART_ROWS: usize = 1024;

/// The rows of an operation that go to one shard in one message.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// Where they are.
    pub shard: ShardId,
    /// Which rows.
    pub rows: Arc<RowSet>,
    /// Where they stand among the rows of the operation.
    pub positions: Positions,
}

/// Positions in a set of rows.
#[derive(Clone, PartialEq, Debug)]
pub enum Positions {
    /// Adjacent ones.
    Run(Range<usize>),
    /// Any, ascending.
    List(Vec<usize>),
}

/// The shard that keeps the row `key`.
pub fn shard_of(spec: &TableSpec, shards: u32, key: u64) -> ShardId {
    match spec.keys {
        Keys::Range { first, len } => ShardId(((key - first) / run_length(len, shards)) as u32),
        Keys::Any => winner(key, shards),
    }
}

/// Rows of a range of `len` that one shard keeps.
fn run_length(len: u64, shards: u32) -> u64 {
    len.div_ceil(u64::from(shards)).max(1)
}

/// The shard that draws the highest number for `key`.
fn winner(key: u64, shards: u32) -> ShardId {
    let highest = (0..shards).max_by_key(|&shard| draw(key, shard));
    ShardId(highest.unwrap_or(0))
}

/// What `shard` draws for `key`: multiplications carry every bit of both into the upper half, and
/// the shift brings that down for the next one.
fn draw(key: u64, shard: u32) -> u64 {
    let ticket = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(shard) << 32;
    let mixed = (ticket ^ ticket >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// The keys of a range that `shard` keeps, as `(first, len)`.
pub fn kept(first: u64, len: u64, shard: ShardId, shards: u32) -> (u64, u64) {
    let run = run_length(len, shards);
    let start = (run * u64::from(shard.0)).min(len);
    (first + start, run.min(len - start))
}

/// Cuts `rows`, which are among the table's keys, into parts.
pub fn split(rows: &Arc<RowSet>, spec: &TableSpec, shards: u32) -> Vec<Part> {
    let most = match spec.layout.row_bytes() {
        0 => SPARSE_PART_ROWS,
        bytes => (PART_BYTES / bytes).max(1),
    };
    let mut parts = Vec::new();
    match spec.keys {
        Keys::Range { first, len } => {
            let run = run_length(len, shards);
            for shard in 0..u64::from(shards) {
                let start = rows.below(first.saturating_add(run * shard));
                let end = rows.below(first.saturating_add(run * (shard + 1)));
                push_runs(&mut parts, ShardId(shard as u32), rows, start..end, most);
            }
        }
        Keys::Any if shards == 1 => push_runs(&mut parts, ShardId(0), rows, 0..rows.len(), most),
        Keys::Any => push_lists(&mut parts, rows, shards, most),
    }
    parts
}

fn push_runs(
    parts: &mut Vec<Part>,
    shard: ShardId,
    rows: &Arc<RowSet>,
    run: Range<usize>,
    most: usize,
) {
    if run == (0..rows.len()) && run.len() <= most {
        if !run.is_empty() {
            parts.push(Part {
                shard,
                rows: rows.clone(),
                positions: Positions::Run(run),
            });
        }
        return;
    }
    for start in run.clone().step_by(most) {
        let piece = start..(start + most).min(run.end);
        let rows = Arc::new(rows.slice(piece.clone()));
        parts.push(Part {
            shard,
            rows,
            positions: Positions::Run(piece),
        });
    }
}

fn push_lists(parts: &mut Vec<Part>, rows: &RowSet, shards: u32, most: usize) {
    let mut lists = vec![Vec::new(); shards as usize];
    for (position, key) in rows.keys().enumerate() {
        lists[winner(key, shards).index()].push(position);
    }
    for (shard, list) in lists.iter().enumerate() {
        for positions in list.chunks(most) {
            let keys = positions
                .iter()
                .map(|&position| rows.key(position))
                .collect();
            let rows = RowSet::ascending(keys).expect("a part of an ascending set ascends");
            let (shard, positions) = (ShardId(shard as u32), Positions::List(positions.to_vec()));
            parts.push(Part {
                shard,
                rows: Arc::new(rows),
                positions,
            });
        }
    }
}

/// What of `batch` belongs to `part`.
pub fn part_of(batch: &Batch, part: &Part, spec: &TableSpec) -> Batch {
    match (&part.positions, &batch.cells) {
        (Positions::Run(run), Cells::Dense) => {
            let width = spec.layout.row_bytes();
            let values = batch.values.slice(run.start * width..run.end * width);
            Batch {
                rows: part.rows.clone(),
                cells: Cells::Dense,
                values,
            }
        }
        (Positions::Run(run), Cells::Sparse { .. }) => batch.select(
            spec.layout,
            part.rows.clone(),
            &run.clone().collect::<Vec<_>>(),
        ),
        (Positions::List(list), _) => batch.select(spec.layout, part.rows.clone(), list),
    }
}

#[cfg(test)]
mod tests {
    //! Cutting loses nothing, doubles nothing, and agrees with [`shard_of`].
    use super::*;
    use proptest::prelude::*;

    /// Adjacent keys, multiples and hashes: each shard gets its share.
    #[test]
    fn shards_have_equal_shares() {
        const KEYS: u64 = 50_000;
        for shards in [2, 3, 7, 16] {
            for stride in [1u64, 1000, 1 << 40, 0x9e37_79b9_7f4a_7c15] {
                let mut shares = vec![0; shards as usize];
                for key in (0..KEYS).map(|key| stride.wrapping_mul(key)) {
                    shares[winner(key, shards).index()] += 1;
                }
                let fair = KEYS / u64::from(shards);
                let even = shares
                    .iter()
                    .all(|&share| (9 * fair / 10..11 * fair / 10).contains(&share));
                assert!(even, "{shares:?} of multiples of {stride}");
            }
        }
    }

    proptest! {
        /// One shard more takes from all others and moves nothing between them.
        #[test]
        fn a_new_shard_moves_only_what_it_gets(key: u64, shards in 1u32..20) {
            let (before, after) = (winner(key, shards), winner(key, shards + 1));
            prop_assert!(after == before || after == ShardId(shards));
        }

        #[test]
        fn parts_are_a_partition(
            keys in prop::collection::btree_set(100u64..900, 0..200),
            shards in 1u32..5,
            ranged in any::<bool>(),
            length in prop::sample::select(vec![1u32, 4096, 100_000]),
        ) {
            let spec = TableSpec::dense::<f32>(length);
            let spec = if ranged { spec.range(100, 800) } else { spec };
            let rows = Arc::new(RowSet::ascending(keys.into_iter().collect()).unwrap());
            let mut seen = vec![false; rows.len()];
            for part in split(&rows, &spec, shards) {
                prop_assert!(part.rows.len() == 1 || part.rows.len() * spec.layout.row_bytes() <= PART_BYTES);
                let positions: Vec<usize> = match &part.positions {
                    Positions::Run(run) => run.clone().collect(),
                    Positions::List(list) => list.clone(),
                };
                prop_assert_eq!(positions.len(), part.rows.len());
                for (at, &position) in positions.iter().enumerate() {
                    prop_assert_eq!(part.rows.key(at), rows.key(position));
                    prop_assert_eq!(shard_of(&spec, shards, rows.key(position)), part.shard);
                    prop_assert!(!std::mem::replace(&mut seen[position], true));
                }
            }
            prop_assert!(seen.iter().all(|&seen| seen));
        }
    }
}
