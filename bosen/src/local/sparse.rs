//! Sparse rows that threads share: by key in several stores, each of which is used by one thread
//! at a time.

use crate::batch::{Batch, Cells, cells_of};
use crate::element::{Element, view};
use crate::rows::RowSet;
use crate::store::SparseStore;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stores of a table; a power of two.
const STORES: usize = 64;

/// Shared sparse rows.
pub struct Sparse<E> {
    stores: Box<[Mutex<SparseStore<E>>]>,
}

impl<E: Element> Sparse<E> {
    pub fn new() -> Self {
        Sparse {
            stores: (0..STORES).map(|_| Mutex::default()).collect(),
        }
    }

    /// The store of the row `key`.
    fn store(&self, key: u64) -> MutexGuard<'_, SparseStore<E>> {
        // Fibonacci hashing, of which the upper bits are the good ones.
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let store = &self.stores[(hash >> (64 - STORES.ilog2())) as usize];
        store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a sparse batch.
    pub fn add(&self, batch: &Batch) {
        let Cells::Sparse { ends, columns } = &batch.cells else {
            unreachable!("a dense batch does not pass the check of a sparse layout")
        };
        let (ends, columns) = (view::<u32>(ends), view::<u32>(columns));
        let values = view::<E>(&batch.values);
        for (at, key) in batch.rows.keys().enumerate() {
            let cells = cells_of(&ends, at);
            self.store(key)
                .add_row(key, &columns[cells.clone()], &values[cells]);
        }
    }

    /// A copy of `rows`.
    pub fn read(&self, rows: &Arc<RowSet>) -> Batch {
        let mut ends = Vec::with_capacity(rows.len());
        let (mut columns, mut values) = (Vec::new(), Vec::<E>::new());
        for key in rows.keys() {
            if let Some((of_row, cells)) = self.store(key).row(key) {
                columns.extend_from_slice(of_row);
                values.extend_from_slice(cells);
            }
            ends.push(columns.len() as u32);
        }
        Batch::sparse(rows.clone(), ends, columns, values)
    }
}
