//! `strads lasso` and `strads logistic`: read, fit, write.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{ArgGroup, ValueHint};
use serde::Serialize;
use strads::{Record, Run, Verdict};
use strads_datasets::{Format, Labelled, ReadOptions, Source, read_labelled, read_vector};

use super::design::Design;
use super::grid::Grid;
use super::loss::Loss;
use super::model;
use super::program::{Settings, SparseRegression, Standing};
use crate::checkpoint::Keeper;
use crate::cli::number::{not_negative, positive, share};
use crate::cluster::place::Place;
use crate::console::Console;
use crate::failure::Failure;
use crate::files::{together, watched};
use crate::options::Common;

/// Options of both commands.
#[derive(Clone, Debug, clap::Args)]
#[command(group = ArgGroup::new("strength").required(true).args(["lambda", "lambda_ratio", "path"]))]
pub struct Args {
    /// Features: libsvm, Matrix Market, CSV, TSV, .npy or .npz; may be compressed; - is standard input
    #[arg(value_name = "X", value_hint = ValueHint::FilePath)]
    pub features: PathBuf,
    /// Targets, one a row, if they are not in X; for a table the name or number of its column
    #[arg(long, value_name = "FILE|COLUMN")]
    pub target: Option<String>,
    /// The format of X [default: detected]
    #[arg(long, value_name = "NAME")]
    pub format: Option<Format>,
    /// Solve at this λ
    #[arg(long, value_name = "L", value_parser = positive)]
    pub lambda: Option<f64>,
    /// Solve at this share of the smallest λ that selects nothing
    #[arg(long, value_name = "R", value_parser = positive)]
    pub lambda_ratio: Option<f64>,
    /// Solve at N λ, from the smallest that selects nothing downwards
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub path: Option<u32>,
    /// The last λ of a path as a share of its first
    #[arg(long, value_name = "R", default_value_t = 0.01, value_parser = share)]
    pub path_min_ratio: f64,
    /// The share of the penalty on absolute values; below 1 it is the elastic net
    #[arg(long, value_name = "A", default_value_t = 1.0, value_parser = share)]
    pub l1_ratio: f64,
    /// Fit an intercept
    #[arg(long)]
    pub intercept: bool,
    /// Penalise features as if they were divided by their standard deviations
    #[arg(long)]
    pub standardise: bool,
    /// Stop when the duality gap is this share of the null model's objective
    #[arg(long, value_name = "T", default_value_t = 1e-6, value_parser = positive)]
    pub tol: f64,
    /// At least so many seconds between checkpoints
    #[arg(long, value_name = "S", default_value_t = 10.0, requires = "checkpoint", value_parser = not_negative)]
    pub checkpoint_seconds: f64,
    /// Options of all apps.
    #[command(flatten)]
    pub common: Common,
}

#[derive(Serialize)]
struct Started {
    rows: usize,
    features: usize,
    stored: usize,
    threads: usize,
    seconds_read: f64,
}

#[derive(Serialize)]
struct Progress {
    seconds: f64,
    #[serde(flatten)]
    standing: Standing,
}

#[derive(Serialize)]
struct Finished {
    seconds_read: f64,
    seconds_train: f64,
    seconds_write: f64,
    #[serde(flatten)]
    standing: Standing,
    lambdas: usize,
    rounds: u64,
    imbalance: f64,
}

/// Fits as `args` say.
pub fn run(args: &Args, loss: Loss) -> Result<(), Failure> {
    let mut console = args.common.console();
    let place = args.common.place()?;
    let began = Instant::now();
    let Labelled {
        features,
        target,
        names,
    } = read(args, &mut console)?;
    let target = target.expect("`read` fails where there is none");
    let target = if loss == Loss::Logistic {
        labels(&target)?
    } else {
        target
    };
    let (rows, columns, stored) = (features.rows(), features.columns(), features.nonzeros());
    let design = Arc::new(Design::new(features));
    let seconds_read = began.elapsed().as_secs_f64();
    let threads = args.common.threads();
    console.event(
        "start",
        Started {
            rows,
            features: columns,
            stored,
            threads,
            seconds_read,
        },
    );

    let began = Instant::now();
    let mut keeper = args.common.checkpoint.as_deref().map(|directory| {
        let job = job(args, &design, &target, loss);
        Keeper::new(directory, loss.command(), &job)
    });
    let mut program = SparseRegression::new(design, &target, args.settings(loss));
    if let Some(keeper) = keeper.as_ref().filter(|_| args.common.resume) {
        let kept = keeper.resume()?;
        let restored = program.go_on_from(kept.part("state")?, place.workers);
        restored.map_err(|what| kept.unreadable(what))?;
    }
    let record = fit(args, &place, &mut program, &mut keeper, &mut console)?;
    let seconds_train = began.elapsed().as_secs_f64();
    console.clear();

    let began = Instant::now();
    if let Some(directory) = &args.common.out {
        let solutions = program.solutions();
        let write = || model::write(directory, solutions, columns, loss, names.as_deref());
        together(write)
            .map_err(|error| Failure::world(format!("{}: {error}", directory.display())))?;
    }
    let seconds_write = began.elapsed().as_secs_f64();
    let standing = program.standing();
    console.event(
        "done",
        Finished {
            seconds_read,
            seconds_train,
            seconds_write,
            standing,
            lambdas: program.solutions().len(),
            rounds: record.totals.rounds,
            imbalance: record.totals.imbalance(),
        },
    );
    console.say(format_args!(
        "{} of {columns} features selected at λ = {:.6e} ({} λ solved)\n\
         objective {:.10e}, certified to {:.1e} of the null model's\n\
         read in {seconds_read:.2} s, trained in {seconds_train:.3} s on {threads} threads",
        standing.nonzeros,
        standing.lambda,
        program.solutions().len(),
        standing.primal,
        standing.relative_gap,
    ));
    if standing.relative_gap > args.tol {
        console.note(format_args!(
            "strads: --tol {} is below what rounding allows here: the gap stays at {:.1e}",
            args.tol, standing.relative_gap
        ));
    }
    console.ran(record);
    console.finish()
}

impl Args {
    fn settings(&self, loss: Loss) -> Settings {
        let grid = match (self.lambda, self.lambda_ratio, self.path) {
            (Some(lambda), _, _) => Grid::Lambda(lambda),
            (_, Some(ratio), _) => Grid::Ratio(ratio),
            (_, _, count) => Grid::Path {
                count: count.unwrap_or(1) as usize,
                min_ratio: self.path_min_ratio,
            },
        };
        Settings {
            grid,
            l1_ratio: self.l1_ratio,
            loss,
            intercept: self.intercept,
            standardise: self.standardise,
            tolerance: self.tol,
        }
    }
}

fn fit(
    args: &Args,
    place: &Place,
    program: &mut SparseRegression,
    keeper: &mut Option<Keeper>,
    console: &mut Console,
) -> Result<Record, Failure> {
    let mut workers = program.workers(place.workers);
    let began = Instant::now();
    let mut solved = 0;
    let (mut kept_at, mut kept) = (Instant::now(), Ok(()));
    let record = Run::new().seed(args.common.seed).observed(
        &place.executor,
        program,
        &mut workers,
        |program, round| {
            let standing = program.standing();
            let seconds = began.elapsed().as_secs_f64();
            for solution in &program.solutions()[solved..] {
                console.event(
                    "progress",
                    Progress {
                        seconds,
                        standing: solution.standing,
                    },
                );
                solved += 1;
            }
            if standing.primal > 0.0 {
                console.step(|| Progress { seconds, standing });
            }
            console.progress(|| {
                format!(
                    "{seconds:.1} s: λ {:.3e}, objective {:.6e}, gap {:.1e}, {} selected, \
                     {:.1} k updates/s, imbalance {:.2}",
                    standing.lambda,
                    standing.primal,
                    standing.relative_gap,
                    standing.nonzeros,
                    standing.updates as f64 / seconds / 1e3,
                    round.imbalance(),
                )
            });
            let due = kept_at.elapsed().as_secs_f64() >= args.checkpoint_seconds;
            if let Some(keeper) = keeper.as_mut().filter(|_| due)
                && let Some(state) = program.state()
            {
                kept = keeper.keep(standing.updates, vec![("state", state)], console);
                kept_at = Instant::now();
            }
            match kept {
                Ok(()) => Verdict::Continue,
                Err(_) => Verdict::Stop,
            }
        },
    )?;
    kept?;
    if let Some(keeper) = keeper {
        keeper.finish(console)?;
    }
    Ok(record)
}

/// What makes a fit the same one, to go on with: whatever its result depends on but workers.
fn job(args: &Args, design: &Design, target: &[f64], loss: Loss) -> String {
    let hash =
        |sum: u64, word: u64| (sum.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let target = target.iter().map(|y| y.to_bits()).fold(0, hash);
    let stored = (0..design.columns()).map(|j| design.stored(j) as u64);
    let stored = stored.fold(design.rows() as u64, hash);
    format!("{target} {stored} {:?}", args.settings(loss))
}

/// Features with a target of the same length.
fn read(args: &Args, console: &mut Console) -> Result<Labelled, Failure> {
    let file = args
        .target
        .as_ref()
        .map(PathBuf::from)
        .filter(|path| path.exists());
    let mut options = ReadOptions {
        format: args.format,
        threads: args.common.threads(),
        target: if file.is_none() {
            args.target.clone()
        } else {
            None
        },
        ..ReadOptions::default()
    };
    let source = Source::from(args.features.as_path());
    let mut data = watched(console, &args.features, |progress| {
        options.progress = Some(progress);
        read_labelled(&source, &options)
    })?;
    if let Some(path) = &file {
        let options = ReadOptions {
            threads: args.common.threads(),
            ..ReadOptions::default()
        };
        data.target = Some(read_vector(&Source::from(path.as_path()), &options)?);
    } else if let (Some(told), None) = (&args.target, &data.target) {
        return Err(Failure::input(format!(
            "{told}: no such file, and {} is no table with such a column\n\
             give --target a file with one number a row",
            args.features.display()
        )));
    }
    let rows = data.features.rows();
    match &data.target {
        None => Err(Failure::input(format!(
            "{}: there are no targets in this file\ngive --target a file with one number a row",
            args.features.display()
        ))),
        Some(target) if target.len() != rows => Err(Failure::input(format!(
            "{}: {} targets for the {rows} rows of {}\nboth have to have the same rows",
            file.as_ref().unwrap_or(&args.features).display(),
            target.len(),
            args.features.display()
        ))),
        Some(_) => Ok(data),
    }
}

/// Labels 0 and 1 from any two values, the larger one being 1.
fn labels(target: &[f64]) -> Result<Vec<f64>, Failure> {
    let low = target.iter().copied().fold(f64::INFINITY, f64::min);
    let high = target.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low == high {
        return Err(Failure::input(format!(
            "all targets are {low}: there is nothing to tell apart\nlabels have two values"
        )));
    }
    if let Some((row, other)) = target
        .iter()
        .enumerate()
        .find(|&(_, &y)| y != low && y != high)
    {
        return Err(Failure::input(format!(
            "target {} is {other}, but others are {low} and {high}\n\
             labels have two values; `strads lasso` is for targets with more",
            row + 1
        )));
    }
    Ok(target
        .iter()
        .map(|&y| f64::from(u8::from(y == high)))
        .collect())
}
