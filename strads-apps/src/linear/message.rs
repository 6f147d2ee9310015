//! What travels between the program and its workers, and what a worker keeps.

use std::ops::Range;
use std::sync::Arc;

use super::descent::{Block, Descended, Effort, Residual, View, descend};
use super::design::{Design, Moment, Moments, Scaling};
use super::newton::{self, Predictions};
use super::penalty::Penalty;
use super::scan::{Found, Look, Part};

/// What a worker keeps.
#[derive(Debug)]
pub struct Worker {
    pub(super) design: Arc<Design>,
    pub(super) part: Part,
}

/// What goes out.
#[derive(Debug)]
pub enum Task {
    /// Look at your columns for the first time.
    Survey {
        /// The centred target.
        residual: Arc<Vec<f64>>,
        /// How columns are seen.
        scaling: Scaling,
        /// How many of the most correlated to report.
        wanted: usize,
    },
    /// Look for columns that violate the optimality conditions.
    Scan(Look),
    /// Minimise over a block.
    Descend {
        /// The block.
        block: Block,
        /// Where the whole model stands.
        start: Start,
        /// How columns are seen.
        moments: Arc<Moments>,
        /// The penalty.
        penalty: Penalty,
        /// When to stop.
        effort: Effort,
    },
}

/// Where a descent starts from.
#[derive(Clone, Debug)]
pub enum Start {
    /// Squared loss: the residual.
    Residual(Arc<Vec<f64>>),
    /// Logistic loss: labels and predictions.
    Predictions(Arc<Vec<f64>>, Arc<Predictions>),
}

/// Where it arrived, if only this block had moved.
#[derive(Debug)]
pub enum Arrival {
    /// Squared loss: the residual.
    Residual(Vec<f64>),
    /// Logistic loss: the predictions.
    Predictions(Predictions),
}

/// What comes back.
#[derive(Debug)]
pub enum Share {
    /// Of a survey.
    Surveyed(Vec<Range<usize>>, Vec<Moment>, Found),
    /// Of a scan.
    Found(Found),
    /// Of a descent.
    Descended(Block, Arrival, Descended),
}

impl Start {
    pub(super) fn descend(
        self,
        view: View,
        block: &mut Block,
        effort: Effort,
    ) -> (Arrival, Descended) {
        match self {
            Self::Residual(residual) => {
                let mut r = Residual {
                    parts: residual.to_vec(),
                    offset: 0.0,
                };
                let descended = descend(view, block, &mut r, effort);
                (Arrival::Residual(r.parts), descended)
            }
            Self::Predictions(labels, predictions) => {
                let mut at = Predictions::clone(&predictions);
                let descended = newton::descend(view, &labels, block, &mut at, effort);
                (Arrival::Predictions(at), descended)
            }
        }
    }
}
