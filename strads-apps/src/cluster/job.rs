//! What launcher and node say to each other: lines of JSON over the node's standard input and output.
//!
//! The launcher's first line is the [`Job`], with the secret in it; after that an empty line is a sign
//! of life, and the end of input is the end of the job. The node answers with [`Said`]. What is no such
//! line comes from elsewhere (a shell's greeting, say), and is shown and not believed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strads_common::auth::Secret;

/// Between two signs of life, in both directions.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// Without a sign of life for so long, the other end is lost.
pub const SILENCE: Duration = Duration::from_secs(5);
/// What a node speaks; a launcher takes no other.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a node is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Run programs.
    Train,
    /// Answer questions about the host and its links.
    Check,
}

/// What a node is told.
#[derive(Clone, Serialize, Deserialize)]
pub struct Job {
    /// The job's secret, as hexadecimal digits.
    secret: String,
    /// Links go without TLS.
    clear: bool,
    /// Addresses of the host as the launcher knows it: the node listens on the first that is its own.
    pub listen: Vec<IpAddr>,
    /// Where it listens; 0 is any port.
    pub port: u16,
    /// How many workers it has, if that is not left to it.
    pub workers: Option<usize>,
    /// What it does.
    pub purpose: Purpose,
}

impl Job {
    /// A job with this secret, for a node that listens on the first of `listen` that it has.
    pub fn new(secret: &Secret, listen: Vec<IpAddr>, purpose: Purpose) -> Job {
        Job {
            secret: secret.to_hexadecimal(),
            clear: secret.is_clear(),
            listen,
            port: 0,
            workers: None,
            purpose,
        }
    }

    /// The secret, if that is what it is.
    pub fn secret(&self) -> Option<Secret> {
        let secret = Secret::from_hexadecimal(&self.secret)?;
        Some(if self.clear {
            secret.in_clear()
        } else {
            secret
        })
    }

    /// The line that it travels as.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("a job is plain data")
    }
}

/// What a node says of itself once it listens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Where it listens.
    pub address: SocketAddr,
    /// How many workers it has.
    pub workers: usize,
    /// What it speaks.
    pub version: String,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// What a node says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Before it is a node: what system and processor the host has.
    System(String),
    /// Before it is a node: the program is not there, and is to be sent.
    Send,
    /// Before it is a node: the program is there, and what follows on standard input is for it.
    Run,
    /// The node listens.
    Ready(Ready),
    /// A sign of life.
    Alive,
    /// A line of its standard output.
    Out(String),
    /// A line of its standard error.
    Err(String),
    /// It has ended.
    Exit(Exit),
}

impl Said {
    /// What `line` says, unless it comes from elsewhere.
    pub fn read(line: &str) -> Option<Said> {
        serde_json::from_str(line).ok()
    }

    /// The line that it travels as.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("what is said is plain data")
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "ended with exit code {code}"),
            Exit::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}
