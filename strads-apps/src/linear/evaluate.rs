//! `strads predict` and `strads eval` for linear models.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;
use strads_datasets::{Labelled, Matrix, ReadOptions, Source, read_labelled, read_vector};

use super::loss::{Loss, sigmoid};
use super::model::Model;
use crate::console::Console;
use crate::failure::Failure;
use crate::files::completely;
use crate::standard::to_standard_output;

/// What a model is applied to.
#[derive(Clone, Debug, clap::Args)]
pub struct Applied {
    /// The model: the directory that training wrote, or its model.npz
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// Features, in any format that training reads
    #[arg(value_name = "X")]
    pub features: PathBuf,
}

/// Options of `strads predict`.
#[derive(Clone, Debug, clap::Args)]
pub struct Predict {
    /// Model and features.
    #[command(flatten)]
    pub applied: Applied,
    /// Write here instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `strads eval`.
#[derive(Clone, Debug, clap::Args)]
pub struct Eval {
    /// Model and features.
    #[command(flatten)]
    pub applied: Applied,
    /// Targets, one a row, if they are not in X
    #[arg(long, value_name = "FILE")]
    pub target: Option<PathBuf>,
    /// Print the measures as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Measures {
    Regression {
        rows: usize,
        mean_squared_error: f64,
        mean_absolute_error: f64,
        r2: f64,
    },
    Classification {
        rows: usize,
        accuracy: f64,
        log_loss: f64,
    },
}

/// Writes one prediction a row: a number, or the probability of the larger label.
pub fn predict(args: &Predict) -> Result<(), Failure> {
    let Application { predictions, .. } = apply(&args.applied)?;
    let place = args.out.as_deref().unwrap_or("standard output".as_ref());
    let failed = |error: std::io::Error| {
        Failure::world(format!(
            "{}: cannot write predictions: {error}",
            place.display()
        ))
    };
    let list = |into: &mut dyn Write| predictions.iter().try_for_each(|p| writeln!(into, "{p}"));
    match &args.out {
        Some(path) => completely(path, |file| list(file)).map_err(failed),
        None => to_standard_output(list).map_err(failed),
    }
}

/// Measures the predictions against targets.
pub fn eval(args: &Eval) -> Result<(), Failure> {
    let mut console = Console::new(args.json, false);
    let Application {
        loss,
        predictions,
        target: inside,
    } = apply(&args.applied)?;
    let target = match &args.target {
        Some(path) => Some(read_vector(
            &Source::from(path.as_path()),
            &ReadOptions::default(),
        )?),
        None => inside,
    };
    let target = target.filter(|t| t.len() == predictions.len()).ok_or_else(|| {
        Failure::input(format!(
            "{}: needs one target for each of its {} rows\ngive --target a file with one number a row",
            args.applied.features.display(),
            predictions.len()
        ))
    })?;
    let measures = match loss {
        Loss::Squared => regression(&predictions, &target),
        Loss::Logistic => classification(&predictions, &target),
    };
    match measures {
        Measures::Regression {
            rows,
            mean_squared_error,
            mean_absolute_error,
            r2,
        } => {
            console.say(format_args!(
                "{rows} rows: mean squared error {mean_squared_error:.6}, mean absolute error \
                 {mean_absolute_error:.6}, R² {r2:.4}"
            ));
        }
        Measures::Classification {
            rows,
            accuracy,
            log_loss,
        } => {
            console.say(format_args!(
                "{rows} rows: accuracy {accuracy:.4}, log loss {log_loss:.6}"
            ));
        }
    }
    console.event("done", measures);
    Ok(())
}

/// A model's predictions for the rows of a file.
struct Application {
    loss: Loss,
    predictions: Vec<f64>,
    /// The file's own targets.
    target: Option<Vec<f64>>,
}

fn apply(args: &Applied) -> Result<Application, Failure> {
    let model = Model::read(&args.model)?;
    // A sparse file whose last features are empty is narrower than the model: that is told here.
    let options = ReadOptions {
        columns: Some(model.coef.len()),
        ..ReadOptions::default()
    };
    let Labelled {
        features, target, ..
    } = read_labelled(&Source::from(args.features.as_path()), &options)?;
    let mut eta = vec![model.intercept; features.rows()];
    add_products(&features, &model.coef, &mut eta);
    if model.loss == Loss::Logistic {
        eta.iter_mut().for_each(|eta| *eta = sigmoid(*eta));
    }
    Ok(Application {
        loss: model.loss,
        predictions: eta,
        target,
    })
}

fn add_products(features: &Matrix, coef: &[f64], eta: &mut [f64]) {
    let used = coef.iter().enumerate().filter(|&(_, &beta)| beta != 0.0);
    match features {
        Matrix::Dense(array) => {
            for (j, &beta) in used {
                eta.iter_mut()
                    .zip(array.column(j))
                    .for_each(|(eta, x)| *eta += beta * x);
            }
        }
        Matrix::Sparse(csc) => {
            for (j, &beta) in used {
                if let Some(column) = csc.outer_view(j) {
                    column.iter().for_each(|(row, x)| eta[row] += beta * x);
                }
            }
        }
    }
}

fn regression(predictions: &[f64], target: &[f64]) -> Measures {
    let rows = target.len() as f64;
    let mean = target.iter().sum::<f64>() / rows;
    let errors = || predictions.iter().zip(target).map(|(p, y)| p - y);
    let squared: f64 = errors().map(|e| e * e).sum();
    let spread: f64 = target.iter().map(|y| (y - mean).powi(2)).sum();
    Measures::Regression {
        rows: target.len(),
        mean_squared_error: squared / rows,
        mean_absolute_error: errors().map(f64::abs).sum::<f64>() / rows,
        r2: if spread > 0.0 {
            1.0 - squared / spread
        } else {
            0.0
        },
    }
}

fn classification(predictions: &[f64], target: &[f64]) -> Measures {
    let rows = target.len() as f64;
    // As in training: the larger of two values is label 1. A file may lack one of the two.
    let high = target
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max)
        .max(1.0);
    let pairs = || {
        predictions
            .iter()
            .zip(target)
            .map(|(&p, &y)| (p, y == high))
    };
    let right = pairs().filter(|&(p, label)| (p >= 0.5) == label).count();
    let surprise = |(p, label): (f64, bool)| -(if label { p } else { 1.0 - p }).max(1e-300).ln();
    Measures::Classification {
        rows: target.len(),
        accuracy: right as f64 / rows,
        log_loss: pairs().map(surprise).sum::<f64>() / rows,
    }
}
