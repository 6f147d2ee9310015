//! A sparse matrix by columns, built from entries in any order without holding it twice.
//!
//! Entries are first collected in buckets, a bucket for a range of columns, at 14 bytes an entry
//! instead of the 12 that they take in the end. Then bucket after bucket is sorted into its place
//! in the final arrays and its memory is given back to the operating system: at most one bucket a
//! thread exists twice, and the rest of the chunk of [`Blocks`] that it ends in. A bucket is small
//! enough for the caches, which makes this faster than scattering over all columns at once.

use crate::blocks::{Block, Blocks, Bucket};
use crate::error::Kind;
use crate::matrix::Csc;
use crate::memory::zeros;
use crate::workers;
use bytemuck::zeroed_vec;
use std::sync::Mutex;

/// Entries by range of columns.
pub(crate) struct SparseColumns {
    /// Bucket `b` holds the columns `b << shift` to `(b + 1) << shift`.
    shift: u32,
    /// The block of each bucket that is being filled.
    open: Vec<Block>,
    /// Those that are full.
    blocks: Blocks,
}

/// Wider buckets replace more of them while a column in its bucket still fits 16 bits.
const USUAL_BUCKETS: usize = 256;
const WIDEST_SHIFT: u32 = 16;

impl SparseColumns {
    pub(crate) fn new() -> Self {
        Self {
            shift: 0,
            open: Vec::new(),
            blocks: Blocks::default(),
        }
    }

    /// How many entries were pushed.
    pub(crate) fn entries(&self) -> usize {
        let open = self.open.iter().map(|block| block.length as usize);
        self.blocks.entries() + open.sum::<usize>()
    }

    /// Adds an entry. Rows in ascending order within each column save a sort later.
    #[inline]
    pub(crate) fn push(&mut self, row: u32, column: u32, value: f64) -> Result<(), Kind> {
        let mut b = (column >> self.shift) as usize;
        if b >= self.open.len() {
            b = self.make_room(column)?;
        }
        let block = &mut self.open[b];
        let at = block.length as usize % Block::CAPACITY;
        block.rows[at] = row;
        block.columns[at] = (column & ((1 << self.shift) - 1)) as u16;
        block.values[at] = value;
        block.length = at as u32 + 1;
        if block.length as usize == Block::CAPACITY {
            self.close(b)?;
        }
        Ok(())
    }

    /// The bucket of a column that has none yet.
    #[cold]
    fn make_room(&mut self, column: u32) -> Result<usize, Kind> {
        // Blocks know their first column, and so which of the wider buckets they belong to.
        self.close_all()?;
        while (column >> self.shift) as usize >= USUAL_BUCKETS && self.shift < WIDEST_SHIFT {
            self.shift += 1;
        }
        let b = (column >> self.shift) as usize;
        // Zeros that nobody touches take no memory, so one large index does not cost much.
        self.open = zeroed_vec((b + 1).next_power_of_two().max(USUAL_BUCKETS));
        Ok(b)
    }

    /// Puts the block of bucket `b` to the others and begins a new one.
    fn close(&mut self, b: usize) -> Result<(), Kind> {
        let block = &mut self.open[b];
        block.first_column = (b as u32) << self.shift;
        self.blocks.push(block)?;
        block.length = 0;
        Ok(())
    }

    fn close_all(&mut self) -> Result<(), Kind> {
        for b in 0..self.open.len() {
            if self.open[b].length > 0 {
                self.close(b)?;
            }
        }
        Ok(())
    }

    /// The matrix of `columns` columns from `first` on: every column pushed is in this range, and
    /// every row is below `rows`.
    pub(crate) fn finish(
        mut self,
        rows: usize,
        columns: usize,
        first: u32,
        threads: usize,
    ) -> Result<Csc, Kind> {
        self.close_all()?;
        let entries = self.entries();
        let end = columns + first as usize;
        let mut starts = vec![0; end + 1];
        let mut indices: Vec<u32> = zeros(entries);
        let mut values: Vec<f64> = zeros(entries);
        starts[end] = entries;
        let jobs = self.jobs(&mut starts[..end], &mut indices, &mut values);
        run(jobs, threads).map_err(|(row, column)| Kind::Duplicate {
            row: u64::from(row) + 1,
            at_column: (column - first as usize) as u64 + 1,
        })?;
        starts.drain(..first as usize);
        Csc::try_new_csc((rows, columns), starts, indices, values).map_err(|(.., error)| {
            Kind::Damaged {
                what: "sparse matrix",
                reason: error.to_string(),
            }
        })
    }

    /// Each bucket with its parts of the final arrays.
    fn jobs<'a>(
        self,
        mut starts: &'a mut [usize],
        mut indices: &'a mut [u32],
        mut values: &'a mut [f64],
    ) -> Vec<Job<'a>> {
        let mut before = 0;
        let width = 1usize << self.shift;
        let buckets = self.blocks.by_bucket(self.shift, self.open.len());
        let mut jobs = Vec::with_capacity(buckets.len());
        for (b, bucket) in buckets.into_iter().enumerate() {
            let entries = bucket.entries();
            jobs.push(Job {
                first_column: b << self.shift,
                before,
                starts: starts
                    .split_off_mut(..width.min(starts.len()))
                    .unwrap_or_default(),
                indices: indices.split_off_mut(..entries).unwrap_or_default(),
                values: values.split_off_mut(..entries).unwrap_or_default(),
                bucket,
            });
            before += entries;
        }
        starts.fill(before);
        jobs
    }
}

/// A bucket and where its entries go.
struct Job<'a> {
    bucket: Bucket,
    first_column: usize,
    /// How many entries the buckets before have.
    before: usize,
    starts: &'a mut [usize],
    indices: &'a mut [u32],
    values: &'a mut [f64],
}

/// An entry that is there twice, by row and column.
type Twice = (u32, usize);

/// Does the jobs; of entries that are there twice, the one of the first column.
fn run(jobs: Vec<Job<'_>>, threads: usize) -> Result<(), Twice> {
    let first = Mutex::new(None);
    workers::run(jobs, threads, |job| {
        if let Err((row, column)) = job.run() {
            let mut first = first.lock().expect("nothing panics while it is held");
            if first.is_none_or(|(_, before)| column < before) {
                *first = Some((row, column));
            }
        }
    });
    first
        .into_inner()
        .expect("nothing panics while it is held")
        .map_or(Ok(()), Err)
}

impl Job<'_> {
    fn run(self) -> Result<(), Twice> {
        let Self {
            bucket,
            first_column,
            before,
            starts,
            indices,
            values,
        } = self;
        for block in bucket.blocks() {
            let offset = block.first_column as usize - first_column;
            for (_, column, _) in block.entries() {
                starts[offset + column as usize] += 1;
            }
        }
        let mut cursors = Vec::with_capacity(starts.len());
        let mut sum = 0;
        for start in starts.iter_mut() {
            cursors.push(sum);
            sum += std::mem::replace(start, before + sum);
        }
        for block in bucket.blocks() {
            let offset = block.first_column as usize - first_column;
            for (row, column, value) in block.entries() {
                let cursor = &mut cursors[offset + column as usize];
                let at = std::mem::replace(cursor, *cursor + 1);
                indices[at] = row;
                values[at] = value;
            }
        }
        // What is left needs no more than the final arrays.
        drop(bucket);
        let mut start = 0;
        for (column, &end) in cursors.iter().enumerate() {
            sort_column(&mut indices[start..end], &mut values[start..end])
                .map_err(|row| (row, first_column + column))?;
            start = end;
        }
        Ok(())
    }
}

/// Sorts a column by row, if it is not; the row that is there twice, if any.
pub(crate) fn sort_column(rows: &mut [u32], values: &mut [f64]) -> Result<(), u32> {
    if rows.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    let mut entries: Vec<_> = rows.iter().copied().zip(values.iter().copied()).collect();
    entries.sort_by_key(|&(row, _)| row);
    if let Some(twice) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(twice[0].0);
    }
    for (at, (row, value)) in entries.into_iter().enumerate() {
        rows[at] = row;
        values[at] = value;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    //! The matrix is the one that the entries say, however many buckets and threads there are.

    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn build(entries: &[(u32, u32, f64)], columns: usize, threads: usize) -> Result<Csc, Kind> {
        let mut builder = SparseColumns::new();
        for &(row, column, value) in entries {
            builder.push(row, column, value)?;
        }
        builder.finish(1 << 20, columns, 0, threads)
    }

    proptest! {
        #[test]
        fn entries_in_any_order_become_the_matrix(
            entries in prop::collection::btree_map((0u32..500, 0u32..100_000), -1e9..1e9, 0..2000),
            scale in 0u32..17,
            threads in 1usize..4,
        ) {
            // Narrow and wide matrices; the hash order stands for any order.
            let squeezed: BTreeMap<_, _> =
                entries.iter().map(|(&(row, column), &value)| ((column >> scale, row), value)).collect();
            let mut shuffled: Vec<_> =
                squeezed.iter().map(|(&(column, row), &value)| (row, column, value)).collect();
            shuffled.sort_by_key(|&(row, column, _)| (row ^ column).wrapping_mul(0x9e37_79b9));
            let matrix = build(&shuffled, 100_000, threads).unwrap();
            let read: Vec<_> = matrix
                .outer_iterator()
                .enumerate()
                .flat_map(|(column, rows)| {
                    rows.iter().map(|(row, &value)| ((column as u32, row as u32), value)).collect::<Vec<_>>()
                })
                .collect();
            prop_assert_eq!(read, squeezed.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_entry_given_twice_is_refused() {
        let twice = build(
            &[(3, 70_000, 1.0), (2, 70_000, 1.0), (3, 70_000, 1.0)],
            70_001,
            1,
        );
        assert!(
            matches!(
                twice,
                Err(Kind::Duplicate {
                    row: 4,
                    at_column: 70_001
                })
            ),
            "{twice:?}"
        );
    }

    #[test]
    fn no_entries_are_an_empty_matrix() {
        assert_eq!(build(&[], 0, 2).unwrap().nnz(), 0);
        assert_eq!(build(&[], 7, 2).unwrap().cols(), 7);
    }
}
