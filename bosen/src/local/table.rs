//! One table in memory that the workers of a process share, and where each of them stands.
//!
//! What an increment does depends on the table's consistency: it is written at once; it waits
//! with its worker until the round is complete; or it waits with all others until the table clock
//! moves. Which rounds are complete is decided by [`Rounds`], as in a shard.

use super::Standing;
use super::dense::{Dense, Given};
use super::index::Slots;
use super::sparse::Sparse;
use crate::batch::{Batch, Misfit};
use crate::client::Failure;
use crate::client::pending::Pending;
use crate::consistency::Consistency;
use crate::element::{Element, view};
use crate::message::Refusal;
use crate::recent::{Recent, WORTH_ROWS};
use crate::rounds::{Live, Rounds, effects};
use crate::rows::{RowId, RowSet};
use crate::spec::TableSpec;
use crate::store::{self, Store};
use std::any::Any;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use strads_common::ids::{Clock, TableId, WorkerId};
use strads_common::lags::Lags;

/// A table, whatever its cells are.
pub trait AnyTable: Any + Send + Sync {
    fn spec(&self) -> &TableSpec;
    fn increment(&self, worker: WorkerId, batch: &Batch) -> Result<(), Failure>;
    fn read(&self, worker: WorkerId, rows: &Arc<RowSet>) -> Result<Batch, Failure>;
    fn tick(&self, worker: WorkerId) -> Clock;
    fn end(&self, worker: WorkerId, standing: Standing);
    fn staleness(&self, worker: WorkerId) -> Lags;
    fn discarded(&self) -> u64;
}

/// A table of cells of type `E`.
pub struct Shared<E: Element> {
    id: TableId,
    spec: TableSpec,
    effect: Effect,
    memory: Memory<E>,
    /// The table clock, for those who need not wait.
    clock: AtomicU64,
    gate: Mutex<Gate>,
    moved: Condvar,
    seats: Box<[Seat]>,
}

enum Memory<E: Element> {
    Dense(Dense<E>),
    Sparse(Sparse<E>),
}

/// When increments take effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    AtOnce,
    /// When their round is complete.
    ByRound,
    /// When the table clock moves.
    WithClock,
}

/// What decides about the table clock.
struct Gate {
    rounds: Rounds,
    standing: Vec<Standing>,
    /// Increments that take effect when the clock moves.
    changes: Box<dyn Store>,
}

/// What a worker has of a table for itself; aligned so that workers do not share cache lines.
#[repr(align(128))]
struct Seat {
    clock: AtomicU64,
    /// Increments of the round that it is in, where they wait for it.
    pending: Mutex<Pending>,
    /// Where the rows of the last large set are.
    recent: Mutex<Recent<Slots, 1>>,
    lags: [AtomicU64; LAGS],
}

/// Lags from the last one on are counted together.
const LAGS: usize = 65;

impl<E: Element> Shared<E> {
    pub fn new(id: TableId, spec: TableSpec, standing: Vec<Standing>) -> Self {
        let racy = spec.consistency == Consistency::Hogwild;
        let memory = match spec.layout.length {
            Some(length) => Memory::Dense(Dense::new(spec.keys, length as usize, racy)),
            None => Memory::Sparse(Sparse::new()),
        };
        let effect = match spec.consistency {
            consistency if consistency.applies_whole_rounds() => Effect::ByRound,
            consistency if consistency.pushes() && !spec.rule.is_additive() => Effect::WithClock,
            _ => Effect::AtOnce,
        };
        let seat = |_: &Standing| Seat {
            clock: AtomicU64::new(0),
            pending: Mutex::new(Pending::new(spec.layout)),
            recent: Mutex::default(),
            lags: [const { AtomicU64::new(0) }; LAGS],
        };
        Shared {
            id,
            spec,
            effect,
            memory,
            clock: AtomicU64::new(0),
            seats: standing.iter().map(seat).collect(),
            gate: Mutex::new(Gate {
                rounds: Rounds::new(standing.len()),
                standing,
                changes: store::open(spec.layout),
            }),
            moved: Condvar::new(),
        }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        lock(&self.gate)
    }

    fn seat(&self, worker: WorkerId) -> &Seat {
        &self.seats[worker.index()]
    }

    /// The dense rows, if they are.
    pub fn dense(&self) -> Result<&Dense<E>, Failure> {
        match &self.memory {
            Memory::Dense(dense) => Ok(dense),
            Memory::Sparse(_) => Err(Misfit::DenseForSparse.into()),
        }
    }

    /// Waits until a read by `worker` may begin.
    #[inline]
    pub fn begin_read(&self, worker: WorkerId) -> Result<(), Failure> {
        let seat = self.seat(worker);
        let own = seat.clock.load(Relaxed);
        let need = self.spec.consistency.needs(Clock(own));
        let mut clock = self.clock.load(Acquire);
        if clock < need.0 {
            clock = self.wait_for(need)?.0;
        }
        let lag = own.saturating_sub(clock) as usize;
        // Only this worker counts here.
        let count = &seat.lags[lag.min(LAGS - 1)];
        count.store(count.load(Relaxed) + 1, Relaxed);
        Ok(())
    }

    /// Waits for the table clock `need`, unless it will not come.
    #[cold]
    fn wait_for(&self, need: Clock) -> Result<Clock, Failure> {
        let mut gate = self.gate();
        loop {
            let clock = gate.rounds.clock();
            if clock >= need {
                return Ok(clock);
            }
            let consistency = self.spec.consistency;
            if let Some(lost) = gate.rounds.hopeless(consistency, &gate.live(), need) {
                return Err(Failure::Refused {
                    table: self.id,
                    reason: Refusal::WorkerLost(lost),
                });
            }
            gate = self
                .moved
                .wait(gate)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Moves the table clock as far as it can be.
    fn advance(&self, gate: &mut Gate) {
        let live = gate.live();
        let Some(complete) = gate.rounds.complete(self.spec.consistency, &live) else {
            return;
        };
        let of_rounds = complete
            .into_iter()
            .flat_map(|round| effects(&self.spec, round));
        of_rounds
            .chain(gate.changes.drain())
            .for_each(|batch| self.take_effect(&batch));
        self.clock.store(gate.rounds.clock().0, Release);
        self.moved.notify_all();
    }

    fn take_effect(&self, batch: &Batch) {
        match &self.memory {
            Memory::Sparse(sparse) => sparse.add(batch),
            Memory::Dense(dense) => {
                let slots = dense.index.find_or_make_all(&batch.rows);
                self.write(dense, &slots, &Given::of(batch));
            }
        }
    }

    fn write(&self, dense: &Dense<E>, slots: &Slots, given: &Given<'_, E>) {
        match self.spec.rule.is_additive() {
            true => dense.add(slots, given),
            false => dense.step(slots, given, self.spec.rule),
        }
    }

    /// Where `rows` are, as the worker may remember.
    fn slots(
        &self,
        worker: WorkerId,
        rows: &Arc<RowSet>,
        find: impl FnOnce(&RowSet) -> Slots,
    ) -> Slots {
        if rows.len() < WORTH_ROWS || rows.as_range().is_some() && self.spec.is_range() {
            return find(rows);
        }
        let mut recent = lock(&self.seat(worker).recent);
        recent.of(rows).unwrap_or_else(|| {
            let slots = find(rows);
            // A row that is not there may come.
            if slots.is_complete() {
                recent.remember(rows, &slots);
            }
            slots
        })
    }

    /// Adds `values` to dense rows that are among the table's keys.
    pub fn add_dense(
        &self,
        worker: WorkerId,
        rows: &Arc<RowSet>,
        values: &[E],
    ) -> Result<(), Failure> {
        let dense = self.dense()?;
        if self.effect != Effect::AtOnce {
            return self.increment(worker, &Batch::dense(rows.clone(), values.to_vec()));
        }
        let slots = self.slots(worker, rows, |rows| dense.index.find_or_make_all(rows));
        self.write(dense, &slots, &Given::all(values));
        Ok(())
    }

    /// Adds `values` to the cells of one row from `column` on, all of which are there to be had.
    #[inline]
    pub fn add_row(
        &self,
        worker: WorkerId,
        row: RowId,
        column: u32,
        values: &[E],
    ) -> Result<(), Failure> {
        let dense = self.dense()?;
        if self.effect == Effect::AtOnce && self.spec.rule.is_additive() {
            dense.add_row(dense.index.find_or_make(row.0), column as usize, values);
            return Ok(());
        }
        let columns = (column..column + values.len() as u32).collect();
        let (rows, ends) = (Arc::new(RowSet::one(row)), vec![values.len() as u32]);
        self.increment(worker, &Batch::sparse(rows, ends, columns, values.to_vec()))
    }

    /// Copies dense rows, one after the other.
    pub fn read_dense(
        &self,
        worker: WorkerId,
        rows: &Arc<RowSet>,
        into: &mut [E],
    ) -> Result<(), Failure> {
        let dense = self.dense()?;
        self.begin_read(worker)?;
        let slots = self.slots(worker, rows, |rows| dense.index.find_all(rows));
        if !slots.is_complete() {
            into.fill(E::default());
        }
        dense.read(&slots, into);
        let own = self.own(worker, rows);
        if !own.is_empty() {
            let read = Batch::dense(rows.clone(), into.to_vec());
            let sum = store::sum(self.spec.layout, read, &own);
            into.copy_from_slice(&view(&sum.values));
        }
        Ok(())
    }

    /// Copies the cells of one row from `column` on.
    #[inline]
    pub fn read_row(
        &self,
        worker: WorkerId,
        row: RowId,
        column: u32,
        into: &mut [E],
    ) -> Result<(), Failure> {
        let dense = self.dense()?;
        if self.effect == Effect::ByRound && self.has_own(worker) {
            let mut whole = vec![E::default(); dense.length()];
            self.read_dense(worker, &Arc::new(RowSet::one(row)), &mut whole)?;
            into.copy_from_slice(&whole[column as usize..][..into.len()]);
            return Ok(());
        }
        self.begin_read(worker)?;
        match dense.index.find(row.0) {
            Some(slot) => dense.read_row(slot, column as usize, into),
            None => into.fill(E::default()),
        }
        Ok(())
    }

    /// Whether the worker has made increments that the memory lacks.
    fn has_own(&self, worker: WorkerId) -> bool {
        lock(&self.seat(worker).pending).bytes() > 0
    }

    /// The worker's increments of `rows` that the memory lacks.
    fn own(&self, worker: WorkerId, rows: &Arc<RowSet>) -> Vec<Batch> {
        if self.effect != Effect::ByRound || !self.spec.rule.is_additive() {
            return Vec::new();
        }
        match self.has_own(worker) {
            true => lock(&self.seat(worker).pending).within(rows),
            false => Vec::new(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole after each of its operations.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    fn live(&self) -> Vec<Live> {
        let here = |(id, &standing): (usize, &Standing)| {
            let (worker, lost) = (WorkerId(id as u32), standing == Standing::Lost);
            (standing != Standing::Left).then_some(Live { worker, lost })
        };
        self.standing.iter().enumerate().filter_map(here).collect()
    }
}

impl<E: Element> AnyTable for Shared<E> {
    fn spec(&self) -> &TableSpec {
        &self.spec
    }

    fn increment(&self, worker: WorkerId, batch: &Batch) -> Result<(), Failure> {
        match (self.effect, &self.memory) {
            (Effect::ByRound, _) => lock(&self.seat(worker).pending).add(batch),
            (Effect::WithClock, _) => self.gate().changes.add(batch),
            (Effect::AtOnce, Memory::Sparse(sparse)) => sparse.add(batch),
            (Effect::AtOnce, Memory::Dense(dense)) => {
                let find = |rows: &RowSet| dense.index.find_or_make_all(rows);
                let slots = self.slots(worker, &batch.rows, find);
                self.write(dense, &slots, &Given::of(batch));
            }
        }
        Ok(())
    }

    fn read(&self, worker: WorkerId, rows: &Arc<RowSet>) -> Result<Batch, Failure> {
        match &self.memory {
            Memory::Dense(dense) => {
                let mut values = vec![E::default(); rows.len() * dense.length()];
                self.read_dense(worker, rows, &mut values)?;
                Ok(Batch::dense(rows.clone(), values))
            }
            Memory::Sparse(sparse) => {
                self.begin_read(worker)?;
                let own = self.own(worker, rows);
                Ok(match own.is_empty() {
                    true => sparse.read(rows),
                    false => store::sum(self.spec.layout, sparse.read(rows), &own),
                })
            }
        }
    }

    fn tick(&self, worker: WorkerId) -> Clock {
        let seat = self.seat(worker);
        let own = Clock(seat.clock.load(Relaxed));
        let batches = lock(&seat.pending).drain();
        let mut gate = self.gate();
        for batch in batches {
            gate.rounds.hold(worker, own, batch);
        }
        let next = match self.spec.consistency {
            Consistency::Backup { .. } => own.next().max(gate.rounds.clock()),
            _ => own.next(),
        };
        seat.clock.store(next.0, Relaxed);
        gate.rounds.begin(worker, next);
        self.advance(&mut gate);
        next
    }

    fn end(&self, worker: WorkerId, standing: Standing) {
        let seat = self.seat(worker);
        let own = Clock(seat.clock.load(Relaxed));
        let batches = lock(&seat.pending).drain();
        let mut gate = self.gate();
        if standing == Standing::Left {
            for batch in batches {
                gate.rounds.hold(worker, own, batch);
            }
        }
        gate.standing[worker.index()] = standing;
        self.advance(&mut gate);
        // Who waits may be waiting in vain from now on.
        self.moved.notify_all();
    }

    fn staleness(&self, worker: WorkerId) -> Lags {
        let lags = &self.seat(worker).lags;
        lags.iter().map(|count| count.load(Relaxed)).collect()
    }

    fn discarded(&self) -> u64 {
        self.gate().rounds.discarded()
    }
}
