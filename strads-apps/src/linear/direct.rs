//! Direct steps: to the minimiser over a support with its signs fixed, in one go.
//!
//! Where few columns have come or gone since the last step, as along a path, a kept [`Factor`] of
//! the support's products gives the step in two triangular solves. Columns that violate the
//! optimality conditions come along, in the direction in which the objective falls.

use std::sync::Arc;

use super::face::Stride;
use super::portions::Portions;
use super::program::{Next, SparseRegression};

/// This many columns may always join the factor.
const FEW: usize = 16;
/// So may this share of the support that it lacks.
const SHARE: usize = 4;
/// Where violators are this share of the support, sweeps tell faster which of them matter.
const HALF: usize = 2;
/// Of fewer this share of the support joins at a time: most would only take each other's place.
const CROWD: usize = 64;
/// A correlation at λ may be above it by rounding.
const NEARLY: f64 = 1.0 + 1e-11;
/// Entries of a factor that take no memory to speak of.
const SMALL: usize = 1 << 16;

/// Columns that are about to join the factor.
#[derive(Debug)]
pub(super) struct Joining {
    /// The columns.
    pub entrants: Arc<Vec<u32>>,
    /// The correlations of the working set's columns.
    correlations: Vec<f64>,
}

impl SparseRegression {
    /// True if a step of the present support would be direct.
    pub(super) fn may_step_directly(&self) -> bool {
        let active = self.support.len();
        self.direct
            && self.penalty.l2 == 0.0
            && !self.design.is_sparse()
            && active <= self.design.rows()
            && active * active / 2 <= self.affordable.max(SMALL)
            && active <= self.factor.columns().len() + FEW + active / SHARE
    }

    /// The next step if it may be direct, given the correlations of the working set.
    pub(super) fn step_directly(&mut self, correlations: &[f64]) -> Option<Next> {
        if !self.may_step_directly() {
            return None;
        }
        let entrants = self.entrants(correlations)?;
        Some(if entrants.is_empty() {
            self.direct_step(correlations)
        } else {
            Next::Join(Joining {
                entrants: Arc::new(entrants),
                correlations: correlations.to_vec(),
            })
        })
    }

    /// The columns that a step takes along and the factor lacks: those of the support and the worst
    /// violators, unless they are too many. Others leave the factor.
    fn entrants(&mut self, correlations: &[f64]) -> Option<Vec<u32>> {
        let working = self.working.columns();
        let place = |j: u32| working.binary_search(&j);
        let stands = |at: usize| self.beta[working[at] as usize] != 0.0;
        let violates = |at: usize| correlations[at].abs() > self.penalty.l1 * NEARLY;
        self.factor
            .retain(|j| place(j).is_ok_and(|at| stands(at) || violates(at)));
        let mut lacks = vec![true; working.len()];
        for at in self.factor.columns().iter().flat_map(|&j| place(j)) {
            lacks[at] = false;
        }
        let (mut entrants, mut violators) = (Vec::new(), Vec::new());
        for at in (0..working.len()).filter(|&at| lacks[at]) {
            if stands(at) {
                entrants.push(working[at]);
            } else if violates(at) {
                violators.push((working[at], correlations[at].abs()));
            }
        }
        let support = self.support.len();
        if entrants.len() > FEW + support / SHARE || violators.len() > FEW + support / HALF {
            return None;
        }
        violators.sort_unstable_by(|(_, a), (_, b)| b.total_cmp(a));
        violators.truncate(FEW + support / CROWD);
        entrants.extend(violators.iter().map(|&(j, _)| j));
        Some(entrants)
    }

    /// After the products with columns that join the factor: the step.
    pub(super) fn join(&mut self, joining: Joining, products: &[f64]) -> Next {
        let rows = self.residual.len() as f64;
        let Joining {
            entrants,
            correlations,
        } = joining;
        let held = self.factor.columns().len();
        let of = |at| {
            let own = products[at..].iter().step_by(entrants.len());
            own.map(|product| product / rows).collect()
        };
        let mut products: Vec<Vec<f64>> = (0..entrants.len()).map(of).collect();
        self.factor.extend(&entrants, &mut products);
        // What depends on the others cannot step with them, and has to be swept.
        self.direct = self.factor.columns().len() > held;
        self.direct_step(&correlations)
    }

    /// The step of the factor's columns.
    fn direct_step(&mut self, correlations: &[f64]) -> Next {
        let working = self.working.columns();
        let correlation = |j: u32| {
            let place = working.binary_search(&j);
            correlations[place.expect("only columns of the working set step")]
        };
        while !self.factor.columns().is_empty() {
            let columns = self.factor.columns();
            let beta = |&j: &u32| self.beta[j as usize];
            let sign = |j: &u32| match beta(j) {
                0.0 => correlation(*j).signum(),
                beta => beta.signum(),
            };
            let pull = |j: &u32| correlation(*j) - self.penalty.l1 * sign(j);
            let way = self.factor.solve(columns.iter().map(pull).collect());
            let mut moves: Vec<(u32, f64)> = columns.iter().copied().zip(way).collect();
            // Beside the others they would go where the objective rises: they stay at zero.
            let strays = moves
                .iter()
                .filter(|(j, way)| beta(j) == 0.0 && way * sign(j) <= 0.0);
            let strays: Vec<u32> = strays.map(|&(j, _)| j).collect();
            if strays.is_empty() {
                self.standing.updates += moves.len() as u64;
                moves.sort_unstable_by_key(|&(j, _)| j);
                let (columns, way): (Vec<u32>, Vec<f64>) = moves.into_iter().unzip();
                let beta = columns.iter().map(beta).collect();
                let columns = Portions::of(columns, &self.design, self.workers);
                return Next::Clip(Stride::direct(columns, beta, way));
            }
            self.factor.retain(|j| !strays.contains(&j));
        }
        self.direct = false;
        Next::Sweep
    }
}
