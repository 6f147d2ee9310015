//! Managed communication: what goes over a link when, within a budget.
//!
//! A link is one direction of one connection. Three questions are answered here, all without
//! clocks or sockets, so that the simulator runs the same code as TCP:
//!
//! - *How much now?* [`bucket`] holds the rate over any window; [`pacer`] applies it to messages
//!   and to the headers that a network puts around them.
//! - *What has to go?* Messages, in [`lanes`]: a question may overtake updates, a clock message
//!   waits for what it speaks of and for nothing else.
//! - *What could go?* Whoever has increments that need not go yet keeps them in a [`backlog`],
//!   where they go on being summed. When a link has budget left and no message waits, it is
//!   offered to the backlog, which gives its most important rows ([`order`]).
//!
//! So nothing is a message before it has to be: there is no queue of unimportant things that
//! important ones would have to overtake.

pub mod backlog;
pub mod bucket;
pub mod lanes;
pub mod order;
pub mod pacer;

pub use order::Order;
use std::time::Duration;

/// What a link may carry, and what goes first.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Budget {
    /// Bytes a second, headers of the network included.
    pub bytes_per_second: u64,
    /// Bytes that may go at once after a pause.
    pub burst_bytes: u64,
    /// What goes first of what need not go yet.
    pub order: Order,
}

impl Budget {
    /// So many bytes a second, in bursts of at most twenty milliseconds or two packets, most
    /// important rows first.
    pub fn new(bytes_per_second: u64) -> Budget {
        Budget {
            bytes_per_second: bytes_per_second.max(1),
            burst_bytes: (bytes_per_second / 50).max(2 * pacer::PACKET_BYTES),
            order: Order::Absolute,
        }
    }

    /// The same with another order.
    pub fn order(self, order: Order) -> Budget {
        Budget { order, ..self }
    }
}

/// What a link is to do now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// Begin with the next message.
    Begin,
    /// Write so many bytes of the message that has begun.
    Write(u64),
    /// No message waits, and so many bytes could go.
    Room(u64),
    /// Nothing before then.
    Wait(Duration),
}

#[cfg(test)]
mod tests;
