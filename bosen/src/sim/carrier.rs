//! One direction of a simulated connection: messages become frames as on a socket, in the order
//! and at the pace of [`crate::comm`].

use crate::comm::lanes::{Lane, Lanes};
use crate::comm::pacer::Pacer;
use crate::comm::{Advice, Budget};
use crate::wire::{Outgoing, Recalled, Remembered};
use std::time::Duration;
use strads_common::frame::{Frame, HEADER_BYTES, padding};

/// Messages of type `M` on their way, and what both ends remember of those before.
pub(super) struct Carrier<M> {
    waiting: Lanes<M>,
    pacer: Option<Pacer>,
    begun: Option<Frame>,
    remembered: Remembered,
    pub recalled: Recalled,
    /// When it is looked at again, if that is planned.
    pub planned: Option<Duration>,
}

/// What a carrier wants.
pub(super) enum Step {
    /// This frame leaves now.
    Depart(Frame),
    /// There is room for so many bytes.
    Room(usize),
    /// To be asked again then.
    Wait(Duration),
    /// Nothing, until there is a message.
    Rest,
}

impl<M> Carrier<M> {
    pub fn new(budget: Option<Budget>) -> Carrier<M> {
        Carrier {
            waiting: Lanes::default(),
            pacer: budget.map(Pacer::new),
            begun: None,
            remembered: Remembered::default(),
            recalled: Recalled::default(),
            planned: None,
        }
    }

    pub fn push(&mut self, lane: Lane, message: M) {
        self.waiting.push(lane, message);
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Nothing that waits will be sent.
    pub fn close(&mut self) {
        self.waiting = Lanes::default();
        self.begun = None;
        self.pacer = None;
    }

    /// What comes next.
    pub fn step(
        &mut self,
        now: Duration,
        encode: impl Fn(&M, &mut Remembered) -> Outgoing,
    ) -> Step {
        let Some(pacer) = &mut self.pacer else {
            return match self.waiting.pop() {
                Some(message) => Step::Depart(flatten(encode(&message, &mut self.remembered))),
                None => Step::Rest,
            };
        };
        loop {
            match pacer.advise(now, !self.waiting.is_empty()) {
                Advice::Begin => {
                    let message = self.waiting.pop().expect("a message waits");
                    let frame = flatten(encode(&message, &mut self.remembered));
                    pacer.begin(length(&frame) as u64);
                    self.begun = Some(frame);
                }
                Advice::Write(bytes) => {
                    if pacer.written(bytes, now) {
                        return Step::Depart(self.begun.take().expect("a message has begun"));
                    }
                }
                Advice::Room(bytes) => return Step::Room(bytes as usize),
                Advice::Wait(then) => return Step::Wait(then),
            }
        }
    }
}

/// The frame that the other end will see.
fn flatten(outgoing: Outgoing) -> Frame {
    Frame {
        header: outgoing.header,
        body: outgoing.parts.concat().into(),
    }
}

/// Bytes that a frame takes.
pub(super) fn length(frame: &Frame) -> usize {
    HEADER_BYTES + frame.body.len() + padding(frame.body.len())
}
