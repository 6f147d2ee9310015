//! The two losses: what they make of a prediction, and the duality gap that certifies a fit.

use super::penalty::Penalty;

/// What is minimised, beside the penalty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Σ (y − η)² / 2n, for any target.
    Squared,
    /// Σ log(1 + exp η) − y η, over n, for labels 0 and 1.
    Logistic,
}

impl Loss {
    /// The command that fits with it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Squared => "lasso",
            Self::Logistic => "logistic",
        }
    }

    /// The loss at the predictions that leave this residual, and its duality gap with the penalty.
    ///
    /// `residual` is the loss's downhill direction: y − η, or y − σ(η). `worst` is the largest
    /// |correlation| of a column with it. The dual point is the residual, scaled to be feasible.
    pub fn certify(
        self,
        target: &[f64],
        residual: &[f64],
        worst: f64,
        beta: impl Iterator<Item = f64> + Clone,
        penalty: Penalty,
    ) -> (f64, f64) {
        let rows = target.len() as f64;
        match self {
            Self::Squared => {
                let (mut own, mut cross) = (0.0, 0.0);
                for (r, y) in residual.iter().zip(target) {
                    own += r * r;
                    cross += r * y;
                }
                let gap = squared_gap(own / rows, cross / rows, worst, beta.clone(), penalty);
                (0.5 * own / rows + penalty.value(beta), gap)
            }
            Self::Logistic => {
                let scale = if worst > penalty.l1 {
                    penalty.l1 / worst
                } else {
                    1.0
                };
                let (mut loss, mut entropy) = (0.0, 0.0);
                for (&r, &y) in residual.iter().zip(target) {
                    // r = y − p, so the probability of the label that was seen is 1 − |r|.
                    loss -= (1.0 - r.abs()).max(f64::MIN_POSITIVE).ln();
                    entropy += binary_entropy((y - scale * r).clamp(0.0, 1.0));
                }
                let square: f64 = beta.clone().map(|b| b * b).sum();
                let dual = entropy / rows - 0.5 * penalty.l2 * scale * scale * square;
                let primal = loss / rows + penalty.value(beta);
                (primal, (primal - dual).max(0.0))
            }
        }
    }
}

/// The probability of label 1.
#[inline(always)]
pub fn sigmoid(eta: f64) -> f64 {
    // The branch keeps the exponential from overflowing.
    if eta >= 0.0 {
        1.0 / (1.0 + (-eta).exp())
    } else {
        let e = eta.exp();
        e / (1.0 + e)
    }
}

fn binary_entropy(p: f64) -> f64 {
    let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    part(p) + part(1.0 - p)
}

/// The duality gap of ½ own + penalty(β) at the dual point s r, where own = ‖r‖²/n,
/// cross = yᵀr/n, `worst` = max |correlation|, and s is the best scale that is feasible.
fn squared_gap(
    own: f64,
    cross: f64,
    worst: f64,
    beta: impl Iterator<Item = f64> + Clone,
    penalty: Penalty,
) -> f64 {
    let square: f64 = beta.clone().map(|b| b * b).sum();
    let primal = 0.5 * own + penalty.value(beta);
    let weight = own + penalty.l2 * square;
    let limit = if worst > 0.0 {
        penalty.l1 / worst
    } else {
        f64::INFINITY
    };
    let scale = if weight > 0.0 {
        (cross / weight).clamp(-limit, limit)
    } else {
        0.0
    };
    let dual = scale * cross - 0.5 * scale * scale * weight;
    (primal - dual).max(0.0)
}
