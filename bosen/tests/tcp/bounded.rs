//! Peers that are there and of no use: memory stays bounded, and what cannot finish fails by name.
//!
//! None of these tests measures time: each ends when the failure comes, and hangs if it does not.

use super::{TABLE, range, secret, servers, timing, worker, worker_with};
use bosen::client::Failure;
use bosen::consistency::Consistency;
use bosen::message::{PartId, Sequence, ToShard, ToWorker};
use bosen::spec::TableSpec;
use bosen::tcp::{TcpError, Worker, WorkerOptions};
use bosen::wire::{Outgoing, Remembered};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use strads_common::ids::{Clock, ShardId, WorkerId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const WINDOW_BYTES: usize = 1 << 20;

fn bytes_of(frame: &Outgoing) -> Vec<u8> {
    let mut bytes = frame.header.encode(&frame.parts).to_vec();
    frame
        .parts
        .iter()
        .for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// Memory of this process that is in use.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = status.split_whitespace().nth(1).unwrap();
    4096 * pages.parse::<usize>().unwrap()
}

/// A worker asks for gigabytes and reads nothing of them.
#[test]
fn a_slow_reader_is_cut_off_before_it_costs_memory() {
    let servers = servers(2, 1);
    let beside = worker(0, 2, &servers);
    let spec = TableSpec::dense::<f32>(1 << 16).consistency(Consistency::Asynchronous);
    beside.create(TABLE, spec.range(0, 64)).unwrap();
    beside.settle().unwrap();
    let mut lazy = super::hostile::join(&servers[0], WorkerId(1), 2);
    let before = resident_bytes();
    let ask = ToShard::Get {
        part: PartId(0),
        table: TABLE,
        rows: range(64),
        need: Clock(0),
    };
    let ask = bytes_of(&Outgoing::to_shard(&ask, &mut Remembered::default()));
    let mut asked = 0usize;
    while lazy.write_all(&ask).is_ok() {
        asked += 1;
    }
    // Each asks for 16 MiB.
    assert!(asked > 100, "{asked} questions were taken");
    let grown = resident_bytes().saturating_sub(before);
    // What was asked for is gigabytes; the other tests of this process have some of these bytes.
    assert!(
        grown < 400 << 20,
        "{grown} bytes for one that does not read"
    );
    beside.inc(TABLE, &range(1), vec![1f32; 1 << 16]).unwrap();
    assert_eq!(beside.get::<f32>(TABLE, &range(1)).unwrap()[7], 1.0);
}

/// A shard that proves itself, welcomes its worker, and then does as `then` has it.
fn false_shard<F: Future<Output = ()>>(
    then: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                if secret().listen(&mut stream).await.is_err() {
                    continue;
                }
                let welcome = ToWorker::Welcome {
                    received: Sequence(0),
                };
                let welcome = Outgoing::to_worker(&welcome, &mut Remembered::default());
                if stream.read_exact(&mut [0; 40]).await.is_ok()
                    && stream.write_all(&bytes_of(&welcome)).await.is_ok()
                {
                    then(stream).await;
                }
            }
        });
    });
    address
}

fn worker_of(shard: SocketAddr) -> Worker {
    let worker = WorkerOptions {
        worker: WorkerId(0),
        workers: 1,
        shards: vec![shard],
        secret: secret(),
        timing: timing(),
        window_bytes: WINDOW_BYTES,
    };
    let worker = Worker::start(worker).unwrap();
    let spec = TableSpec::dense::<f32>(1).consistency(Consistency::Asynchronous);
    worker.create(TABLE, spec.range(0, 100_000)).unwrap();
    worker
}

fn expect_lost<T: std::fmt::Debug>(result: Result<T, TcpError>) {
    let error = result.unwrap_err();
    let named = matches!(error, TcpError::Failed(Failure::ShardLost(ShardId(0))));
    assert!(named, "{error}");
}

/// What a stopped process looks like: its system goes on acknowledging, itself says nothing.
#[test]
fn a_shard_that_falls_silent_is_named() {
    let worker = worker_of(false_shard(|stream| async {
        let _held = stream;
        std::future::pending::<()>().await;
    }));
    expect_lost(worker.get::<f32>(TABLE, &range(10)));
    // From then on nothing is waited for.
    expect_lost(worker.get::<f32>(TABLE, &range(10)));
    expect_lost(worker.inc(TABLE, &range(10), vec![1f32; 10]));
}

/// It gives signs of life and reads what it is sent, but nothing comes of it.
#[test]
fn increments_wait_at_the_window_and_then_fail_by_name() {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    let worker = worker_of(false_shard(move |stream| {
        let counted = counted.clone();
        async move {
            let (mut reading, mut writing) = stream.into_split();
            let mut buffer = vec![0; 1 << 16];
            let mut beat = tokio::time::interval(Duration::from_millis(20));
            loop {
                tokio::select! {
                    read = reading.read(&mut buffer) => match read {
                        Ok(bytes) if bytes > 0 => { counted.fetch_add(bytes, SeqCst); }
                        _ => return,
                    },
                    _ = beat.tick() => {
                        if writing.write_all(&bytes_of(&Outgoing::alive())).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }));
    let rows = range(100_000);
    let failed = loop {
        if let Err(error) = worker.inc(TABLE, &rows, vec![1f32; 100_000]) {
            break error;
        }
    };
    expect_lost::<()>(Err(failed));
    let batch_bytes = 4 * 100_000;
    assert!(taken.load(SeqCst) < WINDOW_BYTES + 2 * batch_bytes);
}

/// The test below, in a network of its own, which only the superuser can make.
#[test]
fn a_link_that_is_cut_silently_is_noticed() {
    let name = "bounded::in_a_network_of_its_own";
    let test = std::env::current_exe().unwrap();
    let alone = Command::new("unshare")
        .args(["--net", "--"])
        .arg(test)
        .args([name, "--exact", "--ignored"])
        .output();
    match alone {
        Ok(output) if output.status.success() => {}
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("unshare failed") => {
            panic!("{}", String::from_utf8_lossy(&output.stdout))
        }
        _ => println!("skipped: a network namespace needs the superuser and `unshare`"),
    }
}

#[test]
#[ignore = "needs a network namespace, which the test above makes"]
fn in_a_network_of_its_own() {
    let loopback = |state| {
        Command::new("ip")
            .args(["link", "set", "lo", state])
            .status()
            .unwrap()
    };
    assert!(loopback("up").success());
    let servers = servers(1, 1);
    let worker = worker_with(0, 1, &servers, timing());
    let spec = TableSpec::dense::<f32>(1).consistency(Consistency::Asynchronous);
    worker.create(TABLE, spec).unwrap();
    worker.inc(TABLE, &range(10), vec![1f32; 10]).unwrap();
    assert_eq!(worker.get::<f32>(TABLE, &range(10)).unwrap(), [1.0; 10]);
    // Neither end is told; packets vanish.
    assert!(loopback("down").success());
    expect_lost(worker.get::<f32>(TABLE, &range(10)));
}
