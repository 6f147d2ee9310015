//! A shard: the server's part of every table, as a state machine without input or output.
//!
//! Events come in ([`Shard::on_event`]), messages go out; the caller moves them, tells the time,
//! and closes what has to be closed. The same code serves sockets and the simulator.
//!
//! Promises: an update takes effect once, in the order of its worker's sequence numbers; the
//! table clock never goes back; a read is answered when the table clock allows it, or refused
//! naming the worker that it would wait for in vain.

mod subscriber;
mod table;

use crate::comm::Order;
use crate::message::{LinkId, PartId, Refusal, Sequence, ToShard, ToWorker};
use crate::rounds::Live;
use crate::rows::RowSet;
use crate::spec::TableSpec;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use strads_common::ids::{Clock, TableId, WorkerId};
use table::Table;

/// What happens to a shard.
#[derive(Clone, Debug)]
pub enum Event {
    /// A worker has connected and proved who it is.
    Connected {
        /// The new connection.
        link: LinkId,
        /// Who is at the other end.
        worker: WorkerId,
    },
    /// A message has arrived.
    Received {
        /// On which connection.
        link: LinkId,
        /// What.
        message: ToShard,
    },
    /// A connection is gone.
    Lost {
        /// Which one.
        link: LinkId,
    },
    /// A connection could carry so many bytes more, and nothing waits for it.
    Room {
        /// Which one.
        link: LinkId,
        /// How many.
        bytes: usize,
    },
    /// Time has passed.
    Tick,
}

/// How long a shard waits for workers before it tells the others.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the start of the shard to a worker's first connection.
    pub join: Duration,
    /// From the loss of a connection to the next one.
    pub rejoin: Duration,
}

/// The server's part of every table.
pub struct Shard {
    patience: Patience,
    /// How long a read may wait for workers that are there.
    limit: Option<Duration>,
    order: Order,
    roster: Roster,
    tables: BTreeMap<TableId, Table>,
}

/// The workers, as a table needs to know them.
struct Roster {
    workers: Vec<Worker>,
    links: BTreeMap<LinkId, WorkerId>,
}

struct Worker {
    link: Option<LinkId>,
    received: Sequence,
    standing: Standing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// Connected.
    Present,
    /// Not connected, and given up if that is still so then.
    Away { until: Duration },
    /// Away for too long.
    Lost,
    /// Gone by its own will.
    Left,
}

impl Roster {
    fn all(&self) -> impl Iterator<Item = WorkerId> + use<> {
        (0..self.workers.len() as u32).map(WorkerId)
    }

    fn live(&self) -> impl Iterator<Item = Live> + '_ {
        let here = |(worker, state): (WorkerId, &Worker)| {
            let lost = state.standing == Standing::Lost;
            (state.standing != Standing::Left).then_some(Live { worker, lost })
        };
        self.all().zip(&self.workers).filter_map(here)
    }

    fn received(&self, worker: WorkerId) -> Sequence {
        self.workers[worker.index()].received
    }
}

/// Messages on their way out.
#[derive(Default)]
struct Outbox(Vec<(LinkId, ToWorker)>);

impl Outbox {
    /// To `worker`, if it is connected; otherwise it will ask again.
    fn send(&mut self, roster: &Roster, worker: WorkerId, message: ToWorker) {
        if let Some(link) = roster.workers[worker.index()].link {
            self.0.push((link, message));
        }
    }
}

impl Shard {
    /// A shard that serves `workers` workers, none of which is there at time `now`.
    pub fn new(workers: u32, patience: Patience, now: Duration) -> Shard {
        let standing = Standing::Away {
            until: now + patience.join,
        };
        let absent = |_| Worker {
            link: None,
            received: Sequence(0),
            standing,
        };
        let roster = Roster {
            workers: (0..workers).map(absent).collect(),
            links: BTreeMap::new(),
        };
        Shard {
            patience,
            limit: None,
            order: Order::Fixed,
            roster,
            tables: BTreeMap::new(),
        }
    }

    /// The same with another order of what goes to workers early.
    pub fn order(self, order: Order) -> Shard {
        Shard { order, ..self }
    }

    /// The same with a limit to how long a read may wait for workers that are there.
    pub fn limit(self, limit: Option<Duration>) -> Shard {
        Shard { limit, ..self }
    }

    /// Takes in what has happened; returns what is to be sent, in order.
    pub fn on_event(&mut self, event: Event, now: Duration) -> Vec<(LinkId, ToWorker)> {
        let mut out = Outbox::default();
        match event {
            Event::Connected { link, worker } => self.connect(link, worker, &mut out),
            Event::Received { link, message } => {
                // What still arrives on a connection that has been replaced is sent again.
                if let Some(&worker) = self.roster.links.get(&link) {
                    self.receive(worker, message, &mut out);
                }
            }
            Event::Lost { link } => self.disconnect(link, now),
            Event::Room { link, bytes } => self.send_early(link, bytes, &mut out),
            Event::Tick => self.give_up(now, &mut out),
        }
        out.0
    }

    /// What the table holds of `rows`, complete rounds or not.
    pub fn contents(&mut self, table: TableId, rows: &Arc<RowSet>) -> Option<crate::batch::Batch> {
        self.tables
            .get_mut(&table)
            .map(|table| table.contents(rows))
    }

    /// The number of complete rounds of a table.
    pub fn clock(&self, table: TableId) -> Option<Clock> {
        self.tables.get(&table).map(Table::clock)
    }

    /// Late updates that backup rounds have discarded.
    pub fn discarded(&self, table: TableId) -> u64 {
        self.tables.get(&table).map_or(0, Table::discarded)
    }

    /// Whether every worker has left.
    pub fn is_deserted(&self) -> bool {
        self.roster.live().next().is_none()
    }

    fn connect(&mut self, link: LinkId, worker: WorkerId, out: &mut Outbox) {
        let Some(entry) = self.roster.workers.get_mut(worker.index()) else {
            return;
        };
        if let Some(old) = entry.link.replace(link) {
            self.roster.links.remove(&old);
        }
        self.roster.links.insert(link, worker);
        if entry.standing != Standing::Left {
            entry.standing = Standing::Present;
        }
        let received = entry.received;
        for table in self.tables.values_mut() {
            table.forget_connection(worker);
        }
        out.send(&self.roster, worker, ToWorker::Welcome { received });
    }

    fn disconnect(&mut self, link: LinkId, now: Duration) {
        let Some(worker) = self.roster.links.remove(&link) else {
            return;
        };
        let entry = &mut self.roster.workers[worker.index()];
        entry.link = None;
        if entry.standing == Standing::Present {
            entry.standing = Standing::Away {
                until: now + self.patience.rejoin,
            };
        }
    }

    fn give_up(&mut self, now: Duration, out: &mut Outbox) {
        for worker in &mut self.roster.workers {
            if matches!(worker.standing, Standing::Away { until } if until <= now) {
                worker.standing = Standing::Lost;
            }
        }
        for (&id, table) in &mut self.tables {
            table.refuse_hopeless(id, &self.roster, out);
            if let Some(limit) = self.limit {
                table.refuse_late(id, now, limit, &self.roster, out);
            }
        }
    }

    /// Tells a worker of changes that it need not know yet, those with the least slack first.
    fn send_early(&mut self, link: LinkId, bytes: usize, out: &mut Outbox) {
        let Some(&worker) = self.roster.links.get(&link) else {
            return;
        };
        let mut tables: Vec<(TableId, &mut Table)> = self
            .tables
            .iter_mut()
            .map(|(&id, table)| (id, table))
            .collect();
        tables.sort_by_key(|(_, table)| table.spec().consistency.slack());
        for (id, table) in tables {
            if let Some(message) = table.early(id, worker, bytes) {
                return out.send(&self.roster, worker, message);
            }
        }
    }

    fn receive(&mut self, worker: WorkerId, message: ToShard, out: &mut Outbox) {
        match message {
            ToShard::Create { table, spec } => self.create(worker, table, spec, out),
            ToShard::Update {
                sequence,
                table,
                clock,
                batch,
                coding: _,
            } => {
                self.in_order(worker, sequence, out, |shard, out| {
                    match shard.tables.get_mut(&table) {
                        Some(state) => match state.spec().check_batch(&batch) {
                            Ok(()) => state.update(worker, clock, batch),
                            Err(misfit) => {
                                shard.refuse(worker, table, None, Refusal::Misfit(misfit), out)
                            }
                        },
                        None => shard.refuse(worker, table, None, Refusal::NoTable, out),
                    }
                });
            }
            ToShard::Clock {
                sequence,
                table,
                clock,
            } => {
                self.in_order(worker, sequence, out, |shard, out| {
                    match shard.tables.get_mut(&table) {
                        Some(state) => state.tick(table, worker, clock, &shard.roster, out),
                        None => shard.refuse(worker, table, None, Refusal::NoTable, out),
                    }
                });
            }
            ToShard::Get {
                part,
                table,
                rows,
                need,
            } => match self.tables.get_mut(&table) {
                Some(state) => state.get(table, worker, part, rows, need, &self.roster, out),
                None => self.refuse(worker, table, Some(part), Refusal::NoTable, out),
            },
            ToShard::Unsubscribe { table, rows } => {
                if let Some(state) = self.tables.get_mut(&table) {
                    state.unsubscribe(worker, &rows);
                }
            }
            ToShard::Leave { sequence } => self.in_order(worker, sequence, out, |shard, out| {
                shard.roster.workers[worker.index()].standing = Standing::Left;
                for (&id, table) in &mut shard.tables {
                    table.forget_connection(worker);
                    table.advance(id, &shard.roster, out);
                }
            }),
        }
    }

    /// Lets an update take effect if it is the next one of its worker, and acknowledges it.
    fn in_order(
        &mut self,
        worker: WorkerId,
        sequence: Sequence,
        out: &mut Outbox,
        effect: impl FnOnce(&mut Shard, &mut Outbox),
    ) {
        let received = &mut self.roster.workers[worker.index()].received;
        // A repetition after a reconnection is behind; nothing can be ahead on a connection that
        // keeps order, except by a peer's fault.
        if sequence.0 == received.0 + 1 {
            *received = sequence;
            effect(self, out);
        }
        let received = self.roster.received(worker);
        out.send(&self.roster, worker, ToWorker::Ack { received });
    }

    fn create(&mut self, worker: WorkerId, table: TableId, spec: TableSpec, out: &mut Outbox) {
        let refusal = match (self.tables.get(&table), spec.check()) {
            (Some(known), _) if *known.spec() == spec => return,
            (Some(_), _) => Refusal::OtherSpec,
            (None, Err(bad)) => Refusal::BadSpec(bad),
            (None, Ok(())) => {
                let workers = self.roster.workers.len();
                self.tables
                    .insert(table, Table::new(spec, workers, self.order));
                return;
            }
        };
        self.refuse(worker, table, None, refusal, out);
    }

    fn refuse(
        &self,
        worker: WorkerId,
        table: TableId,
        part: Option<PartId>,
        reason: Refusal,
        out: &mut Outbox,
    ) {
        out.send(
            &self.roster,
            worker,
            ToWorker::Refused {
                table,
                part,
                reason,
            },
        );
    }
}
