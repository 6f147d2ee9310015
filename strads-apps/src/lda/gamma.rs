//! log Γ and its derivative ψ, and their growth over whole steps.

/// log Γ(x) for x > 0: Stirling's series, moved up to where it converges.
pub fn ln_gamma(mut x: f64) -> f64 {
    let mut product = 1.0;
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series =
        (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse / 1680.0))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}

/// ψ(x) for x > 0.
pub fn digamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < 10.0 {
        below += 1.0 / x;
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = inverse
        * (1.0 / 12.0 - inverse * (1.0 / 120.0 - inverse * (1.0 / 252.0 - inverse / 240.0)));
    x.ln() - 0.5 / x - series - below
}

/// How log Γ and ψ grow from `base` to `base + n`, small n by table: most counts are small.
#[derive(Clone, Debug)]
pub struct Growth {
    base: f64,
    table: Vec<(f64, f64)>,
}

impl Growth {
    /// Growth from `base` > 0.
    pub fn from(base: f64) -> Self {
        let mut at = (0.0, 0.0);
        let step = |n: u32| {
            let x = base + f64::from(n);
            let (log, slope) = at;
            at = (log + x.ln(), slope + 1.0 / x);
            (log, slope)
        };
        Self {
            base,
            table: (0..256).map(step).collect(),
        }
    }

    /// `(log Γ(base + n) − log Γ(base), ψ(base + n) − ψ(base))`.
    pub fn by(&self, n: u32) -> (f64, f64) {
        let known = self.table.get(n as usize).copied();
        known.unwrap_or_else(|| {
            let x = self.base + f64::from(n);
            (
                ln_gamma(x) - ln_gamma(self.base),
                digamma(x) - digamma(self.base),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both agree with values known to twelve digits, below and above where the series starts.
    #[test]
    fn known_values() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-10 * b.abs().max(1.0), "{a} {b}");
        near(ln_gamma(0.5), 0.572_364_942_924_7);
        near(ln_gamma(100.0), 359.134_205_369_575_4);
        near(digamma(1.0), -0.577_215_664_901_533);
        near(digamma(100.0), 4.600_161_852_738_087);
    }

    /// The table continues where the functions take over.
    #[test]
    fn growth_is_the_difference() {
        let growth = Growth::from(0.01);
        for n in [0, 1, 7, 255, 256, 1000] {
            let (log, slope) = growth.by(n);
            let x = 0.01 + f64::from(n);
            assert!((log - (ln_gamma(x) - ln_gamma(0.01))).abs() < 1e-8, "{n}");
            assert!((slope - (digamma(x) - digamma(0.01))).abs() < 1e-8, "{n}");
        }
    }
}
