//! Increments that a worker has made and not sent: what is made to the same rows is summed, so
//! that it travels once.

use crate::batch::{Batch, Cells, Layout};
use crate::rows::RowSet;
use crate::store::{self, Store};
use std::sync::Arc;

/// From this many rows on, increments of the same set of rows are summed as a whole.
const LARGE_ROWS: usize = 64;
/// Sets of rows that are kept as a whole; with more of them, they are likely to overlap.
const MOST_LARGE: usize = 8;

pub struct Pending {
    layout: Layout,
    small: Box<dyn Store>,
    large: Vec<Batch>,
    bytes: usize,
}

impl Pending {
    pub fn new(layout: Layout) -> Pending {
        Pending {
            layout,
            small: store::open(layout),
            large: Vec::new(),
            bytes: 0,
        }
    }

    /// Bytes taken, at most.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn add(&mut self, batch: &Batch) {
        if batch.rows.len() < LARGE_ROWS {
            self.bytes += batch.bytes();
            return self.small.add(batch);
        }
        let full = self.large.len() >= MOST_LARGE;
        match self.large.last_mut() {
            Some(last)
                if last.cells == Cells::Dense
                    && batch.cells == Cells::Dense
                    && Arc::ptr_eq(&last.rows, &batch.rows) =>
            {
                *last = last.plus_dense(batch, self.layout.kind);
            }
            _ if full => {
                self.bytes += batch.bytes();
                self.small.add(batch);
            }
            _ => {
                self.bytes += batch.bytes();
                self.large.push(batch.clone());
            }
        }
    }

    /// Takes everything out.
    pub fn drain(&mut self) -> Vec<Batch> {
        self.bytes = 0;
        let mut batches = std::mem::take(&mut self.large);
        batches.extend(self.small.drain());
        batches
    }

    /// What concerns `rows`.
    pub fn within(&mut self, rows: &Arc<RowSet>) -> Vec<Batch> {
        let mut found: Vec<Batch> = self
            .large
            .iter()
            .filter_map(|batch| batch.within(self.layout, rows))
            .collect();
        if !self.small.is_empty() {
            found.push(self.small.read(rows));
        }
        found
    }
}
