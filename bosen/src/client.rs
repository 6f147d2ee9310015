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
mod early;
mod event;
mod keeping;
mod link;
mod operations;
pub(crate) mod pending;
mod reads;
mod receiving;
mod sending;
mod table;

use crate::comm::Order;
use crate::consistency::Consistency;
use crate::message::{Refusal, Sequence, ToShard};
use crate::spec::TableSpec;
pub use event::{Command, Event, Failure, Outcome, Output, Piece, Ticket};
use link::Link;
use reads::Reads;
use std::collections::BTreeMap;
use std::time::Duration;
use strads_common::ids::{ShardId, TableId, WorkerId};
use strads_common::lags::Lags;
use table::Table;

/// The limits within which a worker lives.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Unacknowledged bytes a shard from which on increments wait.
    pub window_bytes: usize,
    /// How long a shard may be away, or take nothing in, before what waits for it fails.
    pub patience: Duration,
    /// The same for a shard that has not been reached yet.
    pub join: Duration,
}

/// A worker's side of the store.
pub struct Client {
    worker: WorkerId,
    limits: Limits,
    /// In which increments go early; `None` if they do not.
    order: Option<Order>,
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
            order: None,
            links: (0..shards).map(|_| Link::new(now + limits.join)).collect(),
            tables: BTreeMap::new(),
            reads: Reads::default(),
            settling: Vec::new(),
            out: Vec::new(),
        }
    }

    /// The same with increments that go early, in some order, whenever a link has room.
    pub fn early(self, order: Order) -> Client {
        Client {
            order: Some(order),
            ..self
        }
    }

    /// Who this is.
    pub fn worker(&self) -> WorkerId {
        self.worker
    }

    /// How many reads of a table were behind the worker's clock by 0, 1, … rounds.
    pub fn staleness(&self, table: TableId) -> Lags {
        let table = self.tables.get(&table);
        table.map_or_else(Lags::default, |table| table.lags.clone())
    }

    /// Bytes of increments that filters have kept back so far, whether or not they went later.
    pub fn withheld_bytes(&self) -> u64 {
        let tables = self.tables.values();
        tables.map(|table| table.residual.withheld_bytes()).sum()
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
            Event::Room { shard, bytes } => self.send_early(shard, bytes),
            Event::Tick => {
                self.give_up(now);
                self.ask_after_changes();
            }
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
            .insert(id, Table::new(spec, self.links.len() as u32, self.order));
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
            Command::Create(_) | Command::Clock | Command::Keep(_) => {}
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
                Command::Keep(rows) => self.keep(ticket, id, rows),
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
            Command::Create(_) | Command::Forget(_) | Command::Keep(_) => true,
        };
        if admitted {
            table.waiting.pop_front()
        } else {
            None
        }
    }
}
