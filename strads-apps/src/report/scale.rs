//! Scales: where a value is on an axis, which values get a tick, and what is written beside it.

/// A range of values along an axis.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

/// What a number is worth reading as: `1.5 M` is 1.5 of a million.
const UNITS: [(f64, &str); 4] = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")];

impl Scale {
    /// From 0 to a little above `high`.
    pub fn from_zero(high: f64) -> Self {
        Self::between(0.0, if high > 0.0 { high * 1.05 } else { 1.0 })
    }

    /// Exactly from `low` to `high`, or a little more if they are the same.
    pub fn between(low: f64, high: f64) -> Self {
        let high = if high > low {
            high
        } else {
            low + low.abs().max(1.0) * 1e-3
        };
        let log = false;
        Self { low, high, log }
    }

    /// Around `values`, with some air above and below.
    pub fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = extremes(values);
        let air = ((high - low) * 0.06).max(high.abs() * 1e-4).max(1e-12);
        Self::between(low - air, high + air)
    }

    /// Around the positive ones of `values`, by powers of ten.
    pub fn logarithmic(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = extremes(values.filter(|&value| value > 0.0).map(f64::log10));
        let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
        let log = true;
        Self { low, high, log }
    }

    /// Where `value` is, from 0 at the low end to 1 at the high one; none if it cannot be shown.
    pub fn place(&self, value: f64) -> Option<f64> {
        let value = if self.log { value.log10() } else { value };
        value
            .is_finite()
            .then(|| ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0))
    }

    /// Up to about `count` round numbers with what is written beside them.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        if self.log {
            let step = ((self.high - self.low) / count as f64).ceil().max(1.0);
            let steps = ((self.high - self.low) / step) as i32;
            let power = |k: i32| self.low + f64::from(k) * step;
            return (0..=steps)
                .map(|k| (10f64.powf(power(k)), format!("1e{}", power(k))))
                .collect();
        }
        let step = round_step((self.high - self.low) / count as f64);
        let within = step * 1e-6;
        let first = ((self.low - within) / step).ceil() as i64;
        let last = ((self.high + within) / step).floor() as i64;
        let largest = step * first.unsigned_abs().max(last.unsigned_abs()) as f64;
        (first..=last)
            .map(|k| (k as f64 * step, label(k as f64 * step, step, largest)))
            .collect()
    }
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// 1, 2 or 5 times a power of ten, at least `rough`.
fn round_step(rough: f64) -> f64 {
    let unit = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|times| times * unit);
    // Rounding may leave the largest of them short of `rough` by a bit.
    steps
        .into_iter()
        .find(|step| *step >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * unit)
}

/// A tick, with as many places as its step needs.
fn label(value: f64, step: f64, largest: f64) -> String {
    let (unit, suffix) = match unit(largest) {
        Some(unit) => unit,
        None if largest < 1e-3 && value != 0.0 => return format!("{value:.0e}"),
        None => (1.0, ""),
    };
    let places = (-(step / unit).log10() - 1e-9).ceil().clamp(0.0, 9.0) as usize;
    if value == 0.0 {
        return "0".to_owned();
    }
    format!("{:.places$}{suffix}", value / unit)
}

/// A quantity to read, with three digits: `12.3 M`.
pub fn quantity(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value:.0}");
    }
    let (unit, suffix) = unit(value.abs()).unwrap_or((1.0, ""));
    let shown = value / unit;
    let places = (2.0 - shown.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    if value.fract() == 0.0 && unit == 1.0 {
        return format!("{value}");
    }
    format!("{shown:.places$}{suffix}")
}

/// The unit that makes numbers up to `largest` short; four digits are read as they are.
fn unit(largest: f64) -> Option<(f64, &'static str)> {
    let fits = |(unit, _): &&(f64, &str)| largest >= if *unit == 1e3 { 9995.0 } else { *unit };
    UNITS.iter().find(fits).copied()
}

/// The unit in which `longest` seconds are read best: its name, and how many are in a second.
pub fn time_unit(longest: f64) -> (&'static str, f64) {
    match longest {
        s if s >= 7200.0 => ("hours", 1.0 / 3600.0),
        s if s >= 1.0 => ("seconds", 1.0),
        s if s >= 1e-3 => ("milliseconds", 1e3),
        _ => ("microseconds", 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks are a handful of round numbers within the range, told apart by short labels.
    #[test]
    fn ticks_are_few_round_and_told_apart() {
        let scales = [
            Scale::between(0.0, 0.037),
            Scale::between(0.49, 1.02),
            Scale::between(0.0, 30_000.0),
            Scale::between(0.0, 2.2e9),
            Scale::between(-5.083, -5.029),
            Scale::between(0.0, 4e-7),
            Scale::around([2.0, 2.0].into_iter()),
            Scale::logarithmic([3e-9, 0.2, 0.0].into_iter()),
            Scale::logarithmic([1.0].into_iter()),
        ];
        for scale in scales {
            let ticks = scale.ticks(5);
            assert!((2..=7).contains(&ticks.len()), "{scale:?} {ticks:?}");
            for (value, label) in &ticks {
                let at = scale.place(*value).unwrap();
                assert!(
                    (0.0..=1.0).contains(&at) && label.chars().count() <= 8,
                    "{ticks:?}"
                );
            }
            let distinct = |pair: &[(f64, String)]| pair[0].1 != pair[1].1;
            assert!(ticks.windows(2).all(distinct), "{ticks:?}");
        }
    }

    #[test]
    fn quantities_have_three_digits() {
        let shown = [0.0, 3.0, 2048.0, 30_000.0, 12_345_678.0, 0.012345, 1.5].map(quantity);
        assert_eq!(
            shown,
            ["0", "3", "2048", "30.0 k", "12.3 M", "0.0123", "1.50"]
        );
    }

    /// What cannot be shown has no place: nothing is drawn at a wrong one.
    #[test]
    fn what_is_no_number_has_no_place() {
        let log = Scale::logarithmic([1e-3, 1.0].into_iter());
        assert_eq!(log.place(0.0), None);
        assert_eq!(log.place(-1.0), None);
        assert_eq!(Scale::from_zero(2.0).place(f64::NAN), None);
    }
}
