//! A cluster over TCP.
//!
//! Each process has one thread for input and output, apart from those that compute. The
//! coordinator calls every node and stays connected; a node calls another one when it first has a
//! block for it. A connection is proven and, where it leaves the host, sealed
//! ([`strads_common::channel`]); then it carries [messages](super::message) and signs of life. The
//! end of a connection is the loss of whoever is at its other end.

mod join;
mod link;
mod peers;
mod serve;

pub use join::join;
pub use serve::serve;

use std::time::Duration;

pub use strads_common::members::{Member, Members};

/// How soon things are noticed.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two signs of life.
    pub heartbeat: Duration,
    /// Without a sign of life, or with sent data unacknowledged, for so long, a connection ends.
    pub silence: Duration,
    /// So long a call may go without an answer.
    pub answer: Duration,
    /// For so long a node that does not answer is called again.
    pub patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(500),
            silence: Duration::from_secs(4),
            answer: Duration::from_secs(4),
            patience: Duration::from_secs(5),
        }
    }
}
