//! Boesen: a bounded-asynchronous key-value store with managed communication.
//!
//! Parameters are rows of tables, spread over shards. Workers `get` rows, `inc`rement them and
//! `clock`; how far apart they may be is a value of each table
//! ([`consistency::Consistency`]).
//!
//! What decides is free of input and output: [`shard::Shard`] is a server, [`client::Client`] a
//! worker's side, each a state machine from events to messages. [`tcp`] moves them by sockets,
//! [`sim`] in virtual time over a network that a seed makes delay, break and part.
//!
//! ```
//! use bosen::{consistency::Consistency, rows::RowSet, spec::TableSpec};
//! use bosen::tcp::{Server, ServerOptions, Timing, Worker, WorkerOptions};
//! use std::{net::TcpListener, sync::Arc};
//! use strads_common::{auth::Secret, ids::{ShardId, TableId, WorkerId}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (secret, timing) = (Secret::generate()?, Timing::default());
//! let options = ServerOptions { shard: ShardId(0), shards: 1, workers: 1, secret: secret.clone(), timing };
//! let server = Server::start(TcpListener::bind("127.0.0.1:0")?, options)?;
//!
//! let worker = Worker::start(WorkerOptions {
//!     worker: WorkerId(0), workers: 1, shards: vec![server.address()], secret, timing, window_bytes: 1 << 20,
//! })?;
//! let (weights, rows) = (TableId(0), Arc::new(RowSet::range(0, 2)));
//! worker.create(weights, TableSpec::dense::<f32>(3).consistency(Consistency::Ssp { staleness: 1 }))?;
//! worker.inc(weights, &rows, vec![1.0f32; 6])?;
//! worker.clock(weights)?;
//! assert_eq!(worker.get::<f32>(weights, &rows)?, [1.0; 6]);
//! # Ok(())
//! # }
//! ```

/// The tutorial, whose code is run by the tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/src/bosen.md")]
pub struct Tutorial;

pub mod batch;
pub mod broadcast;
pub mod client;
pub mod comm;
pub mod consistency;
pub mod element;
pub mod factors;
pub mod filter;
pub mod local;
pub mod message;
pub mod placement;
mod recent;
pub mod rounds;
pub mod rows;
pub mod rule;
pub mod shard;
pub mod sim;
pub mod spec;
pub mod store;
pub mod tables;
pub mod tcp;
pub mod topology;
pub mod wire;
