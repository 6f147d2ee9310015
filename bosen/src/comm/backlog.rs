//! Increments that need not go yet: summed by row, and given out most important row first.
//!
//! Rows are put in order now and then, not for each message: the first quarter of an order is
//! used up before the next one is made. What is in the backlog is given out once.

use super::order::{Order, Waiting};
use crate::batch::{Batch, Layout};
use crate::rows::{RowId, RowSet};
use crate::store::{self, Store};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes of a key, as it may be written.
const KEY_BYTES: usize = 8;

/// Increments that wait, for one receiver.
pub struct Backlog {
    layout: Layout,
    order: Order,
    store: Box<dyn Store>,
    /// When each row began to wait.
    since: FxHashMap<u64, u64>,
    begun: u64,
    /// Rows that are next, and their bytes.
    agenda: VecDeque<(u64, usize)>,
    /// Orders made.
    rounds: u64,
    /// Bytes that were added since the backlog was last empty.
    bytes: usize,
}

impl Backlog {
    /// Nothing waits.
    pub fn new(layout: Layout, order: Order) -> Backlog {
        Backlog {
            layout,
            order,
            store: store::open(layout),
            since: FxHashMap::default(),
            begun: 0,
            agenda: VecDeque::new(),
            rounds: 0,
            bytes: 0,
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.since.is_empty()
    }

    /// Bytes that wait, at most.
    pub fn bytes(&self) -> usize {
        match self.layout.length {
            Some(_) => self.since.len() * self.layout.row_bytes(),
            None => self.bytes,
        }
    }

    /// Whether what waits is worth a message where `room` bytes could go: many small ones would
    /// cost more than they bring, and what waits goes on being summed.
    pub fn is_worth(&self, room: usize) -> bool {
        !self.is_empty() && self.bytes() >= room / 16
    }

    /// Adds `batch` to what waits.
    pub fn add(&mut self, batch: &Batch) {
        self.store.add(batch);
        self.bytes += batch.bytes();
        for key in batch.rows.keys() {
            let begun = &mut self.begun;
            self.since.entry(key).or_insert_with(|| {
                *begun += 1;
                *begun
            });
        }
    }

    /// What waits of `rows`.
    pub fn within(&mut self, rows: &Arc<RowSet>) -> Option<Batch> {
        (!self.is_empty()).then(|| self.store.read(rows))
    }

    /// Drops what waits of `rows`.
    pub fn forget(&mut self, rows: &RowSet) {
        let waiting = |key: &u64| self.since.contains_key(key);
        let keys: Vec<u64> = rows.keys().filter(waiting).collect();
        keys.iter().for_each(|&key| self.remove(key));
    }

    /// Puts all rows in order, because all of them go now.
    pub fn arrange_all(&mut self, values: impl FnOnce(&Arc<RowSet>) -> Batch) {
        self.agenda = self.arrange(usize::MAX, values);
    }

    /// Up to `bytes` (or one row) of what is most important; `values` tells what rows are.
    pub fn take(
        &mut self,
        bytes: usize,
        values: impl FnOnce(&Arc<RowSet>) -> Batch,
    ) -> Option<Batch> {
        if self.is_empty() {
            return None;
        }
        let mut keys = self.next(bytes);
        if keys.is_empty() {
            self.agenda = self.arrange(bytes, values);
            keys = self.next(bytes);
        }
        keys.sort_unstable();
        let rows = Arc::new(RowSet::ascending(keys).expect("the rows of an agenda are distinct"));
        let batch = self.store.read(&rows);
        rows.keys().for_each(|key| self.remove(key));
        Some(batch)
    }

    /// The next rows of the agenda that still wait.
    fn next(&mut self, bytes: usize) -> Vec<u64> {
        let (mut keys, mut taken) = (Vec::new(), 0);
        while let Some((key, row)) = self
            .agenda
            .pop_front_if(|(_, row)| taken == 0 || taken + *row <= bytes)
        {
            if self.since.contains_key(&key) {
                taken += row;
                keys.push(key);
            }
        }
        keys
    }

    fn remove(&mut self, key: u64) {
        self.store.remove(RowId(key));
        self.since.remove(&key);
        if self.since.is_empty() {
            self.bytes = 0;
        }
    }

    /// The rows that are next: a quarter of what waits, and at least `bytes`.
    fn arrange(
        &mut self,
        bytes: usize,
        values: impl FnOnce(&Arc<RowSet>) -> Batch,
    ) -> VecDeque<(u64, usize)> {
        let mut keys: Vec<u64> = self.since.keys().copied().collect();
        keys.sort_unstable();
        let since: Vec<u64> = keys.iter().map(|key| self.since[key]).collect();
        let rows = Arc::new(RowSet::ascending(keys).expect("sorted keys of a map ascend"));
        let increments = self.store.read(&rows);
        let values = self.order.needs_values().then(|| values(&rows));
        let waiting = Waiting {
            increments: &increments,
            values: values.as_ref(),
            since: &since,
            round: self.rounds,
        };
        self.rounds += 1;
        let enough = bytes.max((increments.bytes() + KEY_BYTES * rows.len()) / 4);
        let (mut agenda, mut planned) = (VecDeque::new(), 0);
        for position in self.order.sort(&waiting, self.layout) {
            if planned >= enough {
                break;
            }
            let position = position as usize;
            let row = increments.bytes_of_row(position, self.layout) + KEY_BYTES;
            agenda.push_back((rows.key(position), row));
            planned += row;
        }
        agenda
    }
}
