//! One table as its worker sees it: the worker's clock, what it has not sent, what it has sent
//! and the shards may not have shown it yet, and the commands that wait for their turn.

use super::cache::{Cache, State};
use super::operations::Operations;
use super::pending::Pending;
use super::{Command, Ticket};
use crate::batch::Batch;
use crate::consistency::Consistency;
use crate::message::{Refusal, Sequence};
use crate::placement::{Part, split};
use crate::rows::RowSet;
use crate::spec::TableSpec;
use crate::store::{self, Store};
use std::collections::VecDeque;
use std::sync::Arc;
use strads_common::ids::{Clock, ShardId};

pub(super) struct Table {
    pub spec: TableSpec,
    pub clock: Clock,
    /// The latest table clock that a shard has told.
    pub heard: Clock,
    pub pending: Pending,
    pub cache: Cache,
    pub operations: Operations,
    pub waiting: VecDeque<(Ticket, Command)>,
    pub refused: Option<Refusal>,
    /// How many reads were behind the worker's clock by 0, 1, … rounds.
    pub staleness: Vec<u64>,
    /// By shard: updates that rows from there may lack.
    sent: Vec<VecDeque<Sent>>,
    /// Magnitudes of the updates that other workers may not see yet.
    unseen: Box<dyn Store>,
    recent_split: Option<(Arc<RowSet>, Arc<[Part]>)>,
}

struct Sent {
    sequence: Sequence,
    clock: Clock,
    operation: Option<u64>,
    batch: Batch,
}

impl Table {
    pub fn new(spec: TableSpec, shards: u32) -> Table {
        Table {
            spec,
            clock: Clock(0),
            heard: Clock(0),
            pending: Pending::new(spec.layout),
            cache: Cache::new(spec, shards),
            operations: Operations::default(),
            waiting: VecDeque::new(),
            refused: None,
            staleness: Vec::new(),
            sent: (0..shards).map(|_| VecDeque::new()).collect(),
            unseen: store::open(spec.layout),
            recent_split: None,
        }
    }

    /// `rows` by shard and message; known if the last call was about the same set.
    pub fn split(&mut self, rows: &Arc<RowSet>) -> Arc<[Part]> {
        if let Some((known, parts)) = &self.recent_split
            && Arc::ptr_eq(known, rows)
        {
            return parts.clone();
        }
        let parts: Arc<[Part]> = split(rows, &self.spec, self.sent.len() as u32).into();
        self.recent_split = Some((rows.clone(), parts.clone()));
        parts
    }

    /// Remembers an update that has been given its place.
    pub fn keep(
        &mut self,
        shard: ShardId,
        sequence: Sequence,
        operation: Option<u64>,
        batch: Batch,
    ) {
        let sent = Sent {
            sequence,
            clock: self.clock,
            operation,
            batch,
        };
        self.sent[shard.index()].push_back(sent);
    }

    /// The bound on unseen magnitudes, where the consistency has one.
    pub fn bounds_values(&self) -> Option<f64> {
        match self.spec.consistency {
            Consistency::ValueBound { bound } => Some(bound),
            _ => None,
        }
    }

    /// Whether the unseen magnitudes stay within `bound` with `batch` among them.
    pub fn leaves_room(&mut self, batch: &Batch, bound: f64) -> bool {
        if self.sent.iter().all(VecDeque::is_empty) {
            return true;
        }
        let kind = self.spec.kind();
        let mut sum = store::open(self.spec.layout);
        sum.add(&self.unseen.read(&batch.rows));
        sum.add(&batch.magnitudes(kind));
        sum.read(&batch.rows).greatest(kind) <= bound
    }

    /// Counts `batch` among what others may not see.
    pub fn hide(&mut self, batch: &Batch) {
        self.unseen.add(&batch.magnitudes(self.spec.kind()));
    }

    /// A shard has taken in all updates up to `received`.
    pub fn acknowledge(&mut self, shard: ShardId, received: Sequence) {
        if self.spec.consistency.applies_whole_rounds() || self.spec.consistency.pushes() {
            return;
        }
        while let Some(sent) =
            self.sent[shard.index()].pop_front_if(|sent| sent.sequence <= received)
        {
            if self.spec.consistency.caches() && self.spec.rule.is_additive() {
                self.cache.fold(&sent.batch, sent.sequence);
            }
            if self.bounds_values().is_some() {
                let kind = self.spec.kind();
                self.unseen.add(&sent.batch.magnitudes(kind).negated(kind));
            }
            if let Some(operation) = sent.operation {
                self.operations.finish_part(operation);
            }
        }
        if self.bounds_values().is_some() && self.sent.iter().all(VecDeque::is_empty) {
            // Rounding errors of the sums end here.
            self.unseen = store::open(self.spec.layout);
        }
    }

    /// Rows from `shard` have updates up to `includes`.
    pub fn included(&mut self, shard: ShardId, includes: Sequence) {
        if self.spec.consistency.pushes() {
            while self.sent[shard.index()]
                .pop_front_if(|sent| sent.sequence <= includes)
                .is_some()
            {}
        }
    }

    /// The worker goes on to its next clock.
    pub fn tick(&mut self) {
        self.clock = match self.spec.consistency {
            Consistency::Backup { .. } => self.heard.max(self.clock.next()),
            _ => self.clock.next(),
        };
        if self.spec.consistency.applies_whole_rounds() {
            // A read at the new clock waits for rows that have them.
            self.sent.iter_mut().for_each(VecDeque::clear);
        }
    }

    /// The values of `rows` as cached, with the worker's own updates that they lack.
    pub fn read_cached(&mut self, rows: &Arc<RowSet>) -> Batch {
        let lag = self.clock.0.saturating_sub(self.cache.freshness(rows).0);
        self.count_lag(lag);
        let batch = self.cache.read(rows);
        if !self.spec.rule.is_additive() {
            return batch;
        }
        let whole_rounds = self.spec.consistency.applies_whole_rounds();
        let mut own = self.pending.within(rows);
        for sent in self.sent.iter().flatten() {
            let lacks = |key| {
                self.cache
                    .state(key)
                    .is_some_and(|state: State| match whole_rounds {
                        true => state.fresh <= sent.clock,
                        false => state.includes < sent.sequence,
                    })
            };
            let part = sent.batch.within(self.spec.layout, rows);
            own.extend(part.and_then(|part| part.retain(self.spec.layout, lacks)));
        }
        store::sum(self.spec.layout, batch, &own)
    }

    /// A part of a read that goes past the cache, with the worker's own updates that it lacks.
    pub fn complete(&mut self, shard: ShardId, batch: Batch, includes: Sequence) -> Batch {
        if !self.spec.rule.is_additive() {
            return batch;
        }
        let lacking = self.sent[shard.index()]
            .iter()
            .filter(|sent| sent.sequence > includes);
        let mut own: Vec<Batch> = lacking
            .filter_map(|sent| sent.batch.within(self.spec.layout, &batch.rows))
            .collect();
        own.extend(self.pending.within(&batch.rows));
        store::sum(self.spec.layout, batch, &own)
    }

    pub fn count_lag(&mut self, lag: u64) {
        /// Lags from here on are counted together.
        const LAST: u64 = 1024;
        let lag = lag.min(LAST) as usize;
        if self.staleness.len() <= lag {
            self.staleness.resize(lag + 1, 0);
        }
        self.staleness[lag] += 1;
    }
}
