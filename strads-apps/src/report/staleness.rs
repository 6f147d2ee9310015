//! How far behind reads of shared parameters were: a bar for each number of clocks.

use strads::Record;

use super::figure::{BARS, Figure, bars, names, ticks};
use super::scale::{Scale, quantity};

/// Reads by clocks behind; none if nothing was read.
pub fn reads(record: &Record) -> Option<Figure> {
    let counts = record.lags.counts();
    let greatest = counts.len().checked_sub(1)?;
    let group = counts.len().div_ceil(BARS);
    let reads = counts.chunks(group).map(|lags| lags.iter().sum::<u64>());
    let reads: Vec<f64> = reads.map(|reads| reads as f64).collect();
    let up = Scale::from_zero(reads.iter().copied().fold(0.0, f64::max));
    let height = |&reads: &f64| up.place(reads).unwrap_or(0.0);
    let heights: Vec<f64> = reads.iter().map(height).collect();
    let current = counts[0] as f64 / record.lags.reads() as f64;
    Some(Figure {
        title: "Reads by clocks behind".to_owned(),
        up: "reads".to_owned(),
        along: "clocks of others that were missing".to_owned(),
        left: ticks(&up, 4),
        below: names(heights.len(), group),
        legend: Vec::new(),
        note: format!(
            "Of {} reads {:.1} % missed nothing; the mean one was {:.2} clocks behind, the stalest {greatest}.",
            quantity(record.lags.reads() as f64),
            100.0 * current,
            record.lags.mean(),
        ),
        drawing: bars(&heights),
    })
}
