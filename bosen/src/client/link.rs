//! A worker's side of the connection to one shard: what has been sent and not acknowledged, what
//! has been asked and not answered. Both are sent again when a connection is replaced.

use crate::message::{PartId, Sequence, ToShard};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub(super) struct Link {
    state: State,
    last: Sequence,
    acknowledged: Sequence,
    unacknowledged: VecDeque<(usize, ToShard)>,
    unacknowledged_bytes: usize,
    unanswered: BTreeMap<PartId, ToShard>,
    /// Where acknowledgements stood when they were last looked at with some outstanding, and since
    /// when they have stood there.
    standstill: Option<(Sequence, Duration)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No connection, or one on which the shard has not said where it is; given up if that is
    /// still so then.
    Down {
        until: Duration,
    },
    Up,
    /// Given up.
    Failed,
}

impl Link {
    pub fn new(until: Duration) -> Link {
        Link {
            state: State::Down { until },
            last: Sequence(0),
            acknowledged: Sequence(0),
            unacknowledged: VecDeque::new(),
            unacknowledged_bytes: 0,
            unanswered: BTreeMap::new(),
            standstill: None,
        }
    }

    pub fn has_failed(&self) -> bool {
        self.state == State::Failed
    }

    pub fn unacknowledged_bytes(&self) -> usize {
        self.unacknowledged_bytes
    }

    /// The last update that was given a place.
    pub fn last(&self) -> Sequence {
        self.last
    }

    pub fn acknowledged(&self) -> Sequence {
        self.acknowledged
    }

    /// The place of the next update.
    pub fn next(&mut self) -> Sequence {
        self.last = Sequence(self.last.0 + 1);
        self.last
    }

    /// Keeps an update of `bytes` until it is acknowledged; returns whether to send it now.
    pub fn keep_update(&mut self, bytes: usize, message: ToShard) -> bool {
        self.unacknowledged_bytes += bytes;
        self.unacknowledged.push_back((bytes, message));
        self.state == State::Up
    }

    /// Keeps a question until it is answered; returns whether to send it now.
    pub fn keep_question(&mut self, part: PartId, message: ToShard) -> bool {
        self.unanswered.insert(part, message);
        self.state == State::Up
    }

    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub fn answered(&mut self, part: PartId) {
        self.unanswered.remove(&part);
    }

    /// The shard has taken in all updates up to `received`.
    pub fn acknowledge(&mut self, received: Sequence) {
        let received = received.min(self.last);
        while self.acknowledged < received {
            self.acknowledged = Sequence(self.acknowledged.0 + 1);
            let (bytes, _) = self
                .unacknowledged
                .pop_front()
                .expect("one entry an unacknowledged update");
            self.unacknowledged_bytes -= bytes;
        }
    }

    /// The connection stands: what is to be sent again.
    pub fn resume(&mut self) -> impl Iterator<Item = ToShard> + '_ {
        self.state = State::Up;
        let updates = self.unacknowledged.iter().map(|(_, message)| message);
        updates.chain(self.unanswered.values()).cloned()
    }

    /// The connection is gone; the shard has until then to be back.
    pub fn down(&mut self, until: Duration) {
        if self.state == State::Up {
            self.state = State::Down { until };
            self.standstill = None;
        }
    }

    /// Whether the shard is given up now: it has not been reached for too long, or has taken in
    /// nothing of what it was sent for `patience`. What it has not acknowledged is lost, so that
    /// nothing can be said to it any more.
    pub fn gives_up(&mut self, now: Duration, patience: Duration) -> bool {
        let due = match self.state {
            State::Down { until } => now >= until,
            State::Up => self.stands_still(now, patience),
            State::Failed => false,
        };
        if due {
            self.state = State::Failed;
            self.unacknowledged.clear();
            self.unanswered.clear();
        }
        due
    }

    /// Whether no acknowledgement has come for `patience`, though some are outstanding.
    fn stands_still(&mut self, now: Duration, patience: Duration) -> bool {
        let outstanding = !self.unacknowledged.is_empty();
        match self.standstill {
            Some((at, since)) if outstanding && at == self.acknowledged => now >= since + patience,
            _ => {
                self.standstill = outstanding.then_some((self.acknowledged, now));
                false
            }
        }
    }
}
