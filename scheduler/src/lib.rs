//! Model-parallel programs: say what to update, and how; strads does it safely and in parallel.
//!
//! An algorithm is three functions ([`Program`]): `schedule` names the variables of the next
//! round, `push` computes where the data are, `pull` combines and commits. [`Run`] drives the
//! rounds on an [`Executor`]; what comes back is a [`Record`] of what happened.
//!
//! The same program runs on one thread, on many, and on the nodes of a [`cluster`].
//!
//! What `schedule` needs to choose well are values under [`policy`]: priority, dependency,
//! balance, rotation. A block of the model that travels is a [`loan`].

pub mod cluster;
mod error;
mod executor;
pub mod loan;
pub mod plan;
pub mod policy;
mod program;
pub mod record;
mod round;
mod run;
mod stop;

pub use cluster::Cluster;
pub use error::Error;
pub use executor::Executor;
pub use loan::{Lender, Loan};
pub use plan::Plan;
pub use program::{Done, Freshness, Moved, Program, Shares};
pub use record::{Record, RoundRecord};
pub use round::Round;
pub use run::{Run, Verdict};
pub use stop::{Ended, Stop};
