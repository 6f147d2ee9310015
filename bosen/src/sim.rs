//! Workers and shards in virtual time, over a network that delays, breaks and parts as a seed
//! has it.
//!
//! The state machines are the ones that serve sockets ([`Client`], [`Shard`], [`crate::comm`]),
//! and messages travel as the same bytes ([`crate::wire`]); only what moves the bytes is
//! different. The same seed and the same commands give the same run, event by event.

mod carrier;
mod network;

use crate::client::{
    Client, Command, Event as ClientEvent, Failure, Limits, Outcome, Output, Piece, Ticket,
};
use crate::comm::Budget;
use crate::comm::lanes::Lane;
use crate::message::{LinkId, ToShard, ToWorker};
use crate::shard::{Event as ShardEvent, Patience, Shard};
use crate::wire::{Outgoing, read_to_shard, read_to_worker};
use carrier::{Carrier, Step};
use network::Network;
pub use network::Weather;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use strads_common::frame::Frame;
use strads_common::ids::{ShardId, TableId, WorkerId};

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The seed of everything random.
    pub seed: u64,
    /// Workers.
    pub workers: u32,
    /// Shards.
    pub shards: u32,
    /// What the network does.
    pub weather: Weather,
    /// The limits of each worker.
    pub limits: Limits,
    /// The patience of each shard.
    pub patience: Patience,
    /// What each direction of each connection may carry; `None` for any amount, and nothing early.
    pub budget: Option<Budget>,
}

impl Setting {
    /// Messages take up to `delay` and nothing else happens to them; nobody loses patience, and
    /// windows hold a megabyte.
    pub fn calm(seed: u64, workers: u32, shards: u32, delay: Duration) -> Setting {
        const EVER: Duration = Duration::from_secs(1 << 20);
        Setting {
            seed,
            workers,
            shards,
            weather: Weather {
                delay,
                bytes_per_second: 0,
                breaks_one_in: 0,
                partitions_one_in: 0,
                clears_at: Duration::ZERO,
            },
            limits: Limits {
                window_bytes: 1 << 20,
                patience: EVER,
                join: EVER,
            },
            patience: Patience {
                join: EVER,
                rejoin: EVER,
            },
            budget: None,
        }
    }
}

/// What the driver of a simulation learns.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A command has a result.
    Done {
        /// Whose command.
        worker: WorkerId,
        /// Which.
        ticket: Ticket,
        /// What came of it.
        result: Result<Outcome, Failure>,
    },
    /// The time that [`Simulation::wake`] was told has come.
    Woken(WorkerId),
}

/// Something that will happen.
enum Event {
    Connect(WorkerId, ShardId),
    ToShard(LinkId, Frame),
    ToWorker(LinkId, Frame),
    /// A connection may go on writing.
    Write(LinkId),
    LostByShard(LinkId),
    LostByWorker(LinkId),
    Wake(WorkerId),
    Tick,
}

/// A store in virtual time.
pub struct Simulation {
    now: Duration,
    clients: Vec<Client>,
    shards: Vec<Shard>,
    network: Network,
    budget: Option<Budget>,
    /// By connection, the two directions.
    carriers: Vec<(Carrier<ToShard>, Carrier<ToWorker>)>,
    /// Connections that may have something to write.
    busy: BTreeSet<LinkId>,
    /// By time, and in the order of their making within the same instant.
    agenda: BTreeMap<(Duration, u64), Event>,
    made: u64,
    tickets: u64,
    /// Of reads that have not ended.
    pieces: BTreeMap<(WorkerId, Ticket), Vec<Piece>>,
    happenings: std::collections::VecDeque<Happening>,
    tamper: Option<Tamper>,
}

/// Falsifies messages as they arrive, so that a test can see whether it would notice.
pub struct Tamper {
    /// Those that arrive at a shard.
    pub to_shard: Box<dyn FnMut(&mut ToShard)>,
    /// Those that arrive at a worker.
    pub to_worker: Box<dyn FnMut(&mut ToWorker)>,
}

/// How often the state machines are told the time.
const TICK: Duration = Duration::from_millis(50);

impl Simulation {
    /// A store at time zero, nobody being connected.
    pub fn new(setting: Setting) -> Simulation {
        let Setting {
            seed,
            workers,
            shards,
            weather,
            limits,
            patience,
            budget,
        } = setting;
        let order = budget.map(|budget| budget.order);
        let mut simulation = Simulation {
            now: Duration::ZERO,
            clients: (0..workers)
                .map(|id| {
                    let client = Client::new(WorkerId(id), shards, limits, Duration::ZERO);
                    match order {
                        Some(order) => client.early(order),
                        None => client,
                    }
                })
                .collect(),
            shards: (0..shards)
                .map(|_| {
                    let shard = Shard::new(workers, patience, Duration::ZERO);
                    shard.order(order.unwrap_or_default())
                })
                .collect(),
            network: Network::new(seed, workers, shards, weather),
            budget,
            carriers: Vec::new(),
            busy: BTreeSet::new(),
            agenda: BTreeMap::new(),
            made: 0,
            tickets: 0,
            pieces: BTreeMap::new(),
            happenings: Default::default(),
            tamper: None,
        };
        for worker in 0..workers {
            for shard in 0..shards {
                simulation.plan(
                    Duration::ZERO,
                    Event::Connect(WorkerId(worker), ShardId(shard)),
                );
            }
        }
        simulation.plan(TICK, Event::Tick);
        simulation
    }

    /// The same with `tamper` applied to everything that arrives.
    pub fn tampered(self, tamper: Tamper) -> Simulation {
        Simulation {
            tamper: Some(tamper),
            ..self
        }
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// A worker's side of the store.
    pub fn client(&self, worker: WorkerId) -> &Client {
        &self.clients[worker.index()]
    }

    /// The shards.
    pub fn shards(&mut self) -> &mut [Shard] {
        &mut self.shards
    }

    /// Bytes of frames that have been put on the network.
    pub fn sent_bytes(&self) -> u64 {
        self.network.sent_bytes()
    }

    /// Gives a worker's command; its result will happen.
    pub fn command(&mut self, worker: WorkerId, table: TableId, command: Command) -> Ticket {
        self.give(worker, |ticket| ClientEvent::Command {
            ticket,
            table,
            command,
        })
    }

    /// Lets `worker` wait until all that it did has arrived.
    pub fn settle(&mut self, worker: WorkerId) -> Ticket {
        self.give(worker, |ticket| ClientEvent::Settle { ticket })
    }

    /// Lets `worker` leave.
    pub fn leave(&mut self, worker: WorkerId) -> Ticket {
        self.give(worker, |ticket| ClientEvent::Leave { ticket })
    }

    fn give(&mut self, worker: WorkerId, event: impl FnOnce(Ticket) -> ClientEvent) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.tell_client(worker, event(ticket));
        self.write();
        ticket
    }

    /// Lets [`Happening::Woken`] happen to `worker` in a while.
    pub fn wake(&mut self, worker: WorkerId, after: Duration) {
        self.plan(self.now + after, Event::Wake(worker));
    }

    /// The next happening, or `None` if there is none before `end`.
    pub fn next(&mut self, end: Duration) -> Option<Happening> {
        loop {
            if let Some(happening) = self.happenings.pop_front() {
                return Some(happening);
            }
            let entry = self.agenda.first_entry()?;
            if entry.key().0 > end {
                return None;
            }
            let ((time, _), event) = entry.remove_entry();
            self.now = time;
            self.carry_out(event);
            self.write();
        }
    }

    fn plan(&mut self, time: Duration, event: Event) {
        self.agenda.insert((time, self.made), event);
        self.made += 1;
    }

    fn carry_out(&mut self, event: Event) {
        match event {
            Event::Connect(worker, shard) => self.connect(worker, shard),
            Event::ToShard(link, frame) => {
                let recalled = &mut self.carriers[link.0 as usize].0.recalled;
                let mut message = read_to_shard(frame, recalled).expect("frames arrive unchanged");
                if let Some(tamper) = &mut self.tamper {
                    (tamper.to_shard)(&mut message);
                }
                let (_, shard) = self.network.ends(link);
                self.tell_shard(shard, ShardEvent::Received { link, message });
            }
            Event::ToWorker(link, frame) => {
                let recalled = &mut self.carriers[link.0 as usize].1.recalled;
                let mut message = read_to_worker(frame, recalled).expect("frames arrive unchanged");
                if let Some(tamper) = &mut self.tamper {
                    (tamper.to_worker)(&mut message);
                }
                let (worker, shard) = self.network.ends(link);
                if self.network.is_current(link) {
                    self.tell_client(worker, ClientEvent::Received { shard, message });
                }
            }
            Event::Write(link) => {
                self.busy.insert(link);
            }
            Event::LostByShard(link) => {
                let (_, shard) = self.network.ends(link);
                self.carriers[link.0 as usize].1.close();
                self.tell_shard(shard, ShardEvent::Lost { link });
            }
            Event::LostByWorker(link) => {
                let (worker, shard) = self.network.ends(link);
                self.network.close(link);
                self.carriers[link.0 as usize].0.close();
                self.tell_client(worker, ClientEvent::Lost { shard });
                let retry = self.now + self.network.retry(worker, shard, self.now);
                self.plan(retry, Event::Connect(worker, shard));
            }
            Event::Wake(worker) => self.happenings.push_back(Happening::Woken(worker)),
            Event::Tick => {
                self.plan(self.now + TICK, Event::Tick);
                (0..self.clients.len())
                    .for_each(|id| self.tell_client(WorkerId(id as u32), ClientEvent::Tick));
                (0..self.shards.len())
                    .for_each(|id| self.tell_shard(ShardId(id as u32), ShardEvent::Tick));
            }
        }
    }

    fn connect(&mut self, worker: WorkerId, shard: ShardId) {
        match self.network.connect(worker, shard, self.now) {
            Ok(link) => {
                let (budget, made) = (self.budget, link.0 as usize);
                assert_eq!(
                    made,
                    self.carriers.len(),
                    "links are numbered as they are made"
                );
                self.carriers
                    .push((Carrier::new(budget), Carrier::new(budget)));
                self.tell_shard(shard, ShardEvent::Connected { link, worker });
            }
            Err(retry) => self.plan(self.now + retry, Event::Connect(worker, shard)),
        }
    }

    fn tell_shard(&mut self, shard: ShardId, event: ShardEvent) {
        self.let_shard_act(shard, event);
        self.rouse(|_, of| of == shard);
    }

    fn tell_client(&mut self, worker: WorkerId, event: ClientEvent) {
        self.let_client_act(worker, event);
        self.rouse(|of, _| of == worker);
    }

    fn let_shard_act(&mut self, shard: ShardId, event: ShardEvent) {
        for (link, message) in self.shards[shard.index()].on_event(event, self.now) {
            self.carriers[link.0 as usize]
                .1
                .push(Lane::InOrder, message);
        }
    }

    fn let_client_act(&mut self, worker: WorkerId, event: ClientEvent) {
        for output in self.clients[worker.index()].on_event(event, self.now) {
            match output {
                Output::Piece(ticket, piece) => {
                    let pieces = self.pieces.entry((worker, ticket)).or_default();
                    pieces.push(piece);
                }
                Output::Done(ticket, mut result) => {
                    let told = self.pieces.remove(&(worker, ticket)).unwrap_or_default();
                    if let Ok(Outcome::Rows(pieces)) = &mut result {
                        pieces.splice(..0, told);
                    }
                    self.happenings.push_back(Happening::Done {
                        worker,
                        ticket,
                        result,
                    });
                }
                Output::Send(shard, message) => {
                    if let Some(link) = self.network.current(worker, shard) {
                        let lane = message.lane();
                        self.carriers[link.0 as usize].0.push(lane, message);
                    }
                }
            }
        }
    }

    /// The connections of some worker or shard may have something to write.
    fn rouse(&mut self, concerned: impl Fn(WorkerId, ShardId) -> bool) {
        let network = &self.network;
        let current = network.all_current();
        self.busy.extend(current.filter(|&link| {
            let (worker, shard) = network.ends(link);
            concerned(worker, shard)
        }));
    }

    /// Lets connections write what they may.
    fn write(&mut self) {
        while let Some(link) = self.busy.pop_first() {
            self.write_to_shard(link);
            self.write_to_worker(link);
        }
    }

    fn write_to_shard(&mut self, link: LinkId) {
        let (worker, shard) = self.network.ends(link);
        loop {
            let carrier = &mut self.carriers[link.0 as usize].0;
            match carrier.step(self.now, Outgoing::to_shard) {
                Step::Depart(frame) => {
                    let bytes = carrier::length(&frame);
                    match self.network.send_to_shard(link, bytes, self.now) {
                        Ok(arrival) => self.plan(arrival, Event::ToShard(link, frame)),
                        Err(breaks) => self.break_up(link, breaks),
                    }
                }
                Step::Room(bytes) if self.network.is_current(link) => {
                    self.let_client_act(worker, ClientEvent::Room { shard, bytes });
                    if self.carriers[link.0 as usize].0.is_empty() {
                        return;
                    }
                }
                Step::Wait(then) => {
                    let planned = carrier.planned.replace(then);
                    return self.plan_to_write(link, then, planned);
                }
                Step::Room(_) | Step::Rest => return,
            }
        }
    }

    fn write_to_worker(&mut self, link: LinkId) {
        let (_, shard) = self.network.ends(link);
        loop {
            let carrier = &mut self.carriers[link.0 as usize].1;
            match carrier.step(self.now, Outgoing::to_worker) {
                Step::Depart(frame) => {
                    let bytes = carrier::length(&frame);
                    match self.network.send_to_worker(link, bytes, self.now) {
                        Ok(arrival) => self.plan(arrival, Event::ToWorker(link, frame)),
                        Err(breaks) => self.break_up(link, breaks),
                    }
                }
                Step::Room(bytes) => {
                    self.let_shard_act(shard, ShardEvent::Room { link, bytes });
                    if self.carriers[link.0 as usize].1.is_empty() {
                        return;
                    }
                }
                Step::Wait(then) => {
                    let planned = carrier.planned.replace(then);
                    return self.plan_to_write(link, then, planned);
                }
                Step::Rest => return,
            }
        }
    }

    fn plan_to_write(&mut self, link: LinkId, then: Duration, planned: Option<Duration>) {
        if planned != Some(then) {
            self.plan(then, Event::Write(link));
        }
    }

    /// What was sent before still arrives; both ends learn of the end, each in its own time.
    fn break_up(&mut self, link: LinkId, breaks: Option<network::Break>) {
        if let Some(network::Break {
            shard_learns,
            worker_learns,
        }) = breaks
        {
            self.plan(shard_learns, Event::LostByShard(link));
            self.plan(worker_learns, Event::LostByWorker(link));
        }
    }
}
