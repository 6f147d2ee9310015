//! The unscheduled twin of the stragglers' test: workers go through their own users at their own
//! pace, and nobody owns items.
//!
//! A worker works on the block of items as it was when it began a cell, and adds what it changed
//! when it ends, unaware of what others added in between. That is coarser than
//! single racing stores, and as stale as a cell is long.

use super::super::blocks::{Blocks, Set};
use super::super::descend::{Step, descend};
use super::super::rows::Rows;
use strads::Executor;

/// A cell that a worker is busy with.
struct Busy {
    until: f64,
    block: usize,
    before: Rows,
    after: Rows,
}

/// Virtual seconds, at a rating a second, until the test error is at `target`; strip w belongs to
/// worker w. The error is looked at every `every` seconds.
pub fn time_to_target(blocks: &Blocks, speeds: &[f64], step: Step, every: f64, target: f64) -> f64 {
    let mut step = step;
    let mut turns = vec![0; speeds.len()];
    let mut busy: Vec<Busy> = (0..speeds.len())
        .map(|worker| {
            begin(
                blocks,
                worker,
                &mut turns[worker],
                0.0,
                speeds[worker],
                step,
            )
        })
        .collect();
    let mut look_at = every;
    while look_at < 1_000.0 * every {
        let worker = (0..busy.len())
            .min_by(|&a, &b| busy[a].until.total_cmp(&busy[b].until))
            .unwrap();
        let now = busy[worker].until;
        if now >= look_at {
            if blocks.errors(Set::Test, &Executor::Inline).unwrap().rmse() <= target {
                return look_at;
            }
            look_at += every;
            step.item_square = blocks.item_square();
            continue;
        }
        end(blocks, &busy[worker]);
        busy[worker] = begin(
            blocks,
            worker,
            &mut turns[worker],
            now,
            speeds[worker],
            step,
        );
    }
    f64::INFINITY
}

fn begin(
    blocks: &Blocks,
    worker: usize,
    turn: &mut usize,
    now: f64,
    speed: f64,
    step: Step,
) -> Busy {
    let block = (worker + *turn) % blocks.items.len();
    *turn += 1;
    let before = blocks.items.with(block, |rows| rows.clone());
    let mut after = before.clone();
    blocks.strips.with(worker, |strip| {
        let (users, cell) = strip.split(Set::Train, block);
        descend(users, &mut after, cell, step);
    });
    let cost = blocks.count(Set::Train, worker, block) as f64;
    Busy {
        until: now + cost / speed,
        block,
        before,
        after,
    }
}

fn end(blocks: &Blocks, done: &Busy) {
    blocks.items.with(done.block, |rows| {
        for at in 0..rows.len() {
            let (before, after) = (done.before.aside(at), done.after.aside(at));
            rows.aside_mut(at).bias += after.bias - before.bias;
            rows.aside_mut(at).travelled += after.travelled - before.travelled;
            let changes = done.after.row(at).iter().zip(done.before.row(at));
            for (entry, (after, before)) in rows.row_mut(at).iter_mut().zip(changes) {
                *entry += after - before;
            }
        }
    });
}
