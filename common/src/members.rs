//! Who takes part in a job: the nodes that wait for it, in the order of their ranks.
//!
//! Whoever starts nodes makes this value (from a hostfile, or what Slurm, Open MPI or Kubernetes
//! say), and whoever runs programs on them takes it. It holds the job's secret: it is handed on in
//! memory or over a pipe, never on a command line.

use std::net::SocketAddr;

use crate::auth::Secret;

/// The nodes of a job and what they have in common.
#[derive(Clone, Debug)]
pub struct Members {
    /// In the order of their ranks; at least one.
    pub nodes: Vec<Member>,
    /// What each connection between them is proven with.
    pub secret: Secret,
}

/// A node that listens and waits for a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// What people call it: the name in the hostfile.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// How many workers it has.
    pub workers: usize,
}
