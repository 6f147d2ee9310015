//! `strads bosen bench`: how fast rows are incremented and read, here or on the user's cluster.
//!
//! Without `--server` a second process is started on this machine and reached over loopback. The
//! other process gets the job's secret on its standard input, never on its command line.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bosen::consistency::Consistency;
use bosen::rows::RowSet;
use bosen::spec::TableSpec;
use bosen::tcp::{Server, ServerOptions, TcpError, Timing, Worker, WorkerOptions};
use serde::Serialize;
use strads_common::auth::Secret;
use strads_common::ids::{ShardId, TableId, WorkerId};

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
    /// One JSON object a line
    #[arg(long)]
    json: bool,
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
        return serve(address);
    }
    if args.row_length.contains(&0) || args.stride == 0 || args.in_flight == 0 {
        return Err(Failure::input(
            "row length, stride and batches in flight are at least 1",
        ));
    }
    let (secret, address, child) = match args.server {
        Some(address) => (read_secret()?, address, None),
        None => {
            let secret = Secret::generate().map_err(Failure::world)?;
            let (child, address) = start_server(&secret)?;
            (secret, address, Some(child))
        }
    };
    let worker = Worker::start(WorkerOptions {
        worker: WorkerId(0),
        workers: 1,
        shards: vec![address],
        secret,
        timing: Timing::default(),
        window_bytes: WINDOW_BYTES,
    })?;
    measure(&worker, &args)?;
    drop(worker);
    if let Some(mut child) = child {
        child.wait().map_err(Failure::world)?;
    }
    Ok(())
}

fn serve(address: SocketAddr) -> Result<(), Failure> {
    let secret = read_secret()?;
    let listener = TcpListener::bind(address)
        .map_err(|error| Failure::world(format!("{address}: {error}")))?;
    let options = ServerOptions {
        shard: ShardId(0),
        shards: 1,
        workers: 1,
        secret,
        timing: Timing::default(),
    };
    let server = Server::start(listener, options)?;
    println!("{}", server.address());
    Ok(server.join()?)
}

/// Starts this program as a server on loopback.
fn start_server(secret: &Secret) -> Result<(Child, SocketAddr), Failure> {
    let program = std::env::current_exe().map_err(Failure::world)?;
    let mut child = Command::new(program)
        .args(["bosen", "bench", "--serve", "127.0.0.1:0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Failure::world)?;
    let mut stdin = child.stdin.take().expect("the child's input is piped");
    writeln!(stdin, "{}", hexadecimal(secret.bytes())).map_err(Failure::world)?;
    let mut line = String::new();
    let stdout = child.stdout.take().expect("the child's output is piped");
    BufReader::new(stdout)
        .read_line(&mut line)
        .map_err(Failure::world)?;
    let address = line
        .trim()
        .parse()
        .map_err(|_| Failure::world("the server did not say where it listens"))?;
    Ok((child, address))
}

fn hexadecimal(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A secret of 64 hexadecimal digits, from a line of standard input.
fn read_secret() -> Result<Secret, Failure> {
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(Failure::world)?;
    let digits = line.trim();
    let byte = |at: usize| {
        digits
            .get(2 * at..2 * at + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    match bytes.and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) if digits.len() == 64 => Ok(Secret::from_bytes(bytes)),
        _ => Err(Failure::input(
            "standard input does not begin with a secret of 64 hexadecimal digits",
        )),
    }
}

fn measure(worker: &Worker, args: &Args) -> Result<(), Failure> {
    let mut console = Console::new(args.json, false);
    console.event(
        "start",
        serde_json::json!({ "cells": args.cells, "in_flight": args.in_flight }),
    );
    for (table, &length) in (0..).map(TableId).zip(&args.row_length) {
        let rows = (args.cells / length as usize).max(1);
        let keys = (0..rows as u64).map(|row| row * args.stride).collect();
        let keys = Arc::new(RowSet::ascending(keys).expect("multiples of the stride ascend"));
        let spec = TableSpec::dense::<f32>(length).consistency(Consistency::Asynchronous);
        let spec = if args.hashed {
            spec
        } else {
            spec.range(0, rows as u64 * args.stride)
        };
        worker.create(table, spec)?;
        let one = Arc::new(RowSet::range(0, 1));
        let few = usize::min(args.in_flight, 1);
        for (rows, in_flight) in [(&keys, args.in_flight), (&one, few)] {
            let bench = Bench {
                worker,
                table,
                length,
                rows,
                in_flight,
                time: Duration::from_secs_f64(args.seconds),
            };
            for case in [bench.increments()?, bench.reads()?] {
                say(&mut console, &case);
            }
        }
    }
    console.event("done", serde_json::json!({}));
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
        "{operation} {batch_rows:>8} rows × {row_length:<5} {keys:9.3} M keys/s {bytes:7.3} GB/s  p50 {latency:.1} µs"
    ));
    console.event("case", case);
}

/// One operation over and over.
struct Bench<'a> {
    worker: &'a Worker,
    table: TableId,
    length: u32,
    rows: &'a Arc<RowSet>,
    in_flight: usize,
    time: Duration,
}

impl Bench<'_> {
    /// Increments; a batch of one row is waited for until the server has it.
    fn increments(&self) -> Result<Case, Failure> {
        let cells = self.rows.len() * self.length as usize;
        // The program's own work is not measured: these are made beforehand and given away.
        let single = self.in_flight == 1 && self.rows.len() == 1;
        let batch = bosen::batch::Batch::dense(self.rows.clone(), vec![1f32; cells]);
        self.repeat("inc", |_| {
            self.worker.inc_batch::<f32>(self.table, batch.clone())?;
            if single { self.worker.settle() } else { Ok(()) }
        })
    }

    /// Reads; `in_flight` of them are under way.
    fn reads(&self) -> Result<Case, Failure> {
        let mut handles = std::collections::VecDeque::new();
        for _ in 1..self.in_flight {
            handles.push_back(self.worker.prefetch(self.table, self.rows)?);
        }
        let case = self.repeat("get", |_| {
            handles.push_back(self.worker.prefetch(self.table, self.rows)?);
            let oldest = handles.pop_front().expect("one has just been added");
            let values: Vec<f32> = self.worker.wait_for(oldest, self.table, self.rows)?;
            std::hint::black_box(values);
            Ok(())
        });
        for handle in handles {
            let _: Vec<f32> = self.worker.wait_for(handle, self.table, self.rows)?;
        }
        case
    }

    fn repeat(
        &self,
        operation: &'static str,
        mut once: impl FnMut(usize) -> Result<(), TcpError>,
    ) -> Result<Case, Failure> {
        for warm_up in 0..3 {
            once(warm_up)?;
        }
        self.worker.settle()?;
        let mut latencies = Vec::new();
        let start = Instant::now();
        while start.elapsed() < self.time {
            let begun = Instant::now();
            once(latencies.len())?;
            latencies.push(begun.elapsed());
        }
        self.worker.settle()?;
        let seconds = start.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let keys = (self.rows.len() * latencies.len()) as f64;
        Ok(Case {
            operation,
            row_length: self.length,
            batch_rows: self.rows.len(),
            keys_per_second: keys / seconds,
            bytes_per_second: keys * f64::from(self.length) * 4.0 / seconds,
            latency_us_p50: latencies[latencies.len() / 2].as_secs_f64() * 1e6,
        })
    }
}
