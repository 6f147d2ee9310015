//! Vocabulary and transport shared by the strads crates.
//!
//! A thing lives here when a second crate needs it, and knows nothing of the crates above.

pub mod auth;
pub mod channel;
pub mod frame;
pub mod hostfile;
pub mod hostrange;
pub mod ids;
pub mod lags;
pub mod members;
pub mod random;
pub mod socket;
mod tls;
