//! What counts say about the priors: the joint probability, and better α and β.
//!
//! Sums over rows, so that each worker takes its documents and one block of words, and the
//! coordinator adds up.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::gamma::{Growth, digamma, ln_gamma};

/// Sums over the rows of one kind (documents, or words).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Census {
    /// Σ log Γ(base + n) − log Γ(base) over all counts n.
    pub log_gamma: f64,
    /// Σ ψ(base + n) − ψ(base).
    pub slope: f64,
}

impl Census {
    /// The sums over `counts`.
    pub fn of(counts: impl Iterator<Item = u32>, growth: &Growth) -> Self {
        let mut census = Self::default();
        for count in counts {
            let (log_gamma, slope) = growth.by(count);
            census += Self { log_gamma, slope };
        }
        census
    }
}

impl AddAssign for Census {
    fn add_assign(&mut self, other: Self) {
        self.log_gamma += other.log_gamma;
        self.slope += other.slope;
    }
}

/// One side of the model: rows of counts under a symmetric prior, with their lengths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Over the counts.
    pub counts: Census,
    /// Over the rows' sums.
    pub lengths: Census,
}

impl Side {
    /// The log-probability of the rows.
    pub fn log_probability(&self) -> f64 {
        self.counts.log_gamma - self.lengths.log_gamma
    }

    /// One step of Minka's fixed point towards the most likely prior of `width` equal values.
    pub fn better_prior(&self, prior: f64, width: usize) -> f64 {
        let better = prior * self.counts.slope / (width as f64 * self.lengths.slope);
        if better.is_finite() && better > 1e-6 {
            better
        } else {
            prior
        }
    }
}

impl AddAssign for Side {
    fn add_assign(&mut self, other: Self) {
        self.counts += other.counts;
        self.lengths += other.lengths;
    }
}

/// The growth of a row's sum under `width` equal values of `prior`.
pub fn length_growth(prior: f64, width: usize) -> impl Fn(u32) -> Census {
    let base = prior * width as f64;
    let (log_gamma, slope) = (ln_gamma(base), digamma(base));
    move |length| Census {
        log_gamma: ln_gamma(base + f64::from(length)) - log_gamma,
        slope: digamma(base + f64::from(length)) - slope,
    }
}

strads::travel_by_fields!(Census { log_gamma, slope } Side { counts, lengths });
