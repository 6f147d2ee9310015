//! The rows that a worker has of one table, and how fresh they are.
//!
//! Freshness is kept a row where rows are fetched one by one, and a shard where the shard keeps
//! all of them up to date. `includes` says which of the worker's own updates are in the values of
//! a row, so that the others can be added to what is read.

use crate::batch::Batch;
use crate::message::Sequence;
use crate::placement::shard_of;
use crate::rows::{RowId, RowSet};
use crate::spec::TableSpec;
use crate::store::{self, Store};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use strads_common::ids::{Clock, ShardId};

pub(super) struct Cache {
    spec: TableSpec,
    rows: Box<dyn Store>,
    states: FxHashMap<u64, State>,
    shards: Vec<Clock>,
    /// Rows to keep between reads, if not all.
    capacity: Option<usize>,
    /// Where there is a capacity: when each row was last fetched or read, in reads.
    used: FxHashMap<u64, u64>,
    reads: u64,
}

/// How far rows are.
#[derive(Clone, Copy, Default)]
pub(super) struct State {
    pub fresh: Clock,
    pub includes: Sequence,
}

/// Rows that a read cannot have yet.
pub(super) struct Lacking {
    /// To be asked for.
    pub absent: Vec<u64>,
    /// Shards of others, which these will bring up to date by themselves.
    pub stale: BTreeSet<ShardId>,
}

impl Cache {
    pub fn new(spec: TableSpec, shards: u32) -> Cache {
        let rows = store::open(spec.layout);
        Cache {
            spec,
            rows,
            states: FxHashMap::default(),
            shards: vec![Clock::default(); shards as usize],
            capacity: None,
            used: FxHashMap::default(),
            reads: 0,
        }
    }

    /// How far the row `key` is, if it is there.
    pub fn state(&self, key: u64) -> Option<State> {
        let own = *self.states.get(&key)?;
        Some(match self.spec.consistency.pushes() {
            true => State {
                fresh: self.shards[self.shard_of(key).index()],
                ..own
            },
            false => own,
        })
    }

    fn shard_of(&self, key: u64) -> ShardId {
        shard_of(&self.spec, self.shards.len() as u32, key)
    }

    /// What of `rows` is missing or older than `need`.
    pub fn lacking(&self, rows: &RowSet, need: Clock) -> Lacking {
        let mut lacking = Lacking {
            absent: Vec::new(),
            stale: BTreeSet::new(),
        };
        for key in rows.keys() {
            match self.state(key) {
                Some(state) if state.fresh >= need => {}
                Some(_) if self.spec.consistency.pushes() => {
                    lacking.stale.insert(self.shard_of(key));
                }
                _ => lacking.absent.push(key),
            }
        }
        lacking
    }

    /// Takes in rows that were asked for.
    pub fn insert(&mut self, shard: ShardId, batch: &Batch, state: State) {
        self.rows.set(batch);
        self.advance(shard, state.fresh);
        self.states
            .extend(batch.rows.keys().map(|key| (key, state)));
        self.use_rows(&batch.rows);
    }

    /// Takes in changes that a shard sends by itself.
    pub fn change(&mut self, shard: ShardId, batch: &Batch, whole: bool, fresh: Clock) {
        self.advance(shard, fresh);
        // What was forgotten while the changes were under way is of no interest.
        let Some(batch) = batch.retain(self.spec.layout, |key| self.states.contains_key(&key))
        else {
            return;
        };
        match whole {
            true => self.rows.set(&batch),
            false => self.rows.add(&batch),
        }
    }

    /// All changes before `fresh` have come from `shard`.
    fn advance(&mut self, shard: ShardId, fresh: Clock) {
        let known = &mut self.shards[shard.index()];
        *known = fresh.max(*known);
    }

    /// Makes an acknowledged update of the worker's own part of the rows that lack it.
    pub fn fold(&mut self, batch: &Batch, sequence: Sequence) {
        let lacks = |key: u64| {
            self.states
                .get(&key)
                .is_some_and(|state| state.includes < sequence)
        };
        let Some(batch) = batch.retain(self.spec.layout, lacks) else {
            return;
        };
        self.rows.add(&batch);
        for key in batch.rows.keys() {
            self.states
                .entry(key)
                .and_modify(|state| state.includes = sequence);
        }
    }

    pub fn read(&mut self, rows: &Arc<RowSet>) -> Batch {
        self.reads += 1;
        self.use_rows(rows);
        self.rows.read(rows)
    }

    fn use_rows(&mut self, rows: &RowSet) {
        if self.capacity.is_some() {
            self.used.extend(rows.keys().map(|key| (key, self.reads)));
        }
    }

    /// Keeps at most `capacity` rows from now on, or all.
    pub fn keep(&mut self, capacity: Option<usize>) {
        self.capacity = capacity;
        self.used.clear();
    }

    /// The rows beyond the capacity, ascending: those that were read longest ago, and an eighth of
    /// the capacity more, so that there are not some after each read.
    pub fn surplus(&self) -> Vec<u64> {
        let rows = self.states.len();
        let Some(capacity) = self.capacity.filter(|&capacity| capacity < rows) else {
            return Vec::new();
        };
        let surplus = rows - capacity + capacity / 8;
        let age = |&key| (self.used.get(&key).copied().unwrap_or(0), key);
        let mut keys: Vec<(u64, u64)> = self.states.keys().map(age).collect();
        keys.select_nth_unstable(surplus - 1);
        let mut keys: Vec<u64> = keys[..surplus].iter().map(|&(_, key)| key).collect();
        keys.sort_unstable();
        keys
    }

    /// The least fresh of `rows`.
    pub fn freshness(&self, rows: &RowSet) -> Clock {
        let fresh = rows
            .keys()
            .filter_map(|key| self.state(key))
            .map(|state| state.fresh);
        fresh.min().unwrap_or_default()
    }

    /// Forgets those of `rows` that are there and `may` go; returns which.
    pub fn forget(&mut self, rows: &RowSet, may: impl Fn(u64) -> bool) -> Vec<u64> {
        let mut forgotten: Vec<u64> = match rows.len() > self.states.len() {
            true => self
                .states
                .keys()
                .copied()
                .filter(|&key| rows.position(RowId(key)).is_some())
                .collect(),
            false => rows
                .keys()
                .filter(|key| self.states.contains_key(key))
                .collect(),
        };
        forgotten.retain(|&key| may(key));
        forgotten.sort_unstable();
        self.remove(&forgotten);
        forgotten
    }

    /// Forgets the rows of a shard, which no longer keeps them up to date.
    pub fn forget_shard(&mut self, shard: ShardId) {
        let keys = self.states.keys().copied();
        let of_shard: Vec<u64> = keys.filter(|&key| self.shard_of(key) == shard).collect();
        self.remove(&of_shard);
    }

    fn remove(&mut self, keys: &[u64]) {
        for &key in keys {
            self.states.remove(&key);
            self.used.remove(&key);
            self.rows.remove(RowId(key));
        }
    }
}
