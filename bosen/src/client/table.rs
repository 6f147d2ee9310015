//! One table as its worker sees it: the worker's clock, what it has not sent, what it has sent
//! and the shards may not have shown it yet, and the commands that wait for their turn.

use super::cache::{Cache, State};
use super::operations::Operations;
use super::pending::Pending;
use super::{Command, Ticket};
use crate::batch::Batch;
use crate::comm::Order;
use crate::comm::backlog::Backlog;
use crate::consistency::Consistency;
use crate::filter::Residual;
use crate::message::{Refusal, Sequence};
use crate::placement::{Part, part_of, split};
use crate::recent::Recent;
use crate::rows::RowSet;
use crate::spec::TableSpec;
use crate::store::{self, Store};
use std::collections::VecDeque;
use std::sync::Arc;
use strads_common::ids::{Clock, ShardId};
use strads_common::lags::Lags;

pub(super) struct Table {
    pub spec: TableSpec,
    pub clock: Clock,
    /// The latest table clock that a shard has told.
    pub heard: Clock,
    pub pending: Pending,
    /// By shard, in place of what is pending: increments that may go early.
    pub backlogs: Vec<Backlog>,
    pub residual: Residual,
    pub cache: Cache,
    pub operations: Operations,
    pub waiting: VecDeque<(Ticket, Command)>,
    pub refused: Option<Refusal>,
    /// How many reads were behind the worker's clock by 0, 1, … rounds.
    pub lags: Lags,
    /// By shard: updates that rows from there may lack.
    sent: Vec<VecDeque<Sent>>,
    /// Magnitudes of the updates that other workers may not see yet.
    unseen: Box<dyn Store>,
    recent_splits: Recent<Arc<[Part]>, 1>,
}

struct Sent {
    sequence: Sequence,
    clock: Clock,
    operation: Option<u64>,
    batch: Batch,
}

impl Table {
    /// A table of which increments go early in some `order`, if at all.
    pub fn new(spec: TableSpec, shards: u32, order: Option<Order>) -> Table {
        let order = order.filter(|_| spec.consistency.slack().is_some());
        let backlogs = order.map_or(0, |_| shards);
        Table {
            spec,
            clock: Clock(0),
            heard: Clock(0),
            pending: Pending::new(spec.layout),
            backlogs: (0..backlogs)
                .map(|_| Backlog::new(spec.layout, order.unwrap_or_default()))
                .collect(),
            residual: Residual::new(spec.filters, spec.layout),
            cache: Cache::new(spec, shards),
            operations: Operations::default(),
            waiting: VecDeque::new(),
            refused: None,
            lags: Lags::default(),
            sent: (0..shards).map(|_| VecDeque::new()).collect(),
            unseen: store::open(spec.layout),
            recent_splits: Recent::default(),
        }
    }

    /// `rows` by shard and message; known if the last call was about the same set.
    pub fn split(&mut self, rows: &Arc<RowSet>) -> Arc<[Part]> {
        if let Some(parts) = self.recent_splits.of(rows) {
            return parts;
        }
        let parts: Arc<[Part]> = split(rows, &self.spec, self.sent.len() as u32).into();
        self.recent_splits.remember(rows, &parts);
        parts
    }

    /// Keeps increments until they are sent.
    pub fn keep_back(&mut self, batch: &Batch) {
        if self.backlogs.is_empty() {
            return self.pending.add(batch);
        }
        for part in self.split(&batch.rows).iter() {
            self.backlogs[part.shard.index()].add(&part_of(batch, part, &self.spec));
        }
    }

    /// Bytes that are kept back, at most.
    pub fn unsent_bytes(&self) -> usize {
        let early: usize = self.backlogs.iter().map(Backlog::bytes).sum();
        self.pending.bytes() + early
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
        if self.spec.consistency.applies_whole_rounds() {
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
        self.lags.count(lag);
        let batch = self.cache.read(rows);
        if !self.spec.rule.is_additive() {
            return batch;
        }
        let whole_rounds = self.spec.consistency.applies_whole_rounds();
        let mut own = self.unsent(rows);
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

    /// The worker's own increments of `rows` that have not been sent.
    fn unsent(&mut self, rows: &Arc<RowSet>) -> Vec<Batch> {
        let mut unsent = self.pending.within(rows);
        unsent.extend(
            self.backlogs
                .iter_mut()
                .filter_map(|backlog| backlog.within(rows)),
        );
        unsent.extend(self.residual.within(rows));
        unsent
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
        own.extend(self.unsent(&batch.rows));
        store::sum(self.spec.layout, batch, &own)
    }
}
