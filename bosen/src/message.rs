//! What workers and shards say to each other.
//!
//! Messages on one connection arrive in the order in which they were sent, or not at all: a
//! connection that breaks loses what was under way. `Update`, `Clock` and `Leave` bear a sequence
//! number, so that each takes effect once however often it is sent; a `Get` changes nothing and
//! may be repeated.

use crate::batch::{Batch, Misfit};
use crate::comm::lanes::Lane;
use crate::filter::Coding;
use crate::rows::RowSet;
use crate::spec::{BadSpec, TableSpec};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use strads_common::ids::{Clock, TableId, WorkerId};

/// One connection, as its receiver tells it from earlier ones of the same peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u64);

/// A place in the order of a worker's updates to one shard; the first is 1.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Sequence(pub u64);

/// One part of a read, as the worker tells it from its others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PartId(pub u64);

/// From a worker to a shard.
#[derive(Clone, PartialEq, Debug)]
pub enum ToShard {
    /// The table exists from now on; said again after each reconnection.
    Create {
        /// Which table.
        table: TableId,
        /// What it is.
        spec: TableSpec,
    },
    /// Increments.
    Update {
        /// Its place among the worker's updates.
        sequence: Sequence,
        /// The table.
        table: TableId,
        /// The clock at which they were made.
        clock: Clock,
        /// The increments.
        batch: Batch,
        /// How they are written.
        coding: Coding,
    },
    /// The worker has begun `clock`: all increments before it have been sent.
    Clock {
        /// Its place among the worker's updates.
        sequence: Sequence,
        /// The table.
        table: TableId,
        /// The worker's new clock.
        clock: Clock,
    },
    /// Asks for rows.
    Get {
        /// To be repeated in the answer.
        part: PartId,
        /// The table.
        table: TableId,
        /// The rows.
        rows: Arc<RowSet>,
        /// The table clock to wait for.
        need: Clock,
    },
    /// The worker has forgotten these rows; their changes need not be sent.
    Unsubscribe {
        /// The table.
        table: TableId,
        /// The rows.
        rows: Arc<RowSet>,
    },
    /// The worker is done; nobody waits for it any more.
    Leave {
        /// Its place among the worker's updates.
        sequence: Sequence,
    },
}

impl ToShard {
    /// What the message may overtake.
    pub fn lane(&self) -> Lane {
        match self {
            ToShard::Create { .. } => Lane::First,
            ToShard::Get { .. } | ToShard::Unsubscribe { .. } => Lane::Soon,
            ToShard::Update { .. } | ToShard::Clock { .. } | ToShard::Leave { .. } => Lane::InOrder,
        }
    }
}

/// From a shard to a worker.
#[derive(Clone, PartialEq, Debug)]
pub enum ToWorker {
    /// The first message of a connection: where the worker's updates go on.
    Welcome {
        /// The last update that arrived on earlier connections.
        received: Sequence,
    },
    /// All updates up to here have been taken in.
    Ack {
        /// The last of them.
        received: Sequence,
    },
    /// The answer to a `Get`.
    Rows {
        /// The part that was asked for.
        part: PartId,
        /// The table.
        table: TableId,
        /// The table clock: all increments before it are in the values.
        fresh: Clock,
        /// The last of the worker's own updates that is in the values.
        includes: Sequence,
        /// The rows.
        batch: Batch,
        /// How their values are written.
        coding: Coding,
    },
    /// What others have changed in rows that the worker has: all of it when a round is complete,
    /// and some of it before if the shard finds time.
    Changes {
        /// The table.
        table: TableId,
        /// The table clock that the changes lead to.
        fresh: Clock,
        /// Whether the batch has new values rather than differences.
        whole: bool,
        /// The changes.
        batch: Batch,
        /// How they are written.
        coding: Coding,
    },
    /// Something that the worker sent cannot be done.
    Refused {
        /// The table that it was about.
        table: TableId,
        /// The read that it was part of, if it was one.
        part: Option<PartId>,
        /// Why.
        reason: Refusal,
    },
}

/// Why a shard does not do what a worker asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// Nobody has created the table.
    #[error("there is no such table")]
    NoTable,
    /// The table exists and is another.
    #[error("the table exists with another description")]
    OtherSpec,
    /// Such a table cannot be.
    #[error(transparent)]
    BadSpec(BadSpec),
    /// The rows or increments do not fit the table.
    #[error(transparent)]
    Misfit(Misfit),
    /// The answer would be longer than a message may be.
    #[error("the answer would exceed {limit} bytes")]
    TooLarge {
        /// The longest answer.
        limit: u64,
    },
    /// The read waits for increments of a worker that has not been heard of for too long.
    #[error("{0} is lost, and the read needs its increments")]
    WorkerLost(WorkerId),
    /// The read has waited for increments of a worker for as long as the shard lets it.
    #[error("the read has waited too long for {0}, which is there and does not go on")]
    WorkerLate(WorkerId),
}
