//! What a worker or a server has sent: a record that grows while it runs.

use crate::wire::{Outgoing, Remembered, Savings};
use bytes::Bytes;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use strads_common::frame::HEADER_BYTES;

/// What has been sent, and what has not had to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Bytes of frames, with their headers.
    pub bytes: u64,
    /// Bytes that filters and remembered keys have saved.
    pub saved: Savings,
    /// Bytes of increments that filters kept back, to be summed and sent later.
    pub withheld: u64,
}

/// Counts for several connections at once.
#[derive(Default)]
pub(super) struct Counters {
    frames: AtomicU64,
    bytes: AtomicU64,
    recalled: AtomicU64,
    packed: AtomicU64,
    coded: AtomicU64,
}

impl Counters {
    /// What a connection remembers, before its first frame.
    pub fn connection(&self) -> Counted<'_> {
        Counted {
            counters: self,
            known: Remembered::default(),
            before: Savings::default(),
        }
    }

    /// All that has been counted.
    pub fn traffic(&self) -> Traffic {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            frames: read(&self.frames),
            bytes: read(&self.bytes),
            saved: Savings {
                recalled: read(&self.recalled),
                packed: read(&self.packed),
                coded: read(&self.coded),
            },
            withheld: 0,
        }
    }
}

/// The sending side of one connection.
pub(super) struct Counted<'a> {
    counters: &'a Counters,
    known: Remembered,
    before: Savings,
}

impl Counted<'_> {
    /// Encodes a message and counts it.
    pub fn encode<M>(
        &mut self,
        message: &M,
        encode: impl FnOnce(&M, &mut Remembered) -> Outgoing,
    ) -> Outgoing {
        let frame = encode(message, &mut self.known);
        let now = self.known.savings();
        let body: usize = frame.parts.iter().map(Bytes::len).sum();
        let Savings {
            recalled,
            packed,
            coded,
        } = self.before;
        let add = |counter: &AtomicU64, more: u64| counter.fetch_add(more, Ordering::Relaxed);
        add(&self.counters.frames, 1);
        add(&self.counters.bytes, (HEADER_BYTES + body) as u64);
        add(&self.counters.recalled, now.recalled - recalled);
        add(&self.counters.packed, now.packed - packed);
        add(&self.counters.coded, now.coded - coded);
        self.before = now;
        frame
    }
}
