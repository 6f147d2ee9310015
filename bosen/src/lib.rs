//! Boesen: a bounded-asynchronous key-value store with managed communication.

pub mod batch;
pub mod client;
pub mod consistency;
pub mod element;
pub mod message;
pub mod placement;
pub mod rows;
pub mod rule;
pub mod shard;
pub mod sim;
pub mod spec;
pub mod store;
pub mod tcp;
pub mod wire;
