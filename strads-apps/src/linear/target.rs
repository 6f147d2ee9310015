//! What is to be explained, and where explaining it begins.

use std::sync::Arc;

use super::loss::Loss;
use super::newton::{self, Predictions};
use super::penalty::Penalty;
use super::program::Settings;

/// What is to be explained.
#[derive(Debug)]
pub(super) struct Target {
    /// Centred if columns are.
    pub values: Arc<Vec<f64>>,
    /// What was subtracted.
    pub mean: f64,
    /// The objective of the model that explains nothing.
    pub null: f64,
}

/// Where a fit begins: no column explains anything.
pub(super) struct Beginning {
    pub target: Target,
    pub residual: Vec<f64>,
    pub predictions: Option<Predictions>,
}

impl Beginning {
    pub fn of(target: &[f64], settings: &Settings) -> Self {
        let rows = target.len() as f64;
        let mean = if settings.intercept {
            target.iter().sum::<f64>() / rows
        } else {
            0.0
        };
        let none = Penalty { l1: 0.0, l2: 0.0 };
        let (values, mean, residual, predictions) = match settings.loss {
            Loss::Squared => {
                let centred: Vec<f64> = target.iter().map(|y| y - mean).collect();
                (centred.clone(), mean, centred, None)
            }
            Loss::Logistic => {
                let intercept = settings.intercept.then(|| (mean / (1.0 - mean)).ln());
                let eta = vec![intercept.unwrap_or(0.0); target.len()];
                let residual = newton::residual(target, &eta);
                (
                    target.to_vec(),
                    0.0,
                    residual,
                    Some(Predictions { eta, intercept }),
                )
            }
        };
        let (null, _) = settings
            .loss
            .certify(&values, &residual, 0.0, std::iter::empty(), none);
        Self {
            target: Target {
                values: Arc::new(values),
                mean,
                null,
            },
            residual,
            predictions,
        }
    }
}
