//! What filters have kept back: error feedback.
//!
//! Promises: for each cell, what [`Residual::pass`] has returned plus what the residual holds is
//! what it was given — exactly for integers, and for floating-point numbers up to the rounding of
//! the type's own sums. A batch with a value that is not finite passes unfiltered, so that a
//! poisoned computation shows where it would show without filters.

use super::{Coding, Filters, threshold};
use crate::batch::{Batch, Cells, Layout, cells_of};
use crate::element::{Element, freeze, view, with_element};
use crate::rows::{RowId, RowSet};
use crate::store::{self, Store};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// Increments that have been made and not sent, of one sender for one receiver.
pub struct Residual {
    filters: Filters,
    layout: Layout,
    store: Box<dyn Store>,
    withheld_bytes: u64,
}

impl Residual {
    /// Nothing kept back yet.
    pub fn new(filters: Filters, layout: Layout) -> Residual {
        Residual {
            filters,
            layout,
            store: store::open(layout),
            withheld_bytes: 0,
        }
    }

    /// Bytes that have been kept back so far, whether or not they were sent later.
    pub fn withheld_bytes(&self) -> u64 {
        self.withheld_bytes
    }

    /// What of `batch` and the residual of its rows is sent now, and how it is written; `None`
    /// if all of it is kept back.
    pub fn pass(&mut self, batch: &Batch) -> Option<(Batch, Coding)> {
        let kind = self.layout.kind;
        if !self.filters.keep_back(kind) {
            return Some((batch.clone(), self.filters.coding(kind)));
        }
        self.store.add(batch);
        let sum = self.sum_of(batch)?;
        if !is_finite(&sum, self.layout) {
            batch
                .rows
                .keys()
                .for_each(|key| self.store.remove(RowId(key)));
            return Some((sum, self.filters.exact_coding(kind)));
        }
        let sent = self.filters.reduce(&sum, self.layout);
        self.withheld_bytes +=
            (sum.bytes() - sent.as_ref().map_or(0, Batch::bytes).min(sum.bytes())) as u64;
        let sent = sent?;
        self.store.add(&sent.negated(kind));
        Some((sent, self.filters.coding(kind)))
    }

    /// The cells of `batch` as they are with the residual.
    fn sum_of(&mut self, batch: &Batch) -> Option<Batch> {
        let all = self.store.read(&batch.rows);
        match (&all.cells, &batch.cells) {
            // Of long rows of which few cells were incremented, only those are looked at.
            (Cells::Dense, Cells::Sparse { ends, columns }) => {
                let named = (view::<u32>(ends), view::<u32>(columns));
                Some(
                    with_element!(self.layout.kind, E => gather::<E>(&all, &named.0, &named.1, self.layout)),
                )
            }
            // Of sparse rows all cells were ever incremented, but most have nothing left.
            (Cells::Sparse { .. }, _) => threshold::select(&all, self.layout, |value| value != 0.0),
            _ => Some(all),
        }
    }

    /// Drops what is kept back of `rows`.
    pub fn forget(&mut self, rows: &RowSet) {
        if !self.store.is_empty() {
            rows.keys().for_each(|key| self.store.remove(RowId(key)));
        }
    }

    /// All that is kept back, and how it is written; nothing is afterwards.
    pub fn drain(&mut self) -> Option<(Batch, Coding)> {
        let all = self.store.drain()?;
        let some = threshold::select(&all, self.layout, |value| value != 0.0)?;
        Some((some, self.filters.exact_coding(self.layout.kind)))
    }

    /// What is kept back of `rows`.
    pub fn within(&mut self, rows: &Arc<RowSet>) -> Option<Batch> {
        (!self.store.is_empty()).then(|| self.store.read(rows))
    }
}

/// The named columns of dense rows, each once.
fn gather<E: Element>(dense: &Batch, ends: &[u32], columns: &[u32], layout: Layout) -> Batch {
    let length = layout.length.unwrap_or(0) as usize;
    let values = view::<E>(&dense.values);
    let (mut to_ends, mut to_columns, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    let mut seen = FxHashSet::default();
    for row in 0..dense.rows.len() {
        seen.clear();
        for &column in &columns[cells_of(ends, row)] {
            if seen.insert(column) {
                to_columns.push(column);
                cells.push(values[row * length + column as usize]);
            }
        }
        to_ends.push(to_columns.len() as u32);
    }
    Batch {
        rows: dense.rows.clone(),
        cells: Cells::Sparse {
            ends: freeze(to_ends),
            columns: freeze(to_columns),
        },
        values: freeze(cells),
    }
}

fn is_finite(batch: &Batch, layout: Layout) -> bool {
    with_element!(layout.kind, E => {
        view::<E>(&batch.values).iter().all(|value| value.to_f64().is_finite())
    })
}
