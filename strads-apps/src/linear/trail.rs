//! Where a path leads: from its last two solutions to a guess at the next.
//!
//! While the support and its signs stay, the solution of the Lasso is linear in λ, and so is the
//! residual: following the line through two solutions costs no product with the design.

use std::sync::Arc;

/// A solution that the path passed.
#[derive(Clone, Debug)]
pub(super) struct Corner {
    pub lambda: f64,
    /// The non-zero coefficients by column, ascending.
    pub beta: Vec<(u32, f64)>,
    pub residual: Arc<Vec<f64>>,
}

/// The last two solutions.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    old: Option<Corner>,
    new: Option<Corner>,
}

/// The way to the guess. Vectors are in the order of the columns.
#[derive(Debug)]
pub(super) struct Lead {
    /// The columns that are not zero at either solution.
    pub columns: Vec<u32>,
    /// Where they stand.
    pub beta: Vec<f64>,
    /// How far they go.
    pub way: Vec<f64>,
    /// X times the way.
    pub moved: Vec<f64>,
}

impl Trail {
    /// Takes note of a solution.
    pub fn pass(&mut self, corner: Corner) {
        self.old = self.new.replace(corner);
    }

    /// From the newest solution to `lambda`; nothing if it is the only one.
    pub fn lead(&self, lambda: f64) -> Option<Lead> {
        let (old, new) = (self.old.as_ref()?, self.new.as_ref()?);
        let length = (new.lambda - lambda) / (old.lambda - new.lambda);
        let mut columns: Vec<u32> = (old.beta.iter().chain(&new.beta))
            .map(|&(j, _)| j)
            .collect();
        columns.sort_unstable();
        columns.dedup();
        let beta: Vec<f64> = columns.iter().map(|&j| new.at(j)).collect();
        let way = columns.iter().zip(&beta);
        Some(Lead {
            way: way.map(|(&j, beta)| length * (beta - old.at(j))).collect(),
            moved: (old.residual.iter().zip(new.residual.iter()))
                .map(|(old, new)| length * (old - new))
                .collect(),
            columns,
            beta,
        })
    }
}

impl Corner {
    /// The coefficient of column `j`.
    fn at(&self, j: u32) -> f64 {
        let place = self.beta.binary_search_by_key(&j, |&(column, _)| column);
        place.map_or(0.0, |place| self.beta[place].1)
    }
}

strads::travel_by_fields!(Corner { lambda, beta, residual } Trail { old, new });

#[cfg(test)]
mod tests {
    //! What is linear in λ is foreseen exactly, also where a coefficient comes or goes.
    use super::*;

    #[test]
    fn a_straight_path_is_followed() {
        let corner = |lambda, beta: &[(u32, f64)], residual: [f64; 2]| Corner {
            lambda,
            beta: beta.to_vec(),
            residual: Arc::new(residual.to_vec()),
        };
        let mut trail = Trail::default();
        trail.pass(corner(9.0, &[(1, 7.0)], [0.0, 0.0]));
        trail.pass(corner(4.0, &[(1, 1.0), (5, -1.0)], [8.0, 1.0]));
        assert!(trail.lead(2.0).is_some());
        trail.pass(corner(3.0, &[(2, 0.5), (5, -2.0)], [6.0, 2.0]));
        let lead = trail.lead(1.0).unwrap();
        assert_eq!(lead.columns, [1, 2, 5]);
        assert_eq!(lead.beta, [0.0, 0.5, -2.0]);
        assert_eq!(lead.way, [-2.0, 1.0, -2.0]);
        // The residual goes from 6, 2 to 2, 4.
        assert_eq!(lead.moved, [4.0, -2.0]);
    }

    #[test]
    fn one_solution_leads_nowhere() {
        let mut trail = Trail::default();
        trail.pass(Corner {
            lambda: 1.0,
            beta: Vec::new(),
            residual: Arc::default(),
        });
        assert!(trail.lead(0.5).is_none());
    }
}
