//! The same program, written against [`Tables`], in one process, over sockets, and as a plain
//! loop: bulk synchronous rounds end with the same bits.

use super::{TABLE, range};
use bosen::local;
use bosen::rows::{RowId, RowSet};
use bosen::rule::Rule;
use bosen::spec::TableSpec;
use bosen::tables::Tables;
use bosen::tcp::{Server, ServerOptions, Timing, Worker, WorkerOptions};
use std::net::TcpListener;
use std::sync::Arc;
use strads_common::auth::Secret;
use strads_common::ids::{ShardId, WorkerId};

const WORKERS: u32 = 3;
const ROWS: usize = 100;
const ROUNDS: u64 = 12;

/// What `worker` adds in `round`: numbers whose sums depend on the order.
fn delta(worker: u32, round: u64, row: u64) -> f32 {
    ((1 + worker) as f32 * 0.37 + row as f32 * 1.3e-3).powi(1 + (round % 5) as i32)
}

/// Each round reads all rows, and adds to each a share of what it read and something of its own.
fn program<T: Tables>(worker: &T, id: u32, spec: TableSpec) -> Result<Vec<f32>, T::Error> {
    let rows = range(ROWS);
    worker.create(TABLE, spec)?;
    for round in 0..ROUNDS {
        let seen: Vec<f32> = worker.get(TABLE, &rows)?;
        let deltas = (0..ROWS as u64).map(|row| delta(id, round, row) - 0.1 * seen[row as usize]);
        worker.inc(TABLE, &rows, deltas.collect())?;
        for row in (u64::from(id)..ROWS as u64).step_by(9) {
            worker.inc_cell(TABLE, RowId(row), 0, 0.01f32)?;
        }
        worker.clock(TABLE)?;
    }
    worker.get(TABLE, &rows)
}

fn in_process(spec: TableSpec) -> Vec<Vec<f32>> {
    std::thread::scope(|scope| {
        let start = |worker: local::Worker| {
            scope.spawn(move || program(&worker, worker.id().0, spec).unwrap())
        };
        let threads: Vec<_> = local::open(WORKERS).into_iter().map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn over_sockets(spec: TableSpec) -> Vec<Vec<f32>> {
    let (secret, timing) = (Secret::from_bytes([7; 32]), Timing::default());
    let serve = |shard| {
        let options = ServerOptions {
            shard: ShardId(shard),
            shards: 2,
            workers: WORKERS,
            secret: secret.clone(),
            timing,
        };
        Server::start(TcpListener::bind("127.0.0.1:0").unwrap(), options).unwrap()
    };
    let servers: Vec<Server> = (0..2).map(serve).collect();
    let options = |id| WorkerOptions {
        worker: WorkerId(id),
        workers: WORKERS,
        shards: servers.iter().map(Server::address).collect(),
        secret: secret.clone(),
        timing,
        window_bytes: 1 << 20,
    };
    std::thread::scope(|scope| {
        let start = |id| {
            let options = options(id);
            scope.spawn(move || program(&Worker::start(options).unwrap(), id, spec).unwrap())
        };
        let threads: Vec<_> = (0..WORKERS).map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// The definition, in the order of rounds and workers.
fn plain_loop() -> Vec<f32> {
    let mut weights = vec![0f32; ROWS];
    for round in 0..ROUNDS {
        let seen = weights.clone();
        for id in 0..WORKERS {
            for row in 0..ROWS as u64 {
                weights[row as usize] += delta(id, round, row) - 0.1 * seen[row as usize];
            }
            for row in (u64::from(id)..ROWS as u64).step_by(9) {
                weights[row as usize] += 0.01;
            }
        }
    }
    weights
}

#[test]
fn sums_have_the_same_bits_everywhere() {
    let spec = TableSpec::dense::<f32>(1);
    let expected = vec![plain_loop(); WORKERS as usize];
    for spec in [spec, spec.range(0, ROWS as u64)] {
        assert_eq!(in_process(spec), expected);
        assert_eq!(over_sockets(spec), expected);
    }
}

#[test]
fn steps_of_an_optimiser_have_the_same_bits_everywhere() {
    let rule = Rule::Momentum {
        rate: 0.01,
        momentum: 0.9,
    };
    let spec = TableSpec::dense::<f32>(1).rule(rule).range(0, ROWS as u64);
    assert_eq!(in_process(spec), over_sockets(spec));
}

/// Rows by list, in both homes, of a table with any keys.
#[test]
fn listed_rows_are_the_same_rows() {
    let spec = TableSpec::dense::<f32>(1);
    let rows =
        Arc::new(RowSet::ascending((0..ROWS as u64).filter(|row| row % 3 == 1).collect()).unwrap());
    let worker = local::open(1).remove(0);
    worker.create(TABLE, spec).unwrap();
    worker
        .inc(TABLE, &rows, rows.keys().map(|row| row as f32).collect())
        .unwrap();
    worker.clock(TABLE).unwrap();
    let read: Vec<f32> = worker.get(TABLE, &rows).unwrap();
    assert_eq!(read, rows.keys().map(|row| row as f32).collect::<Vec<_>>());
    let all: Vec<f32> = worker.get(TABLE, &range(ROWS)).unwrap();
    assert_eq!(all.iter().sum::<f32>(), read.iter().sum::<f32>());
}
