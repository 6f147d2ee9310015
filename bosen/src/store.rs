//! Memory of rows: what a shard keeps of a table, and what a worker keeps of it for a while.
//!
//! Relies on batches having passed [`Layout::check`](crate::batch::Layout::check). A row that is
//! not there reads as zeros.

mod dense;
mod spare;
mod sparse;

use crate::batch::{Batch, Cells, Layout};
use crate::element::with_element;
use crate::rows::{RowId, RowSet};
use crate::rule::Rule;
pub use dense::DenseStore;
pub use sparse::SparseStore;
use std::sync::Arc;

/// Memory of rows of one layout.
pub trait Store: Send {
    /// Adds `batch` cell by cell.
    fn add(&mut self, batch: &Batch);

    /// Makes the rows of `batch` what they are in it.
    fn set(&mut self, batch: &Batch);

    /// Takes one step of `rule` with `batch` as the gradient.
    fn step(&mut self, batch: &Batch, rule: Rule);

    /// A copy of `rows`.
    fn read(&mut self, rows: &Arc<RowSet>) -> Batch;

    /// Forgets `row`.
    fn remove(&mut self, row: RowId);

    /// All rows, which are then forgotten; `None` if there are none.
    fn drain(&mut self) -> Option<Batch>;

    /// Whether there are no rows.
    fn is_empty(&self) -> bool;
}

/// An empty store for rows of `layout` under any key.
pub fn open(layout: Layout) -> Box<dyn Store> {
    with_element!(layout.kind, E => match layout.length {
        Some(length) => Box::new(DenseStore::<E>::any(length as usize)),
        None => Box::<SparseStore<E>>::default(),
    })
}

/// A store of zeros for the keys `first..first + len`.
pub fn ranged(layout: Layout, first: u64, len: usize) -> Box<dyn Store> {
    with_element!(layout.kind, E => match layout.length {
        Some(length) => Box::new(DenseStore::<E>::range(first, len, length as usize)),
        None => Box::<SparseStore<E>>::default(),
    })
}

/// `batch` with `more` added, as far as they concern its rows.
pub fn sum(layout: Layout, batch: Batch, more: &[Batch]) -> Batch {
    let same = |other: &Batch| other.cells == Cells::Dense && other.rows.len() == batch.rows.len();
    if batch.cells == Cells::Dense && more.iter().all(same) {
        let add = |sum: Batch, more| sum.plus_dense(more, layout.kind);
        return more.iter().fold(batch, add);
    }
    let mut sum = open(layout);
    sum.add(&batch);
    more.iter().for_each(|more| sum.add(more));
    sum.read(&batch.rows)
}

#[cfg(test)]
mod tests;
