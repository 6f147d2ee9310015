//! `strads bosen bench`: how fast rows are incremented and read, here or on the user's cluster.
//!
//! Without `--server` a second process is started on this machine and reached over loopback. The
//! other process gets the job's secret on its standard input, never on its command line.

mod memory;
mod network;
mod server;

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use bosen::comm::Budget;
use bosen::consistency::Consistency;
use bosen::filter::{Filters, ValueCode};
use bosen::rows::RowSet;
use bosen::spec::TableSpec;
use bosen::tcp::{TcpError, Timing, Worker, WorkerOptions};
use serde::Serialize;
use strads_common::auth::Secret;
use strads_common::ids::WorkerId;

use crate::console::Console;
use crate::failure::Failure;

/// Measure reading and incrementing rows of the parameter store
///
/// Example: strads bosen bench --row-length 1,64,1024
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Cells of a row; several, separated by commas, are measured one after the other
    #[arg(long, value_delimiter = ',', default_value = "1,64,1024")]
    row_length: Vec<u32>,
    /// Cells of a batch: rows a batch are this divided by the row length
    #[arg(long, default_value_t = 1_000_000)]
    cells: usize,
    /// Take every n-th key instead of adjacent ones
    #[arg(long, default_value_t = 1)]
    stride: u64,
    /// Let the server find rows by hash instead of by their place in a range
    #[arg(long)]
    hashed: bool,
    /// Batches under way at the same time
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
    /// Seconds a case
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// A server elsewhere, started with --serve; its secret is read from standard input
    #[arg(long)]
    server: Option<SocketAddr>,
    /// Be that server: listen there, and print the address; the secret is read from standard input
    #[arg(long, conflicts_with = "server")]
    serve: Option<SocketAddr>,
    /// Measure the store in this process instead: worker threads share the rows
    #[arg(long, conflicts_with_all = ["server", "serve"])]
    in_process: bool,
    /// Filters of increments on their way: packed-keys, f16, 8-bit or 1-bit, threshold=X
    #[arg(long, value_delimiter = ',', conflicts_with = "in_process")]
    filter: Vec<FilterName>,
    /// Mbit/s that may go to the server
    #[arg(long, conflicts_with = "in_process")]
    budget_mbit: Option<f64>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The rows of a batch whose rows have `length` cells, and the table that they are of.
    fn table(&self, length: u32) -> (Arc<RowSet>, TableSpec) {
        let rows = (self.cells / length as usize).max(1) as u64;
        let keys = (0..rows).map(|row| row * self.stride).collect();
        let keys = RowSet::ascending(keys).expect("multiples of the stride ascend");
        let spec = TableSpec::dense::<f32>(length).consistency(Consistency::Asynchronous);
        let spec = match self.hashed {
            true => spec,
            false => spec.range(0, rows * self.stride),
        };
        let filters = self
            .filter
            .iter()
            .fold(Filters::default(), |all, filter| filter.add_to(all));
        (Arc::new(keys), spec.filters(filters))
    }
}

/// A filter as it is named on the command line.
#[derive(Clone, Copy, Debug)]
enum FilterName {
    PackedKeys,
    Values(ValueCode),
    Threshold(f64),
}

impl FilterName {
    fn add_to(self, filters: Filters) -> Filters {
        match self {
            FilterName::PackedKeys => filters.packed_keys(),
            FilterName::Values(code) => filters.values(code),
            FilterName::Threshold(least) => filters.threshold(least),
        }
    }
}

impl FromStr for FilterName {
    type Err = String;

    fn from_str(name: &str) -> Result<FilterName, String> {
        let threshold = name.strip_prefix("threshold=").map(str::parse);
        match (name, threshold) {
            ("packed-keys", _) => Ok(FilterName::PackedKeys),
            ("f16", _) => Ok(FilterName::Values(ValueCode::Half)),
            ("8-bit", _) => Ok(FilterName::Values(ValueCode::EightBit)),
            ("1-bit", _) => Ok(FilterName::Values(ValueCode::OneBit)),
            (_, Some(Ok(least))) if least > 0.0 && f64::is_finite(least) => {
                Ok(FilterName::Threshold(least))
            }
            _ => Err("one of packed-keys, f16, 8-bit, 1-bit, or threshold=X with X above 0".into()),
        }
    }
}

/// One measurement.
#[derive(Serialize)]
struct Case {
    operation: &'static str,
    row_length: u32,
    batch_rows: usize,
    keys_per_second: f64,
    bytes_per_second: f64,
    latency_us_p50: f64,
}

const WINDOW_BYTES: usize = 16 << 20;

impl From<TcpError> for Failure {
    fn from(error: TcpError) -> Self {
        Failure::world(error)
    }
}

/// Runs the benchmark, or serves one.
pub fn run(args: Args) -> Result<(), Failure> {
    if let Some(address) = args.serve {
        return server::serve(address);
    }
    if args.row_length.contains(&0) || args.stride == 0 || args.in_flight == 0 {
        return Err(Failure::input(
            "row length, stride and batches in flight are at least 1",
        ));
    }
    if args
        .budget_mbit
        .is_some_and(|mbit| mbit.is_nan() || mbit < 0.1)
    {
        return Err(Failure::input("a budget is at least 0.1 Mbit/s"));
    }
    let mut console = Console::new(args.json, false);
    console.event(
        "start",
        serde_json::json!({ "cells": args.cells, "in_flight": args.in_flight, "in_process": args.in_process }),
    );
    match args.in_process {
        true => memory::measure(&args, &mut console)?,
        false => over_sockets(&args, &mut console)?,
    }
    console.event("done", serde_json::json!({}));
    Ok(())
}

fn over_sockets(args: &Args, console: &mut Console) -> Result<(), Failure> {
    let (secret, address, child) = match args.server {
        Some(address) => (server::read_secret()?, address, None),
        None => {
            let secret = Secret::generate().map_err(Failure::world)?;
            let (child, address) = server::start_server(&secret)?;
            (secret, address, Some(child))
        }
    };
    let options = WorkerOptions {
        worker: WorkerId(0),
        workers: 1,
        shards: vec![address],
        secret,
        timing: Timing::default(),
        window_bytes: WINDOW_BYTES,
    };
    let worker = match args.budget_mbit {
        Some(mbit) => Worker::managed(options, Budget::new((mbit * 1e6 / 8.0) as u64))?,
        None => Worker::start(options)?,
    };
    network::measure(&worker, args, console)?;
    console.event("sent", worker.traffic());
    drop(worker);
    if let Some(mut child) = child {
        child.wait().map_err(Failure::world)?;
    }
    Ok(())
}

fn say(console: &mut Console, case: &Case) {
    let Case {
        operation,
        row_length,
        batch_rows,
        ..
    } = case;
    let (keys, bytes) = (case.keys_per_second / 1e6, case.bytes_per_second / 1e9);
    let latency = case.latency_us_p50;
    console.say(format!(
        "{operation} {batch_rows:>8} rows × {row_length:<5} {keys:9.3} M keys/s {bytes:7.3} GB/s  p50 {latency:.3} µs"
    ));
    console.event("case", case);
}
