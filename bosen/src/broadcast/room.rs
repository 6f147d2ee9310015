//! Peers of one process: messages are handed over where they are made, without sockets.

use super::{Event, Failure, Home, MERGED_BYTES, Message, Peer, Setting};
use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use strads_common::ids::WorkerId;

/// A worker's place among the others. Dropping it without having left counts as its loss.
pub struct Seat {
    me: WorkerId,
    room: Arc<Room>,
    has_left: bool,
}

struct Room {
    inside: Mutex<Inside>,
    changed: Condvar,
}

struct Inside {
    peers: Vec<Peer>,
    /// Pairs that are linked, the lower one first.
    linked: BTreeSet<(usize, usize)>,
}

/// Places for all workers that `setting` speaks of, in their order.
pub fn seats(setting: Setting) -> Vec<Seat> {
    let workers = (0..setting.workers).map(WorkerId);
    let peer = |me| Peer::new(Setting { me, ..setting }, Duration::ZERO);
    let mut inside = Inside {
        peers: workers.clone().map(peer).collect(),
        linked: BTreeSet::new(),
    };
    inside.move_messages();
    let room = Arc::new(Room {
        inside: Mutex::new(inside),
        changed: Condvar::new(),
    });
    let seat = |me| Seat {
        me,
        room: room.clone(),
        has_left: false,
    };
    workers.map(seat).collect()
}

impl Home for Seat {
    fn with<T>(&self, act: impl FnOnce(&mut Peer) -> T) -> T {
        let mut inside = self.room.lock();
        let result = act(&mut inside.peers[self.me.index()]);
        inside.move_messages();
        self.room.changed.notify_all();
        result
    }

    fn wait(&self, mut until: impl FnMut(&mut Peer) -> bool) -> Result<(), Failure> {
        let mut inside = self.room.lock();
        loop {
            let peer = &mut inside.peers[self.me.index()];
            if let Some(failure) = peer.failure() {
                return Err(failure);
            }
            if until(peer) {
                return Ok(());
            }
            inside = self
                .room
                .changed
                .wait(inside)
                .expect("nothing panics while it holds the room");
        }
    }

    fn leave(mut self) {
        self.has_left = true;
        self.with(Peer::leave);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.has_left {
            return;
        }
        let mut inside = self.room.lock();
        for other in 0..inside.peers.len() {
            if other != self.me.index() {
                inside.peers[other].on_event(Event::Gone(self.me), Duration::ZERO);
            }
        }
        inside.move_messages();
        self.room.changed.notify_all();
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside
            .lock()
            .expect("nothing panics while it holds the room")
    }
}

impl Inside {
    /// Hands over messages until there are none.
    fn move_messages(&mut self) {
        self.link();
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for from in 0..self.peers.len() {
                while let Some((to, message)) = next_message(&mut self.peers[from]) {
                    let from = WorkerId(from as u32);
                    let event = Event::Received { from, message };
                    self.peers[to.index()].on_event(event, Duration::ZERO);
                    moved = true;
                }
            }
            moved |= self.link();
        }
    }

    /// Links neighbours that are not linked yet; whether there were any.
    fn link(&mut self) -> bool {
        let mut new = Vec::new();
        for (low, peer) in self.peers.iter().enumerate() {
            for high in peer
                .neighbours()
                .map(WorkerId::index)
                .filter(|high| low < *high)
            {
                let mutual = self.peers[high]
                    .neighbours()
                    .any(|other| other.index() == low);
                if mutual && self.linked.insert((low, high)) {
                    new.push((low, high));
                }
            }
        }
        for &(low, high) in &new {
            let id = |index| WorkerId(index as u32);
            self.peers[low].on_event(Event::Connected(id(high)), Duration::ZERO);
            self.peers[high].on_event(Event::Connected(id(low)), Duration::ZERO);
        }
        !new.is_empty()
    }
}

/// What `peer` has to say next, and to whom.
fn next_message(peer: &mut Peer) -> Option<(WorkerId, Message)> {
    let to = peer.waiting().next()?;
    Some((to, peer.next_message(to, MERGED_BYTES)?))
}
