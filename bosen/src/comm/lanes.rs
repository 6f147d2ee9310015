//! Messages that wait for a link, and which of them goes next.
//!
//! Updates and clock messages keep their order, because a clock message says that everything
//! before it has been sent. Questions overtake them, a few at a time, so that neither waits for
//! long behind the other.

use std::collections::VecDeque;

/// What a message may overtake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    /// All others: tables, before anything that is about them.
    First,
    /// What is in order, but not for ever: questions.
    Soon,
    /// Nothing: updates, clocks, answers.
    InOrder,
}

/// Questions in a row while something else waits.
const MOST_IN_A_ROW: u32 = 8;

/// Messages that wait.
#[derive(Debug)]
pub struct Lanes<M> {
    first: VecDeque<M>,
    soon: VecDeque<M>,
    in_order: VecDeque<M>,
    /// Questions that went since something else did.
    in_a_row: u32,
}

impl<M> Default for Lanes<M> {
    fn default() -> Self {
        Lanes {
            first: VecDeque::new(),
            soon: VecDeque::new(),
            in_order: VecDeque::new(),
            in_a_row: 0,
        }
    }
}

impl<M> Lanes<M> {
    /// Adds a message.
    pub fn push(&mut self, lane: Lane, message: M) {
        match lane {
            Lane::First => self.first.push_back(message),
            Lane::Soon => self.soon.push_back(message),
            Lane::InOrder => self.in_order.push_back(message),
        }
    }

    /// Takes back the last message in order if `which` says so.
    pub fn retract(&mut self, which: impl FnOnce(&M) -> bool) -> Option<M> {
        self.in_order.pop_back_if(|last| which(last))
    }

    /// All messages, in the order in which they go.
    pub fn drain(&mut self) -> VecDeque<M> {
        if self.first.is_empty() && self.soon.is_empty() {
            return std::mem::take(&mut self.in_order);
        }
        std::iter::from_fn(|| self.pop()).collect()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.soon.is_empty() && self.in_order.is_empty()
    }

    /// The message that goes next.
    pub fn pop(&mut self) -> Option<M> {
        if let Some(message) = self.first.pop_front() {
            return Some(message);
        }
        let in_turn = self.in_a_row < MOST_IN_A_ROW || self.in_order.is_empty();
        if in_turn && let Some(message) = self.soon.pop_front() {
            self.in_a_row += 1;
            return Some(message);
        }
        self.in_a_row = 0;
        self.in_order.pop_front()
    }
}
