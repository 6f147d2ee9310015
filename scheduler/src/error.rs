//! What can go wrong in a run that is not the algorithm's doing.

/// Why a run could not go on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A program's `push` panicked.
    #[error("worker {worker} panicked in round {round}: {message}")]
    Panicked {
        /// The worker whose task it was.
        worker: usize,
        /// The round.
        round: u64,
        /// What the panic said.
        message: String,
    },
    /// A plan names a worker that does not exist.
    #[error("the plan of round {round} gives a task to worker {worker}, but there are {workers}")]
    NoSuchWorker {
        /// The round.
        round: u64,
        /// The worker that the plan names.
        worker: usize,
        /// How many there are.
        workers: usize,
    },
    /// A plan lets two workers touch the same variables at once.
    #[error(
        "the plan of round {round} has tasks {first} and {second} touch the same variables at once"
    )]
    Conflict {
        /// The round.
        round: u64,
        /// The position of one of the two in the plan.
        first: usize,
        /// The position of the other.
        second: usize,
    },
    /// A node of a cluster is gone, and what it had with it.
    #[error("node {node} is lost: {reason}")]
    Lost {
        /// The node, as its members are named.
        node: String,
        /// Why one thinks so.
        reason: String,
    },
    /// Nodes of a cluster cannot be had.
    #[error("node {node}: {reason}{}", either(others))]
    Unreachable {
        /// The first of them, as its members are named.
        node: String,
        /// Why, and what to do.
        reason: String,
        /// The other ones.
        others: Vec<String>,
    },
    /// The program has no passport.
    #[error("this program runs in one process only: it does not say how its tasks travel")]
    StaysHome,
    /// There are no shards, hence no workers.
    #[error("a run needs at least one shard: there is one worker a shard")]
    NoWorkers,
}

/// The nodes that cannot be had either.
fn either(others: &[String]) -> String {
    match others {
        [] => String::new(),
        others => format!("\n{} cannot be reached either", others.join(", ")),
    }
}

/// What a caught panic says.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
