//! Boesen: a bounded-asynchronous key-value store with managed communication.

pub mod batch;
pub mod consistency;
pub mod element;
pub mod rows;
pub mod rule;
pub mod spec;
pub mod store;
