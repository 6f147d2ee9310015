//! The store in one process.
//!
//! Invariants held up: no increment is lost or doubled, however many threads make it and by
//! whichever call; each consistency shows what its definition says and no less; a run of bulk
//! synchronous rounds has the bits of the same run over sockets; a row is never seen half
//! written; a worker that leaves or panics keeps nobody waiting. Threads are scheduled as the
//! machine likes, so what is checked holds in every schedule.

#![allow(clippy::unwrap_used, reason = "a test ends where it is surprised")]

#[path = "../common/mod.rs"]
mod common;
mod definitions;
mod twin;

use bosen::batch::{Batch, Cells};
use bosen::client::Failure;
use bosen::consistency::Consistency;
use bosen::element::view;
use bosen::local;
use bosen::message::Refusal;
use bosen::rows::{RowId, RowSet};
use bosen::rule::Rule;
use bosen::spec::TableSpec;
use bosen::store;
use bosen::tables::Tables;
use common::lossless;
use std::sync::Arc;
use strads_common::ids::{TableId, WorkerId};

const TABLE: TableId = TableId(0);
const WORKERS: u32 = 4;

fn range(len: usize) -> Arc<RowSet> {
    Arc::new(RowSet::range(0, len))
}

/// Runs `program` as each of the workers, in threads; nobody leaves before all have ended.
fn on_threads<T: Send>(program: impl Fn(&local::Worker) -> T + Sync) -> Vec<T> {
    let program = &program;
    std::thread::scope(|scope| {
        let start = |worker| scope.spawn(move || (program(&worker), worker));
        let threads: Vec<_> = local::open(WORKERS).into_iter().map(start).collect();
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        ended.into_iter().map(|end| end.unwrap().0).collect()
    })
}

/// Goes beyond the round in which everything was done.
fn finish(worker: &local::Worker, table: TableId, rows: &Arc<RowSet>) -> Batch {
    worker.clock(table).unwrap();
    let strict = TableId(99);
    worker.create(strict, TableSpec::dense::<i64>(1)).unwrap();
    worker.clock(strict).unwrap();
    worker.get_batch(strict, &range(1)).unwrap();
    worker.get_batch(table, rows).unwrap()
}

#[test]
fn a_million_concurrent_increments_add_up() {
    const ROWS: u64 = 3000;
    for (consistency, ranged) in lossless(WORKERS)
        .into_iter()
        .zip([true, false].into_iter().cycle())
    {
        let spec = TableSpec::dense::<i64>(3).consistency(consistency);
        let spec = if ranged { spec.range(0, ROWS) } else { spec };
        let sums = on_threads(|worker| {
            let all = range(ROWS as usize);
            let third = Arc::new(RowSet::ascending((0..ROWS).step_by(3).collect()).unwrap());
            worker.create(TABLE, spec).unwrap();
            let table = worker.table::<i64>(TABLE).unwrap();
            for round in 0..10 {
                table.inc(&all, &vec![1; 3 * ROWS as usize]).unwrap();
                table.inc(&third, &vec![1; ROWS as usize]).unwrap();
                for row in (0..ROWS).step_by(7) {
                    table.inc_cell(RowId(row), 1, 1).unwrap();
                    table.inc_slice(RowId(row), 1, &[1, 1]).unwrap();
                }
                let own = table.cell(RowId(0), 0).unwrap();
                assert!(own > 2 * round, "{consistency:?}: own increments are seen");
                worker.clock(TABLE).unwrap();
            }
            let found = finish(worker, TABLE, &all);
            view::<i64>(&found.values).iter().sum::<i64>()
        });
        let sevenths = ROWS.div_ceil(7) as i64;
        let each = 10 * (3 * ROWS as i64 + ROWS as i64 + 3 * sevenths);
        assert_eq!(
            sums,
            vec![i64::from(WORKERS) * each; WORKERS as usize],
            "{consistency:?}"
        );
    }
}

#[test]
fn sparse_increments_add_up() {
    const ROWS: u64 = 500;
    for consistency in lossless(WORKERS) {
        let spec = TableSpec::sparse::<i32>().consistency(consistency);
        let found = on_threads(|worker| {
            worker.create(TABLE, spec).unwrap();
            // Each worker has a column of its own, and one with all others.
            let columns: Vec<u32> = (0..ROWS).flat_map(|_| [worker.id().0, 1000]).collect();
            let ends: Vec<u32> = (1..=ROWS as u32).map(|row| 2 * row).collect();
            let ones = vec![1i32; columns.len()];
            let batch = Batch::sparse(range(ROWS as usize), ends, columns, ones);
            for _ in 0..20 {
                worker.inc_batch::<i32>(TABLE, batch.clone()).unwrap();
                worker.clock(TABLE).unwrap();
            }
            finish(worker, TABLE, &range(ROWS as usize))
        });
        let Cells::Sparse { columns, .. } = &found[0].cells else {
            panic!("sparse rows are read as such")
        };
        let (columns, values) = (view::<u32>(columns), view::<i32>(&found[0].values));
        assert_eq!(columns.len() as u64, ROWS * u64::from(WORKERS + 1));
        let expected = |column| {
            if column == 1000 {
                20 * WORKERS as i32
            } else {
                20
            }
        };
        let right = columns
            .iter()
            .zip(&*values)
            .all(|(&column, &value)| value == expected(column));
        assert!(right, "{consistency:?}");
    }
}

#[test]
fn a_row_is_never_seen_half_written() {
    for (length, turns) in [(7, 300_000), (5000, 10_000)] {
        let spec = TableSpec::dense::<i64>(length).consistency(Consistency::Asynchronous);
        on_threads(|worker| {
            worker.create(TABLE, spec.range(0, 1)).unwrap();
            let table = worker.table::<i64>(TABLE).unwrap();
            let (ones, mut seen) = (vec![1; length as usize], vec![0; length as usize]);
            for _ in 0..turns {
                match worker.id().0 % 2 {
                    0 => table.inc_row(RowId(0), &ones).unwrap(),
                    _ => table.get_row(RowId(0), &mut seen).unwrap(),
                }
                assert!(seen.iter().all(|&value| value == seen[0]));
            }
        });
    }
}

/// Hogwild may lose what is done at once, and nothing else.
#[test]
fn hogwild_loses_only_collisions() {
    let spec = TableSpec::dense::<i64>(8)
        .consistency(Consistency::Hogwild)
        .range(0, 8);
    let sums = on_threads(|worker| {
        worker.create(TABLE, spec).unwrap();
        let table = worker.table::<i64>(TABLE).unwrap();
        for _ in 0..10_000 {
            table
                .inc_row(RowId(u64::from(worker.id().0)), &[1; 8])
                .unwrap();
            table.inc_cell(RowId(7), 0, 1).unwrap();
        }
        let found = finish(worker, TABLE, &range(8));
        let values = view::<i64>(&found.values).into_owned();
        (
            values[..8 * WORKERS as usize].iter().sum::<i64>(),
            values[7 * 8],
        )
    });
    for (alone, together) in sums {
        assert_eq!(alone, 80_000 * i64::from(WORKERS));
        assert!((10_000..=10_000 * i64::from(WORKERS)).contains(&together));
    }
}

/// The steps that a shard's store makes, in the same order.
#[test]
fn optimisers_step_as_a_shard_does() {
    let rule = Rule::Adam {
        rate: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
    };
    let spec = TableSpec::dense::<f32>(5)
        .rule(rule)
        .consistency(Consistency::Asynchronous);
    let worker = local::open(1).remove(0);
    worker.create(TABLE, spec).unwrap();
    let mut twin = store::open(spec.layout);
    for step in 0..20 {
        let rows = Arc::new(
            RowSet::ascending((0..40).filter(|row| row % 7 != step % 7).collect()).unwrap(),
        );
        let gradient = vec![step as f32 - 3.5; 5 * rows.len()];
        twin.step(&Batch::dense(rows.clone(), gradient.clone()), rule);
        worker.inc(TABLE, &rows, gradient).unwrap();
    }
    let found = worker.get_batch(TABLE, &range(40)).unwrap();
    assert_eq!(found.values, twin.read(&range(40)).values);
}

#[test]
fn a_worker_that_leaves_is_not_waited_for() {
    let mut workers = local::open(2);
    let (leaves, stays) = (workers.remove(1), workers.remove(0));
    for worker in [&stays, &leaves] {
        worker.create(TABLE, TableSpec::dense::<f32>(1)).unwrap();
    }
    leaves.inc(TABLE, &range(1), vec![5f32]).unwrap();
    drop(leaves);
    stays.clock(TABLE).unwrap();
    assert_eq!(stays.get::<f32>(TABLE, &range(1)).unwrap(), [5.0]);
    // A table that is made later does not wait for it either.
    stays
        .create(TableId(1), TableSpec::dense::<f32>(1))
        .unwrap();
    stays.clock(TableId(1)).unwrap();
    assert_eq!(stays.get::<f32>(TableId(1), &range(1)).unwrap(), [0.0]);
}

#[test]
fn a_worker_that_panics_is_named_to_those_who_wait_for_it() {
    let mut workers = local::open(3);
    let panics = workers.remove(1);
    let stay: Vec<_> = workers
        .into_iter()
        .map(|worker| {
            std::thread::spawn(move || {
                worker.create(TABLE, TableSpec::dense::<f32>(1)).unwrap();
                worker.clock(TABLE).unwrap();
                worker.get::<f32>(TABLE, &range(1)).unwrap_err()
            })
        })
        .collect();
    let panicked = std::thread::spawn(move || {
        let _held = panics;
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    let reason = Refusal::WorkerLost(WorkerId(1));
    for thread in stay {
        assert_eq!(
            thread.join().unwrap(),
            Failure::Refused {
                table: TABLE,
                reason
            }
        );
    }
}

#[test]
fn mistakes_are_named() {
    let worker = local::open(1).remove(0);
    let spec = TableSpec::dense::<f32>(2).range(10, 5);
    assert_eq!(
        worker.get::<f32>(TABLE, &range(1)),
        Err(Failure::NoTable(TABLE))
    );
    worker.create(TABLE, spec).unwrap();
    assert!(worker.create(TABLE, spec.range(0, 5)).is_err());
    assert!(matches!(
        worker.get::<i32>(TABLE, &range(1)),
        Err(Failure::Kind { .. })
    ));
    assert!(matches!(
        worker.get::<f32>(TABLE, &range(1)),
        Err(Failure::Misfit(_))
    ));
    assert_eq!(worker.get::<f32>(TABLE, &range(0)), Ok(Vec::new()));
    let table = worker.table::<f32>(TABLE).unwrap();
    assert!(table.cell(RowId(9), 0).is_err());
    assert!(table.cell(RowId(15), 0).is_err());
    assert!(table.cell(RowId(10), 2).is_err());
    assert!(table.inc_slice(RowId(10), 1, &[1.0, 1.0]).is_err());
    assert!(table.inc_row(RowId(10), &[1.0]).is_err());
    assert!(table.inc_slice(RowId(10), u32::MAX, &[1.0]).is_err());
    assert_eq!(table.cell(RowId(14), 1), Ok(0.0));
    worker
        .create(TableId(1), TableSpec::sparse::<f32>())
        .unwrap();
    assert!(worker.get::<f32>(TableId(1), &range(1)).is_err());
    assert!(worker.table::<f32>(TableId(1)).is_err());
}
