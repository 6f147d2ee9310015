//! Where `push` happens: inline, on threads, in virtual time, or on a cluster. The program cannot
//! tell.

mod inline;
mod threads;

use crate::cluster::{self, Cluster};
use crate::error::Error;
use crate::loan::Lender;
use crate::plan::{Assignment, Place, Plan};
use crate::program::Program;
use crate::record::Traffic;

/// The one argument that says where a program runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Executor {
    /// One thread, one task after the other: for tests and debuggers.
    Inline,
    /// As inline, with a virtual clock on which worker w does `speeds[w]` units of planned cost a
    /// second: offered tasks go to whoever is free first on that clock, and the record's spans are
    /// its seconds. For asking what a slow worker does to a schedule.
    Simulated {
        /// The speed of each worker; workers beyond the list have speed 1.
        speeds: Vec<f64>,
    },
    /// This many threads, the caller's among them, over shared memory. The result depends on the
    /// number of workers (shards), not on the number of threads.
    Threads(usize),
    /// Other processes. Programs that have a [passport](crate::Program::passport) compute there what
    /// they compute on threads, to the last bit.
    Cluster(Cluster),
}

/// The workers of one run, as the loop of rounds sees them.
pub(crate) trait Crew<P: Program> {
    /// A plan was made whose round begins some time after the present one.
    fn foresee(&mut self, _round: u64, _plan: &Plan<P::Task>) {}
    /// Starts a round.
    fn dispatch(&mut self, round: u64, assignments: Vec<Assignment<P::Task>>);
    /// Finishes it: results in the order of the assignments.
    fn collect(&mut self) -> Result<Vec<Finished<P::Share>>, Error>;
    /// The most loaded worker's planned cost of the last round, divided by its speed.
    fn span(&self) -> f64;
}

/// The result of one assignment.
pub(crate) struct Finished<S> {
    pub worker: usize,
    pub share: S,
    pub seconds: f64,
}

impl Executor {
    /// Puts workers on `shards` for as long as `work` runs. Also returns what has gone over links
    /// between processes.
    pub(crate) fn employ<P: Program, R>(
        &self,
        shards: &mut [P::Shard],
        work: impl FnOnce(&mut dyn Crew<P>) -> R,
    ) -> Result<(R, Vec<Traffic>), Error> {
        let result = match self {
            Self::Inline => work(&mut inline::Inline::<P>::new(shards, &[])),
            Self::Simulated { speeds } => work(&mut inline::Inline::<P>::new(shards, speeds)),
            Self::Threads(threads) => threads::employ::<P, R>(shards, *threads, work),
            Self::Cluster(cluster) => return cluster::employ::<P, R>(cluster, shards, work),
        };
        Ok((result, Vec::new()))
    }

    /// Brings the blocks of `lender` home, so that [`Lender::with`] may look at them. They are at
    /// home already, except on a cluster.
    pub fn recall<T>(&self, lender: &Lender<T>) -> Result<(), Error> {
        match self {
            Self::Cluster(cluster) => cluster.recall(lender.id()),
            Self::Inline | Self::Simulated { .. } | Self::Threads(_) => Ok(()),
        }
    }
}

/// The most loaded worker's planned cost; offered tasks spread evenly at best.
pub(crate) fn longest<T>(assignments: &[Assignment<T>], workers: usize) -> f64 {
    let mut load = vec![0.0_f64; workers];
    let mut offered = 0.0;
    for assignment in assignments {
        match assignment.place {
            Place::Worker(worker) => load[worker] += assignment.cost,
            Place::Anyone => offered += assignment.cost,
        }
    }
    let even = (load.iter().sum::<f64>() + offered) / workers as f64;
    load.into_iter().fold(even, f64::max)
}
