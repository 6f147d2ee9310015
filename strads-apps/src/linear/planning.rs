//! The `schedule` side of the program: what each kind of round sends to whom.

use std::sync::Arc;

use strads::Plan;
use strads::policy::Blocks;

use super::descent::{Block, Effort};
use super::loss::Loss;
use super::message::{Start, Task};
use super::program::SparseRegression;
use super::scan::{ANCHORS, Look};

/// Work on a block below which handing it over costs more than it saves, in stored entries.
const WORTH_SHARING: usize = 100_000;
/// Epochs over the support before blocks are combined.
const SHARED_EPOCHS: usize = 4;
/// How often a working set is divided before one worker finishes it.
pub(super) const SHARED_ROUNDS: usize = 6;

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
        };
        Plan::one_each((0..workers).map(|_| Task::Scan(look.clone())))
    }

    pub(super) fn plan_descent(&mut self, workers: usize) -> Plan<Task> {
        let stored = |&j: &u32| self.design.stored(j as usize) as u64;
        let cost: u64 = self.working.iter().map(stored).sum();
        let start = match &self.predictions {
            None => Start::Residual(Arc::clone(&self.residual)),
            Some(at) => Start::Predictions(Arc::clone(&self.target.values), Arc::clone(at)),
        };
        let divisible = self.settings.loss == Loss::Squared;
        let shared = divisible
            && workers > 1
            && self.shared_rounds < SHARED_ROUNDS
            && cost as usize > WORTH_SHARING;
        let (count, effort) = if shared {
            (workers, Effort::Epochs(SHARED_EPOCHS))
        } else {
            (1, Effort::Gap(self.goal))
        };
        let blocks = Blocks::balanced(self.working.iter().copied(), count, stored);
        let mut plan = Plan::new();
        for (worker, (mut columns, load)) in blocks.blocks.into_iter().zip(blocks.loads).enumerate()
        {
            columns.sort_unstable();
            let beta = columns.iter().map(|&j| self.beta[j as usize]).collect();
            let entries = columns.len();
            let task = Task::Descend {
                block: Block { columns, beta },
                start: start.clone(),
                moments: Arc::clone(&self.moments),
                penalty: self.penalty,
                effort,
            };
            plan.assign(worker, task)
                .costing(load as f64)
                .holding(entries);
        }
        plan
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b) * (a - b))
        .sum::<f64>()
        .sqrt()
}
