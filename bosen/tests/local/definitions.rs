//! Each consistency against its definition: every worker counts its rounds in a row of its own,
//! and whoever reads checks what it sees of all others.

use super::common::lossless;
use super::{TABLE, WORKERS, on_threads, range};
use bosen::consistency::Consistency;
use bosen::local;
use bosen::rows::RowId;
use bosen::spec::TableSpec;
use bosen::tables::Tables;

const ROUNDS: i64 = 300;

/// What a read at `clock` must and may show of another worker's rounds.
fn bounds(consistency: Consistency, clock: i64) -> (i64, i64) {
    match consistency {
        Consistency::Bsp | Consistency::Backup { .. } => (clock, clock),
        // Nobody who has read at a clock is more than the staleness ahead; one increment more may
        // have been made before the next read.
        Consistency::Ssp { staleness } | Consistency::SspPush { staleness } => {
            (clock - staleness as i64, clock + staleness as i64 + 1)
        }
        _ => (0, ROUNDS),
    }
}

#[test]
fn a_read_sees_what_its_definition_says() {
    for consistency in lossless(WORKERS) {
        let spec = TableSpec::dense::<i64>(1).consistency(consistency);
        let lags = on_threads(|worker| {
            worker.create(TABLE, spec).unwrap();
            let own = u64::from(worker.id().0);
            for clock in 0..ROUNDS {
                let seen: Vec<i64> = worker.get(TABLE, &range(WORKERS as usize)).unwrap();
                let (must, may) = bounds(consistency, clock);
                for (other, &rounds) in seen.iter().enumerate() {
                    match other as u64 == own {
                        true => assert_eq!(rounds, clock, "{consistency:?}: own increments"),
                        false => assert!(
                            (must..=may).contains(&rounds),
                            "{consistency:?}: {rounds} at {clock}"
                        ),
                    }
                }
                worker.inc_cell(TABLE, RowId(own), 0, 1i64).unwrap();
                worker.clock(TABLE).unwrap();
            }
            worker.staleness(TABLE)
        });
        for counts in lags {
            assert_eq!(counts.reads(), ROUNDS as u64, "every read is counted");
            let greatest = counts.counts().len() as u64 - 1;
            match consistency {
                Consistency::Bsp | Consistency::Backup { .. } => assert_eq!(greatest, 0),
                Consistency::Ssp { staleness } | Consistency::SspPush { staleness } => {
                    assert!(greatest <= staleness)
                }
                _ => {}
            }
        }
    }
}

/// A strict table beside a loose one makes only itself strict.
#[test]
fn freshness_is_a_matter_of_each_table() {
    let mut workers = local::open(2);
    let (_other, worker) = (workers.remove(1), workers.remove(0));
    let loose = Consistency::Ssp { staleness: 5 };
    worker
        .create(TABLE, TableSpec::dense::<i64>(1).consistency(loose))
        .unwrap();
    let strict = strads_common::ids::TableId(1);
    worker.create(strict, TableSpec::dense::<i64>(1)).unwrap();
    for _ in 0..5 {
        worker.clock(TABLE).unwrap();
        // The other worker has not moved: a read of the strict table at the next clock would wait.
        assert_eq!(worker.get::<i64>(TABLE, &range(1)).unwrap(), [0]);
        assert_eq!(worker.get::<i64>(strict, &range(1)).unwrap(), [0]);
    }
    assert_eq!(worker.staleness(TABLE).counts(), [0, 1, 1, 1, 1, 1]);
}

/// Two of three complete a round; the third goes on where they are, and what it did is dropped.
#[test]
fn a_late_worker_goes_on_at_the_table_clock() {
    let workers = local::open(3);
    let backup = TableSpec::dense::<i64>(1).consistency(Consistency::Backup { needed: 2 });
    for worker in &workers {
        worker.create(TABLE, backup).unwrap();
        worker.inc_cell(TABLE, RowId(0), 0, 1i64).unwrap();
    }
    for _ in 0..3 {
        workers[0].clock(TABLE).unwrap();
        workers[1].clock(TABLE).unwrap();
    }
    assert_eq!(workers[0].get::<i64>(TABLE, &range(1)).unwrap(), [2]);
    assert_eq!(workers[2].clock(TABLE).unwrap().0, 3);
    assert_eq!(workers[2].get::<i64>(TABLE, &range(1)).unwrap(), [2]);
    assert_eq!(workers[2].discarded(TABLE).unwrap(), 1);
}
