//! One key there and back, beside a plain tokio ping-pong over the same loopback.
//!
//! `cargo run --release -p bosen --example round_trip [SECONDS]` starts itself as the other
//! process and takes turns between the two, so that a busy machine is busy for both. To wake a
//! core that sleeps takes longer than the rest of it, and where the system puts a process is luck;
//! so both processes are on one core first, then on two. Last comes the rate of small operations,
//! 64 of which are under way at the same time.

use bosen::consistency::Consistency;
use bosen::rows::{RowId, RowSet};
use bosen::spec::TableSpec;
use bosen::tcp::{Server, ServerOptions, Timing, Worker, WorkerOptions};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::collections::VecDeque;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strads_common::auth::Secret;
use strads_common::ids::{ShardId, TableId, WorkerId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;

/// Bytes of a ping: those of a frame that asks for one row.
const PING_BYTES: usize = 64;
/// Round trips of one kind before the other has its turn.
const TURN: usize = 200;
const TABLE: TableId = TableId(0);

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("--serve") => serve(),
        seconds => {
            let time = Duration::from_secs_f64(seconds.unwrap_or("2").parse()?);
            for (core, place) in [(0, "one core"), (1, "two cores")] {
                println!("{place}");
                measure(time, core)?;
            }
            Ok(())
        }
    }
}

/// Keeps this process, and what it starts, on a core.
fn stay_on(core: usize) -> Result<(), Box<dyn Error>> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// The other process: a server of the store, and one that sends back what it gets.
fn serve() -> Result<(), Box<dyn Error>> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let (seed, core) = line.trim().split_once(' ').ok_or("no core")?;
    stay_on(core.parse()?)?;
    let seed: u8 = seed.parse()?;
    let options = ServerOptions {
        shard: ShardId(0),
        shards: 1,
        workers: 1,
        secret: Secret::from_bytes([seed; 32]),
        timing: Timing::default(),
    };
    let server = Server::start(TcpListener::bind("127.0.0.1:0")?, options)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{} {}", server.address(), listener.local_addr()?);
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut ping = [0; PING_BYTES];
        while stream.read_exact(&mut ping).await.is_ok() {
            stream.write_all(&ping).await?;
        }
        Ok::<_, std::io::Error>(())
    })?;
    Ok(server.join()?)
}

fn start(seed: u8, core: usize) -> Result<(Child, SocketAddr, SocketAddr), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    writeln!(
        child.stdin.take().ok_or("no standard input")?,
        "{seed} {core}"
    )?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no standard output")?).read_line(&mut line)?;
    let (store, echo) = line.trim().split_once(' ').ok_or("no addresses")?;
    Ok((child, store.parse()?, echo.parse()?))
}

/// Measures with the other process on `core`, and this one on the first.
fn measure(time: Duration, core: usize) -> Result<(), Box<dyn Error>> {
    stay_on(0)?;
    let seed = 7;
    let (mut child, store, echo) = start(seed, core)?;
    let worker = Worker::start(WorkerOptions {
        worker: WorkerId(0),
        workers: 1,
        shards: vec![store],
        secret: Secret::from_bytes([seed; 32]),
        timing: Timing::default(),
        window_bytes: 1 << 20,
    })?;
    let spec = TableSpec::dense::<f32>(1).consistency(Consistency::Asynchronous);
    worker.create(TABLE, spec.range(0, 1000))?;
    let one = Arc::new(RowSet::one(RowId(500)));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut stream = runtime.block_on(tokio::net::TcpStream::connect(echo))?;
    stream.set_nodelay(true)?;

    let (mut pings, mut gets, mut incs) = (Vec::new(), Vec::new(), Vec::new());
    let begun = Instant::now();
    while begun.elapsed() < time {
        runtime.block_on(async {
            let mut ping = [0; PING_BYTES];
            for _ in 0..TURN {
                let start = Instant::now();
                stream.write_all(&ping).await?;
                stream.read_exact(&mut ping).await?;
                pings.push(start.elapsed());
            }
            Ok::<_, std::io::Error>(())
        })?;
        for _ in 0..TURN {
            let start = Instant::now();
            worker.get::<f32>(TABLE, &one)?;
            gets.push(start.elapsed());
        }
        for _ in 0..TURN {
            let start = Instant::now();
            worker.inc(TABLE, &one, vec![1f32])?;
            worker.settle()?;
            incs.push(start.elapsed());
        }
    }
    let (ping, get, inc) = (median(pings), median(gets), median(incs));
    println!("tokio ping-pong  p50 {ping:7.2} µs");
    println!("get of one key   p50 {get:7.2} µs  {:.2} times", get / ping);
    println!("inc of one key   p50 {inc:7.2} µs  {:.2} times", inc / ping);
    println!(
        "gets, 64 at a time  {:.3} M/s",
        many(&worker, &one, time)? / 1e6
    );
    println!(
        "incs                {:.3} M/s",
        increments(&worker, &one, time)? / 1e6
    );
    drop(stream);
    drop(worker);
    child.wait()?;
    Ok(())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Reads of one key a second, 64 of which are under way.
fn many(worker: &Worker, one: &Arc<RowSet>, time: Duration) -> Result<f64, Box<dyn Error>> {
    let mut under_way = VecDeque::new();
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < time {
        while under_way.len() < 64 {
            under_way.push_back(worker.prefetch(TABLE, one)?);
        }
        for handle in under_way.drain(..32) {
            worker.wait_for::<f32>(handle, TABLE, one)?;
            count += 1;
        }
    }
    for handle in under_way {
        worker.wait_for::<f32>(handle, TABLE, one)?;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

/// Increments of one key a second, as many under way as the window takes.
fn increments(worker: &Worker, one: &Arc<RowSet>, time: Duration) -> Result<f64, Box<dyn Error>> {
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < time {
        for _ in 0..64 {
            worker.inc(TABLE, one, vec![1f32])?;
            count += 1;
        }
    }
    worker.settle()?;
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}
