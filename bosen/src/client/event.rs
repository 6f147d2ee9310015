//! What a worker's side of the store is told, and what it says: commands and messages in, messages
//! and results out.

use crate::batch::{Batch, Misfit};
use crate::element::ElementKind;
use crate::message::{Refusal, ToShard, ToWorker};
use crate::placement::Positions;
use crate::rows::RowSet;
use crate::spec::{BadSpec, TableSpec};
use std::sync::Arc;
use strads_common::ids::{Clock, ShardId, TableId};

/// A command, as its caller knows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// What a worker wants.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// That a table exists.
    Create(TableSpec),
    /// To increment; done when the increments are the store's business.
    Inc(Batch),
    /// To read; done when the rows are there.
    Get(Arc<RowSet>),
    /// To begin the next clock.
    Clock,
    /// To drop what it has of some rows.
    Forget(Arc<RowSet>),
    /// To keep at most so many rows between reads, those that were read last; all, if there is
    /// no number.
    Keep(Option<usize>),
}

/// What happens to a worker.
#[derive(Clone, Debug)]
pub enum Event {
    /// The program wants something of a table.
    Command {
        /// To be repeated in the result.
        ticket: Ticket,
        /// Which table.
        table: TableId,
        /// What.
        command: Command,
    },
    /// The program waits until all that it did has arrived.
    Settle {
        /// To be repeated in the result.
        ticket: Ticket,
    },
    /// The program is done; the shards stop waiting for this worker.
    Leave {
        /// To be repeated in the result.
        ticket: Ticket,
    },
    /// A message has arrived.
    Received {
        /// From whom.
        shard: ShardId,
        /// What.
        message: ToWorker,
    },
    /// The connection to a shard is gone.
    Lost {
        /// To which.
        shard: ShardId,
    },
    /// The connection to a shard could carry so many bytes more, and nothing waits for it.
    Room {
        /// To which.
        shard: ShardId,
        /// How many.
        bytes: usize,
    },
    /// Time has passed.
    Tick,
}

/// What a worker sends, and what its program learns.
#[derive(Clone, Debug)]
pub enum Output {
    /// A message to a shard.
    Send(ShardId, ToShard),
    /// A part of what a `Get` reads, as soon as it is there; its result comes later.
    Piece(Ticket, Piece),
    /// The result of a command.
    Done(Ticket, Result<Outcome, Failure>),
}

/// What came of a command.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// It has taken effect.
    Accepted,
    /// The rows of a `Get`: the pieces that have not been told before.
    Rows(Vec<Piece>),
    /// The clock that has begun.
    Clock(Clock),
}

/// A part of what was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Piece {
    /// Where its rows stand among those of the read.
    pub positions: Positions,
    /// The rows.
    pub batch: Batch,
}

/// Why a command came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// The worker has not created the table.
    #[error("{0} has not been created")]
    NoTable(TableId),
    /// Such a table cannot be.
    #[error(transparent)]
    BadSpec(#[from] BadSpec),
    /// The rows or increments do not fit the table.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The values are of another type than the table's.
    #[error("the table holds {table:?}, not {asked:?}")]
    Kind {
        /// The table's type.
        table: ElementKind,
        /// The type asked for.
        asked: ElementKind,
    },
    /// A shard has not been heard of for too long.
    #[error("{0} has not been reached, or has taken nothing in, for too long")]
    ShardLost(ShardId),
    /// A shard refuses.
    #[error("a shard refuses {table}: {reason}")]
    Refused {
        /// The table concerned.
        table: TableId,
        /// Why.
        reason: Refusal,
    },
    /// The worker has left before the rows came.
    #[error("the worker has left the store")]
    Left,
    /// A shard has answered something else than was asked.
    #[error("{0} has sent an answer that does not fit its question")]
    Protocol(ShardId),
}
