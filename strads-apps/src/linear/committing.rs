//! The `pull` side of the program: what comes of each kind of round.

use std::sync::Arc;

use strads::Shares;

use super::descent::Block;
use super::design::Moments;
use super::message::{Arrival, Share};
use super::newton;
use super::penalty::Penalty;
use super::planning::SHARED_ROUNDS;
use super::program::{EPOCHS_PER_SCAN, Next, Solution, SparseRegression, Standing};
use super::scan::Found;

/// The smallest working set.
const SMALLEST: usize = 64;
/// Blocks that together gain less than this share of what each promised undo each other's work.
const WORTHWHILE: f64 = 0.7;
/// Scans without progress after which a λ is as solved as it gets.
const STALLS: usize = 3;
/// How far below the certified gap the working set is solved before all columns are looked at.
const GOAL: f64 = 0.1;

impl SparseRegression {
    /// After the survey: the grid is known, and the first λ begins.
    pub(super) fn begin(&mut self, shares: Shares<Self>) {
        let mut moments = Moments::new(self.design.columns(), self.settings.scaling());
        let mut found = Found::default();
        for share in shares.into_values() {
            let Share::Surveyed(chunks, part, part_found) = share else {
                unreachable!("a survey was planned")
            };
            chunks
                .into_iter()
                .flatten()
                .zip(part)
                .for_each(|(j, moment)| moments.set(j, moment));
            found = found.merge(part_found, self.wanted());
        }
        self.moments = Arc::new(moments);
        self.lambdas = self
            .settings
            .grid
            .lambdas(found.worst / self.settings.l1_ratio);
        self.found = found;
        self.enter();
    }

    /// Takes up the current λ, or the first after it that the present coefficients do not solve.
    fn enter(&mut self) {
        while let Some(&lambda) = self.lambdas.get(self.at) {
            self.penalty = Penalty::elastic_net(lambda, self.settings.l1_ratio);
            self.assess();
            if self.standing.gap > self.tolerated() {
                self.choose();
                return;
            }
            self.solve();
        }
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
    fn certify(&self, residual: &[f64], columns: &[u32], worst: f64) -> (f64, f64) {
        let beta = columns.iter().map(|&j| self.beta[j as usize]);
        self.settings
            .loss
            .certify(&self.target.values, residual, worst, beta, self.penalty)
    }

    /// The next working set: the support and the worst violators.
    fn choose(&mut self) {
        self.working = self.support.clone();
        let mut fresh = self
            .found
            .violators
            .iter()
            .map(|&(j, _)| j)
            .filter(|&j| self.beta[j as usize] == 0.0);
        self.working
            .extend(fresh.by_ref().take(self.support.len().max(SMALLEST)));
        let stored = |j: u32| self.design.stored(j as usize);
        let mut load: usize = self.working.iter().map(|&j| stored(j)).sum();
        self.working.extend(fresh.take_while(|&j| {
            load += stored(j);
            load <= self.affordable
        }));
        self.working.sort_unstable();
        self.shared_rounds = 0;
        let certain = 0.3 * self.tolerated();
        self.goal = (GOAL * self.standing.gap).max(certain);
        self.next = Next::Descend;
    }

    /// Commits the blocks that moved.
    pub(super) fn commit(&mut self, shares: Shares<Self>) {
        let mut moves = Vec::new();
        let mut worst: f64 = 0.0;
        for share in shares.into_values() {
            let Share::Descended(block, arrival, done) = share else {
                unreachable!("a descent was planned")
            };
            self.standing.updates += done.updates;
            worst = worst.max(done.worst_before);
            match arrival {
                Arrival::Residual(residual) => moves.push((block, residual)),
                Arrival::Predictions(at) => {
                    moves.push((block, newton::residual(&self.target.values, &at.eta)));
                    self.predictions = Some(Arc::new(at));
                }
            }
        }
        match <[_; 1]>::try_from(moves) {
            Ok([(block, residual)]) => {
                self.place(&block, 1.0);
                self.residual = Arc::new(residual);
                self.next = Next::Scan;
            }
            Err(moves) => self.combine(&moves, worst),
        }
        self.support = self
            .working
            .iter()
            .copied()
            .filter(|&j| self.beta[j as usize] != 0.0)
            .collect();
    }

    /// Adds up the moves of several blocks. Each was best for itself; if together they gain too
    /// little, they undo each other's work: then each goes only its share of the way, which by
    /// convexity is never worse than standing still, and one worker finishes the working set.
    fn combine(&mut self, moves: &[(Block, Vec<f64>)], worst: f64) {
        let start = Arc::clone(&self.residual);
        let (before, gap_before) = self.certify(&start, &self.working, worst);
        let old: Vec<f64> = self
            .working
            .iter()
            .map(|&j| self.beta[j as usize])
            .collect();
        self.shared_rounds += 1;

        let mut promised = 0.0;
        for (block, residual) in moves {
            self.place(block, 1.0);
            promised += before - self.objective(residual);
            self.restore(&old);
        }
        for length in [1.0, 1.0 / moves.len() as f64] {
            let mut together = start.to_vec();
            for (block, residual) in moves {
                for ((sum, new), old) in together.iter_mut().zip(residual).zip(start.iter()) {
                    *sum += length * (new - old);
                }
                self.place(block, length);
            }
            let gained = before - self.objective(&together);
            self.residual = Arc::new(together);
            if gained >= WORTHWHILE * promised {
                break;
            }
            self.shared_rounds = SHARED_ROUNDS;
            if length == 1.0 {
                self.restore(&old);
            }
        }
        if gap_before <= self.goal {
            self.next = Next::Scan;
        }
    }

    fn restore(&mut self, old: &[f64]) {
        for (&j, &beta) in self.working.iter().zip(old) {
            self.beta[j as usize] = beta;
        }
    }

    fn objective(&self, residual: &[f64]) -> f64 {
        self.certify(residual, &self.working, 0.0).0
    }

    /// Moves a block's coefficients by `length` of the way to where its worker left them.
    fn place(&mut self, block: &Block, length: f64) {
        for (&j, &new) in block.columns.iter().zip(&block.beta) {
            let beta = &mut self.beta[j as usize];
            *beta = if length == 1.0 {
                new
            } else {
                *beta + length * (new - *beta)
            };
        }
    }

    /// After a scan: the gap says whether this λ is solved.
    pub(super) fn look(&mut self, shares: Shares<Self>) {
        let wanted = self.wanted();
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
            self.solve();
            self.enter();
        } else {
            self.choose();
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
