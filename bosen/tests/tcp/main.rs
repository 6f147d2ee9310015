//! The store over real sockets, on loopback.
//!
//! Invariants held up: concurrent increments add up exactly, whatever the consistency, through
//! several shards; a peer that is gone, cannot prove itself or talks nonsense costs the others
//! nothing, and what waits for it fails by name. The finer points of consistency are the
//! simulator's business.

#![allow(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod bounded;
#[path = "../common/mod.rs"]
mod common;
mod hostile;
mod log;

use bosen::client::Failure;
use bosen::consistency::Consistency;
use bosen::message::Refusal;
use bosen::rows::RowSet;
use bosen::spec::TableSpec;
use bosen::tcp::{Server, ServerOptions, TcpError, Timing, Worker, WorkerOptions};
use common::lossless;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use strads_common::auth::Secret;
use strads_common::ids::{ShardId, TableId, WorkerId};

const TABLE: TableId = TableId(0);

fn secret() -> Secret {
    Secret::from_bytes([42; 32])
}

/// Quick to notice, so that tests of loss are.
fn timing() -> Timing {
    let ms = Duration::from_millis;
    Timing {
        heartbeat: ms(50),
        silence: ms(400),
        patience: ms(300),
        join: Duration::from_secs(20),
        ..Timing::default()
    }
}

fn servers(workers: u32, shards: u32) -> Vec<Server> {
    servers_with(workers, shards, timing())
}

fn servers_with(workers: u32, shards: u32, timing: Timing) -> Vec<Server> {
    let start = |shard| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shard = ShardId(shard);
        Server::start(
            listener,
            ServerOptions {
                shard,
                shards,
                workers,
                secret: secret(),
                timing,
            },
        )
        .unwrap()
    };
    (0..shards).map(start).collect()
}

fn worker(worker: u32, workers: u32, servers: &[Server]) -> Worker {
    worker_with(worker, workers, servers, timing())
}

fn worker_with(worker: u32, workers: u32, servers: &[Server], timing: Timing) -> Worker {
    let shards: Vec<SocketAddr> = servers.iter().map(Server::address).collect();
    let worker = WorkerId(worker);
    let window_bytes = 1 << 20;
    Worker::start(WorkerOptions {
        worker,
        workers,
        shards,
        secret: secret(),
        timing,
        window_bytes,
    })
    .unwrap()
}

fn range(len: usize) -> Arc<RowSet> {
    Arc::new(RowSet::range(0, len))
}

#[test]
fn concurrent_increments_add_up() {
    const WORKERS: u32 = 3;
    const ROWS: usize = 100_000;
    // Nobody is to be given up because a slow machine is busy.
    let servers = servers_with(WORKERS, 2, Timing::default());
    std::thread::scope(|scope| {
        for id in 0..WORKERS {
            let worker = worker_with(id, WORKERS, &servers, Timing::default());
            scope.spawn(move || {
                let rows = range(ROWS);
                let listed =
                    Arc::new(RowSet::ascending((0..ROWS as u64).step_by(3).collect()).unwrap());
                for (table, consistency) in (0..).map(TableId).zip(lossless(WORKERS)) {
                    let spec = TableSpec::dense::<i64>(1).consistency(consistency);
                    let spec = if table.0 % 2 == 0 {
                        spec.range(0, ROWS as u64)
                    } else {
                        spec
                    };
                    worker.create(table, spec).unwrap();
                    for round in 0..5 {
                        worker.inc(table, &rows, vec![1i64; ROWS]).unwrap();
                        worker
                            .inc(table, &listed, vec![2i64; listed.len()])
                            .unwrap();
                        let seen: Vec<i64> = worker.get(table, &rows).unwrap();
                        assert!(
                            seen[0] >= 3 * (round + 1),
                            "{consistency:?}: own increments are seen"
                        );
                        worker.clock(table).unwrap();
                    }
                }
                // All have clocked a strict table after everything else: all has arrived.
                let last = TableId(99);
                worker.create(last, TableSpec::dense::<i64>(1)).unwrap();
                worker.settle().unwrap();
                worker.clock(last).unwrap();
                let _: Vec<i64> = worker.get(last, &range(1)).unwrap();
                for (table, consistency) in (0..).map(TableId).zip(lossless(WORKERS)) {
                    // A cached row may lag; one that is asked for now does not.
                    worker.forget(table, &rows).unwrap();
                    let sum: i64 = worker.get::<i64>(table, &rows).unwrap().iter().sum();
                    let each = 5 * (ROWS as i64 + 2 * listed.len() as i64);
                    assert_eq!(sum, i64::from(WORKERS) * each, "{consistency:?}");
                }
            });
        }
    });
    servers
        .into_iter()
        .for_each(|server| server.join().unwrap());
}

#[test]
fn a_server_that_is_gone_is_named() {
    let mut servers = servers(1, 2);
    let worker = worker(0, 1, &servers);
    worker
        .create(
            TABLE,
            TableSpec::dense::<f32>(1)
                .consistency(Consistency::Asynchronous)
                .range(0, 10),
        )
        .unwrap();
    let _: Vec<f32> = worker.get(TABLE, &range(10)).unwrap();
    drop(servers.pop());
    let error = worker.get::<f32>(TABLE, &range(10)).unwrap_err();
    let named = matches!(error, TcpError::Failed(Failure::ShardLost(ShardId(1))));
    assert!(named, "{error}");
}

#[test]
fn a_worker_that_is_lost_is_named_to_those_who_wait_for_it() {
    for consistency in [Consistency::Bsp, Consistency::SspPush { staleness: 0 }] {
        let servers = servers(2, 1);
        let stays = worker(0, 2, &servers);
        // It joins by hand, says nothing more, and is cut off: that is what a killed process looks like.
        let gone = hostile::join(&servers[0], WorkerId(1), 2);
        wait_in_vain(
            &stays,
            consistency,
            Refusal::WorkerLost(WorkerId(1)),
            || {
                drop(gone);
            },
        );
    }
}

#[test]
fn a_worker_that_does_not_go_on_is_named_where_there_is_a_limit() {
    for consistency in [Consistency::Bsp, Consistency::SspPush { staleness: 0 }] {
        let limited = Timing {
            wait: Some(Duration::from_millis(200)),
            ..timing()
        };
        let servers = servers_with(2, 1, limited);
        let (waits, computes) = (worker(0, 2, &servers), worker(1, 2, &servers));
        let late = Refusal::WorkerLate(WorkerId(1));
        wait_in_vain(&waits, consistency, late, || {});
        // It is there, and nothing else has become of the table.
        computes
            .create(TABLE, TableSpec::dense::<f32>(1).consistency(consistency))
            .unwrap();
        computes.inc(TABLE, &range(1), vec![2f32]).unwrap();
        computes.clock(TABLE).unwrap();
        assert_eq!(waits.get::<f32>(TABLE, &range(1)).unwrap(), [2.0]);
    }
}

/// Reads what needs another worker's increments, also a row that the reader has; the read fails for
/// this reason.
fn wait_in_vain(worker: &Worker, consistency: Consistency, why: Refusal, meanwhile: impl FnOnce()) {
    let spec = TableSpec::dense::<f32>(1).consistency(consistency);
    worker.create(TABLE, spec).unwrap();
    assert_eq!(worker.get::<f32>(TABLE, &range(1)).unwrap(), [0.0]);
    worker.clock(TABLE).unwrap();
    meanwhile();
    let error = worker.get::<f32>(TABLE, &range(1)).unwrap_err();
    let named = matches!(error, TcpError::Failed(Failure::Refused { reason, .. }) if reason == why);
    assert!(named, "{consistency:?}: {error}");
}

#[test]
fn a_worker_that_leaves_is_not_waited_for() {
    let servers = servers(2, 1);
    let stays = worker(0, 2, &servers);
    let leaves = worker(1, 2, &servers);
    for worker in [&stays, &leaves] {
        worker.create(TABLE, TableSpec::dense::<f32>(1)).unwrap();
    }
    leaves.inc(TABLE, &range(1), vec![5f32]).unwrap();
    drop(leaves);
    stays.clock(TABLE).unwrap();
    assert_eq!(stays.get::<f32>(TABLE, &range(1)).unwrap(), [5.0]);
}

#[test]
fn a_table_is_what_its_first_creator_says() {
    let servers = servers(2, 1);
    let (first, second) = (worker(0, 2, &servers), worker(1, 2, &servers));
    let spec = TableSpec::dense::<f32>(1).consistency(Consistency::Asynchronous);
    first.create(TABLE, spec).unwrap();
    let _: Vec<f32> = first.get(TABLE, &range(1)).unwrap();
    second
        .create(
            TABLE,
            TableSpec {
                layout: TableSpec::dense::<f32>(2).layout,
                ..spec
            },
        )
        .unwrap();
    let error = second.get::<f32>(TABLE, &range(1)).unwrap_err();
    assert!(
        matches!(
            error,
            TcpError::Failed(Failure::Refused {
                reason: Refusal::OtherSpec,
                ..
            })
        ),
        "{error}"
    );
    assert!(matches!(
        first.get::<i64>(TABLE, &range(1)),
        Err(TcpError::Failed(Failure::Kind { .. }))
    ));
}
