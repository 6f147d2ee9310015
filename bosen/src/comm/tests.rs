//! The rate holds over every window; nothing that is urgent starves; what is most important goes
//! first, of the cells that it changes; what waits is given out once.

use super::backlog::Backlog;
use super::bucket::Bucket;
use super::lanes::{Lane, Lanes};
use super::order::Waiting;
use super::pacer::{Pacer, on_wire};
use super::*;
use crate::batch::{Batch, Layout};
use crate::element::{ElementKind, view};
use crate::rows::RowSet;
use crate::store;
use proptest::prelude::*;
use std::sync::Arc;

const DENSE: Layout = Layout {
    kind: ElementKind::F32,
    length: Some(2),
};
const SPARSE: Layout = Layout {
    kind: ElementKind::F32,
    length: None,
};

/// Checks every window that begins with one write and ends with another.
fn check_windows(writes: &[(Duration, u64)], rate: u64, burst: u64) {
    for (first, &(from, _)) in writes.iter().enumerate() {
        let mut sum = 0;
        for &(to, bytes) in &writes[first..] {
            sum += u128::from(bytes);
            let width = (to - from).as_nanos();
            let allowed = u128::from(burst) + (width * u128::from(rate)).div_ceil(1_000_000_000);
            assert!(sum <= allowed, "{sum} bytes in {width} ns, not {allowed}");
        }
    }
}

/// Messages that arrive at these times and have these lengths, as a paced link writes them,
/// filling every room that it is offered with an early message of that size.
fn write_all(budget: Budget, arrivals: &[(u64, u64)], early: bool) -> Vec<(Duration, u64)> {
    let mut pacer = Pacer::new(budget);
    let mut arrivals: std::collections::VecDeque<(Duration, u64)> = arrivals
        .iter()
        .scan(0, |time, &(pause, bytes)| {
            *time += pause;
            Some((Duration::from_micros(*time), bytes))
        })
        .collect();
    let (mut now, mut begun, mut writes) = (Duration::ZERO, None, Vec::new());
    let mut waiting = std::collections::VecDeque::new();
    loop {
        while arrivals.front().is_some_and(|(time, _)| *time <= now) {
            waiting.extend(arrivals.pop_front().map(|(_, bytes)| bytes));
        }
        let next = arrivals.front().map(|(time, _)| *time);
        match pacer.advise(now, !waiting.is_empty()) {
            Advice::Begin => {
                let bytes = waiting.pop_front().unwrap();
                pacer.begin(bytes);
                begun = Some(bytes);
            }
            Advice::Write(bytes) => {
                writes.push((now, on_wire(bytes)));
                if pacer.written(bytes, now) {
                    begun = None;
                }
            }
            Advice::Room(bytes) if early && next.is_some() => waiting.push_back(bytes),
            Advice::Room(_) => match next {
                Some(next) => now = next,
                None => break,
            },
            Advice::Wait(then) => {
                assert!(then > now, "waits for {then:?} at {now:?}");
                match next {
                    Some(next) => now = then.min(next),
                    None if begun.is_none() && waiting.is_empty() => break,
                    None => now = then,
                }
            }
        }
    }
    assert!(begun.is_none() && waiting.is_empty());
    writes
}

proptest! {
    /// For any arrivals, with and without early messages: bytes in any window of `w` seconds are
    /// at most `rate · w + burst`, headers included, and all is written in the end.
    #[test]
    fn the_rate_holds_over_every_window(
        arrivals in prop::collection::vec((0u64..30_000, 1u64..200_000), 1..40),
        rate in 10_000u64..20_000_000,
        burst in 3028u64..100_000,
        early: bool,
    ) {
        let budget = Budget { bytes_per_second: rate, burst_bytes: burst, order: Order::Absolute };
        let writes = write_all(budget, &arrivals, early);
        check_windows(&writes, rate, burst);
        let least: u64 = arrivals.iter().map(|&(_, bytes)| bytes).sum();
        prop_assert!(writes.iter().map(|&(_, bytes)| bytes).sum::<u64>() >= least);
    }

    /// The bucket itself, taken from at any times.
    #[test]
    fn a_bucket_never_gives_more(takes in prop::collection::vec((0u64..50_000_000, 0u64..5000), 1..60), rate in 1u64..10_000_000, burst in 1u64..5000) {
        let mut bucket = Bucket::new(rate, burst);
        let (mut now, mut writes) = (Duration::ZERO, Vec::new());
        for (pause, wanted) in takes {
            now += Duration::from_nanos(pause);
            let bytes = wanted.min(bucket.available(now));
            bucket.take(bytes);
            writes.push((now, bytes));
            let ready = bucket.ready_at(burst);
            prop_assert!(bucket.clone().available(ready) >= burst);
        }
        check_windows(&writes, rate, burst);
    }

    /// What is taken from a backlog, in whatever order and pieces, is what was added.
    #[test]
    fn a_backlog_gives_out_what_it_got(
        batches in prop::collection::vec((prop::collection::btree_set(0u64..40, 1..10), 1u64..200, any::<bool>()), 1..20),
        order in prop::sample::select(vec![Order::Absolute, Order::Relative, Order::Fifo, Order::Random { seed: 3 }, Order::Fixed]),
    ) {
        let mut backlog = Backlog::new(DENSE, order);
        let (mut given, mut taken) = (store::open(DENSE), store::open(DENSE));
        let all = Arc::new(RowSet::range(0, 40));
        let values = |rows: &Arc<RowSet>| Batch::dense(rows.clone(), vec![1.0f32; 2 * rows.len()]);
        for (keys, bytes, take) in batches {
            let rows = Arc::new(RowSet::ascending(keys.into_iter().collect()).unwrap());
            let batch = Batch::dense(rows.clone(), vec![bytes as f32; 2 * rows.len()]);
            backlog.add(&batch);
            given.add(&batch);
            if take {
                let batch = backlog.take(bytes as usize, values).unwrap();
                prop_assert!(batch.rows.len() == 1 || batch.rows.len() * 16 <= bytes as usize);
                taken.add(&batch);
            }
        }
        backlog.arrange_all(values);
        while let Some(batch) = backlog.take(50, values) {
            taken.add(&batch);
        }
        prop_assert!(backlog.is_empty() && backlog.within(&all).is_none());
        prop_assert_eq!(given.read(&all), taken.read(&all));
    }
}

/// A clock message goes after the updates before it, and not later, however many questions come.
#[test]
fn neither_clocks_nor_questions_starve() {
    let mut lanes = Lanes::default();
    (0..100).for_each(|_| lanes.push(Lane::Soon, "question"));
    lanes.push(Lane::InOrder, "update");
    lanes.push(Lane::InOrder, "clock");
    lanes.push(Lane::First, "table");
    let order: Vec<&str> = std::iter::from_fn(|| lanes.pop()).collect();
    let at = |what| order.iter().position(|&message| message == what).unwrap();
    assert_eq!(at("table"), 0);
    assert!(at("update") < at("clock"));
    assert!(
        at("clock") <= 20,
        "the clock went as number {}",
        at("clock")
    );
    assert_eq!(order.len(), 103);
}

/// A clock message that comes while a link is busy with early updates goes after at most one
/// piece of them: early updates are made for the room there is, never for later.
#[test]
fn early_updates_do_not_delay_a_clock() {
    let budget = Budget::new(1_000_000);
    let arrivals = [(0, 1000), (500_000, 100)];
    let writes = write_all(budget, &arrivals, true);
    let (last, _) = *writes.last().unwrap();
    assert!(
        last < Duration::from_millis(500 + 20),
        "written at {last:?}"
    );
}

fn rows(keys: &[u64]) -> Arc<RowSet> {
    Arc::new(RowSet::ascending(keys.to_vec()).unwrap())
}

fn sort(order: Order, increments: &Batch, values: &Batch, layout: Layout) -> Vec<u32> {
    let since: Vec<u64> = (0..increments.rows.len() as u64).rev().collect();
    let waiting = Waiting {
        increments,
        values: Some(values),
        since: &since,
        round: 0,
    };
    order.sort(&waiting, layout)
}

#[test]
fn each_order_is_what_it_says() {
    let keys = rows(&[10, 20, 30]);
    let increments = Batch::dense(keys.clone(), vec![1.0f32, -1.0, -5.0, 0.0, 0.5, 0.5]);
    let values = Batch::dense(keys, vec![0.1f32, 0.1, 100.0, 100.0, 1.0, 1.0]);
    let sorted = |order| sort(order, &increments, &values, DENSE);
    assert_eq!(sorted(Order::Absolute), [1, 0, 2]);
    assert_eq!(sorted(Order::Relative), [0, 2, 1]);
    assert_eq!(sorted(Order::Fifo), [2, 1, 0]);
    assert_eq!(sorted(Order::Fixed), [0, 1, 2]);
    assert_eq!(
        sorted(Order::Random { seed: 1 }),
        sorted(Order::Random { seed: 1 })
    );
}

/// Relative magnitude compares an increment with the columns that it changes, by name: not with
/// those at the same place, nor with the rest of the row.
#[test]
fn relative_magnitude_of_sparse_rows_goes_by_column() {
    let keys = rows(&[1, 2]);
    // Row 1 changes a small cell beside a large one; row 2 a large one beside a small one.
    let increments = Batch::sparse(keys.clone(), vec![1, 2], vec![9, 9], vec![1.0f32, 1.0]);
    let values = Batch::sparse(
        keys,
        vec![2, 4],
        vec![3, 9, 3, 9],
        vec![1000.0f32, 0.5, 0.5, 1000.0],
    );
    assert_eq!(sort(Order::Relative, &increments, &values, SPARSE), [0, 1]);
    let swapped = Batch::sparse(
        rows(&[1, 2]),
        vec![2, 4],
        vec![3, 9, 3, 9],
        vec![0.5f32, 1000.0, 1000.0, 0.5],
    );
    assert_eq!(sort(Order::Relative, &increments, &swapped, SPARSE), [1, 0]);
}

/// Rows that are unknown, zero, or not numbers have an importance all the same.
#[test]
fn importance_is_always_defined() {
    let keys = rows(&[1, 2, 3, 4]);
    let increments = Batch::dense(
        keys.clone(),
        vec![0.0f32, 0.0, 1.0, 1.0, f32::NAN, 0.0, 1.0, 1.0],
    );
    // Row 2 is unknown here, so that its increment is all there is of it.
    let values = Batch::dense(keys, vec![0.0f32, 0.0, 0.0, 0.0, 1.0, 1.0, 9.0, 9.0]);
    assert_eq!(
        sort(Order::Relative, &increments, &values, DENSE),
        [2, 1, 3, 0]
    );
    assert_eq!(
        sort(Order::Absolute, &increments, &values, DENSE),
        [2, 1, 3, 0]
    );
}

/// What matters most goes first, and what has grown important is not kept waiting for long.
#[test]
fn the_most_important_rows_of_a_backlog_go_first() {
    let mut backlog = Backlog::new(DENSE, Order::Absolute);
    let all = Arc::new(RowSet::range(0, 100));
    backlog.add(&Batch::dense(
        all.clone(),
        (0..200).map(|at| (at / 2) as f32).collect(),
    ));
    let none = |rows: &Arc<RowSet>| Batch::dense(rows.clone(), vec![0.0f32; 2 * rows.len()]);
    let first = backlog.take(5 * 16, none).unwrap();
    assert_eq!(first.rows.as_range(), Some((95, 5)));
    backlog.add(&Batch::dense(rows(&[3]), vec![1000.0f32, 0.0]));
    let mut taken = 0;
    loop {
        let batch = backlog.take(5 * 16, none).unwrap();
        if batch.rows.position(crate::rows::RowId(3)).is_some() {
            break;
        }
        taken += batch.rows.len();
    }
    assert!(taken <= 25, "row 3 waited for {taken} others");
    assert_eq!(view::<f32>(&backlog.within(&all).unwrap().values)[6], 0.0);
}
