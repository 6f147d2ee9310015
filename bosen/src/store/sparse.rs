//! Sparse rows: for each key its columns in order, and their values beside them.
//!
//! A cell costs its column and its value; a cell whose increments cancel stays, as zero.

use super::Store;
use crate::batch::{Batch, Cells, cells_of};
use crate::element::{Element, view};
use crate::rows::{RowId, RowSet};
use crate::rule::Rule;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A store of sparse rows.
#[derive(Default)]
pub struct SparseStore<E> {
    rows: BTreeMap<u64, Row<E>>,
}

#[derive(Default)]
struct Row<E> {
    columns: Vec<u32>,
    values: Vec<E>,
}

impl<E: Element> Row<E> {
    fn add(&mut self, column: u32, delta: E) {
        // Increments mostly come in order, to columns that are there or beyond the last one.
        match self.columns.binary_search(&column) {
            Ok(at) => self.values[at] = self.values[at].plus(delta),
            Err(at) => {
                self.columns.insert(at, column);
                self.values.insert(at, delta);
            }
        }
    }
}

impl<E: Element> SparseStore<E> {
    /// Adds to some cells of one row.
    pub fn add_row(&mut self, key: u64, columns: &[u32], values: &[E]) {
        let row = self.rows.entry(key).or_default();
        let cells = columns.iter().zip(values);
        cells.for_each(|(&column, &delta)| row.add(column, delta));
    }

    /// The columns and values of one row, if it is there.
    pub fn row(&self, key: u64) -> Option<(&[u32], &[E])> {
        let row = self.rows.get(&key)?;
        Some((&row.columns, &row.values))
    }

    fn each_row(&mut self, batch: &Batch, mut f: impl FnMut(&mut Row<E>, &[u32], &[E])) {
        let Cells::Sparse { ends, columns } = &batch.cells else {
            unreachable!("a dense batch does not pass the check of a sparse layout")
        };
        let (ends, columns, values) = (
            view::<u32>(ends),
            view::<u32>(columns),
            view::<E>(&batch.values),
        );
        for (i, key) in batch.rows.keys().enumerate() {
            let cells = cells_of(&ends, i);
            f(
                self.rows.entry(key).or_default(),
                &columns[cells.clone()],
                &values[cells],
            );
        }
    }
}

impl<E: Element> Store for SparseStore<E> {
    fn add(&mut self, batch: &Batch) {
        self.each_row(batch, |row, columns, values| {
            columns
                .iter()
                .zip(values)
                .for_each(|(&column, &delta)| row.add(column, delta));
        });
    }

    fn set(&mut self, batch: &Batch) {
        self.each_row(batch, |row, columns, values| {
            *row = Row {
                columns: Vec::with_capacity(columns.len()),
                values: Vec::with_capacity(values.len()),
            };
            columns
                .iter()
                .zip(values)
                .for_each(|(&column, &value)| row.add(column, value));
        });
    }

    fn step(&mut self, _: &Batch, rule: Rule) {
        unreachable!("{rule:?} on sparse rows does not pass the check of a table's description")
    }

    fn read(&mut self, rows: &Arc<RowSet>) -> Batch {
        let (mut ends, mut columns, mut values) =
            (Vec::with_capacity(rows.len()), Vec::new(), Vec::new());
        for key in rows.keys() {
            if let Some(row) = self.rows.get(&key) {
                columns.extend_from_slice(&row.columns);
                values.extend_from_slice(&row.values);
            }
            ends.push(columns.len() as u32);
        }
        Batch::sparse(rows.clone(), ends, columns, values)
    }

    fn remove(&mut self, row: RowId) {
        self.rows.remove(&row.0);
    }

    fn drain(&mut self) -> Option<Batch> {
        if self.rows.is_empty() {
            return None;
        }
        let keys = self.rows.keys().copied().collect();
        let rows = Arc::new(RowSet::ascending(keys).expect("keys of an ordered map ascend"));
        let batch = self.read(&rows);
        self.rows.clear();
        Some(batch)
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
