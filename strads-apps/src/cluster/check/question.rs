//! What a check asks, and what it is answered.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What is asked of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Answered by `()`; how long that takes is the latency.
    Ping,
    /// What the host is: [`Facts`].
    Facts,
    /// Answered by `()` once pieces have come: so many, of [`PIECE`](crate::cluster::talk::PIECE) bytes each.
    Take(u32),
    /// How the link from here to there does: `Result<Link, String>`.
    Measure(SocketAddr),
}

/// What a host is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// Processors that a process can use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Version of strads.
    pub version: String,
    /// Kind of system and processor.
    pub system: String,
    /// What its clock says: seconds since 1970.
    pub clock_seconds: f64,
}

/// How a link does.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// From a question to its answer: the median.
    pub round_trip_seconds: f64,
    /// What goes through in this direction.
    pub bytes_per_second: f64,
}
