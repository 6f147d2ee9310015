//! The `schedule` side of the program: what each kind of round sends to whom.

use std::ops::Range;
use std::sync::Arc;

use strads::Plan;

use super::descent::Block;
use super::message::Task;
use super::portions::{Portion, Portions};
use super::program::SparseRegression;
use super::scan::{ANCHORS, Look};

/// Epochs over the support in a sweep.
const EPOCHS: usize = 2;

impl SparseRegression {
    pub(super) fn plan_survey(&self, workers: usize) -> Plan<Task> {
        Plan::one_each((0..workers).map(|_| Task::Survey {
            residual: Arc::clone(&self.residual),
            scaling: self.settings.scaling(),
            wanted: self.wanted(),
        }))
    }

    pub(super) fn plan_scan(&mut self, workers: usize) -> Plan<Task> {
        let afresh = self.anchors.len() == ANCHORS;
        if afresh {
            self.anchors.clear();
        }
        self.anchors.push(Arc::clone(&self.residual));
        let distances = self
            .anchors
            .iter()
            .map(|anchor| distance(anchor, &self.residual))
            .collect();
        let pull = |&j: &u32| (j, self.penalty.l2 * self.beta[j as usize]);
        let look = Look {
            moments: Arc::clone(&self.moments),
            residual: Arc::clone(&self.residual),
            distances,
            afresh,
            threshold: self.threshold(),
            wanted: self.wanted(),
            pulled: Arc::new(self.support.iter().map(pull).collect()),
            looked: Arc::clone(&self.looked),
            ahead: self.lambdas.len() - 1 - self.at,
        };
        Plan::one_each((0..workers).map(|_| Task::Scan(look.clone())))
    }

    pub(super) fn plan_sweep(&mut self) -> Plan<Task> {
        let working = if self.divided {
            self.working.clone()
        } else {
            self.working.whole()
        };
        divided(&working, |_, columns| Task::Sweep {
            block: self.block(&columns),
            residual: Arc::clone(&self.residual),
            moments: Arc::clone(&self.moments),
            penalty: self.penalty,
            epochs: EPOCHS,
        })
    }

    pub(super) fn plan_newton(&self) -> Plan<Task> {
        let Some(predictions) = &self.predictions else {
            unreachable!("the squared loss needs no Newton's method")
        };
        let mut plan = Plan::new();
        let columns = self.working.columns();
        let task = Task::Newton {
            block: self.block(columns),
            labels: Arc::clone(&self.target.values),
            predictions: Arc::clone(predictions),
            moments: Arc::clone(&self.moments),
            penalty: self.penalty,
            goal: self.goal,
        };
        plan.assign(0, task).holding(columns.len());
        plan
    }

    /// The products of `columns` with `vector`.
    pub(super) fn plan_products(&self, columns: &Portions, vector: &Arc<Vec<f64>>) -> Plan<Task> {
        divided(columns, |_, columns| Task::Project {
            columns,
            vector: Arc::clone(vector),
            moments: Arc::clone(&self.moments),
        })
    }

    /// The products of the factor's columns, and of those that come to it, with these.
    pub(super) fn plan_gram(&self, entrants: &Arc<Vec<u32>>) -> Plan<Task> {
        let columns = [self.factor.columns(), entrants].concat();
        let columns = Portions::of(columns, &self.design, self.workers);
        divided(&columns, |_, columns| Task::Gram {
            columns,
            others: Arc::clone(entrants),
            moments: Arc::clone(&self.moments),
        })
    }

    /// The sum of `columns`, weighted.
    pub(super) fn plan_sum(&self, columns: &Portions, weights: &[f64]) -> Plan<Task> {
        divided(columns, |own, columns| Task::Combine {
            columns,
            weights: weights[own].to_vec(),
            moments: Arc::clone(&self.moments),
        })
    }

    fn block(&self, columns: &[u32]) -> Block {
        Block {
            columns: columns.to_vec(),
            beta: columns.iter().map(|&j| self.beta[j as usize]).collect(),
        }
    }
}

/// A task for each worker, on its portion of `columns` and where among them that is.
fn divided(columns: &Portions, task: impl Fn(Range<usize>, Portion) -> Task) -> Plan<Task> {
    let mut plan = Plan::new();
    for (worker, (own, portion, load)) in columns.each().enumerate() {
        let entries = own.len();
        plan.assign(worker, task(own, portion))
            .costing(load as f64)
            .holding(entries);
    }
    plan
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b) * (a - b))
        .sum::<f64>()
        .sqrt()
}
