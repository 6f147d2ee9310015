//! Where an app's programs run: on the threads of this process, or on nodes.

use std::net::TcpStream;
use strads::cluster::{Cluster, Member, Programs, Timing};
use strads::{Error, Executor};

use super::Options;
use super::launch::Nodes;
use crate::failure::Failure;
use crate::{lda, linear, mf, mlr};

/// The programs that nodes can run.
pub fn programs() -> Programs {
    let programs = Programs::new()
        .and::<linear::program::SparseRegression>()
        .and::<lda::Lda>()
        .and::<mlr::Learning>();
    mf::programs(programs)
}

/// An executor, with the nodes that it needs.
#[derive(Debug)]
pub struct Place {
    /// Where programs run.
    pub executor: Executor,
    /// How many workers there is room for.
    pub workers: usize,
    /// How many processes these are in, those that are lost included.
    pub hosts: usize,
    /// They end with this.
    nodes: Option<Nodes>,
}

impl Place {
    /// The nodes that `options` name, those of them that are there if some may be lost; or
    /// `threads` threads here.
    pub fn new(options: &Options, threads: usize, bereft: bool) -> Result<Self, Failure> {
        let Some(nodes) = options.start()? else {
            return Ok(Self {
                executor: Executor::Threads(threads),
                workers: threads,
                hosts: 1,
                nodes: None,
            });
        };
        let mut members = nodes.members().clone();
        // Those of lost nodes too: the number of workers is part of the model.
        let hosts = members.nodes.len();
        let workers = members.nodes.iter().map(|node| node.workers).sum();
        if bereft {
            members.nodes.retain(answers);
        }
        let cluster = loop {
            if members.nodes.is_empty() {
                return Err(Failure::world("none of the nodes is left"));
            }
            let before = members.nodes.len();
            match Cluster::join(&members, Timing::default()) {
                Ok(cluster) => break cluster,
                // A process that is being killed may have answered, and be gone by now.
                Err(Error::Unreachable { .. }) if bereft => members.nodes.retain(answers),
                Err(error) => return Err(error.into()),
            }
            if members.nodes.len() == before {
                return Err(Failure::world("the nodes that are left cannot be reached"));
            }
        };
        Ok(Self {
            workers,
            hosts,
            executor: Executor::Cluster(cluster),
            nodes: Some(nodes),
        })
    }

    /// True if the programs run on other processes than this one.
    pub fn is_cluster(&self) -> bool {
        self.nodes.is_some()
    }
}

/// Whether somebody listens where a node should be.
fn answers(member: &Member) -> bool {
    TcpStream::connect_timeout(&member.address, Timing::default().silence).is_ok()
}
