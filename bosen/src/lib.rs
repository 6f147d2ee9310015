//! Boesen: a bounded-asynchronous key-value store with managed communication.
