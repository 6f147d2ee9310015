//! What an increment does to a row at the shard: it is added, or it is a gradient `g` from which
//! an optimiser makes a step.
//!
//! Mathematics keeps its letters: `w` the cell, `η` the rate, `m` and `v` what the rule remembers
//! for the cell, `t` the number of steps that the row has made. Arithmetic is `f64`, whatever the
//! table holds. A sparse gradient moves the cells that it names and no others.

use serde::{Deserialize, Serialize};

/// An update rule.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub enum Rule {
    /// `w ← w + g`.
    #[default]
    Add,
    /// `w ← w − ηg`.
    Sgd {
        /// η
        rate: f64,
    },
    /// `m ← μm + g`, `w ← w − ηm`.
    Momentum {
        /// η
        rate: f64,
        /// μ
        momentum: f64,
    },
    /// `m ← μm + g`, `w ← w − η(g + μm)`.
    Nesterov {
        /// η
        rate: f64,
        /// μ
        momentum: f64,
    },
    /// `v ← v + g²`, `w ← w − ηg / (√v + ε)`.
    AdaGrad {
        /// η
        rate: f64,
        /// ε
        epsilon: f64,
    },
    /// `v ← ρv + (1 − ρ)g²`, `w ← w − ηg / (√v + ε)`.
    RmsProp {
        /// η
        rate: f64,
        /// ρ
        decay: f64,
        /// ε
        epsilon: f64,
    },
    /// `m ← β₁m + (1 − β₁)g`, `v ← β₂v + (1 − β₂)g²`,
    /// `w ← w − η · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)`.
    Adam {
        /// η
        rate: f64,
        /// β₁
        beta1: f64,
        /// β₂
        beta2: f64,
        /// ε
        epsilon: f64,
    },
}

/// What a rule remembers for one cell.
#[derive(Clone, Copy, Default, Debug)]
pub struct Memory {
    /// m
    pub first: f64,
    /// v
    pub second: f64,
}

impl Rule {
    /// Whether increments are sums, so that a worker can add its own to what it read.
    pub fn is_additive(self) -> bool {
        self == Rule::Add
    }

    /// The cell `w` after gradient `g` in step `t` (from 1) of its row.
    #[inline]
    pub fn step(self, w: f64, g: f64, memory: &mut Memory, t: u32) -> f64 {
        let Memory {
            first: m,
            second: v,
        } = memory;
        match self {
            Rule::Add => w + g,
            Rule::Sgd { rate } => w - rate * g,
            Rule::Momentum { rate, momentum } => {
                *m = momentum * *m + g;
                w - rate * *m
            }
            Rule::Nesterov { rate, momentum } => {
                *m = momentum * *m + g;
                w - rate * (g + momentum * *m)
            }
            Rule::AdaGrad { rate, epsilon } => {
                *v += g * g;
                w - rate * g / (v.sqrt() + epsilon)
            }
            Rule::RmsProp {
                rate,
                decay,
                epsilon,
            } => {
                *v = decay * *v + (1.0 - decay) * g * g;
                w - rate * g / (v.sqrt() + epsilon)
            }
            Rule::Adam {
                rate,
                beta1,
                beta2,
                epsilon,
            } => {
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                let unbiased = |x: f64, beta: f64| x / (1.0 - beta.powi(t as i32));
                w - rate * unbiased(*m, beta1) / (unbiased(*v, beta2).sqrt() + epsilon)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Each rule against its closed form over constant or known gradients, not against the
    //! recurrence that implements it.
    use super::*;

    fn run(rule: Rule, gradients: &[f64]) -> f64 {
        let mut memory = Memory::default();
        let mut w = 1.0;
        for (i, &g) in gradients.iter().enumerate() {
            w = rule.step(w, g, &mut memory, i as u32 + 1);
        }
        w
    }

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} instead of {expected}"
        );
    }

    #[test]
    fn add_and_sgd_are_sums() {
        close(run(Rule::Add, &[2.0, 3.0]), 6.0);
        close(run(Rule::Sgd { rate: 0.1 }, &[2.0, 3.0]), 1.0 - 0.5);
    }

    #[test]
    fn momentum_is_a_geometric_sum() {
        // After g, g: m₁ = g, m₂ = g(1 + μ).
        close(
            run(
                Rule::Momentum {
                    rate: 0.1,
                    momentum: 0.5,
                },
                &[2.0, 2.0],
            ),
            1.0 - 0.1 * (2.0 + 3.0),
        );
    }

    #[test]
    fn nesterov_looks_ahead() {
        // Step 1: g + μg = 3; step 2: g + μ(g + μg) = 2 + 0.5 · 3 = 3.5.
        close(
            run(
                Rule::Nesterov {
                    rate: 0.1,
                    momentum: 0.5,
                },
                &[2.0, 2.0],
            ),
            1.0 - 0.1 * (3.0 + 3.5),
        );
    }

    #[test]
    fn adagrad_with_equal_gradients_is_a_sum_of_inverse_roots() {
        let expected = 1.0 - 0.1 * (1.0 + 1.0 / 2f64.sqrt() + 1.0 / 3f64.sqrt());
        close(
            run(
                Rule::AdaGrad {
                    rate: 0.1,
                    epsilon: 0.0,
                },
                &[4.0, 4.0, 4.0],
            ),
            expected,
        );
    }

    #[test]
    fn rmsprop_forgets() {
        // v₁ = (1 − ρ)g², v₂ = (1 − ρ²)g².
        let expected = 1.0 - 0.1 * (1.0 / 0.1f64.sqrt() + 1.0 / 0.19f64.sqrt());
        close(
            run(
                Rule::RmsProp {
                    rate: 0.1,
                    decay: 0.9,
                    epsilon: 0.0,
                },
                &[3.0, 3.0],
            ),
            expected,
        );
    }

    #[test]
    fn adam_with_equal_gradients_moves_by_the_rate() {
        // Bias correction makes m̂ = g and v̂ = g² in each step.
        let rule = Rule::Adam {
            rate: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 0.0,
        };
        let found = run(rule, &[5.0; 10]);
        assert!((found - 0.9).abs() < 1e-9, "{found}");
    }
}
