//! Where an app's programs run: on the threads of this process, or on nodes.

use strads::Executor;
use strads::cluster::{Cluster, Programs, Timing};

use super::Options;
use super::launch::Nodes;
use crate::failure::Failure;
use crate::{lda, linear, mf};

/// The programs that nodes can run.
pub fn programs() -> Programs {
    let programs = Programs::new()
        .and::<linear::program::SparseRegression>()
        .and::<lda::Lda>();
    mf::programs(programs)
}

/// An executor, with the nodes that it needs.
#[derive(Debug)]
pub struct Place {
    /// Where programs run.
    pub executor: Executor,
    /// How many workers there is room for.
    pub workers: usize,
    /// They end with this.
    nodes: Option<Nodes>,
}

impl Place {
    /// The nodes that `options` name, or `threads` threads here.
    pub fn new(options: &Options, threads: usize) -> Result<Self, Failure> {
        let Some(nodes) = options.start()? else {
            return Ok(Self {
                executor: Executor::Threads(threads),
                workers: threads,
                nodes: None,
            });
        };
        let cluster = Cluster::join(nodes.members(), Timing::default())?;
        Ok(Self {
            workers: cluster.slots(),
            executor: Executor::Cluster(cluster),
            nodes: Some(nodes),
        })
    }

    /// True if the programs run on other processes than this one.
    pub fn is_cluster(&self) -> bool {
        self.nodes.is_some()
    }
}
