//! A worker's handle to one table of dense rows in its own process: the fast way.

use super::table::Shared;
use crate::batch::Misfit;
use crate::client::Failure;
use crate::element::Element;
use crate::rows::{RowId, RowSet};
use crate::spec::{Keys, TableSpec};
use std::marker::PhantomData;
use std::sync::Arc;
use strads_common::ids::WorkerId;

/// Dense rows of one table, as their worker reads and increments them.
pub struct Table<'w, E: Element> {
    shared: Arc<Shared<E>>,
    spec: TableSpec,
    length: u32,
    worker: WorkerId,
    /// A worker that has left has no business here.
    lives_with: PhantomData<&'w ()>,
}

impl<E: Element> Table<'_, E> {
    pub(super) fn new(shared: Arc<Shared<E>>, worker: WorkerId) -> Result<Self, Failure> {
        shared.dense()?;
        let spec = *super::table::AnyTable::spec(&*shared);
        Ok(Table {
            length: spec.layout.length.unwrap_or(0),
            spec,
            shared,
            worker,
            lives_with: PhantomData,
        })
    }

    /// Cells of a row.
    pub fn length(&self) -> usize {
        self.length as usize
    }

    /// One cell.
    #[inline]
    pub fn cell(&self, row: RowId, column: u32) -> Result<E, Failure> {
        self.check(row, column, 1)?;
        let mut value = [E::default()];
        self.shared.read_row(self.worker, row, column, &mut value)?;
        Ok(value[0])
    }

    /// Copies a row.
    #[inline]
    pub fn get_row(&self, row: RowId, into: &mut [E]) -> Result<(), Failure> {
        self.check_length(1, into.len())?;
        self.check(row, 0, 0)?;
        self.shared.read_row(self.worker, row, 0, into)
    }

    /// Rows, one after the other.
    pub fn get(&self, rows: &Arc<RowSet>) -> Result<Vec<E>, Failure> {
        let mut values = vec![E::default(); rows.len() * self.length()];
        self.get_into(rows, &mut values)?;
        Ok(values)
    }

    /// Copies rows, one after the other.
    pub fn get_into(&self, rows: &Arc<RowSet>, into: &mut [E]) -> Result<(), Failure> {
        self.spec.check_rows(rows)?;
        self.check_length(rows.len(), into.len())?;
        self.shared.read_dense(self.worker, rows, into)
    }

    /// Adds to one cell.
    #[inline]
    pub fn inc_cell(&self, row: RowId, column: u32, delta: E) -> Result<(), Failure> {
        self.check(row, column, 1)?;
        self.shared.add_row(self.worker, row, column, &[delta])
    }

    /// Adds to the cells of a row from `column` on.
    #[inline]
    pub fn inc_slice(&self, row: RowId, column: u32, deltas: &[E]) -> Result<(), Failure> {
        self.check(row, column, deltas.len())?;
        self.shared.add_row(self.worker, row, column, deltas)
    }

    /// Adds to a row.
    #[inline]
    pub fn inc_row(&self, row: RowId, deltas: &[E]) -> Result<(), Failure> {
        self.check_length(1, deltas.len())?;
        self.inc_slice(row, 0, deltas)
    }

    /// Adds to rows, one after the other.
    pub fn inc(&self, rows: &Arc<RowSet>, deltas: &[E]) -> Result<(), Failure> {
        self.spec.check_rows(rows)?;
        self.check_length(rows.len(), deltas.len())?;
        self.shared.add_dense(self.worker, rows, deltas)
    }

    /// Checks that `row` can be, and has `cells` cells from `column` on.
    #[inline]
    fn check(&self, row: RowId, column: u32, cells: usize) -> Result<(), Failure> {
        if let Keys::Range { first, len } = self.spec.keys
            && row.0.wrapping_sub(first) >= len
        {
            return Err(Misfit::Row { row: row.0 }.into());
        }
        let length = self.length;
        match column as usize + cells <= length as usize {
            true => Ok(()),
            false => Err(Misfit::Column { column, length }.into()),
        }
    }

    #[inline]
    fn check_length(&self, rows: usize, found: usize) -> Result<(), Failure> {
        let bytes = |cells: usize| (cells * size_of::<E>()) as u64;
        let (expected, found) = (bytes(rows * self.length()), bytes(found));
        match expected == found {
            true => Ok(()),
            false => Err(Misfit::Values { expected, found }.into()),
        }
    }
}
