//! Holds up: with one of 8 workers four times as slow, the free order reaches a target error in at
//! most 1.3 times the time of equal workers, scaled by the capacity that is lost. Time is that of the
//! simulated executor. Shown beside it: the rotating order, which waits for the slow worker, and
//! workers without a schedule, among whom the slow one's users are learnt last.
//!
//! It cannot tell what memory bandwidth or the cost of handing out a cell do.

use strads::{Executor, Run, Stop};

use super::super::blocks::{Blocks, Data, Scale, Set, Shape};
use super::super::descend::Step;
use super::super::grid::{Cut, Triples};
use super::super::sgd::{Descent, Order, Schedule, Sgd};
use super::{hogwild, low_rank};

const WORKERS: usize = 8;
const USERS: u32 = 400;
const ITEMS: u32 = 300;
const TARGET: f64 = 0.13;

const DESCENT: Descent = Descent {
    rate: 0.1,
    bias_rate: 0.0,
    lambda: 0.001,
    schedule: Schedule::Adaptive,
    non_negative: false,
};

#[test]
fn a_slow_worker_does_not_hold_up_the_others() {
    let even = vec![1.0; WORKERS];
    let mut slowed = even.clone();
    slowed[3] = 0.25;
    let capacity = slowed.iter().sum::<f64>() / WORKERS as f64;

    let undisturbed = time_to_target(Order::Rotating, WORKERS, &even);
    let waiting = time_to_target(Order::Rotating, WORKERS, &slowed);
    let going_round = time_to_target(Order::Free, 2 * WORKERS, &slowed);
    let unscheduled = time_unscheduled(&slowed);
    let unscheduled_even = time_unscheduled(&even);
    let fair = undisturbed / capacity;
    println!(
        "even: rotating {undisturbed}, unscheduled {unscheduled_even}; \
         one slow: fair {fair:.0}, free {going_round}, rotating {waiting}, unscheduled {unscheduled}"
    );
    assert!(going_round <= 1.3 * fair, "{going_round} {fair}");
    assert!(waiting > 2.0 * fair, "{waiting} {fair}");
    assert!(unscheduled > going_round, "{unscheduled} {going_round}");
}

fn blocks(strips: usize) -> Blocks {
    let (train, test) = low_rank(USERS, ITEMS, 0.3, 0.1);
    let data = Data {
        users: USERS as usize,
        items: ITEMS as usize,
        sets: [train, Triples::default(), test],
    };
    let scale = Scale {
        mean: 2.0,
        deviation: 1.0,
    };
    let shape = Shape {
        rank: 3,
        cut: Cut {
            strips,
            blocks: strips,
            seed: 1,
        },
        reach: 0.3,
        non_negative: false,
    };
    Blocks::new(data, scale, shape, 1)
}

/// Virtual seconds, at a rating a second, until the test error is at the target.
fn time_to_target(order: Order, strips: usize, speeds: &[f64]) -> f64 {
    let blocks = blocks(strips);
    let mut sgd = Sgd::new(&blocks, order, DESCENT);
    let executor = Executor::Simulated {
        speeds: speeds.to_vec(),
    };
    let mut seconds = 0.0;
    for epoch in 0..200 {
        sgd.begin(epoch);
        let run = Run::new().until(Stop::after_rounds(sgd.rounds()));
        let record = run.on(&executor, &mut sgd, &mut [(); WORKERS]).unwrap();
        seconds += record.totals.span;
        if blocks.errors(Set::Test, &Executor::Inline).unwrap().rmse() <= TARGET {
            return seconds;
        }
    }
    panic!("the target is out of reach");
}

fn time_unscheduled(speeds: &[f64]) -> f64 {
    let blocks = blocks(WORKERS);
    let count: usize = (0..WORKERS)
        .flat_map(|strip| (0..WORKERS).map(move |block| (strip, block)))
        .map(|(strip, block)| blocks.count(Set::Train, strip, block))
        .sum();
    let step = Step {
        rate: DESCENT.rate,
        bias_rate: 0.0,
        lambda: DESCENT.lambda,
        adapt: 1.0,
        item_square: blocks.item_square(),
        non_negative: false,
    };
    let epoch = count as f64 / speeds.iter().sum::<f64>();
    hogwild::time_to_target(&blocks, speeds, step, epoch, TARGET)
}
