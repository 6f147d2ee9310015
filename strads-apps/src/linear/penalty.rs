//! The elastic-net penalty and its proximal step.

/// λ₁‖β‖₁ + λ₂/2 ‖β‖².
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty {
    /// λ₁.
    pub l1: f64,
    /// λ₂.
    pub l2: f64,
}

impl Penalty {
    /// The penalty of strength `lambda` of which `l1_ratio` is on the absolute values.
    pub fn elastic_net(lambda: f64, l1_ratio: f64) -> Self {
        Self {
            l1: lambda * l1_ratio,
            l2: lambda * (1.0 - l1_ratio),
        }
    }

    /// Its value at the given coefficients.
    pub fn value(self, beta: impl Iterator<Item = f64>) -> f64 {
        let (absolute, square) = beta.fold((0.0, 0.0), |(a, s), b| (a + b.abs(), s + b * b));
        self.l1 * absolute + 0.5 * self.l2 * square
    }

    /// The minimiser of ½ curvature b² − pull b + penalty(b).
    #[inline(always)]
    pub fn minimise(self, curvature: f64, pull: f64) -> f64 {
        let shrunk = (pull.abs() - self.l1).max(0.0);
        shrunk.copysign(pull) / (curvature + self.l2)
    }
}

strads::travel_by_fields!(Penalty { l1, l2 });
