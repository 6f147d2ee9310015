//! Holds up: with one of 8 workers four times as slow, the free order reaches a target error in at
//! most 1.3 times the time of equal workers, scaled by the capacity that is lost. Time is that of the
//! simulated executor. The rotating order, which waits for the slow worker, is shown not to.
//!
//! It cannot tell what memory bandwidth or the cost of handing out a cell do.

use strads::{Executor, Run, Stop};

use super::super::blocks::{Blocks, Data, Scale, Set, Shape};
use super::super::grid::{Cut, Triples};
use super::super::sgd::{Descent, Order, Schedule, Sgd};
use super::low_rank;

const WORKERS: usize = 8;
const USERS: u32 = 400;
const ITEMS: u32 = 300;
const TARGET: f64 = 0.13;

#[test]
fn a_slow_worker_does_not_hold_up_the_others() {
    let even = vec![1.0; WORKERS];
    let mut slowed = even.clone();
    slowed[3] = 0.25;
    let capacity = slowed.iter().sum::<f64>() / WORKERS as f64;

    let undisturbed = time_to_target(Order::Rotating, WORKERS, even);
    let waiting = time_to_target(Order::Rotating, WORKERS, slowed.clone());
    let going_round = time_to_target(Order::Free, 2 * WORKERS, slowed);
    let fair = undisturbed / capacity;
    println!("even {undisturbed}, rotating {waiting}, free {going_round}, fair {fair}");
    assert!(going_round <= 1.3 * fair, "{going_round} {fair}");
    assert!(waiting > 2.0 * fair, "{waiting} {fair}");
}

/// Virtual seconds, at a rating a second, until the test error is at the target.
fn time_to_target(order: Order, strips: usize, speeds: Vec<f64>) -> f64 {
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
    let blocks = Blocks::new(data, scale, shape, 1);
    let descent = Descent {
        rate: 0.1,
        bias_rate: 0.0,
        lambda: 0.001,
        schedule: Schedule::Adaptive,
        non_negative: false,
    };
    let mut sgd = Sgd::new(&blocks, order, descent);
    let executor = Executor::Simulated { speeds };
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
