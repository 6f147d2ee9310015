//! Which λ to solve for.

/// The λ of a fit, told absolutely or relative to the smallest λ at which nothing is selected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Grid {
    /// One λ.
    Lambda(f64),
    /// One λ, as a share of λ_max.
    Ratio(f64),
    /// This many λ, evenly spaced on a logarithmic scale from λ_max to a share of it.
    Path {
        /// How many.
        count: usize,
        /// The share at the end.
        min_ratio: f64,
    },
}

impl Grid {
    /// The λ, in the order in which they are solved.
    pub fn lambdas(self, largest: f64) -> Vec<f64> {
        match self {
            Self::Lambda(lambda) => vec![lambda],
            Self::Ratio(ratio) => vec![largest * ratio],
            Self::Path { count: 1, .. } => vec![largest],
            Self::Path { count, min_ratio } => {
                let step = min_ratio.ln() / (count - 1) as f64;
                (0..count)
                    .map(|k| largest * (step * k as f64).exp())
                    .collect()
            }
        }
    }
}
