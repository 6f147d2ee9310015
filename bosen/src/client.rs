//! A worker's side of the store, as a state machine without input or output.
//!
//! Commands and messages come in ([`Client::on_event`]), messages and results go out. A command
//! is identified by the caller's ticket and results in one [`Output::Done`]. Commands on a table
//! take effect in the order in which they are given.
//!
//! Promises: a read sees the worker's own increments; an increment is delivered once for as long
//! as the shard can be reached within `patience`; when it cannot, what waits for it fails, naming
//! it. What is unsent and unacknowledged stays within `window` bytes a shard and one command.

mod cache;
mod link;
mod operations;
mod pending;
mod reads;
mod table;

use crate::batch::{Batch, Misfit};
use crate::consistency::Consistency;
use crate::message::{Refusal, Sequence, ToShard, ToWorker};
use crate::placement::{Positions, part_of};
use crate::rows::RowSet;
use crate::spec::{BadSpec, TableSpec};
use cache::State;
use link::Link;
use reads::Reads;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use strads_common::ids::{Clock, ShardId, TableId, WorkerId};
use table::Table;

/// A command, as its caller knows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// What a worker wants.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// That a table exists.
    Create(TableSpec),
    /// To increment; done when the increments are the store's business.
    Inc(Batch),
    /// To read; done when the rows are there.
    Get(Arc<RowSet>),
    /// To begin the next clock.
    Clock,
    /// To drop what it has of some rows.
    Forget(Arc<RowSet>),
}

/// What happens to a worker.
#[derive(Clone, Debug)]
pub enum Event {
    /// The program wants something of a table.
    Command {
        /// To be repeated in the result.
        ticket: Ticket,
        /// Which table.
        table: TableId,
        /// What.
        command: Command,
    },
    /// The program waits until all that it did has arrived.
    Settle {
        /// To be repeated in the result.
        ticket: Ticket,
    },
    /// The program is done; the shards stop waiting for this worker.
    Leave {
        /// To be repeated in the result.
        ticket: Ticket,
    },
    /// A message has arrived.
    Received {
        /// From whom.
        shard: ShardId,
        /// What.
        message: ToWorker,
    },
    /// The connection to a shard is gone.
    Lost {
        /// To which.
        shard: ShardId,
    },
    /// Time has passed.
    Tick,
}

/// What a worker sends, and what its program learns.
#[derive(Clone, Debug)]
pub enum Output {
    /// A message to a shard.
    Send(ShardId, ToShard),
    /// The result of a command.
    Done(Ticket, Result<Outcome, Failure>),
}

/// What came of a command.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// It has taken effect.
    Accepted,
    /// The rows of a `Get`, in pieces that cover them.
    Rows(Vec<Piece>),
    /// The clock that has begun.
    Clock(Clock),
}

/// A part of what was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Piece {
    /// Where its rows stand among those of the read.
    pub positions: Positions,
    /// The rows.
    pub batch: Batch,
}

/// Why a command came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// The worker has not created the table.
    #[error("{0} has not been created")]
    NoTable(TableId),
    /// Such a table cannot be.
    #[error(transparent)]
    BadSpec(#[from] BadSpec),
    /// The rows or increments do not fit the table.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// A shard has not been heard of for too long.
    #[error("{0} has not been reached for too long")]
    ShardLost(ShardId),
    /// A shard refuses.
    #[error("a shard refuses {table}: {reason}")]
    Refused {
        /// The table concerned.
        table: TableId,
        /// Why.
        reason: Refusal,
    },
    /// The worker has left before the rows came.
    #[error("the worker has left the store")]
    Left,
    /// A shard has answered something else than was asked.
    #[error("{0} has sent an answer that does not fit its question")]
    Protocol(ShardId),
}

/// The limits within which a worker lives.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Unacknowledged bytes a shard from which on increments wait.
    pub window_bytes: usize,
    /// How long a shard may be away before what waits for it fails.
    pub patience: Duration,
    /// The same for a shard that has not been reached yet.
    pub join: Duration,
}

/// A worker's side of the store.
pub struct Client {
    worker: WorkerId,
    limits: Limits,
    links: Vec<Link>,
    tables: BTreeMap<TableId, Table>,
    reads: Reads,
    /// Tickets that wait for updates to be acknowledged: the last of each shard.
    settling: Vec<(Ticket, Vec<Sequence>)>,
    out: Vec<Output>,
}

impl Client {
    /// Worker `worker` of a store with `shards` shards, none of which is connected at `now`.
    pub fn new(worker: WorkerId, shards: u32, limits: Limits, now: Duration) -> Client {
        Client {
            worker,
            limits,
            links: (0..shards).map(|_| Link::new(now + limits.join)).collect(),
            tables: BTreeMap::new(),
            reads: Reads::default(),
            settling: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Who this is.
    pub fn worker(&self) -> WorkerId {
        self.worker
    }

    /// How many reads of a table were behind the worker's clock by 0, 1, … rounds.
    pub fn staleness(&self, table: TableId) -> &[u64] {
        self.tables
            .get(&table)
            .map_or(&[], |table| &table.staleness)
    }

    /// Takes in what has happened; returns what is to be sent and told, in order.
    pub fn on_event(&mut self, event: Event, now: Duration) -> Vec<Output> {
        match event {
            Event::Command {
                ticket,
                table,
                command,
            } => self.command(ticket, table, command),
            Event::Settle { ticket } => self.settle(ticket),
            Event::Leave { ticket } => self.leave(ticket),
            Event::Received { shard, message } => self.receive(shard, message),
            Event::Lost { shard } => self.links[shard.index()].down(now + self.limits.patience),
            Event::Tick => self.give_up(now),
        }
        std::mem::take(&mut self.out)
    }

    fn command(&mut self, ticket: Ticket, id: TableId, command: Command) {
        if let Command::Create(spec) = command {
            let result = self.create(id, spec).map(|()| Outcome::Accepted);
            return self.out.push(Output::Done(ticket, result));
        }
        match self.check(id, &command) {
            Err(failure) => self.out.push(Output::Done(ticket, Err(failure))),
            Ok(table) => {
                table.waiting.push_back((ticket, command));
                self.pump(id);
            }
        }
    }

    fn create(&mut self, id: TableId, spec: TableSpec) -> Result<(), Failure> {
        spec.check()?;
        match self.tables.get(&id) {
            Some(known) if known.spec == spec => return Ok(()),
            Some(_) => {
                return Err(Failure::Refused {
                    table: id,
                    reason: Refusal::OtherSpec,
                });
            }
            None => {}
        }
        self.tables
            .insert(id, Table::new(spec, self.links.len() as u32));
        for (shard, _) in self
            .links
            .iter()
            .enumerate()
            .filter(|(_, link)| link.is_up())
        {
            let message = ToShard::Create { table: id, spec };
            self.out.push(Output::Send(ShardId(shard as u32), message));
        }
        Ok(())
    }

    /// The table of a command that can be carried out.
    fn check(&mut self, id: TableId, command: &Command) -> Result<&mut Table, Failure> {
        if let Some(shard) = self.links.iter().position(Link::has_failed) {
            return Err(Self::shard_lost(shard));
        }
        let table = self.tables.get_mut(&id).ok_or(Failure::NoTable(id))?;
        if let Some(reason) = table.refused {
            return Err(Failure::Refused { table: id, reason });
        }
        match command {
            Command::Inc(batch) => table.spec.check_batch(batch)?,
            Command::Get(rows) | Command::Forget(rows) => table.spec.check_rows(rows)?,
            Command::Create(_) | Command::Clock => {}
        }
        Ok(table)
    }

    fn shard_lost(shard: usize) -> Failure {
        Failure::ShardLost(ShardId(shard as u32))
    }

    /// Carries out the commands on a table whose turn has come.
    fn pump(&mut self, id: TableId) {
        while let Some((ticket, command)) = self.next_command(id) {
            match command {
                Command::Inc(batch) => {
                    self.increment(id, batch);
                    self.out.push(Output::Done(ticket, Ok(Outcome::Accepted)));
                }
                Command::Get(rows) => self.start_read(ticket, id, rows),
                Command::Clock => self.tick(ticket, id),
                Command::Forget(rows) => self.forget(ticket, id, &rows),
                Command::Create(_) => unreachable!("tables are created at once"),
            }
        }
    }

    fn next_command(&mut self, id: TableId) -> Option<(Ticket, Command)> {
        let table = self.tables.get_mut(&id)?;
        let (_, command) = table.waiting.front()?;
        let in_time = match table.spec.consistency {
            Consistency::BoundedDelay { delay } => table.operations.may_start(delay),
            _ => true,
        };
        let admitted = match command {
            Command::Inc(batch) => {
                let window = self.limits.window_bytes;
                let batch = batch.clone();
                let room = self
                    .links
                    .iter()
                    .all(|link| link.unacknowledged_bytes() < window);
                let seen = table
                    .bounds_values()
                    .is_none_or(|bound| table.leaves_room(&batch, bound));
                in_time && room && seen
            }
            Command::Get(_) => in_time,
            // A read that began at this clock sees this clock's values.
            Command::Clock => {
                !table.spec.consistency.applies_whole_rounds() || !self.reads.any_of(id)
            }
            Command::Create(_) | Command::Forget(_) => true,
        };
        if admitted {
            table.waiting.pop_front()
        } else {
            None
        }
    }

    fn increment(&mut self, id: TableId, batch: Batch) {
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        if !table.spec.consistency.caches() {
            let parts = table.split(&batch.rows).len();
            let operation = table.operations.start(parts);
            if table.bounds_values().is_some() {
                table.hide(&batch);
            }
            return self.send_update(id, &batch, Some(operation));
        }
        table.pending.add(&batch);
        if table.pending.bytes() >= self.limits.window_bytes {
            self.flush(id);
        }
    }

    /// Sends the increments that have been kept back.
    fn flush(&mut self, id: TableId) {
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        for batch in table.pending.drain() {
            self.send_update(id, &batch, None);
        }
    }

    fn send_update(&mut self, id: TableId, batch: &Batch, operation: Option<u64>) {
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        let clock = table.clock;
        for part in table.split(&batch.rows).iter() {
            let batch = part_of(batch, part, &table.spec);
            let link = &mut self.links[part.shard.index()];
            let sequence = link.next();
            table.keep(part.shard, sequence, operation, batch.clone());
            let bytes = batch.bytes();
            let message = ToShard::Update {
                sequence,
                table: id,
                clock,
                batch,
            };
            if link.keep_update(bytes, message.clone()) {
                self.out.push(Output::Send(part.shard, message));
            }
        }
    }

    fn tick(&mut self, ticket: Ticket, id: TableId) {
        self.flush(id);
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        table.tick();
        let clock = table.clock;
        self.send_to_all(|sequence| ToShard::Clock {
            sequence,
            table: id,
            clock,
        });
        self.out
            .push(Output::Done(ticket, Ok(Outcome::Clock(clock))));
    }

    fn send_to_all(&mut self, message: impl Fn(Sequence) -> ToShard) {
        for (shard, link) in self.links.iter_mut().enumerate() {
            let message = message(link.next());
            if link.keep_update(0, message.clone()) {
                self.out.push(Output::Send(ShardId(shard as u32), message));
            }
        }
    }

    fn forget(&mut self, ticket: Ticket, id: TableId, rows: &RowSet) {
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        // A row that is being asked for is about to be subscribed to again.
        let asked = self.reads.asked(id);
        let forgotten = table.cache.forget(rows, |key| !asked.contains(&key));
        if table.spec.consistency.pushes() && !forgotten.is_empty() {
            let rows = Arc::new(RowSet::ascending(forgotten).expect("forgotten keys are sorted"));
            for part in table
                .split(&rows)
                .iter()
                .filter(|part| self.links[part.shard.index()].is_up())
            {
                let message = ToShard::Unsubscribe {
                    table: id,
                    rows: part.rows.clone(),
                };
                self.out.push(Output::Send(part.shard, message));
            }
        }
        self.out.push(Output::Done(ticket, Ok(Outcome::Accepted)));
        self.continue_reads(id);
    }

    fn settle(&mut self, ticket: Ticket) {
        let ids: Vec<TableId> = self.tables.keys().copied().collect();
        ids.into_iter().for_each(|id| self.flush(id));
        self.settling
            .push((ticket, self.links.iter().map(Link::last).collect()));
        self.tell_settled();
    }

    fn leave(&mut self, ticket: Ticket) {
        self.fail_reads(Failure::Left, |_| true);
        let ids: Vec<TableId> = self.tables.keys().copied().collect();
        ids.into_iter().for_each(|id| self.flush(id));
        self.send_to_all(|sequence| ToShard::Leave { sequence });
        self.settle(ticket);
    }

    fn tell_settled(&mut self) {
        let failed = self
            .links
            .iter()
            .position(Link::has_failed)
            .map(Self::shard_lost);
        let links = &self.links;
        let arrived = |lasts: &[Sequence]| {
            links
                .iter()
                .zip(lasts)
                .all(|(link, &last)| link.acknowledged() >= last)
        };
        let settled = self
            .settling
            .extract_if(.., |(_, lasts)| failed.is_some() || arrived(lasts));
        let result = failed.map_or(Ok(Outcome::Accepted), Err);
        self.out
            .extend(settled.map(|(ticket, _)| Output::Done(ticket, result.clone())));
    }

    fn receive(&mut self, shard: ShardId, message: ToWorker) {
        if self.links[shard.index()].has_failed() {
            return;
        }
        match message {
            ToWorker::Welcome { received } => self.resume(shard, received),
            ToWorker::Ack { received } => self.acknowledge(shard, received),
            ToWorker::Rows {
                part,
                table,
                fresh,
                includes,
                batch,
            } => {
                self.take_rows(shard, part, table, State { fresh, includes }, batch);
            }
            ToWorker::Changes {
                table: id,
                fresh,
                includes,
                whole,
                batch,
            } => {
                let Some(table) = self.tables.get_mut(&id) else {
                    return;
                };
                if table.spec.check_batch(&batch).is_ok() {
                    table.heard = table.heard.max(fresh);
                    table
                        .cache
                        .change(shard, &batch, whole, State { fresh, includes });
                    table.included(shard, includes);
                    self.continue_reads(id);
                }
            }
            ToWorker::Refused {
                table,
                part: Some(part),
                reason,
            } => {
                self.fail_part(part, Failure::Refused { table, reason });
                self.pump(table);
            }
            ToWorker::Refused {
                table,
                part: None,
                reason,
            } => self.refuse_table(table, reason),
        }
    }

    /// A connection stands: everything that the shard may not have is sent again.
    fn resume(&mut self, shard: ShardId, received: Sequence) {
        self.acknowledge(shard, received);
        for (&table, state) in &self.tables {
            let message = ToShard::Create {
                table,
                spec: state.spec,
            };
            self.out.push(Output::Send(shard, message));
        }
        let again = self.links[shard.index()].resume();
        self.out
            .extend(again.map(|message| Output::Send(shard, message)));
        let pushed: Vec<TableId> = self
            .tables
            .iter_mut()
            .filter(|(_, table)| table.spec.consistency.pushes())
            .map(|(&id, table)| {
                table.cache.forget_shard(shard);
                id
            })
            .collect();
        pushed.into_iter().for_each(|id| self.continue_reads(id));
    }

    fn acknowledge(&mut self, shard: ShardId, received: Sequence) {
        self.links[shard.index()].acknowledge(received);
        for table in self.tables.values_mut() {
            table.acknowledge(shard, received);
        }
        let waiting: Vec<TableId> = self
            .tables
            .iter()
            .filter(|(_, table)| !table.waiting.is_empty())
            .map(|(&id, _)| id)
            .collect();
        waiting.into_iter().for_each(|id| self.pump(id));
        self.tell_settled();
    }

    fn refuse_table(&mut self, id: TableId, reason: Refusal) {
        let Some(table) = self.tables.get_mut(&id) else {
            return;
        };
        table.refused = Some(reason);
        let failure = Failure::Refused { table: id, reason };
        let waiting = std::mem::take(&mut table.waiting);
        self.out.extend(
            waiting
                .into_iter()
                .map(|(ticket, _)| Output::Done(ticket, Err(failure))),
        );
        self.fail_reads(failure, |read| read == id);
    }

    /// Fails what waits for shards that have been away for too long.
    fn give_up(&mut self, now: Duration) {
        let lost = self.links.iter_mut().position(|link| link.gives_up(now));
        let Some(shard) = lost else { return };
        let failure = Self::shard_lost(shard);
        for table in self.tables.values_mut() {
            let waiting = std::mem::take(&mut table.waiting);
            self.out.extend(
                waiting
                    .into_iter()
                    .map(|(ticket, _)| Output::Done(ticket, Err(failure))),
            );
        }
        self.fail_reads(failure, |_| true);
        self.tell_settled();
    }
}
