//! One worker's part in a broadcast: what it says, what it has heard, what it passes on.
//!
//! Pieces go along the tree of their origin. Where that cannot be relied on, because somebody was
//! lost since they were made, they are flooded: everybody sends all that it keeps to those it is
//! linked to now, and passes on what is new to it. A piece is kept until every member has said
//! that it has all of that clock; since each piece says so much of its origin, there are no
//! acknowledgements.

use super::link::{Link, State};
use super::links::Links;
use super::ring::Ring;
use super::stream::{NEVER, Stream};
use super::view::{Report, View};
use super::{Chunk, Message, Piece, Update};
use crate::consistency::Consistency;
use crate::topology::Topology;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;
use strads_common::ids::{Clock, WorkerId};
use strads_common::lags::Lags;

/// What a peer is told.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Who it is.
    pub me: WorkerId,
    /// How many there are.
    pub workers: u32,
    /// Who talks to whom.
    pub topology: Topology,
    /// How far apart workers may be: `Bsp`, `Ssp` or `Asynchronous`.
    pub consistency: Consistency,
    /// What becomes of the others when one is lost.
    pub on_loss: OnLoss,
    /// For how long a connection may be away before its other end is lost.
    pub patience: Duration,
    /// The same for a connection that has never been there.
    pub join: Duration,
}

/// What becomes of the others when one is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnLoss {
    /// They stop, naming it.
    Stop,
    /// They go on without it, if they are a majority.
    Continue,
}

/// What happens to a peer.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// There is a connection to a neighbour.
    Connected(WorkerId),
    /// It is gone.
    Disconnected(WorkerId),
    /// A neighbour says something.
    Received {
        /// Who.
        from: WorkerId,
        /// What.
        message: Message,
    },
    /// A worker is gone for good.
    Gone(WorkerId),
    /// Time passes.
    Tick,
}

/// Why a peer stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// A worker is lost, and the others are not to go on without it.
    #[error("{0} is lost")]
    Lost(WorkerId),
    /// A worker is lost, and too few are left to be sure that no others go on as well.
    #[error("{lost} is lost, and {left} of {of} workers are too few to go on")]
    Minority {
        /// The last one lost.
        lost: WorkerId,
        /// How many are left.
        left: usize,
        /// How many there were.
        of: usize,
    },
    /// The others take this worker for lost.
    #[error("the others went on without this worker ({by} says so)")]
    Excluded {
        /// Who says so.
        by: WorkerId,
    },
}

/// The state machine.
pub struct Peer {
    setting: Setting,
    view: View,
    /// To whom it sends what is flooded.
    listeners: BTreeSet<WorkerId>,
    links: Links,
    /// To whom there are connections; some may call before this peer knows why.
    connected: BTreeSet<WorkerId>,
    /// By origin.
    streams: Vec<Stream>,
    /// The clock that this worker is in, and the number of pieces it has made in it.
    clock: Clock,
    pieces: u32,
    /// All updates before it are whole here, and how many origins are no further.
    floor: Clock,
    at_floor: usize,
    updates: Vec<Update>,
    lags: Lags,
    ring: Ring,
    failure: Option<Failure>,
}

impl Peer {
    /// A peer without connections.
    pub fn new(setting: Setting, now: Duration) -> Peer {
        let Setting {
            me,
            workers,
            topology,
            ..
        } = setting;
        let view = View::new(me, workers);
        let neighbours = topology.neighbours(view.members(), me);
        Peer {
            links: Links::new(neighbours, now + setting.join),
            connected: BTreeSet::new(),
            listeners: topology.out(view.members(), me),
            view,
            streams: (0..workers)
                .map(|origin| Stream::new(WorkerId(origin)))
                .collect(),
            clock: Clock(0),
            pieces: 0,
            floor: Clock(0),
            at_floor: workers as usize,
            updates: Vec::new(),
            lags: Lags::default(),
            ring: Ring::new(me.index(), workers as usize),
            failure: None,
            setting,
        }
    }

    /// Adds a piece to this worker's update; the last one ends it, and the clock with it. Lower
    /// `urgency` goes first.
    pub fn publish(&mut self, urgency: u16, form: u8, content: Bytes, last: bool) {
        let piece = Piece {
            origin: self.setting.me,
            clock: self.clock,
            index: self.pieces,
            last,
            seen: self.floor,
            epoch: self.view.epoch(),
            urgency,
            form,
            content,
        };
        self.pieces += 1;
        if last {
            self.clock = self.clock.next();
            self.pieces = 0;
        }
        self.take_in(piece);
    }

    /// Begins a sum of everybody's `values`; one at a time, and nobody may leave one out.
    pub fn reduce(&mut self, values: Vec<f32>) {
        let chunks = self.ring.begin(values);
        chunks.into_iter().for_each(|chunk| self.pass_on(chunk));
    }

    /// The sum, when it is there.
    pub fn reduced(&mut self) -> Option<Vec<f32>> {
        self.ring.finish()
    }

    /// This worker is done: it says so to its neighbours when all else has been said.
    pub fn leave(&mut self) {
        self.links
            .with_each(|link| link.push_control(Message::Goodbye));
    }

    /// The clock that this worker is in.
    pub fn now_in(&self) -> Clock {
        self.clock
    }

    /// All updates before this clock are here.
    pub fn floor(&self) -> Clock {
        self.floor
    }

    /// Whether this worker may begin the clock that it is in.
    pub fn may_begin(&self) -> bool {
        self.floor >= self.setting.consistency.needs(self.clock)
    }

    /// Begins the clock that it is in: the updates that have become due, each handed out once.
    pub fn begin(&mut self) -> Vec<Update> {
        self.lags.count(self.clock.0.saturating_sub(self.floor.0));
        self.take_updates()
    }

    /// How many clocks began with 0, 1, … of somebody's updates before them missing.
    pub fn staleness(&self) -> &Lags {
        &self.lags
    }

    /// Whether all updates before this worker's clock are here.
    pub fn is_settled(&self) -> bool {
        self.floor >= self.clock
    }

    /// The updates that have become due, each handed out once.
    pub fn take_updates(&mut self) -> Vec<Update> {
        std::mem::take(&mut self.updates)
    }

    /// Those who are not lost, ascending.
    pub fn members(&self) -> &[WorkerId] {
        self.view.members()
    }

    /// To whom there ought to be a connection.
    pub fn neighbours(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.links.iter().map(|(neighbour, _)| neighbour)
    }

    /// Why it cannot go on.
    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// To whom there is something to be said, ascending.
    pub fn waiting(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.links.waiting()
    }

    /// The next neighbour behind `last`, counted round, to whom there is something to be said.
    pub fn next_listener(&self, last: WorkerId) -> Option<WorkerId> {
        self.links.next_waiting(last)
    }

    /// The next message for `neighbour`, to be sent at once; pieces are merged up to `most_bytes`.
    pub fn next_message(&mut self, neighbour: WorkerId, most_bytes: usize) -> Option<Message> {
        self.links.with(neighbour, |link| link.next(most_bytes))?
    }

    /// Lets something happen.
    pub fn on_event(&mut self, event: Event, now: Duration) {
        match event {
            Event::Connected(neighbour) => {
                self.connected.insert(neighbour);
                self.resume(neighbour);
            }
            Event::Disconnected(neighbour) => {
                self.connected.remove(&neighbour);
                let until = now + self.setting.patience;
                self.links.with(neighbour, |link| {
                    if link.state == State::Up {
                        link.state = State::Down { until };
                        link.clear();
                    }
                });
            }
            Event::Received { from, message } => {
                // Whoever is lost is not listened to: what it said is settled by the others.
                if !self.view.is_lost(from) && self.failure.is_none() {
                    self.receive(from, message, now);
                }
            }
            Event::Gone(worker) => self.lose(vec![worker], now),
            Event::Tick => {
                let overdue =
                    |link: &Link| matches!(link.state, State::Down { until } if now >= until);
                let gone = self.links.iter().filter(|(_, link)| overdue(link));
                let gone: Vec<WorkerId> = gone.map(|(neighbour, _)| neighbour).collect();
                self.lose(gone, now);
            }
        }
    }

    /// A new connection carries all that its other end may lack.
    fn resume(&mut self, neighbour: WorkerId) {
        if self.links.state(neighbour).is_none() {
            return;
        }
        let kept = self.streams.iter().flat_map(Stream::kept);
        let lacking: Vec<Piece> = kept
            .filter(|piece| self.route(piece).contains(&neighbour))
            .cloned()
            .collect();
        let is_next = Some(neighbour) == self.next_in_ring();
        self.links.with(neighbour, |link| {
            link.clear();
            link.state = State::Up;
            for report in self.view.reports() {
                link.push_control(Message::View(report.clone()));
            }
            if is_next {
                let sent = self.ring.sent();
                sent.for_each(|chunk| link.push_chunk(chunk.clone()));
            }
            lacking.into_iter().for_each(|piece| link.push(piece));
        });
    }

    fn receive(&mut self, from: WorkerId, message: Message, now: Duration) {
        match message {
            Message::Pieces(pieces) => {
                for piece in pieces {
                    if piece.origin.0 < self.setting.workers && piece.origin != self.setting.me {
                        self.take_in(piece);
                    }
                }
            }
            Message::View(report) => self.hear(report, now),
            Message::Chunk(chunk) => {
                if let Some(onward) = self.ring.receive(chunk) {
                    self.pass_on(onward);
                }
            }
            Message::Goodbye => {
                self.links.with(from, |link| {
                    link.state = State::Done;
                    link.clear();
                });
            }
        }
    }

    /// Keeps a piece, passes it on if it is new, and hands out what has become due.
    fn take_in(&mut self, piece: Piece) {
        let stream = &mut self.streams[piece.origin.index()];
        let before = stream.reached();
        if !stream.insert(piece.clone()) {
            return;
        }
        let after = stream.reached();
        for to in self.route(&piece) {
            self.links.with(to, |link| link.push(piece.clone()));
        }
        if after != before {
            self.advanced(piece.origin, before);
        }
    }

    /// To whom a piece is passed on from here.
    fn route(&self, piece: &Piece) -> Vec<WorkerId> {
        let me = self.setting.me;
        let by_tree = piece.epoch == self.view.epoch() && !self.view.is_lost(piece.origin);
        match by_tree {
            true => self
                .setting
                .topology
                .onward(self.view.members(), piece.origin, me),
            false => self.listeners.iter().copied().collect(),
        }
    }

    /// More of `origin` is whole than before.
    fn advanced(&mut self, origin: WorkerId, before: Clock) {
        if before == self.floor {
            self.at_floor -= 1;
        }
        if self.at_floor == 0 {
            self.raise_floor();
        } else if !self.setting.consistency.applies_whole_rounds() {
            let updates = self.streams[origin.index()].hand_out(NEVER);
            self.updates.extend(updates);
        }
    }

    /// Finds out anew up to where everything is whole, hands it out and forgets what all have.
    fn raise_floor(&mut self) {
        let reached = || self.streams.iter().map(Stream::reached);
        let floor = reached().min().unwrap_or(NEVER);
        self.at_floor = reached().filter(|reached| *reached == floor).count();
        if self.setting.consistency.applies_whole_rounds() {
            while self.floor < floor {
                self.floor = self.floor.next();
                for stream in &mut self.streams {
                    self.updates.extend(stream.hand_out(self.floor));
                }
            }
        } else {
            self.floor = floor;
            for stream in &mut self.streams {
                self.updates.extend(stream.hand_out(NEVER));
            }
        }
        let seen = |member: &WorkerId| match *member == self.setting.me {
            true => floor,
            false => self.streams[member.index()].seen(),
        };
        let everywhere = self
            .view
            .members()
            .iter()
            .map(seen)
            .min()
            .unwrap_or(Clock(0));
        self.streams
            .iter_mut()
            .for_each(|stream| stream.forget(everywhere));
    }

    fn next_in_ring(&self) -> Option<WorkerId> {
        let next = (self.setting.me.0 + 1) % self.setting.workers;
        (next != self.setting.me.0).then_some(WorkerId(next))
    }

    fn pass_on(&mut self, chunk: Chunk) {
        if let Some(next) = self.next_in_ring() {
            self.links.with(next, |link| link.push_chunk(chunk));
        }
    }

    /// Somebody says who is lost.
    fn hear(&mut self, report: Report, now: Duration) {
        let me = self.setting.me;
        if report.lost.iter().any(|(worker, _)| *worker == me) {
            self.failure
                .get_or_insert(Failure::Excluded { by: report.by });
            return;
        }
        let known = report
            .lost
            .iter()
            .all(|(worker, _)| worker.0 < self.setting.workers);
        if !known || report.by.0 >= self.setting.workers {
            return;
        }
        let news = self.view.news(&report);
        self.lose(news, now);
        if self.view.record(&report) {
            self.tell_all(&Message::View(report));
            self.try_to_agree();
        }
    }

    /// Goes on without `workers`, or stops.
    fn lose(&mut self, workers: Vec<WorkerId>, now: Duration) {
        let lost: BTreeSet<WorkerId> = workers
            .into_iter()
            .filter(|worker| !self.view.is_lost(*worker))
            .collect();
        let Some(&last) = lost.last() else {
            return;
        };
        for worker in self.view.lost().chain(lost).collect::<Vec<_>>() {
            let whole = self.streams[worker.index()].fence();
            self.view.lose(worker, whole);
        }
        self.relink(now);
        let report = self.view.report();
        self.tell_all(&Message::View(report));
        if self.setting.on_loss == OnLoss::Stop || self.ring.is_used() {
            // A sum that goes round cannot be told apart any more.
            self.failure.get_or_insert(Failure::Lost(last));
        } else if !self.view.may_go_on() {
            let (left, of) = (self.view.members().len(), self.view.agreed());
            self.failure.get_or_insert(Failure::Minority {
                lost: last,
                left,
                of,
            });
        }
        self.flood();
        self.raise_floor();
        self.try_to_agree();
    }

    /// Makes the links those of the members that are left.
    fn relink(&mut self, now: Duration) {
        let Setting {
            me,
            topology,
            patience,
            ..
        } = self.setting;
        self.listeners = topology.out(self.view.members(), me);
        let neighbours = topology.neighbours(self.view.members(), me);
        self.links.retain(neighbours, now + patience);
        let is_back = |(neighbour, link): &(WorkerId, &Link)| {
            matches!(link.state, State::Down { .. }) && self.connected.contains(neighbour)
        };
        let back = self.links.iter().filter(is_back);
        let back: Vec<WorkerId> = back.map(|(neighbour, _)| neighbour).collect();
        back.into_iter()
            .for_each(|neighbour| self.resume(neighbour));
    }

    /// Sends all that is kept to all to whom this peer sends now.
    fn flood(&mut self) {
        let kept: Vec<Piece> = self
            .streams
            .iter()
            .flat_map(Stream::kept)
            .cloned()
            .collect();
        for to in &self.listeners {
            self.links.with(*to, |link| {
                kept.iter().for_each(|piece| link.push(piece.clone()));
            });
        }
    }

    fn tell_all(&mut self, message: &Message) {
        self.links
            .with_each(|link| link.push_control(message.clone()));
    }

    /// When all members have said what they have of the lost ones, that is what counts.
    fn try_to_agree(&mut self) {
        let Some(cuts) = self.view.agree() else {
            return;
        };
        for (worker, end) in cuts {
            self.streams[worker.index()].cut(end);
        }
        self.raise_floor();
    }
}
