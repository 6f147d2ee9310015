//! The store over TCP: the state machines of [`shard`](crate::shard) and
//! [`client`](crate::client), moved by sockets and the clock.
//!
//! Each side has one thread for input and output. A connection begins with the mutual proof of
//! the job's secret ([`strads_common::auth`]), then carries frames ([`crate::wire`]). Both ends
//! send signs of life; one that hears nothing for [`Timing::silence`] ends the connection, and the
//! state machines decide what that means.

pub(crate) mod driver;
mod gather;
mod paced;
pub(crate) mod pipe;
mod server;
mod traffic;
mod worker;

pub use server::{Server, ServerOptions};
pub use traffic::Traffic;
pub use worker::{Handle, Worker, WorkerOptions};

use std::time::Duration;

/// How soon things are noticed.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two signs of life.
    pub heartbeat: Duration,
    /// Without a sign of life, or with sent data unacknowledged, for so long, a connection ends.
    pub silence: Duration,
    /// From the end of a connection, or from the last sign that increments are taken in, until
    /// what waits for it fails, naming the peer.
    pub patience: Duration,
    /// From the start of a job until a peer that has never come counts as lost.
    pub join: Duration,
    /// From the beginning of a read that waits for other workers at a server until it fails,
    /// naming the one that is furthest behind; without a limit it waits for as long as they give
    /// signs of life.
    pub wait: Option<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            heartbeat: Duration::from_secs(1),
            silence: Duration::from_secs(5),
            patience: Duration::from_secs(10),
            join: Duration::from_secs(60),
            wait: None,
        }
    }
}

/// What goes wrong between machines.
#[derive(Debug, thiserror::Error)]
pub enum TcpError {
    /// The system refuses a socket, a thread or a timer.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// A command came to nothing.
    #[error(transparent)]
    Failed(#[from] crate::client::Failure),
}
