//! A dense matrix by columns, built from rows without holding it twice.
//!
//! As with sparse entries, values are first collected by range of columns, and range after range
//! is then transposed into its place while its memory is given back.

use crate::error::Kind;
use crate::matrix::Matrix;
use crate::memory::{Memory, zeros};
use crate::workers;

/// Values by range of columns.
pub(crate) struct DenseColumns {
    columns: usize,
    /// The width of each range but the last.
    width: usize,
    /// The values of each range, row by row.
    ranges: Vec<Vec<Segment>>,
    /// The column of the next value.
    column: usize,
    rows: usize,
}

const RANGES: usize = 64;

impl DenseColumns {
    pub(crate) fn new(columns: usize) -> Self {
        let width = columns.div_ceil(RANGES).max(1);
        let ranges = (0..columns.div_ceil(width)).map(|_| Vec::new()).collect();
        Self {
            columns,
            width,
            ranges,
            column: 0,
            rows: 0,
        }
    }

    /// Appends the next values; a row may come in parts.
    pub(crate) fn push(&mut self, mut values: &[f64]) -> Result<(), Kind> {
        while !values.is_empty() {
            let range = self.column / self.width;
            let end = ((range + 1) * self.width).min(self.columns);
            let count = values.len().min(end - self.column);
            append(&mut self.ranges[range], &values[..count])?;
            values = &values[count..];
            self.column += count;
            if self.column == self.columns {
                self.column = 0;
                self.rows += 1;
            }
        }
        Ok(())
    }

    /// The matrix of the whole rows.
    pub(crate) fn finish(self, threads: usize) -> Matrix {
        let (rows, width) = (self.rows, self.width);
        let mut values: Vec<f64> = zeros(rows * self.columns);
        let whole = rows * width;
        let parts = values.chunks_mut(whole.max(1));
        let jobs: Vec<_> = self.ranges.into_iter().zip(parts).collect();
        workers::run(jobs, threads, |(segments, part)| {
            transpose(segments, part, rows)
        });
        Matrix::from_columns(rows, self.columns, values)
    }
}

/// Some values of a range of columns.
struct Segment {
    length: usize,
    capacity: usize,
    memory: Memory,
}

fn append(segments: &mut Vec<Segment>, mut values: &[f64]) -> Result<(), Kind> {
    while !values.is_empty() {
        if segments
            .last()
            .is_none_or(|last| last.length == last.capacity)
        {
            let held: usize = segments.iter().map(|segment| segment.length).sum();
            let capacity = (held / 8).clamp(1 << 12, 1 << 18);
            segments.push(Segment {
                length: 0,
                capacity,
                memory: Memory::new(capacity * 8)?,
            });
        }
        let last = segments.last_mut().expect("one was just made sure of");
        let count = values.len().min(last.capacity - last.length);
        last.memory
            .values_mut(last.length * 8, count)
            .copy_from_slice(&values[..count]);
        last.length += count;
        values = &values[count..];
    }
    Ok(())
}

/// Moves values that come row by row into columns of `rows` each.
fn transpose(segments: Vec<Segment>, columns: &mut [f64], rows: usize) {
    let (mut at, mut row) = (0, 0);
    for segment in segments {
        for &value in segment.memory.values::<f64>(0, segment.length) {
            // A row that was never finished is left out.
            if row < rows {
                columns[at + row] = value;
            }
            at += rows;
            if at == columns.len() {
                at = 0;
                row += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! The matrix is the one that was pushed, whatever its shape and however it came in.

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_in_parts_become_columns(
            rows in 1usize..50, columns in 1usize..300, part in 1usize..1000, threads in 1usize..4,
        ) {
            let values: Vec<f64> = (0..rows * columns).map(|k| k as f64).collect();
            let mut builder = DenseColumns::new(columns);
            for part in values.chunks(part) {
                builder.push(part).unwrap();
            }
            prop_assert_eq!(builder.rows, rows);
            let Matrix::Dense(array) = builder.finish(threads) else { unreachable!() };
            prop_assert!(array.indexed_iter().all(|((row, column), &value)| value == (row * columns + column) as f64));
        }
    }
}
