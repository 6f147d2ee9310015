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
/// And this share as many of the worst violators: most of a crowd would only take each other's place.
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
        let working = self.working.columns();
        let place = |j: u32| working.binary_search(&j);
        let stands = |at: usize| self.beta[working[at] as usize] != 0.0;
        let violates = |at: usize| correlations[at].abs() > self.penalty.l1 * NEARLY;
        self.factor
            .retain(|j| place(j).is_ok_and(|at| stands(at) || violates(at)));
        let mut held = vec![false; working.len()];
        for &j in self.factor.columns() {
            held[place(j).expect("others were dropped")] = true;
        }
        let lacking = |at: &usize| !held[*at];
        let mut entrants: Vec<usize> = (0..working.len()).filter(|&at| stands(at)).collect();
        let active = entrants.len();
        entrants.retain(lacking);
        if entrants.len() > FEW + active / SHARE {
            return None;
        }
        let mut violators: Vec<usize> = (0..working.len())
            .filter(|&at| !stands(at) && violates(at))
            .filter(lacking)
            .collect();
        violators
            .sort_unstable_by(|&a, &b| correlations[b].abs().total_cmp(&correlations[a].abs()));
        violators.truncate(FEW + active / CROWD);
        entrants.append(&mut violators);
        if entrants.is_empty() {
            return Some(self.direct_step(correlations));
        }
        Some(Next::Join(Joining {
            entrants: Arc::new(entrants.into_iter().map(|at| working[at]).collect()),
            correlations: correlations.to_vec(),
        }))
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
        loop {
            let columns = self.factor.columns();
            let signs: Vec<f64> = (columns.iter())
                .map(|&j| match self.beta[j as usize] {
                    0.0 => correlation(j).signum(),
                    beta => beta.signum(),
                })
                .collect();
            let pulls = columns.iter().zip(&signs);
            let pulls = pulls.map(|(&j, sign)| correlation(j) - self.penalty.l1 * sign);
            let way = self.factor.solve(pulls.collect());
            let mut strays: Vec<u32> = Vec::new();
            for ((&j, sign), way) in columns.iter().zip(&signs).zip(&way) {
                if self.beta[j as usize] == 0.0 && way * sign <= 0.0 {
                    strays.push(j);
                }
            }
            if strays.is_empty() {
                self.standing.updates += columns.len() as u64;
                let mut order: Vec<usize> = (0..columns.len()).collect();
                order.sort_unstable_by_key(|&at| columns[at]);
                let ascending: Vec<u32> = order.iter().map(|&at| columns[at]).collect();
                return Next::Clip(Stride::new(
                    Portions::of(ascending, &self.design, self.workers),
                    order
                        .iter()
                        .map(|&at| self.beta[columns[at] as usize])
                        .collect(),
                    order.iter().map(|&at| signs[at]).collect(),
                    order.iter().map(|&at| way[at]).collect(),
                    None,
                ));
            }
            // Beside the others they would go where the objective rises: they stay at zero.
            self.factor.retain(|j| !strays.contains(&j));
        }
    }
}
