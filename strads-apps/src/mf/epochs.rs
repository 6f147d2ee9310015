//! The epochs of a training: learn, measure, tell, keep, and stop when it is time.

use std::fmt;
use std::time::Instant;

use serde::Serialize;
use strads::Executor;

use super::blocks::{Blocks, Factors, Set};
use super::checkpoint;
use super::measure::Errors;
use super::options::Args;
use super::solver::Solver;
use crate::checkpoint::Keeper;
use crate::console::Console;
use crate::failure::Failure;

/// A training that is ready to begin.
pub struct Training<'a> {
    /// What was asked for.
    pub args: &'a Args,
    /// Ratings and factors.
    pub blocks: &'a Blocks,
    /// Where to keep the state.
    pub keeper: Option<Keeper>,
    /// Where programs run.
    pub executor: Executor,
    /// When training began.
    pub began: Instant,
    /// How many users and items the model is to have.
    pub rows: (usize, usize),
}

/// What came of a training.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Learnt {
    /// Epochs that the model has seen.
    pub epochs: u64,
    /// The root of the mean squared error on the ratings learnt from.
    pub train_rmse: f64,
    /// The mean absolute error on them.
    pub train_mae: f64,
    /// The validation error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_rmse: Option<f64>,
    /// The test error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_rmse: Option<f64>,
    /// The mean absolute error in the test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_mae: Option<f64>,
    /// Ratings learnt from, per second of epochs; measuring is left out.
    pub ratings_per_second: f64,
}

#[derive(Serialize)]
struct Progress {
    epoch: u64,
    seconds: f64,
    updates: u64,
    train_rmse: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_rmse: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test_rmse: Option<f64>,
    ratings_per_second: f64,
}

/// The model that was best on the validation set.
#[derive(Clone, Debug)]
pub struct Best {
    /// What came of the training up to it.
    pub learnt: Learnt,
    /// Users' and items' factors.
    pub factors: (Factors, Factors),
}

impl Training<'_> {
    /// Learns until all epochs are done or the validation error stops falling. Returns also the
    /// best factors, where there is a validation set to tell.
    pub fn learn(
        &mut self,
        console: &mut Console,
    ) -> Result<(Learnt, Option<(Factors, Factors)>), Failure> {
        let (first, mut best) = match &self.keeper {
            Some(keeper) if self.args.common.resume => {
                let kept = keeper.resume()?;
                (kept.manifest.step, checkpoint::restore(&kept, self.blocks)?)
            }
            _ => (0, None),
        };
        let mut solver = Solver::new(self.blocks, self.args);
        let mut learnt = Learnt::default();
        let (mut updates, mut busy) = (0, 0.0);
        for epoch in first..self.args.epochs {
            let began = Instant::now();
            let (met, record) = solver.epoch(epoch, self.args.workers(), &self.executor)?;
            let seconds = began.elapsed().as_secs_f64();
            console.ran(record);
            (updates, busy) = (updates + met.count, busy + seconds);
            learnt = self.measure(epoch + 1, met)?;
            learnt.ratings_per_second = updates as f64 / busy;
            self.refuse_divergence(&learnt)?;
            self.tell(console, &learnt, updates, met.count as f64 / seconds);
            let enough = self.is_enough(&mut best, &learnt)?;
            self.keep(epoch + 1, best.as_ref(), console)?;
            if enough {
                break;
            }
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.finish(console)?;
        }
        if let Some(Best { learnt, factors }) = best {
            return Ok((learnt, Some(factors)));
        }
        // Errors met on the way are those before each step; at the end they are worth measuring.
        let train = solver.train_errors(&self.executor)?;
        (learnt.train_rmse, learnt.train_mae) = (train.rmse(), train.mae());
        if first >= self.args.epochs {
            learnt = Learnt {
                epochs: first,
                ..self.measure(first, train)?
            };
        }
        Ok((learnt, None))
    }

    fn measure(&self, epochs: u64, met: Errors) -> Result<Learnt, Failure> {
        let errors = |set| match self.blocks.errors(set, &self.executor) {
            Ok(errors) => Ok((errors.count > 0).then_some(errors)),
            Err(error) => Err(Failure::from(error)),
        };
        let (validation, test) = (errors(Set::Validation)?, errors(Set::Test)?);
        Ok(Learnt {
            epochs,
            train_rmse: met.rmse(),
            train_mae: met.mae(),
            validation_rmse: validation.map(|errors| errors.rmse()),
            test_rmse: test.map(|errors| errors.rmse()),
            test_mae: test.map(|errors| errors.mae()),
            ratings_per_second: 0.0,
        })
    }

    fn refuse_divergence(&self, learnt: &Learnt) -> Result<(), Failure> {
        if learnt.train_rmse.is_finite() {
            return Ok(());
        }
        Err(Failure::input(format!(
            "the factors grew without bound in epoch {}\nuse a lower --rate than {}",
            learnt.epochs, self.args.rate
        )))
    }

    fn tell(&self, console: &mut Console, learnt: &Learnt, updates: u64, ratings_per_second: f64) {
        let progress = Progress {
            epoch: learnt.epochs,
            seconds: self.began.elapsed().as_secs_f64(),
            updates,
            train_rmse: learnt.train_rmse,
            validation_rmse: learnt.validation_rmse,
            test_rmse: learnt.test_rmse,
            ratings_per_second,
        };
        console.event("progress", progress);
        console.progress(|| {
            let test = learnt.test_rmse.or(learnt.validation_rmse);
            let test = test.map_or(String::new(), |rmse| format!(", test {rmse:.4}"));
            format!(
                "epoch {} of {}: train {:.4}{test}, {:.1} M ratings/s",
                learnt.epochs,
                self.args.epochs,
                learnt.train_rmse,
                ratings_per_second / 1e6
            )
        });
    }

    fn keep(
        &mut self,
        epochs: u64,
        best: Option<&Best>,
        console: &mut Console,
    ) -> Result<(), Failure> {
        let Some(keeper) = &mut self.keeper else {
            return Ok(());
        };
        if !epochs.is_multiple_of(self.args.checkpoint_every) && epochs != self.args.epochs {
            return Ok(());
        }
        self.blocks.recall(&self.executor)?;
        keeper.keep(epochs, checkpoint::parts(self.blocks, best), console)
    }

    /// Remembers the best model by validation error; true if it was long ago.
    fn is_enough(&self, best: &mut Option<Best>, learnt: &Learnt) -> Result<bool, Failure> {
        let Some(rmse) = learnt.validation_rmse else {
            return Ok(false);
        };
        Ok(match best {
            Some(Best { learnt: before, .. }) if before.validation_rmse <= Some(rmse) => {
                learnt.epochs - before.epochs >= self.args.patience
            }
            _ => {
                self.blocks.recall(&self.executor)?;
                let (users, items) = self.rows;
                *best = Some(Best {
                    learnt: learnt.clone(),
                    factors: (self.blocks.users(users), self.blocks.items(items)),
                });
                false
            }
        })
    }
}

impl fmt::Display for Learnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} epochs", self.epochs)?;
        write!(
            f,
            "\ntrain RMSE {:.5}, MAE {:.5}",
            self.train_rmse, self.train_mae
        )?;
        if let Some(rmse) = self.validation_rmse {
            write!(f, "\nvalidation RMSE {rmse:.5}")?;
        }
        if let (Some(rmse), Some(mae)) = (self.test_rmse, self.test_mae) {
            write!(f, "\ntest RMSE {rmse:.5}, MAE {mae:.5}")?;
        }
        write!(
            f,
            "\n{:.1} M ratings a second",
            self.ratings_per_second / 1e6
        )
    }
}
