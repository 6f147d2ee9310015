//! What travels between the program and its workers, and what a worker keeps.

use std::ops::Range;
use std::sync::Arc;

use super::descent::{Block, Swept, View, combine, gram, project, sweep};
use super::design::{Design, Moments, Scaling};
use super::newton::{self, Predictions};
use super::penalty::Penalty;
use super::portions::Portion;
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
    /// Minimise over each column of a block in turn.
    Sweep {
        /// The block.
        block: Block,
        /// Where the whole model stands.
        residual: Arc<Vec<f64>>,
        /// How columns are seen.
        moments: Arc<Moments>,
        /// The penalty.
        penalty: Penalty,
        /// How often over those that are not zero.
        epochs: usize,
    },
    /// Minimise over a block, for the logistic loss.
    Newton {
        /// The block.
        block: Block,
        /// Labels.
        labels: Arc<Vec<f64>>,
        /// Where the whole model stands.
        predictions: Arc<Predictions>,
        /// How columns are seen.
        moments: Arc<Moments>,
        /// The penalty.
        penalty: Penalty,
        /// The gap at which to stop.
        goal: f64,
    },
    /// Multiply columns with a vector.
    Project {
        /// The columns.
        columns: Portion,
        /// The vector.
        vector: Arc<Vec<f64>>,
        /// How columns are seen.
        moments: Arc<Moments>,
    },
    /// Multiply columns with others.
    Gram {
        /// The columns.
        columns: Portion,
        /// The others.
        others: Arc<Vec<u32>>,
        /// How columns are seen.
        moments: Arc<Moments>,
    },
    /// Add columns up.
    Combine {
        /// The columns.
        columns: Portion,
        /// One weight a column.
        weights: Vec<f64>,
        /// How columns are seen.
        moments: Arc<Moments>,
    },
}

/// What comes back.
#[derive(Debug)]
pub enum Share {
    /// Of a survey.
    Surveyed(Vec<Range<usize>>, Moments, Found),
    /// Of a scan.
    Found(Found),
    /// Of a sweep: the block, the residual if only this block had moved.
    Swept(Block, Vec<f64>, Swept),
    /// Of Newton's method: the block, where it leads, and how many coordinates were minimised over.
    Stepped(Block, Predictions, u64),
    /// Of a projection, one product a column; of columns with others, one a pair.
    Products(Vec<f64>),
    /// Of a combination.
    Image(Vec<f64>),
}

impl Worker {
    /// Does what a task says.
    pub(super) fn work(&mut self, task: Task) -> Share {
        let design = &*self.design;
        let view = |moments| View { design, moments };
        match task {
            Task::Survey {
                residual,
                scaling,
                wanted,
            } => {
                let (moments, found) = self.part.survey(design, &residual, scaling, wanted);
                Share::Surveyed(self.part.chunks.clone(), moments, found)
            }
            Task::Scan(look) => Share::Found(self.part.scan(design, &look)),
            Task::Sweep {
                mut block,
                residual,
                moments,
                penalty,
                epochs,
            } => {
                let mut residual = residual.to_vec();
                let view = view(&moments);
                let swept = sweep(view, penalty, &mut block, &mut residual, epochs);
                Share::Swept(block, residual, swept)
            }
            Task::Newton {
                mut block,
                labels,
                predictions,
                moments,
                penalty,
                goal,
            } => {
                let mut at = Predictions::clone(&predictions);
                let view = view(&moments);
                let updates = newton::descend(view, penalty, &labels, &mut block, &mut at, goal);
                Share::Stepped(block, at, updates)
            }
            Task::Project {
                columns,
                vector,
                moments,
            } => Share::Products(project(view(&moments), &columns, &vector)),
            Task::Gram {
                columns,
                others,
                moments,
            } => Share::Products(gram(view(&moments), &columns, &others)),
            Task::Combine {
                columns,
                weights,
                moments,
            } => Share::Image(combine(view(&moments), &columns, &weights)),
        }
    }
}

strads::travel_by_fields!(Worker { design, part });
strads::travel_by_variants!(Task {
    0 => Survey { residual, scaling, wanted },
    1 => Scan(look),
    2 => Sweep { block, residual, moments, penalty, epochs },
    3 => Newton { block, labels, predictions, moments, penalty, goal },
    4 => Project { columns, vector, moments },
    5 => Combine { columns, weights, moments },
    6 => Gram { columns, others, moments },
});
strads::travel_by_variants!(Share {
    0 => Surveyed(chunks, moments, found),
    1 => Found(found),
    2 => Swept(block, residual, swept),
    3 => Stepped(block, predictions, updates),
    4 => Products(products),
    5 => Image(image),
});
