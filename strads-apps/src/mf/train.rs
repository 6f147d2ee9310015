//! A training, end to end: read, lay out, learn, write.

use std::time::Instant;

use serde::Serialize;

use super::blocks::{Blocks, Data, Shape};
use super::epochs::{Learnt, Training};
use super::grid::{Cut, Triples};
use super::input::{self, Input};
use super::model::Model;
use super::options::Args;
use super::rows::LINE;
use crate::checkpoint::Keeper;
use crate::failure::Failure;
use crate::files::together;

/// A block of items should not be larger than a core's second-level cache.
const BLOCK_BYTES: usize = 1 << 20;

#[derive(Serialize)]
struct Started {
    ratings: usize,
    validation_ratings: usize,
    test_ratings: usize,
    users: usize,
    items: usize,
    rank: u32,
    threads: usize,
    workers: usize,
    seconds_read: f64,
}

#[derive(Serialize)]
struct Finished {
    #[serde(flatten)]
    learnt: Learnt,
    seconds_read: f64,
    seconds_train: f64,
    seconds_write: f64,
}

/// Trains as `args` say, and writes the model where they say.
pub fn train(args: &Args) -> Result<(Learnt, Model), Failure> {
    let mut console = args.common.console();
    let place = args.common.place()?;
    let args = &args.on(&place);
    let began = Instant::now();
    let Input {
        data,
        user_ids,
        item_ids,
    } = input::read(args, &mut console)?;
    let seconds_read = began.elapsed().as_secs_f64();
    let [ratings, validation_ratings, test_ratings] = data.sets.each_ref().map(Triples::len);
    console.event(
        "start",
        Started {
            ratings,
            validation_ratings,
            test_ratings,
            users: user_ids.len(),
            items: item_ids.len(),
            rank: args.rank,
            threads: args.common.threads(),
            workers: args.workers(),
            seconds_read,
        },
    );

    let began = Instant::now();
    let keeper = args.common.checkpoint.as_deref();
    let keeper = keeper.map(|directory| Keeper::new(directory, "mf", &description(args, &data)));
    let blocks = lay_out(args, data);
    let (learnt, best) = Training {
        args,
        blocks: &blocks,
        keeper,
        executor: place.executor.clone(),
        began,
        rows: (user_ids.len(), item_ids.len()),
    }
    .learn(&mut console)?;
    let seconds_train = began.elapsed().as_secs_f64();

    let began = Instant::now();
    blocks.recall(&place.executor)?;
    let (users, items) =
        best.unwrap_or_else(|| (blocks.users(user_ids.len()), blocks.items(item_ids.len())));
    let model = Model {
        users,
        items,
        user_ids,
        item_ids,
        mean: blocks.scale.mean,
    };
    if let Some(directory) = &args.common.out {
        let failed = |error| Failure::world(format!("{}: {error}", directory.display()));
        together(|| model.write(directory)).map_err(failed)?;
    }
    console.say(&learnt);
    let finished = Finished {
        learnt: learnt.clone(),
        seconds_read,
        seconds_train,
        seconds_write: began.elapsed().as_secs_f64(),
    };
    console.event("done", finished);
    console.finish()?;
    Ok((learnt, model))
}

fn lay_out(args: &Args, data: Data) -> Blocks {
    let rank = args.rank as usize;
    let scale = input::scale(&data.sets[0], args.non_negative);
    let strips = args.workers();
    let row_bytes = rank.div_ceil(LINE) * LINE * size_of::<f32>();
    let reach = if args.non_negative {
        // Products of such entries add up to the mean rating.
        let mean = input::scale(&data.sets[0], false).mean / scale.deviation;
        2.0 * (mean / rank as f32).sqrt()
    } else {
        0.5 / (rank as f32).sqrt()
    };
    let shape = Shape {
        rank,
        cut: Cut {
            strips,
            blocks: strips.max((data.items * row_bytes).div_ceil(BLOCK_BYTES)),
            seed: args.common.seed,
        },
        reach,
        non_negative: args.non_negative,
    };
    Blocks::new(data, scale, shape, args.common.threads())
}

/// What makes a training the same one, to go on with: whatever its result depends on but workers.
fn description(args: &Args, data: &Data) -> String {
    let ratings = data.sets.each_ref().map(|set| {
        set.iter()
            .fold(set.len() as u64, |hash, (user, item, value)| {
                let rating =
                    u64::from(user) << 32 ^ u64::from(item) << 8 ^ u64::from(value.to_bits());
                (hash.rotate_left(5) ^ rating).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            })
    });
    format!(
        "{ratings:?} {} {} {} {:?} {:?} {:?} {} {} {}",
        args.rank,
        args.lambda,
        args.rate,
        args.solver,
        args.schedule,
        args.order,
        args.biases(),
        args.non_negative,
        args.common.seed,
    )
}
