//! How far apart workers may be, per table, as a value with exact semantics.
//!
//! A worker's *clock* on a table is the number of its `clock` calls there; an increment bears the
//! clock at which it was made. The *table clock* at a shard is the number of rounds that are
//! complete there. Each variant states what a `get` at clock `c` sees; a worker's own earlier
//! increments are seen in every case but for what a backup round discards.

use serde::{Deserialize, Serialize};
use strads_common::ids::Clock;

/// The consistency of one table.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub enum Consistency {
    /// Bulk synchronous: exactly the increments before `c` of all workers, summed in worker
    /// order, so that runs repeat to the bit.
    Bsp,
    /// Stale synchronous by pull: at least all increments before `c − staleness`.
    Ssp {
        /// Rounds by which a read may lag.
        staleness: u64,
    },
    /// Stale synchronous by push: as [`Ssp`](Consistency::Ssp), and the shard sends what changed
    /// to every worker that has read the row, whenever a round is complete.
    SspPush {
        /// Rounds by which a read may lag.
        staleness: u64,
    },
    /// Asynchronous: whatever the shard has; waits for nobody.
    Asynchronous,
    /// Bounded delay: as asynchronous, but an operation starts only when all of the worker's
    /// operations on the table but the last `delay` are finished. 0 is sequential, `u64::MAX`
    /// eventual.
    BoundedDelay {
        /// Operations that may be unfinished when the next one starts.
        delay: u64,
    },
    /// Value bound: for each cell, the magnitudes of a worker's increments that a read starting
    /// now would miss add up to at most `bound`, or there is only one of them.
    ValueBound {
        /// The greatest unseen magnitude.
        bound: f64,
    },
    /// Synchronous with backup workers: a round is complete when `needed` workers have finished
    /// it; increments of that round which come later are counted and discarded, and a late
    /// worker goes on at the table clock.
    Backup {
        /// Workers that complete a round.
        needed: u32,
    },
    /// As asynchronous, and in one process without any order among those who write: of two
    /// increments of the same cell at the same time one may be lost. Between processes nothing is.
    Hogwild,
}

impl Consistency {
    /// The table clock that a read at `clock` waits for.
    pub fn needs(self, clock: Clock) -> Clock {
        match self {
            Consistency::Bsp | Consistency::Backup { .. } => clock,
            Consistency::Ssp { staleness } | Consistency::SspPush { staleness } => {
                clock.back(staleness)
            }
            Consistency::Asynchronous
            | Consistency::Hogwild
            | Consistency::BoundedDelay { .. }
            | Consistency::ValueBound { .. } => Clock(0),
        }
    }

    /// Whether a shard holds increments back until their round is complete.
    pub fn applies_whole_rounds(self) -> bool {
        matches!(self, Consistency::Bsp | Consistency::Backup { .. })
    }

    /// Whether a shard sends changes to workers that have not asked again.
    pub fn pushes(self) -> bool {
        matches!(self, Consistency::SspPush { .. })
    }

    /// Whether a worker may answer a read from what it has.
    pub fn caches(self) -> bool {
        self.applies_whole_rounds() || self.pushes() || matches!(self, Consistency::Ssp { .. })
    }

    /// Rounds that an increment may take to reach the others, where it may as well reach them
    /// before. Where rounds are summed as a whole, when an increment arrives must not matter;
    /// where there are no rounds, it is sent at once.
    pub fn slack(self) -> Option<u64> {
        match self {
            Consistency::Ssp { staleness } | Consistency::SspPush { staleness } => Some(staleness),
            _ => None,
        }
    }

    /// How many of `live` workers complete a round.
    pub fn quorum(self, live: usize) -> usize {
        match self {
            Consistency::Backup { needed } => live.min(needed as usize),
            _ => live,
        }
    }
}
