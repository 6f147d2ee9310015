//! One table at one shard: its rows, its clock, and who waits for what.
//!
//! Increments take effect at once, or when the round in which they were made is complete
//! (`rounds`). Where the shard keeps workers up to date, what one of them has done is owed to the
//! others ([`Subscriber`]), and paid when a round is complete, or before as the links have room.
//! An optimiser's step needs the gradients of all, so there they wait in `gradients` for the
//! table clock, and workers are told the new values.

use super::subscriber::Subscriber;
use super::{Outbox, Roster};
use crate::batch::Batch;
use crate::comm::Order;
use crate::element::freeze;
use crate::filter::Coding;
use crate::message::{PartId, Refusal, ToWorker};
use crate::placement::PART_BYTES;
use crate::rounds::{Live, Rounds, effects};
use crate::rows::RowSet;
use crate::spec::{Keys, TableSpec};
use crate::store::{self, Store};
use std::sync::Arc;
use std::time::Duration;
use strads_common::ids::{Clock, TableId, WorkerId};

/// The longest answer to one `Get`.
pub const ANSWER_LIMIT_BYTES: u64 = 64 << 20;

pub(super) struct Table {
    spec: TableSpec,
    rows: Box<dyn Store>,
    rounds: Rounds,
    /// Gradients since the table clock last moved, where a step is made when it does.
    gradients: Box<dyn Store>,
    /// By worker; none where workers ask for what they want to know.
    subscribers: Vec<Subscriber>,
    waiting: Vec<Waiting>,
}

/// A read that needs a later table clock.
struct Waiting {
    worker: WorkerId,
    part: PartId,
    rows: Arc<RowSet>,
    need: Clock,
    /// When it was first seen to wait.
    since: Option<Duration>,
}

impl Table {
    pub fn new(spec: TableSpec, workers: usize, order: Order) -> Table {
        let rows = match spec.keys {
            Keys::Any => store::open(spec.layout),
            Keys::Range { first, len } => store::ranged(spec.layout, first, len as usize),
        };
        let subscribers = match spec.consistency.pushes() {
            true => workers,
            false => 0,
        };
        Table {
            spec,
            rows,
            rounds: Rounds::new(workers),
            gradients: store::open(spec.layout),
            subscribers: (0..subscribers)
                .map(|_| Subscriber::new(&spec, order))
                .collect(),
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
        all.add(&self.gradients.read(rows));
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
        let pushes = self.spec.consistency.pushes();
        if pushes && !self.spec.rule.is_additive() {
            self.gradients.add(&batch);
        } else if pushes {
            self.rows.add(&batch);
            let others = (0..).map(WorkerId).zip(&mut self.subscribers);
            others
                .filter(|(other, _)| *other != worker)
                .for_each(|(_, other)| other.owe(&batch));
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
        let before = self.clock();
        let Some(complete) = self.rounds.complete(self.spec.consistency, &live) else {
            return;
        };
        for batch in complete
            .into_iter()
            .flat_map(|round| effects(&self.spec, round))
        {
            apply(self.rows.as_mut(), &self.spec, &batch);
        }
        match self.spec.rule.is_additive() {
            _ if !self.spec.consistency.pushes() => {}
            true => self.pay_all(id, before, roster, out),
            false => self.step_and_tell(id, roster, out),
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

    /// Tells each worker all that it is owed of the rounds before the table clock, which was
    /// `before` until now.
    fn pay_all(&mut self, id: TableId, before: Clock, roster: &Roster, out: &mut Outbox) {
        for worker in roster.all() {
            if self.subscribers[worker.index()].is_empty() {
                continue;
            }
            let rows = &mut self.rows;
            self.subscribers[worker.index()].settle(|of| rows.read(of));
            // What is not the last part of it does not bring the worker to the new clock.
            let mut last = None;
            while let Some(payment) = self.pay(worker, PART_BYTES) {
                if let Some(part) = last.replace(payment) {
                    out.send(roster, worker, self.changes(id, before, part));
                }
            }
            let last = last.unwrap_or_else(|| (self.nothing(), Coding::default()));
            out.send(roster, worker, self.changes(id, self.clock(), last));
        }
    }

    /// What of the changes that `worker` need not know yet is most important, up to `bytes`.
    pub fn early(&mut self, id: TableId, worker: WorkerId, bytes: usize) -> Option<ToWorker> {
        let subscriber = self.subscribers.get(worker.index())?;
        if !subscriber.is_worth(bytes) {
            return None;
        }
        let part = self.pay(worker, bytes)?;
        Some(self.changes(id, self.clock(), part))
    }

    fn pay(&mut self, worker: WorkerId, bytes: usize) -> Option<(Batch, Coding)> {
        let rows = &mut self.rows;
        self.subscribers[worker.index()].pay(bytes, |of| rows.read(of))
    }

    fn changes(&self, table: TableId, fresh: Clock, (batch, coding): (Batch, Coding)) -> ToWorker {
        ToWorker::Changes {
            table,
            fresh,
            whole: false,
            batch,
            coding,
        }
    }

    /// Makes a step of the optimiser, and tells the new values to those who have read the old.
    fn step_and_tell(&mut self, id: TableId, roster: &Roster, out: &mut Outbox) {
        let moved = self.gradients.drain().map(|gradient| {
            apply(self.rows.as_mut(), &self.spec, &gradient);
            self.rows.read(&gradient.rows)
        });
        for worker in roster.all() {
            let subscriber = &self.subscribers[worker.index()];
            if subscriber.is_empty() {
                continue;
            }
            let concerning = moved
                .as_ref()
                .and_then(|moved| subscriber.concerning(moved));
            let message = ToWorker::Changes {
                table: id,
                fresh: self.clock(),
                whole: true,
                batch: concerning.unwrap_or_else(|| self.nothing()),
                coding: self.spec.filters.exact_coding(self.spec.kind()),
            };
            out.send(roster, worker, message);
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
            since: None,
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
        if let Some(subscriber) = self.subscribers.get_mut(worker.index()) {
            subscriber.subscribe(rows);
        }
        let batch = self.rows.read(rows);
        out.send(
            roster,
            worker,
            ToWorker::Rows {
                part,
                table: id,
                fresh: self.clock(),
                includes: roster.received(worker),
                batch,
                coding: self.spec.filters.exact_coding(self.spec.kind()),
            },
        );
    }

    /// Refuses the reads that wait for a worker that is lost.
    pub fn refuse_hopeless(&mut self, id: TableId, roster: &Roster, out: &mut Outbox) {
        let consistency = self.spec.consistency;
        self.refuse(id, roster, out, |rounds, live, waiting| {
            let lost = rounds.hopeless(consistency, live, waiting.need);
            lost.map(Refusal::WorkerLost)
        });
    }

    /// Refuses the reads that have waited for `limit`.
    pub fn refuse_late(
        &mut self,
        id: TableId,
        now: Duration,
        limit: Duration,
        roster: &Roster,
        out: &mut Outbox,
    ) {
        self.refuse(id, roster, out, |rounds, live, waiting| {
            let since = *waiting.since.get_or_insert(now);
            let late = rounds.latest(live, waiting.need);
            late.filter(|_| now >= since + limit)
                .map(Refusal::WorkerLate)
        });
    }

    /// Refuses the waiting reads for which there is a reason.
    fn refuse(
        &mut self,
        id: TableId,
        roster: &Roster,
        out: &mut Outbox,
        reason: impl Fn(&Rounds, &[Live], &mut Waiting) -> Option<Refusal>,
    ) {
        let live: Vec<Live> = roster.live().collect();
        let rounds = &self.rounds;
        self.waiting.retain_mut(|waiting| {
            let Some(reason) = reason(rounds, &live, waiting) else {
                return true;
            };
            let (table, part) = (id, Some(waiting.part));
            let message = ToWorker::Refused {
                table,
                part,
                reason,
            };
            out.send(roster, waiting.worker, message);
            false
        });
    }

    /// Forgets what belonged to a connection: the worker asks again for what it still wants.
    pub fn forget_connection(&mut self, worker: WorkerId) {
        if let Some(subscriber) = self.subscribers.get_mut(worker.index()) {
            subscriber.clear();
        }
        self.waiting.retain(|waiting| waiting.worker != worker);
    }

    pub fn unsubscribe(&mut self, worker: WorkerId, rows: &RowSet) {
        if let Some(subscriber) = self.subscribers.get_mut(worker.index()) {
            subscriber.unsubscribe(rows);
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
