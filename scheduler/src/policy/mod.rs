//! Policies: what a program's `schedule` uses to choose well. Each is a plain value, usable alone.
//!
//! | question | policy |
//! | --- | --- |
//! | which variables matter most now? | [`Priority`], [`MostUrgent`] |
//! | which of them may move at the same time? | [`Pairwise`], [`ConflictGraph`] |
//! | who gets which, so that all finish together? | [`Blocks`], [`contiguous`] |
//! | how do blocks travel, so that all meet all? | [`Rotation`] |

mod balance;
mod dependency;
mod priority;
mod rotation;
mod urgent;

pub use balance::{Blocks, contiguous};
pub use dependency::{ConflictGraph, Pairwise};
pub use priority::Priority;
pub use rotation::Rotation;
pub use urgent::MostUrgent;
