//! Where `push` happens: inline, on threads, or in virtual time. The program cannot tell.

mod inline;
mod threads;

use crate::error::Error;
use crate::plan::Assignment;
use crate::program::Program;

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
}

/// The workers of one run, as the loop of rounds sees them.
pub(crate) trait Crew<P: Program> {
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
    /// Puts workers on `shards` for as long as `work` runs.
    pub(crate) fn employ<P: Program, R>(
        &self,
        shards: &mut [P::Shard],
        work: impl FnOnce(&mut dyn Crew<P>) -> R,
    ) -> R {
        match self {
            Self::Inline => work(&mut inline::Inline::<P>::new(shards, &[])),
            Self::Simulated { speeds } => work(&mut inline::Inline::<P>::new(shards, speeds)),
            Self::Threads(threads) => threads::employ::<P, R>(shards, *threads, work),
        }
    }
}
