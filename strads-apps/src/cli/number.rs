//! Numbers on the command line that have to lie in a range: parsers for clap, one for each range that
//! several commands have.

/// A finite number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    within(text, |value| value > 0.0, "above 0")
}

/// A finite number from 0 on.
pub fn not_negative(text: &str) -> Result<f64, String> {
    within(text, |value| value >= 0.0, "that is not negative")
}

/// A number above 0 and at most 1.
pub fn share(text: &str) -> Result<f64, String> {
    within(
        text,
        |value| value > 0.0 && value <= 1.0,
        "above 0 and at most 1",
    )
}

/// The finite number that `text` is, if it is as `fits` says and `range` tells.
pub fn within(text: &str, fits: impl Fn(f64) -> bool, range: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && fits(value) => Ok(value),
        _ => Err(format!("expected a number {range}")),
    }
}
