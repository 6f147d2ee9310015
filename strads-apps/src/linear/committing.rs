//! The `pull` side of the program, on all columns: what comes of surveys and scans, and how the
//! work goes from λ to λ.

use std::sync::Arc;

use strads::Shares;

use super::design::Moments;
use super::face::Stride;
use super::loss::Loss;
use super::message::Share;
use super::penalty::Penalty;
use super::portions::Portions;
use super::program::{EPOCHS_PER_SCAN, Next, Solution, SparseRegression, Standing};
use super::scan::Found;
use super::trail::Corner;

/// The smallest working set.
const SMALLEST: usize = 64;
/// Scans without progress after which a λ is as solved as it gets.
const STALLS: usize = 3;
/// How far below the certified gap the working set is solved before all columns are looked at.
const GOAL: f64 = 0.1;
/// No working set needs more rounds; one that does not converge must not hang.
const PATIENCE: usize = 100_000;
/// Iterations of the first face step.
const REACH: usize = 8;

impl SparseRegression {
    /// After the survey: the grid is known, and the first λ begins.
    pub(super) fn begin(&mut self, shares: Shares<Self>) -> Next {
        let mut moments = Moments::new(self.design.columns(), self.settings.scaling());
        let mut found = Found::default();
        for share in shares.into_values() {
            let Share::Surveyed(chunks, part, part_found) = share else {
                unreachable!("a survey was planned")
            };
            moments.place(&chunks, &part);
            found = found.merge(part_found, self.wanted());
        }
        self.moments = Arc::new(moments);
        self.lambdas = self
            .settings
            .grid
            .lambdas(found.worst / self.settings.l1_ratio);
        self.found = found;
        self.enter()
    }

    /// Takes up the current λ, or the first after it that the present coefficients do not solve.
    fn enter(&mut self) -> Next {
        while let Some(&lambda) = self.lambdas.get(self.at) {
            let before = self.penalty.l2;
            self.penalty = Penalty::elastic_net(lambda, self.settings.l1_ratio);
            // The last scan's correlations were less by what the ridge pulled.
            let largest = (self.support.iter()).fold(0.0, |largest: f64, &j| {
                largest.max(self.beta[j as usize].abs())
            });
            self.found.worst += (before - self.penalty.l2).abs() * largest;
            self.assess();
            (self.divided, self.direct) = (true, true);
            if self.standing.gap > self.tolerated() {
                // Along a path hardly a column that matters is missing in the first working set.
                let share = if self.at > 0 { 0.0 } else { GOAL };
                let next = self.choose(share);
                return self.follow_trail().unwrap_or(next);
            }
            self.solve();
        }
        Next::Scan
    }

    /// The primal value and the certified gap, from the last scan's worst correlation.
    fn assess(&mut self) {
        let (primal, gap) = self.certify(&self.residual, &self.support, self.found.worst);
        self.standing = Standing {
            lambda: self.lambdas[self.at],
            primal,
            gap,
            relative_gap: if self.target.null > 0.0 {
                gap / self.target.null
            } else {
                0.0
            },
            nonzeros: self.support.len(),
            updates: self.standing.updates,
        };
    }

    /// Objective and gap of the problem restricted to `columns`, the only ones that are not zero,
    /// of which the most correlated is so by `worst`.
    pub(super) fn certify(&self, residual: &[f64], columns: &[u32], worst: f64) -> (f64, f64) {
        let beta = columns.iter().map(|&j| self.beta[j as usize]);
        self.settings
            .loss
            .certify(&self.target.values, residual, worst, beta, self.penalty)
    }

    /// The next working set, to be solved to a share of the present gap: the support and the worst
    /// violators.
    fn choose(&mut self, share: f64) -> Next {
        let mut working = self.support.clone();
        let mut fresh = self
            .found
            .violators
            .iter()
            .map(|&(j, _)| j)
            .filter(|&j| self.beta[j as usize] == 0.0);
        working.extend(fresh.by_ref().take(self.support.len().max(SMALLEST)));
        let stored = |j: u32| self.design.stored(j as usize);
        let mut load: usize = working.iter().map(|&j| stored(j)).sum();
        working.extend(fresh.take_while(|&j| {
            load += stored(j);
            load <= self.affordable
        }));
        working.sort_unstable();
        self.working = Portions::of(working, &self.design, self.workers);
        let certain = 0.3 * self.tolerated();
        self.goal = (share * self.standing.gap).max(certain);
        self.creeps = false;
        (self.reach, self.patience) = (REACH, PATIENCE);
        match self.settings.loss {
            Loss::Squared if self.may_step_directly() => Next::Look,
            Loss::Squared => Next::Sweep,
            Loss::Logistic => Next::Newton,
        }
    }

    /// After a scan: the gap says whether this λ is solved.
    pub(super) fn look(&mut self, shares: Shares<Self>) -> Next {
        let wanted = self.wanted();
        self.looked = Arc::default();
        self.found = Found {
            worst: self.penalty.l1.min(self.threshold()),
            ..Found::default()
        };
        for share in shares.into_values() {
            let Share::Found(found) = share else {
                unreachable!("a scan was planned")
            };
            self.found = std::mem::take(&mut self.found).merge(found, wanted);
        }
        let before = self.standing.primal;
        self.assess();
        // Where rounding keeps the objective from falling, more rounds would not help.
        self.stalled = if self.standing.primal < before {
            0
        } else {
            self.stalled + 1
        };
        if self.standing.gap <= self.tolerated() || self.stalled == STALLS {
            self.stalled = 0;
            // Only a quadratic has a path that is straight.
            if self.settings.loss == Loss::Squared {
                self.trail.pass(self.corner());
            }
            self.solve();
            self.enter()
        } else {
            self.choose(GOAL)
        }
    }

    /// Records the solution at the current λ and moves on to the next.
    fn solve(&mut self) {
        let factor = |&j: &u32| (j, self.beta[j as usize] * self.moments.factor(j as usize));
        let shift = |&j: &u32| self.beta[j as usize] * self.moments.shift(j as usize);
        self.solutions.push(Solution {
            lambda: self.lambdas[self.at],
            coefficients: self.support.iter().map(factor).collect(),
            intercept: match &self.predictions {
                None => self.target.mean - self.support.iter().map(shift).sum::<f64>(),
                Some(at) => at.intercept.unwrap_or(0.0),
            },
            standing: self.standing,
        });
        self.at += 1;
    }

    /// The present solution, for the path to go on from.
    fn corner(&self) -> Corner {
        let beta = |&j: &u32| (j, self.beta[j as usize]);
        Corner {
            lambda: self.lambdas[self.at],
            beta: self.support.iter().map(beta).collect(),
            residual: Arc::clone(&self.residual),
        }
    }

    /// The step to where the path leads.
    fn follow_trail(&self) -> Option<Next> {
        let lead = self.trail.lead(self.lambdas[self.at])?;
        let columns = Portions::of(lead.columns, &self.design, self.workers);
        let stride = Stride::new(columns, lead.beta, lead.way, lead.moved);
        Some(Next::Clip(stride))
    }

    fn tolerated(&self) -> f64 {
        self.settings.tolerance * self.target.null
    }

    /// How many violators a scan reports: as many as the next working set could take.
    pub(super) fn wanted(&self) -> usize {
        let mean = (self.affordable * EPOCHS_PER_SCAN / self.design.columns()).max(1);
        (2 * self.support.len()).max(SMALLEST) + self.affordable / mean
    }

    /// Below this a column is of no interest: it satisfies the optimality conditions here, and by
    /// the sequential strong rule it is not expected in the support at the next λ.
    pub(super) fn threshold(&self) -> f64 {
        let strong = |&next: &f64| self.settings.l1_ratio * (2.0 * next - self.lambdas[self.at]);
        let ahead = self.lambdas.get(self.at + 1).map_or(f64::INFINITY, strong);
        ahead.max(0.0).min(self.penalty.l1)
    }
}
