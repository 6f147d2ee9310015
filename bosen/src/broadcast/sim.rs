//! Peers in virtual time, over a network that delays, breaks and loses as a seed has it.
//!
//! Each peer has one wire out and one in, which carry a message at a time; between two peers
//! messages keep their order while a connection lasts. A connection breaks at a random message:
//! that one and the later ones are lost, in both directions. A peer that crashes says nothing
//! more. The same seed gives the same run, event by event.

use super::wire::bytes;
use super::{Event, MERGED_BYTES, Message, Peer, Setting};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use strads_common::ids::WorkerId;
use strads_common::random::{Stream, stream};

/// What the network does.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// A message is under way for at least this, and at most twice as long.
    pub delay: Duration,
    /// What a peer's wire carries a second, each way; 0 for any amount.
    pub bytes_per_second: u64,
    /// A connection breaks at one in so many messages; 0 for never.
    pub breaks_one_in: u32,
}

/// What happens next, of which the driver of a simulation learns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happening {
    /// Something has changed for this peer.
    Changed(WorkerId),
    /// The time that [`Simulation::wake`] was told has come.
    Woken(WorkerId),
}

enum Agenda {
    Connect(WorkerId, WorkerId),
    Arrive(u64, WorkerId, WorkerId, Message),
    /// This end of a connection learns that it has ended.
    Broken(WorkerId, WorkerId),
    /// The wire out is free.
    Free(WorkerId),
    Wake(WorkerId),
    Tick,
}

/// A link as the network sees it, in one direction.
#[derive(Default)]
struct Way {
    last_arrival: Duration,
    /// Bytes that it has carried.
    carried: u64,
}

/// Peers and what is between them.
pub struct Simulation {
    now: Duration,
    peers: Vec<Peer>,
    crashed: BTreeSet<WorkerId>,
    weather: Weather,
    random: Stream,
    agenda: BTreeMap<(Duration, u64), Agenda>,
    made: u64,
    /// The present connection of each pair, the lower one first.
    connections: BTreeMap<(WorkerId, WorkerId), u64>,
    /// Pairs that are about to connect.
    connecting: BTreeSet<(WorkerId, WorkerId)>,
    ways: BTreeMap<(WorkerId, WorkerId), Way>,
    /// Until when each peer's wires are in use.
    sending: Vec<Duration>,
    receiving: Vec<Duration>,
    /// To whom each peer sent last: its neighbours take turns, those behind it first.
    turn: Vec<WorkerId>,
    sent_bytes: Vec<u64>,
    messages: u64,
}

const TICK: Duration = Duration::from_millis(50);

fn pair(a: WorkerId, b: WorkerId) -> (WorkerId, WorkerId) {
    (a.min(b), a.max(b))
}

impl Simulation {
    /// All peers that `setting` speaks of, at time zero.
    pub fn new(seed: u64, setting: Setting, weather: Weather) -> Simulation {
        let workers = setting.workers;
        let peer = |id| {
            let me = WorkerId(id);
            Peer::new(Setting { me, ..setting }, Duration::ZERO)
        };
        let mut simulation = Simulation {
            now: Duration::ZERO,
            peers: (0..workers).map(peer).collect(),
            crashed: BTreeSet::new(),
            weather,
            random: stream(seed, "broadcast network", 0),
            agenda: BTreeMap::new(),
            made: 0,
            connections: BTreeMap::new(),
            connecting: BTreeSet::new(),
            ways: BTreeMap::new(),
            sending: vec![Duration::ZERO; workers as usize],
            receiving: vec![Duration::ZERO; workers as usize],
            turn: (0..workers).map(WorkerId).collect(),
            sent_bytes: vec![0; workers as usize],
            messages: 0,
        };
        for worker in (0..workers).map(WorkerId) {
            simulation.connect_neighbours(worker);
        }
        simulation.plan(TICK, Agenda::Tick);
        simulation
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// A peer, to be looked at.
    pub fn peer(&self, worker: WorkerId) -> &Peer {
        &self.peers[worker.index()]
    }

    /// Lets `act` do something with a peer, and moves what comes of it.
    pub fn with<T>(&mut self, worker: WorkerId, act: impl FnOnce(&mut Peer) -> T) -> T {
        let result = act(&mut self.peers[worker.index()]);
        self.send(worker);
        result
    }

    /// `worker` stops, in the middle of what it says.
    pub fn crash(&mut self, worker: WorkerId) {
        self.crashed.insert(worker);
        let of_worker = |(a, b): &(WorkerId, WorkerId)| *a == worker || *b == worker;
        let ended: Vec<_> = self.connections.keys().copied().filter(of_worker).collect();
        ended.into_iter().for_each(|pair| self.break_up(pair));
    }

    /// Lets [`Happening::Woken`] happen to `worker` in a while.
    pub fn wake(&mut self, worker: WorkerId, after: Duration) {
        self.plan(self.now + after, Agenda::Wake(worker));
    }

    /// Bytes that each peer has sent, as they would be on the wire.
    pub fn sent_bytes(&self) -> &[u64] {
        &self.sent_bytes
    }

    /// The most bytes that one link has carried in one direction.
    pub fn busiest_link_bytes(&self) -> u64 {
        self.ways.values().map(|way| way.carried).max().unwrap_or(0)
    }

    /// Messages sent.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// The next happening, or `None` if there is none before `end`.
    pub fn next(&mut self, end: Duration) -> Option<Happening> {
        loop {
            let entry = self.agenda.first_entry()?;
            if entry.key().0 > end {
                return None;
            }
            let ((time, _), event) = entry.remove_entry();
            self.now = time;
            if let Some(happening) = self.carry_out(event) {
                return Some(happening);
            }
        }
    }

    fn plan(&mut self, time: Duration, event: Agenda) {
        self.agenda.insert((time, self.made), event);
        self.made += 1;
    }

    fn carry_out(&mut self, event: Agenda) -> Option<Happening> {
        match event {
            Agenda::Connect(a, b) => self.connect(a, b),
            Agenda::Arrive(connection, from, to, message) => {
                let current = self.connections.get(&pair(from, to)) == Some(&connection);
                if current && !self.crashed.contains(&to) {
                    return self.tell(to, Event::Received { from, message });
                }
                None
            }
            Agenda::Broken(worker, other) => {
                if self.connections.contains_key(&pair(worker, other)) {
                    // The next connection came first, and said so.
                    return None;
                }
                let happening = self.tell(worker, Event::Disconnected(other));
                self.connect_neighbours(worker);
                happening
            }
            Agenda::Free(worker) => {
                self.send(worker);
                None
            }
            Agenda::Wake(worker) => Some(Happening::Woken(worker)),
            Agenda::Tick => {
                self.plan(self.now + TICK, Agenda::Tick);
                for worker in (0..self.peers.len() as u32).map(WorkerId) {
                    // A tick that matters makes messages, whose arrival is a happening; and it is
                    // one for the peer that gives up.
                    let before = self.peers[worker.index()].failure();
                    self.tell(worker, Event::Tick);
                    if self.peers[worker.index()].failure() != before {
                        self.plan(self.now, Agenda::Wake(worker));
                    }
                }
                None
            }
        }
    }

    fn tell(&mut self, worker: WorkerId, event: Event) -> Option<Happening> {
        if self.crashed.contains(&worker) {
            return None;
        }
        let epoch = self.peers[worker.index()].members().len();
        self.peers[worker.index()].on_event(event, self.now);
        if self.peers[worker.index()].members().len() != epoch {
            self.connect_neighbours(worker);
        }
        self.send(worker);
        Some(Happening::Changed(worker))
    }

    /// Plans the connections that a worker ought to have and has not.
    fn connect_neighbours(&mut self, worker: WorkerId) {
        if self.crashed.contains(&worker) {
            return;
        }
        let neighbours: Vec<WorkerId> = self.peers[worker.index()].neighbours().collect();
        for other in neighbours {
            let pair = pair(worker, other);
            let wanted = !self.connections.contains_key(&pair) && !self.crashed.contains(&other);
            if wanted && self.connecting.insert(pair) {
                let soon = self.delay();
                self.plan(self.now + soon, Agenda::Connect(pair.0, pair.1));
            }
        }
    }

    fn connect(&mut self, a: WorkerId, b: WorkerId) -> Option<Happening> {
        self.connecting.remove(&(a, b));
        let dead = self.crashed.contains(&a) || self.crashed.contains(&b);
        if dead || self.connections.contains_key(&(a, b)) {
            return None;
        }
        self.made += 1;
        self.connections.insert((a, b), self.made);
        self.tell(a, Event::Connected(b));
        self.tell(b, Event::Connected(a))
    }

    fn break_up(&mut self, (a, b): (WorkerId, WorkerId)) {
        self.connections.remove(&(a, b));
        for (end, other) in [(a, b), (b, a)] {
            let learns = self.now + self.delay();
            self.plan(learns, Agenda::Broken(end, other));
        }
    }

    /// Sends what a worker has to say, as far as its wire is free.
    fn send(&mut self, worker: WorkerId) {
        while !self.crashed.contains(&worker) && self.sending[worker.index()] <= self.now {
            let Some((to, message)) = self.next_message(worker) else {
                return;
            };
            self.transmit(worker, to, message);
        }
    }

    /// The next message of `worker`; its neighbours take turns.
    fn next_message(&mut self, worker: WorkerId) -> Option<(WorkerId, Message)> {
        let peer = &mut self.peers[worker.index()];
        let to = peer.next_listener(self.turn[worker.index()])?;
        self.turn[worker.index()] = to;
        Some((to, peer.next_message(to, MERGED_BYTES)?))
    }

    fn transmit(&mut self, from: WorkerId, to: WorkerId, message: Message) {
        let Some(&connection) = self.connections.get(&pair(from, to)) else {
            return;
        };
        if self.weather.breaks_one_in > 0
            && self.random.random_range(0..self.weather.breaks_one_in) == 0
        {
            return self.break_up(pair(from, to));
        }
        let bytes = bytes(&message) as u64;
        self.sent_bytes[from.index()] += bytes;
        self.messages += 1;
        let takes = match self.weather.bytes_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_nanos(bytes * 1_000_000_000 / rate),
        };
        let sent = self.sending[from.index()].max(self.now) + takes;
        self.sending[from.index()] = sent;
        self.plan(sent, Agenda::Free(from));
        // What is sent while it is received takes the wire in for no longer than it took the
        // wire out, unless that is in use.
        let under_way = self.now + self.delay();
        let receiving = &mut self.receiving[to.index()];
        *receiving = (*receiving).max(under_way) + takes;
        let way = self.ways.entry((from, to)).or_default();
        way.carried += bytes;
        way.last_arrival = way.last_arrival.max(*receiving);
        let arrival = way.last_arrival;
        self.plan(arrival, Agenda::Arrive(connection, from, to, message));
    }

    fn delay(&mut self) -> Duration {
        let least = self.weather.delay.as_nanos() as u64;
        Duration::from_nanos(self.random.random_range(least..=2 * least))
    }
}
