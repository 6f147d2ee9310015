//! Tests of strads as a whole: through the public API and the binary. What several of them need is
//! here.

#![allow(clippy::unwrap_used)]

pub mod binary;
pub mod hosts;
pub mod running;
