//! Rows with content: increments on their way to a shard, values on their way back.
//!
//! A batch is dense (every cell of each row) or sparse (named columns of each row). Values stay
//! bytes from the caller's vector to the shard's memory. [`Layout::check`] is the gate: whatever
//! came from elsewhere passes it before it meets a store, and stores rely on it.

use crate::element::{Element, ElementKind, add_slice, freeze, view, with_element};
use crate::rows::{RowSet, common_positions};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the rows of a table look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Layout {
    /// The type of a cell.
    pub kind: ElementKind,
    /// Cells of a dense row; `None` for sparse rows, whose columns are any `u32`.
    pub length: Option<u32>,
}

/// Rows and their content.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    /// Which rows.
    pub rows: Arc<RowSet>,
    /// Which cells of them.
    pub cells: Cells,
    /// The elements, row after row.
    pub values: Bytes,
}

/// Which cells of its rows a batch holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Cells {
    /// All of them, in order.
    Dense,
    /// Some of them.
    Sparse {
        /// For each row, where its cells end (`u32`).
        ends: Bytes,
        /// The column of each cell (`u32`).
        columns: Bytes,
    },
}

/// A batch does not fit the table that it is meant for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub enum Misfit {
    /// The number of value bytes is not what rows and cells ask for.
    #[error("{found} bytes of values where {expected} belong")]
    Values {
        /// Bytes that rows and cells ask for.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The table's rows are sparse, the batch is dense.
    #[error("dense values for sparse rows")]
    DenseForSparse,
    /// Row ends are not one a row, ascending, up to the number of columns.
    #[error("row ends do not partition the columns")]
    Ends,
    /// A column is beyond the length of a row.
    #[error("column {column} in rows of length {length}")]
    Column {
        /// The column named.
        column: u32,
        /// Cells of a row.
        length: u32,
    },
    /// A row is outside of the table's range of keys.
    #[error("row {row} outside of the table's range")]
    Row {
        /// The key named.
        row: u64,
    },
}

impl Layout {
    /// Bytes of one dense row.
    pub fn row_bytes(&self) -> usize {
        self.length.unwrap_or(0) as usize * self.kind.size()
    }

    /// Checks that `batch` has the shape of this layout.
    pub fn check(&self, batch: &Batch) -> Result<(), Misfit> {
        let cells = match (&batch.cells, self.length) {
            (Cells::Dense, None) => return Err(Misfit::DenseForSparse),
            (Cells::Dense, Some(length)) => {
                (batch.rows.len() as u64).saturating_mul(u64::from(length))
            }
            (Cells::Sparse { ends, columns }, length) => {
                check_sparse(batch.rows.len(), &view(ends), &view(columns), length)?
            }
        };
        let expected = cells.saturating_mul(self.kind.size() as u64);
        let found = batch.values.len() as u64;
        if expected == found {
            Ok(())
        } else {
            Err(Misfit::Values { expected, found })
        }
    }
}

/// Checks the index of a sparse batch; returns its number of cells.
fn check_sparse(
    rows: usize,
    ends: &[u32],
    columns: &[u32],
    length: Option<u32>,
) -> Result<u64, Misfit> {
    let ordered = ends.len() == rows && ends.windows(2).all(|pair| pair[0] <= pair[1]);
    if !ordered || ends.last().copied().unwrap_or(0) as usize != columns.len() {
        return Err(Misfit::Ends);
    }
    if let Some(length) = length
        && let Some(&column) = columns.iter().find(|&&column| column >= length)
    {
        return Err(Misfit::Column { column, length });
    }
    Ok(columns.len() as u64)
}

impl Batch {
    /// Every cell of `rows`, row after row.
    pub fn dense<E: Element>(rows: Arc<RowSet>, values: Vec<E>) -> Batch {
        Batch {
            rows,
            cells: Cells::Dense,
            values: freeze(values),
        }
    }

    /// Some cells of `rows`: those of row `i` are `ends[i − 1]..ends[i]`.
    pub fn sparse<E: Element>(
        rows: Arc<RowSet>,
        ends: Vec<u32>,
        columns: Vec<u32>,
        values: Vec<E>,
    ) -> Batch {
        let cells = Cells::Sparse {
            ends: freeze(ends),
            columns: freeze(columns),
        };
        Batch {
            rows,
            cells,
            values: freeze(values),
        }
    }

    /// Bytes of content.
    pub fn bytes(&self) -> usize {
        self.values.len()
            + match &self.cells {
                Cells::Dense => 0,
                Cells::Sparse { ends, columns } => ends.len() + columns.len(),
            }
    }

    /// Bytes of content of the row at `position`.
    pub fn bytes_of_row(&self, position: usize, layout: Layout) -> usize {
        match &self.cells {
            Cells::Dense => layout.row_bytes(),
            Cells::Sparse { ends, .. } => {
                let cells = cells_of(&view::<u32>(ends), position).len();
                cells * (layout.kind.size() + size_of::<u32>()) + size_of::<u32>()
            }
        }
    }

    /// The rows at `positions` (ascending) alone, as `rows`.
    pub fn select(&self, layout: Layout, rows: Arc<RowSet>, positions: &[usize]) -> Batch {
        match &self.cells {
            Cells::Dense => {
                let width = layout.row_bytes();
                let mut values = Vec::with_capacity(positions.len() * width);
                for &at in positions {
                    values.extend_from_slice(&self.values[at * width..(at + 1) * width]);
                }
                Batch {
                    rows,
                    cells: Cells::Dense,
                    values: values.into(),
                }
            }
            Cells::Sparse { ends, columns } => {
                let (ends, columns) = (view::<u32>(ends), view::<u32>(columns));
                let size = layout.kind.size();
                let (mut to_ends, mut to_columns, mut values) =
                    (Vec::new(), Vec::new(), Vec::new());
                for &at in positions {
                    let cells = cells_of(&ends, at);
                    to_columns.extend_from_slice(&columns[cells.clone()]);
                    to_ends.push(to_columns.len() as u32);
                    values.extend_from_slice(&self.values[cells.start * size..cells.end * size]);
                }
                let cells = Cells::Sparse {
                    ends: freeze(to_ends),
                    columns: freeze(to_columns),
                };
                Batch {
                    rows,
                    cells,
                    values: values.into(),
                }
            }
        }
    }

    /// The part of the batch that lies in `rows`, if any.
    pub fn within(&self, layout: Layout, rows: &Arc<RowSet>) -> Option<Batch> {
        if Arc::ptr_eq(&self.rows, rows) || self.rows == *rows {
            return Some(self.clone());
        }
        let positions: Vec<usize> = common_positions(&self.rows, rows)
            .into_iter()
            .map(|(at, _)| at)
            .collect();
        if positions.is_empty() {
            return None;
        }
        let keys = positions.iter().map(|&at| self.rows.key(at)).collect();
        let rows = RowSet::ascending(keys).expect("a part of an ascending set ascends");
        Some(self.select(layout, Arc::new(rows), &positions))
    }

    /// The rows for which `keep` holds, if any.
    pub fn retain(&self, layout: Layout, keep: impl Fn(u64) -> bool) -> Option<Batch> {
        let (positions, keys): (Vec<usize>, Vec<u64>) = self
            .rows
            .keys()
            .enumerate()
            .filter(|&(_, key)| keep(key))
            .unzip();
        if positions.is_empty() {
            return None;
        }
        if positions.len() == self.rows.len() {
            return Some(self.clone());
        }
        let rows = RowSet::ascending(keys).expect("a part of an ascending set ascends");
        Some(self.select(layout, Arc::new(rows), &positions))
    }

    /// The batch with each value replaced by its magnitude.
    pub fn magnitudes(&self, kind: ElementKind) -> Batch {
        with_element!(kind, E => self.map(|value: E| E::from_f64(value.to_f64().abs())))
    }

    /// The batch that undoes this one.
    pub fn negated(&self, kind: ElementKind) -> Batch {
        with_element!(kind, E => self.map(|value: E| value.negated()))
    }

    /// The greatest value, as `f64`; 0 for an empty batch.
    pub fn greatest(&self, kind: ElementKind) -> f64 {
        with_element!(kind, E => view::<E>(&self.values).iter().map(|v| v.to_f64()).fold(0.0, f64::max))
    }

    fn map<E: Element>(&self, f: impl Fn(E) -> E) -> Batch {
        let values: Vec<E> = view::<E>(&self.values)
            .iter()
            .map(|&value| f(value))
            .collect();
        Batch {
            rows: self.rows.clone(),
            cells: self.cells.clone(),
            values: freeze(values),
        }
    }

    /// The sum of two dense batches of the same rows.
    pub fn plus_dense(&self, other: &Batch, kind: ElementKind) -> Batch {
        with_element!(kind, E => {
            let mut values = view::<E>(&self.values).into_owned();
            add_slice(&mut values, &view::<E>(&other.values));
            Batch { rows: self.rows.clone(), cells: Cells::Dense, values: freeze(values) }
        })
    }
}

/// Where the cells of row `at` are in a sparse batch.
pub fn cells_of(ends: &[u32], at: usize) -> std::ops::Range<usize> {
    let start = if at == 0 { 0 } else { ends[at - 1] };
    start as usize..ends[at] as usize
}
