//! What a worker does with tables, in whichever home they are: a program that is written against
//! [`Tables`] runs on threads ([`local::Worker`](crate::local::Worker)) and across processes
//! ([`tcp::Worker`]) as it is.

use crate::batch::Batch;
use crate::client::Failure;
use crate::element::Element;
use crate::rows::{RowId, RowSet};
use crate::spec::TableSpec;
use crate::tcp::{self, TcpError};
use std::sync::Arc;
use strads_common::ids::{Clock, TableId};
use strads_common::lags::Lags;

/// A worker's end of a store.
pub trait Tables {
    /// What can go wrong.
    type Error: std::error::Error + From<Failure> + Send + Sync + 'static;
    /// A read under way.
    type Handle;

    /// Makes `table` exist. All workers say the same of it; only the first one makes it.
    fn create(&self, table: TableId, spec: TableSpec) -> Result<(), Self::Error>;

    /// Adds some cells of some rows.
    fn inc_batch<E: Element>(&self, table: TableId, batch: Batch) -> Result<(), Self::Error>;

    /// Asks for rows without waiting for them.
    fn prefetch(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Self::Handle, Self::Error>;

    /// The dense rows that a prefetch has asked for.
    fn wait_for<E: Element>(
        &self,
        handle: Self::Handle,
        table: TableId,
        rows: &Arc<RowSet>,
    ) -> Result<Vec<E>, Self::Error>;

    /// Rows, dense or sparse.
    fn get_batch(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Batch, Self::Error>;

    /// Begins the next clock of `table`.
    fn clock(&self, table: TableId) -> Result<Clock, Self::Error>;

    /// Drops what is cached of `rows`; the next read asks for them.
    fn forget(&self, table: TableId, rows: &Arc<RowSet>) -> Result<(), Self::Error>;

    /// Waits until everything that was incremented has arrived.
    fn settle(&self) -> Result<(), Self::Error>;

    /// How many reads of `table` were behind the worker's clock by 0, 1, … rounds.
    fn staleness(&self, table: TableId) -> Lags;

    /// Dense rows, row after row.
    fn get<E: Element>(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Vec<E>, Self::Error> {
        let handle = self.prefetch(table, rows)?;
        self.wait_for(handle, table, rows)
    }

    /// One dense row.
    fn get_row<E: Element>(&self, table: TableId, row: RowId) -> Result<Vec<E>, Self::Error> {
        self.get(table, &Arc::new(RowSet::one(row)))
    }

    /// Adds `values`, row after row, to dense `rows`.
    fn inc<E: Element>(
        &self,
        table: TableId,
        rows: &Arc<RowSet>,
        values: Vec<E>,
    ) -> Result<(), Self::Error> {
        self.inc_batch::<E>(table, Batch::dense(rows.clone(), values))
    }

    /// Adds to the cells of one row from `column` on.
    fn inc_slice<E: Element>(
        &self,
        table: TableId,
        row: RowId,
        column: u32,
        deltas: &[E],
    ) -> Result<(), Self::Error> {
        let columns = (column..column.saturating_add(deltas.len() as u32)).collect();
        let (rows, ends) = (Arc::new(RowSet::one(row)), vec![deltas.len() as u32]);
        self.inc_batch::<E>(table, Batch::sparse(rows, ends, columns, deltas.to_vec()))
    }

    /// Adds to one cell.
    fn inc_cell<E: Element>(
        &self,
        table: TableId,
        row: RowId,
        column: u32,
        delta: E,
    ) -> Result<(), Self::Error> {
        self.inc_slice(table, row, column, &[delta])
    }
}

impl Tables for tcp::Worker {
    type Error = TcpError;
    type Handle = tcp::Handle;

    fn create(&self, table: TableId, spec: TableSpec) -> Result<(), TcpError> {
        self.create(table, spec)
    }

    fn inc_batch<E: Element>(&self, table: TableId, batch: Batch) -> Result<(), TcpError> {
        self.inc_batch::<E>(table, batch)
    }

    fn prefetch(&self, table: TableId, rows: &Arc<RowSet>) -> Result<tcp::Handle, TcpError> {
        self.prefetch(table, rows)
    }

    fn wait_for<E: Element>(
        &self,
        handle: tcp::Handle,
        table: TableId,
        rows: &Arc<RowSet>,
    ) -> Result<Vec<E>, TcpError> {
        self.wait_for(handle, table, rows)
    }

    fn get_batch(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Batch, TcpError> {
        self.get_batch(table, rows)
    }

    fn clock(&self, table: TableId) -> Result<Clock, TcpError> {
        self.clock(table)
    }

    fn forget(&self, table: TableId, rows: &Arc<RowSet>) -> Result<(), TcpError> {
        self.forget(table, rows)
    }

    fn settle(&self) -> Result<(), TcpError> {
        self.settle()
    }

    fn staleness(&self, table: TableId) -> Lags {
        self.staleness(table)
    }
}
