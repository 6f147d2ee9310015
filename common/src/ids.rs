//! Who is who, and when: the identities and clocks that every layer speaks of.
//!
//! Each is a number of its own type, so that a worker is never taken for a shard.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The place of this identity in an array of one entry each.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, " {}"), self.0)
            }
        }
    };
}

identity!(
    /// One of the processes or threads that compute; numbered from 0 without gaps.
    WorkerId,
    "worker"
);
identity!(
    /// One of the servers that keep a part of every table; numbered from 0 without gaps.
    ShardId,
    "shard"
);
identity!(
    /// A table of parameters.
    TableId,
    "table"
);

/// A number of completed rounds of work.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Clock(pub u64);

impl Clock {
    /// The clock after this one.
    pub fn next(self) -> Clock {
        Clock(self.0.saturating_add(1))
    }

    /// The clock `rounds` before this one; the first clock has none before it.
    pub fn back(self, rounds: u64) -> Clock {
        Clock(self.0.saturating_sub(rounds))
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clock {}", self.0)
    }
}
