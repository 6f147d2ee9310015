//! A sparse matrix by columns, built from entries in any order without holding it twice.
//!
//! Entries are first collected in buckets, a bucket for a range of columns, at 14 bytes an entry
//! instead of the 12 that they take in the end. Then bucket after bucket is sorted into its place
//! in the final arrays and its memory is given back to the operating system: at most one bucket a
//! thread exists twice. A bucket is small enough for the caches, which makes this faster than
//! scattering over all columns at once.

use crate::error::Kind;
use crate::matrix::Csc;
use crate::segment::{Memory, zeros};
use crate::workers;
use std::sync::Mutex;

/// Entries by range of columns.
pub(crate) struct SparseColumns {
    /// Bucket `b` holds the columns `b << shift` to `(b + 1) << shift`.
    shift: u32,
    buckets: Vec<Bucket>,
}

/// Wider buckets replace more of them while a column in its bucket still fits 16 bits.
const USUAL_BUCKETS: usize = 256;
const WIDEST_SHIFT: u32 = 16;

impl SparseColumns {
    pub(crate) fn new() -> Self {
        Self {
            shift: 0,
            buckets: Vec::new(),
        }
    }

    /// How many entries were pushed.
    pub(crate) fn entries(&self) -> usize {
        self.buckets.iter().map(Bucket::entries).sum()
    }

    /// Adds an entry. Rows in ascending order within each column save a sort later.
    #[inline]
    pub(crate) fn push(&mut self, row: u32, column: u32, value: f64) -> Result<(), Kind> {
        let mut b = (column >> self.shift) as usize;
        if b >= self.buckets.len() {
            b = self.make_room(column)?;
        }
        self.buckets[b].push(row, (column - ((b as u32) << self.shift)) as u16, value)
    }

    /// The bucket of a column that has none yet.
    #[cold]
    fn make_room(&mut self, column: u32) -> Result<usize, Kind> {
        while (column >> self.shift) as usize >= USUAL_BUCKETS && self.shift < WIDEST_SHIFT {
            self.widen()?;
        }
        let b = (column >> self.shift) as usize;
        for new in self.buckets.len()..=b {
            self.buckets.push(Bucket::new((new as u32) << self.shift));
        }
        Ok(b)
    }

    /// Joins neighbours: half as many buckets, twice as wide.
    fn widen(&mut self) -> Result<(), Kind> {
        self.shift += 1;
        let mut narrow = std::mem::take(&mut self.buckets).into_iter();
        while let Some(mut left) = narrow.next() {
            left.flush()?;
            if let Some(mut right) = narrow.next() {
                right.flush()?;
                left.segments.append(&mut right.segments);
            }
            self.buckets.push(left);
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
        for bucket in &mut self.buckets {
            bucket.flush()?;
        }
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
        let mut jobs = Vec::with_capacity(self.buckets.len() + 1);
        for bucket in self.buckets {
            let entries = bucket.entries();
            jobs.push(Job {
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

/// A range of columns.
struct Bucket {
    first_column: u32,
    segments: Vec<Segment>,
    stage: Box<Stage>,
}

/// Entries that wait to be copied into a segment together, so that an entry costs three stores.
struct Stage {
    length: usize,
    rows: [u32; STAGED],
    columns: [u16; STAGED],
    values: [f64; STAGED],
}

const STAGED: usize = 64;

impl Bucket {
    fn new(first_column: u32) -> Self {
        let stage = Stage {
            length: 0,
            rows: [0; STAGED],
            columns: [0; STAGED],
            values: [0.0; STAGED],
        };
        Self {
            first_column,
            segments: Vec::new(),
            stage: Box::new(stage),
        }
    }

    fn entries(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| segment.length)
            .sum::<usize>()
            + self.stage.length
    }

    #[inline]
    fn push(&mut self, row: u32, column: u16, value: f64) -> Result<(), Kind> {
        let stage = &mut *self.stage;
        let at = stage.length % STAGED;
        stage.rows[at] = row;
        stage.columns[at] = column;
        stage.values[at] = value;
        stage.length = at + 1;
        if stage.length == STAGED {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Copies what is staged into a segment. The segment may have been a narrower bucket's: then
    /// its columns count from elsewhere, and a new one is needed.
    #[cold]
    fn flush(&mut self) -> Result<(), Kind> {
        let length = self.stage.length;
        let fits = |last: &&mut Segment| {
            last.first_column == self.first_column && last.length + length <= last.capacity
        };
        if length == 0 {
            return Ok(());
        }
        if self.segments.last_mut().filter(fits).is_none() {
            let entries = self.entries();
            let capacity = (entries / 8).clamp(Segment::SMALLEST, Segment::LARGEST);
            self.segments
                .push(Segment::new(self.first_column, capacity)?);
        }
        let segment = self.segments.last_mut().expect("one was just made sure of");
        segment.append(&self.stage);
        self.stage.length = 0;
        Ok(())
    }
}

/// Entries of a bucket.
struct Segment {
    first_column: u32,
    length: usize,
    capacity: usize,
    /// `capacity` values, then as many rows, then as many columns.
    memory: Memory,
}

impl Segment {
    const SMALLEST: usize = 1 << 12;
    const LARGEST: usize = 1 << 18;

    fn new(first_column: u32, capacity: usize) -> Result<Self, Kind> {
        let memory = Memory::new(capacity * 14)?;
        Ok(Self {
            first_column,
            length: 0,
            capacity,
            memory,
        })
    }

    fn append(&mut self, stage: &Stage) {
        let (start, length) = (self.length, stage.length);
        let (rows, columns) = (self.capacity * 8, self.capacity * 12);
        self.memory
            .values_mut(start * 8, length)
            .copy_from_slice(&stage.values[..length]);
        self.memory
            .values_mut(rows + start * 4, length)
            .copy_from_slice(&stage.rows[..length]);
        self.memory
            .values_mut(columns + start * 2, length)
            .copy_from_slice(&stage.columns[..length]);
        self.length += length;
    }

    fn values(&self) -> &[f64] {
        self.memory.values(0, self.length)
    }

    fn rows(&self) -> &[u32] {
        self.memory.values(self.capacity * 8, self.length)
    }

    fn columns(&self) -> &[u16] {
        self.memory.values(self.capacity * 12, self.length)
    }
}

/// A bucket and where its entries go.
struct Job<'a> {
    bucket: Bucket,
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
            before,
            starts,
            indices,
            values,
        } = self;
        let first_column = bucket.first_column;
        for segment in &bucket.segments {
            let offset = (segment.first_column - first_column) as usize;
            for &column in segment.columns() {
                starts[offset + column as usize] += 1;
            }
        }
        let mut cursors = Vec::with_capacity(starts.len());
        let mut sum = 0;
        for start in starts.iter_mut() {
            cursors.push(sum);
            sum += std::mem::replace(start, before + sum);
        }
        // A segment's memory goes back as soon as its entries have moved.
        for segment in bucket.segments {
            let offset = (segment.first_column - first_column) as usize;
            let entries = segment
                .columns()
                .iter()
                .zip(segment.rows())
                .zip(segment.values());
            for ((&column, &row), &value) in entries {
                let cursor = &mut cursors[offset + column as usize];
                indices[*cursor] = row;
                values[*cursor] = value;
                *cursor += 1;
            }
        }
        let mut start = 0;
        for (column, &end) in cursors.iter().enumerate() {
            sort_column(&mut indices[start..end], &mut values[start..end])
                .map_err(|row| (row, first_column as usize + column))?;
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
