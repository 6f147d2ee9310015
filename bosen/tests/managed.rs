//! Filters and budgets over real sockets.
//!
//! Invariants held up: millions of increments by concurrent workers add up exactly through every
//! filter that loses nothing in the end, under every consistency, with and without a budget; what
//! lossy filters keep back is there after all have settled; what is saved is counted. That the
//! rate holds is shown in `comm/tests.rs` for the code that decides, and on a real interface by
//! the example `managed_communication`.

#![allow(clippy::unwrap_used, reason = "a test ends where it is surprised")]

mod common;

use bosen::comm::{Budget, Order};
use bosen::consistency::Consistency;
use bosen::filter::{Filters, ValueCode};
use bosen::rows::RowSet;
use bosen::spec::TableSpec;
use bosen::tcp::{Server, ServerOptions, Timing, Traffic, Worker, WorkerOptions};
use common::lossless;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use strads_common::auth::Secret;
use strads_common::ids::{ShardId, TableId, WorkerId};

const WORKERS: u32 = 3;
const SHARDS: u32 = 2;
const ROWS: usize = 20_000;
const ROUNDS: i64 = 4;

fn secret() -> Secret {
    Secret::from_bytes([42; 32])
}

fn server(shard: u32, budget: Option<Budget>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ServerOptions {
        shard: ShardId(shard),
        shards: SHARDS,
        workers: WORKERS,
        secret: secret(),
        timing: Timing::default(),
    };
    match budget {
        Some(budget) => Server::managed(listener, options, budget).unwrap(),
        None => Server::start(listener, options).unwrap(),
    }
}

fn worker(worker: u32, shards: Vec<SocketAddr>, budget: Option<Budget>) -> Worker {
    let options = WorkerOptions {
        worker: WorkerId(worker),
        workers: WORKERS,
        shards,
        secret: secret(),
        timing: Timing::default(),
        window_bytes: 4 << 20,
    };
    match budget {
        Some(budget) => Worker::managed(options, budget).unwrap(),
        None => Worker::start(options).unwrap(),
    }
}

/// Runs `program` on every worker, and waits until all have left.
fn with_workers(budget: Option<Budget>, program: impl Fn(&Worker) + Sync) -> Vec<Traffic> {
    let servers: Vec<Server> = (0..SHARDS).map(|shard| server(shard, budget)).collect();
    let addresses: Vec<SocketAddr> = servers.iter().map(Server::address).collect();
    let traffic = std::thread::scope(|scope| {
        let start = |id| {
            let worker = worker(id, addresses.clone(), budget);
            let program = &program;
            scope.spawn(move || {
                program(&worker);
                worker.traffic()
            })
        };
        let workers: Vec<_> = (0..WORKERS).map(start).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    servers
        .into_iter()
        .for_each(|server| server.join().unwrap());
    traffic
}

/// Waits until all workers have come here with everything that they did.
fn meet(worker: &Worker) {
    let last = TableId(999);
    let spec = TableSpec::dense::<i64>(1);
    worker.create(last, spec).unwrap();
    worker.settle().unwrap();
    worker.clock(last).unwrap();
    let _: Vec<i64> = worker.get(last, &Arc::new(RowSet::range(0, 1))).unwrap();
}

fn lossless_filters() -> [Filters; 4] {
    let integers = ValueCode::FixedPoint { fraction_bits: 0 };
    let none = Filters::default();
    [
        none.packed_keys(),
        none.values(integers),
        none.threshold(3.0),
        none.threshold(2.0).values(integers).packed_keys(),
    ]
}

/// All consistencies through all lossless filters: 16 million increments each time.
fn add_up(budget: Option<Budget>) -> Vec<Traffic> {
    let tables: Vec<TableSpec> = lossless(WORKERS)
        .into_iter()
        .flat_map(|consistency| {
            let spec = TableSpec::dense::<i64>(2).consistency(consistency);
            lossless_filters().map(|filters| spec.filters(filters))
        })
        .filter(|spec| spec.check().is_ok())
        .collect();
    with_workers(budget, |worker| {
        let all = Arc::new(RowSet::range(0, ROWS));
        let listed = Arc::new(RowSet::ascending((0..ROWS as u64).step_by(3).collect()).unwrap());
        for (table, &spec) in (0..).map(TableId).zip(&tables) {
            worker.create(table, spec).unwrap();
            for round in 1..=ROUNDS {
                worker.inc(table, &all, vec![1i64; 2 * ROWS]).unwrap();
                worker
                    .inc(table, &listed, vec![2i64; 2 * listed.len()])
                    .unwrap();
                let seen: Vec<i64> = worker.get(table, &all).unwrap();
                assert!(seen[0] >= 3 * round, "{spec:?}: own increments are seen");
                worker.clock(table).unwrap();
            }
            // What was kept back belongs to the round in which it is sent.
            worker.settle().unwrap();
            worker.clock(table).unwrap();
        }
        meet(worker);
        for (table, &spec) in (0..).map(TableId).zip(&tables) {
            worker.forget(table, &all).unwrap();
            let sum: i64 = worker.get::<i64>(table, &all).unwrap().iter().sum();
            let each = ROUNDS * 2 * (ROWS + 2 * listed.len()) as i64;
            assert_eq!(sum, i64::from(WORKERS) * each, "{spec:?}");
        }
    })
}

#[test]
fn filtered_increments_add_up() {
    let traffic = add_up(None);
    for Traffic {
        saved, withheld, ..
    } in traffic
    {
        assert!(saved.recalled > 0 && saved.packed > 0 && saved.coded > 0 && withheld > 0);
    }
}

#[test]
fn filtered_increments_within_a_budget_add_up() {
    add_up(Some(Budget::new(100_000_000).order(Order::Relative)));
}

/// Lossy filters owe nothing in the end: what they kept back has arrived once all have settled.
#[test]
fn lossy_filters_settle_their_debts() {
    let codes = [
        ValueCode::Half,
        ValueCode::EightBit,
        ValueCode::OneBit,
        ValueCode::FixedPoint { fraction_bits: 8 },
    ];
    let specs: Vec<TableSpec> = [None, Some(0.5)]
        .into_iter()
        .flat_map(|threshold| codes.map(|values| (threshold, values)))
        .map(|(threshold, values)| {
            let filters = Filters {
                threshold,
                values,
                packed_keys: true,
            };
            TableSpec::dense::<f32>(8)
                .consistency(Consistency::SspPush { staleness: 1 })
                .filters(filters)
        })
        .collect();
    let rows = 100;
    with_workers(Some(Budget::new(100_000_000)), |worker| {
        let all = Arc::new(RowSet::range(0, rows));
        let step: Vec<f32> = (0..8 * rows).map(|at| (at as f32 * 0.37).sin()).collect();
        for (table, &spec) in (0..).map(TableId).zip(&specs) {
            worker.create(table, spec).unwrap();
            for _ in 0..10 {
                worker.inc(table, &all, step.clone()).unwrap();
                worker.clock(table).unwrap();
                let _: Vec<f32> = worker.get(table, &all).unwrap();
            }
        }
        meet(worker);
        for (table, &spec) in (0..).map(TableId).zip(&specs) {
            worker.forget(table, &all).unwrap();
            let values: Vec<f32> = worker.get(table, &all).unwrap();
            for (value, step) in values.iter().zip(&step) {
                let whole = 10.0 * WORKERS as f32 * step;
                assert!(
                    (value - whole).abs() < 1e-3,
                    "{spec:?}: {value} and not {whole}"
                );
            }
        }
    });
}
