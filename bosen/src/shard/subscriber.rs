//! What a shard owes one worker that it keeps up to date: which rows the worker has, what others
//! have done to them since, and what filters have kept back of that.

use crate::batch::{Batch, Layout};
use crate::comm::Order;
use crate::comm::backlog::Backlog;
use crate::filter::{Coding, Filters, Residual};
use crate::rows::{RowId, RowSet};
use crate::spec::TableSpec;
use rustc_hash::FxHashSet;
use std::sync::Arc;

pub(super) struct Subscriber {
    layout: Layout,
    filters: Filters,
    order: Order,
    rows: FxHashSet<u64>,
    owed: Backlog,
    residual: Residual,
}

impl Subscriber {
    pub fn new(spec: &TableSpec, order: Order) -> Subscriber {
        Subscriber {
            layout: spec.layout,
            filters: spec.filters,
            order,
            rows: FxHashSet::default(),
            owed: Backlog::new(spec.layout, order),
            residual: Residual::new(spec.filters, spec.layout),
        }
    }

    /// Whether the worker has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The worker gets `rows` as they are now.
    pub fn subscribe(&mut self, rows: &RowSet) {
        self.rows.extend(rows.keys());
        self.owed.forget(rows);
        self.residual.forget(rows);
    }

    /// The worker has forgotten `rows`.
    pub fn unsubscribe(&mut self, rows: &RowSet) {
        // Over whichever is smaller: a range names many rows for nothing.
        if rows.len() > self.rows.len() {
            self.rows.retain(|&key| rows.position(RowId(key)).is_none());
        } else {
            rows.keys().for_each(|key| {
                self.rows.remove(&key);
            });
        }
        self.owed.forget(rows);
        self.residual.forget(rows);
    }

    /// The worker has nothing.
    pub fn clear(&mut self) {
        *self = Subscriber {
            rows: FxHashSet::default(),
            owed: Backlog::new(self.layout, self.order),
            residual: Residual::new(self.filters, self.layout),
            ..*self
        };
    }

    /// The part of `batch` that lies in rows that the worker has.
    pub fn concerning(&self, batch: &Batch) -> Option<Batch> {
        batch.retain(self.layout, |key| self.rows.contains(&key))
    }

    /// Somebody else has made `batch`.
    pub fn owe(&mut self, batch: &Batch) {
        if self.rows.is_empty() {
            return;
        }
        if let Some(batch) = self.concerning(batch) {
            self.owed.add(&batch);
        }
    }

    /// Whether what is owed is worth a message where `room` bytes could go.
    pub fn is_worth(&self, room: usize) -> bool {
        self.owed.is_worth(room)
    }

    /// Prepares for all of it to be paid.
    pub fn settle(&mut self, values: impl FnOnce(&Arc<RowSet>) -> Batch) {
        self.owed.arrange_all(values);
    }

    /// Up to `bytes` of what is owed, filtered; `values` tells what rows are. `None` when nothing
    /// is owed but what filters keep back.
    pub fn pay(
        &mut self,
        bytes: usize,
        mut values: impl FnMut(&Arc<RowSet>) -> Batch,
    ) -> Option<(Batch, Coding)> {
        while let Some(batch) = self.owed.take(bytes, &mut values) {
            if let Some(payment) = self.residual.pass(&batch) {
                return Some(payment);
            }
        }
        None
    }
}
