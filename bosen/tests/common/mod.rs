//! What several tests go through.

use bosen::consistency::Consistency;

/// One of each consistency that loses nothing among `workers` who all take part.
pub const fn lossless(workers: u32) -> [Consistency; 7] {
    [
        Consistency::Bsp,
        Consistency::Ssp { staleness: 2 },
        Consistency::SspPush { staleness: 1 },
        Consistency::Asynchronous,
        Consistency::BoundedDelay { delay: 3 },
        Consistency::ValueBound { bound: 10.0 },
        Consistency::Backup { needed: workers },
    ]
}
