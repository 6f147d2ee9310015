//! The two solvers behind one face: an epoch at a time.

use strads::{Error, Executor, Record, Run, Stop};

use super::blocks::{Blocks, Set};
use super::ccd::{Ccd, Coordinates};
use super::measure::Errors;
use super::options::{Args, Method};
use super::sgd::{Descent, Sgd};

/// How a biases' rate relates to that of factors: one number has many more ratings to learn from
/// than it needs.
const BIAS_RATE: f32 = 0.3;

/// A solver at work on some blocks.
#[derive(Debug)]
pub enum Solver<'a> {
    /// Gradient steps.
    Sgd(Sgd<'a>),
    /// Coordinate descent.
    Ccd(Ccd<'a>),
}

impl<'a> Solver<'a> {
    /// The solver that `args` ask for.
    pub fn new(blocks: &'a Blocks, args: &Args) -> Self {
        match args.solver {
            Method::Sgd => Self::Sgd(Sgd::new(
                blocks,
                args.order,
                Descent {
                    rate: args.rate,
                    bias_rate: if args.biases() { BIAS_RATE } else { 0.0 },
                    lambda: args.lambda,
                    schedule: args.schedule,
                    non_negative: args.non_negative,
                },
            )),
            Method::Ccd => Self::Ccd(Ccd::new(
                blocks,
                Coordinates {
                    lambda: args.lambda,
                    biases: args.biases(),
                    non_negative: args.non_negative,
                },
            )),
        }
    }

    /// One pass over the ratings (of coordinate descent: over the factors), by `workers` workers;
    /// the errors met on the way, on the scale of the file, and what its rounds did.
    pub fn epoch(
        &mut self,
        epoch: u64,
        workers: usize,
        executor: &Executor,
    ) -> Result<(Errors, Record), Error> {
        let mut shards = vec![(); workers];
        let (errors, blocks, record) = match self {
            Self::Sgd(sgd) => {
                // Rates are set, and columns taken, from what the items are now.
                executor.recall(&sgd.blocks().items)?;
                sgd.begin(epoch);
                let rounds = Stop::after_rounds(sgd.rounds());
                let record = Run::new()
                    .depth(2)
                    .until(rounds)
                    .on(executor, sgd, &mut shards)?;
                (sgd.errors(), sgd.blocks(), record)
            }
            Self::Ccd(ccd) => {
                executor.recall(&ccd.blocks().items)?;
                let rounds = Stop::after_rounds(ccd.rounds());
                let record = Run::new().until(rounds).on(executor, ccd, &mut shards)?;
                (ccd.errors(), ccd.blocks(), record)
            }
        };
        Ok((errors.scaled(f64::from(blocks.scale.deviation)), record))
    }

    /// The errors on the ratings learnt from, as the factors are now, on the scale of the file.
    pub fn train_errors(&self, executor: &Executor) -> Result<Errors, Error> {
        match self {
            Self::Sgd(sgd) => sgd.blocks().errors(Set::Train, executor),
            // Its cells hold residuals, and those are the errors.
            Self::Ccd(ccd) => Ok(ccd.errors().scaled(f64::from(ccd.blocks().scale.deviation))),
        }
    }
}
