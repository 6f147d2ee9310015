//! A worker that may keep few rows: what it does not keep it reads again, rightly, and the shard
//! stops sending changes of it.

#![allow(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use bosen::batch::Batch;
use bosen::client::{Command, Outcome};
use bosen::consistency::Consistency;
use bosen::element::view;
use bosen::message::{ToShard, ToWorker};
use bosen::rows::{RowId, RowSet};
use bosen::sim::{Happening, Setting, Simulation, Tamper};
use bosen::spec::TableSpec;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use strads_common::ids::{TableId, WorkerId};

const TABLE: TableId = TableId(0);
const ROWS: u64 = 100;
const CAPACITY: usize = 16;

fn store(tamper: Tamper) -> Simulation {
    Simulation::new(Setting::calm(3, 1, 2, Duration::from_millis(1))).tampered(tamper)
}

fn run(store: &mut Simulation, command: Command) -> Outcome {
    let asked = store.command(WorkerId(0), TABLE, command);
    loop {
        match store.next(Duration::from_secs(10)).unwrap() {
            Happening::Done { ticket, result, .. } if ticket == asked => return result.unwrap(),
            _ => {}
        }
    }
}

fn read(store: &mut Simulation, row: u64) -> i64 {
    let Outcome::Rows(pieces) = run(store, Command::Get(Arc::new(RowSet::one(RowId(row))))) else {
        panic!("rows for a read")
    };
    view::<i64>(&pieces[0].batch.values)[0]
}

#[test]
fn rows_beyond_the_capacity_are_forgotten_and_unsubscribed() {
    let subscribed: Arc<Mutex<BTreeSet<u64>>> = Arc::default();
    let seen = subscribed.clone();
    let mut store = store(Tamper {
        to_shard: Box::new(move |message| match message {
            ToShard::Get { rows, .. } => seen.lock().unwrap().extend(rows.keys()),
            ToShard::Unsubscribe { rows, .. } => {
                seen.lock()
                    .unwrap()
                    .retain(|&row| rows.position(RowId(row)).is_none());
            }
            _ => {}
        }),
        to_worker: Box::new(|message| {
            if let ToWorker::Changes { batch, .. } = message {
                assert!(
                    batch.rows.len() <= CAPACITY + 2,
                    "only what is kept is sent"
                );
            }
        }),
    });
    let spec = TableSpec::dense::<i64>(1).consistency(Consistency::SspPush { staleness: 0 });
    run(&mut store, Command::Create(spec));
    run(&mut store, Command::Keep(Some(CAPACITY)));
    for round in 0..3 {
        for row in 0..ROWS {
            assert_eq!(read(&mut store, row), round, "row {row}");
            // The row that is always read stays.
            read(&mut store, 0);
        }
        assert!(subscribed.lock().unwrap().len() <= CAPACITY + 2);
        assert!(subscribed.lock().unwrap().contains(&0));
        let all = Arc::new(RowSet::range(0, ROWS as usize));
        run(
            &mut store,
            Command::Inc(Batch::dense(all, vec![1i64; ROWS as usize])),
        );
        run(&mut store, Command::Clock);
    }
    run(&mut store, Command::Keep(Some(1)));
    read(&mut store, 5);
    read(&mut store, 6);
    assert!(subscribed.lock().unwrap().len() <= 2);
}
