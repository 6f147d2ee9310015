//! One table at one shard: its rows, its clock, and who waits for what.
//!
//! Increments take effect in one of three ways, chosen by the consistency: at once; when the
//! round in which they were made is complete (`rounds`); or at once into `changes`, which become
//! part of the rows and go out to subscribers whenever the table clock moves.

use super::{Outbox, Roster};
use crate::batch::Batch;
use crate::element::freeze;
use crate::message::{PartId, Refusal, Sequence, ToWorker};
use crate::rounds::{Live, Rounds, effects};
use crate::rows::{RowId, RowSet};
use crate::spec::{Keys, TableSpec};
use crate::store::{self, Store};
use rustc_hash::FxHashSet;
use std::sync::Arc;
use strads_common::ids::{Clock, TableId, WorkerId};

/// The longest answer to one `Get`.
pub const ANSWER_LIMIT_BYTES: u64 = 64 << 20;

pub(super) struct Table {
    spec: TableSpec,
    rows: Box<dyn Store>,
    rounds: Rounds,
    /// Increments since the table clock last moved, where rows move only with it.
    changes: Box<dyn Store>,
    subscriptions: Vec<FxHashSet<u64>>,
    /// The last update of each worker that is part of the rows, where rows move with the clock.
    includes: Vec<Sequence>,
    waiting: Vec<Waiting>,
}

/// A read that needs a later table clock.
struct Waiting {
    worker: WorkerId,
    part: PartId,
    rows: Arc<RowSet>,
    need: Clock,
}

impl Table {
    pub fn new(spec: TableSpec, workers: usize) -> Table {
        let rows = match spec.keys {
            Keys::Any => store::open(spec.layout),
            Keys::Range { first, len } => store::ranged(spec.layout, first, len as usize),
        };
        Table {
            spec,
            rows,
            rounds: Rounds::new(workers),
            changes: store::open(spec.layout),
            subscriptions: vec![FxHashSet::default(); workers],
            includes: vec![Sequence(0); workers],
            waiting: Vec::new(),
        }
    }

    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    pub fn clock(&self) -> Clock {
        self.rounds.clock()
    }

    pub fn discarded(&self) -> u64 {
        self.rounds.discarded()
    }

    /// The rows with everything that has arrived.
    pub fn contents(&mut self, rows: &Arc<RowSet>) -> Batch {
        let mut all = store::open(self.spec.layout);
        all.add(&self.rows.read(rows));
        all.add(&self.changes.read(rows));
        for batch in self
            .rounds
            .held()
            .filter_map(|batch| batch.within(self.spec.layout, rows))
        {
            all.add(&batch);
        }
        all.read(rows)
    }

    /// Takes in increments that `worker` made at `clock`.
    pub fn update(&mut self, worker: WorkerId, clock: Clock, batch: Batch) {
        if self.spec.consistency.pushes() {
            self.changes.add(&batch);
        } else if !self.spec.consistency.applies_whole_rounds() {
            apply(self.rows.as_mut(), &self.spec, &batch);
        } else {
            self.rounds.hold(worker, clock, batch);
        }
    }

    /// `worker` has begun `clock`.
    pub fn tick(
        &mut self,
        id: TableId,
        worker: WorkerId,
        clock: Clock,
        roster: &Roster,
        out: &mut Outbox,
    ) {
        self.rounds.begin(worker, clock);
        self.advance(id, roster, out);
    }

    /// Completes the rounds that can be, and answers the reads that waited for them.
    pub fn advance(&mut self, id: TableId, roster: &Roster, out: &mut Outbox) {
        let live: Vec<Live> = roster.live().collect();
        let Some(complete) = self.rounds.complete(self.spec.consistency, &live) else {
            return;
        };
        for batch in complete
            .into_iter()
            .flat_map(|round| effects(&self.spec, round))
        {
            apply(self.rows.as_mut(), &self.spec, &batch);
        }
        if self.spec.consistency.pushes() {
            self.publish(id, roster, out);
        }
        let clock = self.clock();
        let ready: Vec<Waiting> = self
            .waiting
            .extract_if(.., |waiting| waiting.need <= clock)
            .collect();
        for Waiting {
            worker, part, rows, ..
        } in ready
        {
            self.answer(id, worker, part, &rows, roster, out);
        }
    }

    /// Makes `changes` part of the rows and tells those who have read them.
    fn publish(&mut self, id: TableId, roster: &Roster, out: &mut Outbox) {
        let changes = self.changes.drain();
        if let Some(changes) = &changes {
            apply(self.rows.as_mut(), &self.spec, changes);
        }
        let whole = !self.spec.rule.is_additive();
        let news = match changes {
            Some(changes) if whole => Some(self.rows.read(&changes.rows)),
            changes => changes,
        };
        for worker in roster.all() {
            self.includes[worker.index()] = roster.received(worker);
            let subscribed = &self.subscriptions[worker.index()];
            if subscribed.is_empty() {
                continue;
            }
            let relevant = news
                .as_ref()
                .and_then(|news| news.retain(self.spec.layout, |key| subscribed.contains(&key)));
            let batch = relevant.unwrap_or_else(|| self.nothing());
            let includes = self.includes[worker.index()];
            out.send(
                roster,
                worker,
                ToWorker::Changes {
                    table: id,
                    fresh: self.rounds.clock(),
                    includes,
                    whole,
                    batch,
                },
            );
        }
    }

    /// A batch without rows.
    fn nothing(&self) -> Batch {
        let rows = Arc::new(RowSet::range(0, 0));
        match self.spec.layout.length {
            Some(_) => Batch {
                rows,
                cells: crate::batch::Cells::Dense,
                values: freeze(Vec::<u8>::new()),
            },
            None => Batch::sparse::<f32>(rows, Vec::new(), Vec::new(), Vec::new()),
        }
    }

    /// Answers a read now, later or not at all.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of one message, and where to answer"
    )]
    pub fn get(
        &mut self,
        id: TableId,
        worker: WorkerId,
        part: PartId,
        rows: Arc<RowSet>,
        need: Clock,
        roster: &Roster,
        out: &mut Outbox,
    ) {
        if let Err(reason) = self.check_get(&rows) {
            return out.send(
                roster,
                worker,
                ToWorker::Refused {
                    table: id,
                    part: Some(part),
                    reason,
                },
            );
        }
        if need <= self.clock() {
            return self.answer(id, worker, part, &rows, roster, out);
        }
        self.waiting.push(Waiting {
            worker,
            part,
            rows,
            need,
        });
        self.refuse_hopeless(id, roster, out);
    }

    fn check_get(&self, rows: &RowSet) -> Result<(), Refusal> {
        self.spec.check_rows(rows).map_err(Refusal::Misfit)?;
        let least_bytes =
            (rows.len() as u64).saturating_mul(self.spec.layout.row_bytes().max(4) as u64);
        match least_bytes <= ANSWER_LIMIT_BYTES {
            true => Ok(()),
            false => Err(Refusal::TooLarge {
                limit: ANSWER_LIMIT_BYTES,
            }),
        }
    }

    fn answer(
        &mut self,
        id: TableId,
        worker: WorkerId,
        part: PartId,
        rows: &Arc<RowSet>,
        roster: &Roster,
        out: &mut Outbox,
    ) {
        let pushes = self.spec.consistency.pushes();
        if pushes {
            self.subscriptions[worker.index()].extend(rows.keys());
        }
        let includes = if pushes {
            self.includes[worker.index()]
        } else {
            roster.received(worker)
        };
        let batch = self.rows.read(rows);
        out.send(
            roster,
            worker,
            ToWorker::Rows {
                part,
                table: id,
                fresh: self.rounds.clock(),
                includes,
                batch,
            },
        );
    }

    /// Refuses the reads that wait for a worker that is lost.
    pub fn refuse_hopeless(&mut self, id: TableId, roster: &Roster, out: &mut Outbox) {
        let live: Vec<Live> = roster.live().collect();
        let mut keep = Vec::with_capacity(self.waiting.len());
        for waiting in std::mem::take(&mut self.waiting) {
            let (consistency, need) = (self.spec.consistency, waiting.need);
            match self.rounds.hopeless(consistency, &live, need) {
                None => keep.push(waiting),
                Some(lost) => {
                    let (part, reason) = (Some(waiting.part), Refusal::WorkerLost(lost));
                    out.send(
                        roster,
                        waiting.worker,
                        ToWorker::Refused {
                            table: id,
                            part,
                            reason,
                        },
                    );
                }
            }
        }
        self.waiting = keep;
    }

    /// Forgets what belonged to a connection: the worker asks again for what it still wants.
    pub fn forget_connection(&mut self, worker: WorkerId) {
        self.subscriptions[worker.index()].clear();
        self.waiting.retain(|waiting| waiting.worker != worker);
    }

    pub fn unsubscribe(&mut self, worker: WorkerId, rows: &RowSet) {
        // Over whichever is smaller: a range names many rows for nothing.
        let subscribed = &mut self.subscriptions[worker.index()];
        if rows.len() > subscribed.len() {
            subscribed.retain(|&key| rows.position(RowId(key)).is_none());
        } else {
            rows.keys().for_each(|key| {
                subscribed.remove(&key);
            });
        }
    }
}

/// Lets `batch` take effect on `rows` as the table's rule has it.
fn apply(rows: &mut dyn Store, spec: &TableSpec, batch: &Batch) {
    match spec.rule.is_additive() {
        true => rows.add(batch),
        false => rows.step(batch, spec.rule),
    }
}
