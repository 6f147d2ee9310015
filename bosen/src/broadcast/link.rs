//! What is to be said to one neighbour, the most urgent first.

use super::{Chunk, Message, Piece};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use strads_common::ids::{Clock, WorkerId};

/// A neighbour, as one peer sees it.
pub(super) struct Link {
    pub state: State,
    control: VecDeque<Message>,
    chunks: VecDeque<Chunk>,
    pieces: BTreeMap<Key, Piece>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// There is no connection; without one by then the neighbour is lost.
    Down {
        until: Duration,
    },
    Up,
    /// It has said goodbye.
    Done,
}

/// Older clocks first, in them what is more urgent.
type Key = (Clock, u16, WorkerId, u32);

impl Link {
    pub fn new(until: Duration) -> Link {
        Link {
            state: State::Down { until },
            control: VecDeque::new(),
            chunks: VecDeque::new(),
            pieces: BTreeMap::new(),
        }
    }

    /// Forgets what has not been sent: a new connection begins with everything that matters.
    pub fn clear(&mut self) {
        self.control.clear();
        self.chunks.clear();
        self.pieces.clear();
    }

    pub fn push(&mut self, piece: Piece) {
        if self.state == State::Up {
            let key = (piece.clock, piece.urgency, piece.origin, piece.index);
            self.pieces.insert(key, piece);
        }
    }

    pub fn push_control(&mut self, message: Message) {
        if self.state == State::Up {
            self.control.push_back(message);
        }
    }

    pub fn push_chunk(&mut self, chunk: Chunk) {
        if self.state == State::Up {
            self.chunks.push_back(chunk);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.control.is_empty() && self.chunks.is_empty() && self.pieces.is_empty()
    }

    /// The next message; pieces are merged into one as long as they are within `most_bytes`.
    pub fn next(&mut self, most_bytes: usize) -> Option<Message> {
        // A goodbye is the last word.
        if let Some(message) = self
            .control
            .pop_front_if(|message| *message != Message::Goodbye)
        {
            return Some(message);
        }
        if let Some(chunk) = self.chunks.pop_front() {
            return Some(Message::Chunk(chunk));
        }
        let mut merged: Vec<Piece> = Vec::new();
        let mut bytes = 0;
        while let Some(entry) = self.pieces.first_entry() {
            bytes += entry.get().content.len();
            if !merged.is_empty() && bytes > most_bytes {
                break;
            }
            merged.push(entry.remove());
        }
        match merged.is_empty() {
            false => Some(Message::Pieces(merged)),
            true => self.control.pop_front(),
        }
    }
}
