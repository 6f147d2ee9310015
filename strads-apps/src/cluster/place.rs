//! Where an app's programs run: on the threads of this process, or on nodes.

use std::time::Duration;

use strads::cluster::{Cluster, Programs, Timing};
use strads::{Error, Executor};

use super::Options;
use super::roster::Roster;
use crate::failure::Failure;
use crate::standard::to_standard_error;
use crate::{lda, linear, mf, mlr};

/// Nodes that have been there before answer soon or not at all.
const AGAIN: Duration = Duration::from_secs(2);

/// The programs that nodes can run.
pub fn programs() -> Programs {
    let programs = Programs::new()
        .and::<linear::program::SparseRegression>()
        .and::<lda::Lda>()
        .and::<mlr::Learning>();
    mf::programs(programs)
}

/// An executor, and how much room it has.
#[derive(Debug)]
pub struct Place {
    /// Where programs run.
    pub executor: Executor,
    /// How many workers there is room for.
    pub workers: usize,
    /// How many processes these are in, those that are lost included.
    pub hosts: usize,
}

impl Place {
    /// The nodes of `roster` that are there, which `options` name; or `threads` threads here.
    pub fn new(options: &Options, roster: &Roster, threads: usize) -> Result<Self, Failure> {
        let cluster = loop {
            let Some(members) = roster.gather(options)? else {
                return Ok(Self {
                    executor: Executor::Threads(threads),
                    workers: threads,
                    hosts: 1,
                });
            };
            if members.nodes.is_empty() {
                return Err(Failure::world("none of the nodes is left"));
            }
            let mut timing = Timing::default();
            if roster.is_bereft() {
                (timing.answer, timing.patience) = (AGAIN, AGAIN);
            }
            let error = match Cluster::join(&members, timing) {
                Ok(cluster) => break cluster,
                Err(error) => error,
            };
            if !roster.is_bereft() || !strike_more(roster, &error) {
                return Err(error.into());
            }
        };
        Ok(Self {
            workers: roster.workers(),
            hosts: roster.hosts(),
            executor: Executor::Cluster(cluster),
        })
    }

    /// True if the programs run on other processes than this one.
    pub fn is_cluster(&self) -> bool {
        matches!(self.executor, Executor::Cluster(_))
    }

    /// `count` workers, if the programs run on other processes than this one.
    pub fn elsewhere(&self, count: usize) -> Option<u16> {
        let count = self.is_cluster().then_some(count)?;
        u16::try_from(count).ok()
    }
}

/// Strikes the nodes that are not there either: the one that was lost was not alone. False if that is not
/// what `error` says.
fn strike_more(roster: &Roster, error: &Error) -> bool {
    let Error::Unreachable { node, others, .. } = error else {
        return false;
    };
    let mut any = false;
    for node in [node].into_iter().chain(others) {
        if roster.strike(node) {
            to_standard_error(format_args!("{node} is lost too\n"));
            any = true;
        }
    }
    any
}
