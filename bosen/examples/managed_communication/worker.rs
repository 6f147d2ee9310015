//! A worker: reads the items' factors that a batch of ratings needs, learns, increments; clocks
//! so many times a pass. Says its loss once in a while.
//!
//! It computes no faster than it is told to, so that a case does not depend on what else the
//! machine does.

use crate::cases::{Case, Settings};
use crate::network::address_of_server;
use crate::problem::{ITEMS, RANK, RATINGS, Rating, Share, initial_items};
use crate::server::PORT;
use crate::{Outcome, cases};
use bosen::rows::RowSet;
use bosen::tcp::{Timing, Worker, WorkerOptions};
use bosen::{consistency::Consistency, spec::TableSpec};
use std::sync::Arc;
use std::time::{Duration, Instant};
use strads_common::ids::{TableId, WorkerId};

#[derive(clap::Args)]
pub struct Args {
    worker: u32,
    #[command(flatten)]
    case: Case,
    #[command(flatten)]
    settings: Settings,
}

const FACTORS: TableId = TableId(0);
/// On which workers wait for each other at the beginning.
const START: TableId = TableId(1);
/// Ratings learnt from between a read and an increment.
const BATCH: usize = 1_000;
/// Between two losses that are told.
const REPORT: Duration = Duration::from_millis(500);

pub fn run(args: &Args) -> Outcome<()> {
    let (settings, case) = (&args.settings, &args.case);
    let worker = connect(args)?;
    worker.create(FACTORS, cases::table(case, settings))?;
    worker.create(START, TableSpec::dense::<f32>(1))?;
    let mut share = Share::new(settings.seed, args.worker);
    let all = Arc::new(RowSet::range(0, ITEMS));
    if args.worker == 0 {
        worker.inc(FACTORS, &all, initial_items(settings.seed))?;
        worker.settle()?;
    }
    // Everybody has the first factors before anybody begins.
    meet(&worker, 1)?;
    let _: Vec<f32> = worker.get(FACTORS, &all)?;
    meet(&worker, 2)?;
    learn(&worker, &mut share, case, settings)?;
    let loss = final_loss(&worker, &share, case, settings)?;
    println!("{}", serde_json::json!({ "final": loss }));
    println!(
        "{}",
        serde_json::json!({ "traffic": worker.traffic(), "staleness": worker.staleness(FACTORS) })
    );
    Ok(())
}

fn connect(args: &Args) -> Outcome<Worker> {
    let address = format!("{}:{PORT}", address_of_server(args.worker)).parse()?;
    let options = WorkerOptions {
        worker: WorkerId(args.worker),
        workers: args.settings.workers,
        shards: vec![address],
        secret: cases::read_secret()?,
        timing: Timing::default(),
        window_bytes: 256 << 20,
    };
    Ok(match cases::budget(&args.case, &args.settings) {
        Some(budget) => Worker::managed(options, budget)?,
        None => Worker::start(options)?,
    })
}

fn meet(worker: &Worker, times: u64) -> Outcome<()> {
    let clock = worker.clock(START)?;
    assert_eq!(clock.0, times);
    let _: Vec<f32> = worker.get(START, &Arc::new(RowSet::range(0, 1)))?;
    Ok(())
}

fn learn(worker: &Worker, share: &mut Share, case: &Case, settings: &Settings) -> Outcome<()> {
    let sampled = rows_of(share.sample());
    let batches = RATINGS / BATCH;
    let begun = Instant::now();
    let (mut computed, mut told) = (Duration::ZERO, begun);
    for batch in 0.. {
        if told <= Instant::now() {
            let items: Vec<f32> = worker.get(FACTORS, &sampled)?;
            let loss = share.loss(&items, |item| place(&sampled, item));
            let seconds = begun.elapsed().as_secs_f64();
            println!(
                "{}",
                serde_json::json!({ "seconds": seconds, "loss": loss, "passes": batch as f64 / batches as f64 })
            );
            told += REPORT;
        }
        if begun.elapsed().as_secs_f64() >= case.seconds(settings) {
            break;
        }
        let from = batch % batches * BATCH;
        let rows = rows_of(&share.ratings[from..from + BATCH]);
        let before: Vec<f32> = worker.get(FACTORS, &rows)?;
        let start = Instant::now();
        let mut items = before.clone();
        let rate = settings.rate;
        share.learn(
            from..from + BATCH,
            &mut items,
            |item| place(&rows, item),
            rate,
        );
        items
            .iter_mut()
            .zip(&before)
            .for_each(|(new, old)| *new -= old);
        worker.inc(FACTORS, &rows, items)?;
        // As slow as a machine with so much to compute.
        let takes = Duration::from_secs_f64(BATCH as f64 / settings.ratings_per_second);
        std::thread::sleep(takes.saturating_sub(start.elapsed()));
        computed += takes;
        let clocks_due = |batch: usize| batch * case.clocks / batches;
        if clocks_due(batch + 1) > clocks_due(batch) {
            worker.clock(FACTORS)?;
        }
    }
    let waited = begun.elapsed().saturating_sub(computed).as_secs_f64();
    println!("{}", serde_json::json!({ "waited": waited }));
    Ok(())
}

/// The loss with the factors that the run leaves behind: those of the server, when everything that
/// anybody did has arrived there.
fn final_loss(worker: &Worker, share: &Share, case: &Case, settings: &Settings) -> Outcome<f64> {
    worker.settle()?;
    // Nobody is waited for any more: all go to a clock that none can have reached.
    let most = case.seconds(settings) * settings.ratings_per_second / RATINGS as f64;
    let last = (most.ceil() as u64 + 1) * case.clocks as u64;
    while worker.clock(FACTORS)?.0 < last {}
    meet(worker, 3)?;
    let sampled = rows_of(share.sample());
    worker.forget(FACTORS, &sampled)?;
    let items: Vec<f32> = worker.get(FACTORS, &sampled)?;
    let loss = share.loss(&items, |item| place(&sampled, item));
    meet(worker, 4)?;
    Ok(loss)
}

fn rows_of<'a>(ratings: impl IntoIterator<Item = &'a Rating>) -> Arc<RowSet> {
    let mut keys: Vec<u64> = ratings
        .into_iter()
        .map(|rating| u64::from(rating.item))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    Arc::new(RowSet::ascending(keys).expect("sorted and distinct"))
}

fn place(rows: &RowSet, item: u32) -> usize {
    rows.position(bosen::rows::RowId(u64::from(item)))
        .expect("the items of a batch are among its rows")
}

/// The table of the items' factors.
pub fn factors(staleness: u64) -> TableSpec {
    TableSpec::dense::<f32>(RANK as u32)
        .range(0, ITEMS as u64)
        .consistency(Consistency::SspPush { staleness })
}
