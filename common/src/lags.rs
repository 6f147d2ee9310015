//! Lags: how many clocks reads of shared parameters were behind, as counts.
//!
//! What a read lags behind is its reader's own clock; each store says where it defines consistency
//! what that means. Counts are exact and few, however far behind a read was.

use std::ops::AddAssign;

use serde::Serialize;

/// Lags from here on are counted together.
const LAST: u64 = 1024;

/// How many reads were behind by 0, 1, … clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Lags {
    counts: Vec<u64>,
}

impl Lags {
    /// Counts a read that was `lag` clocks behind.
    pub fn count(&mut self, lag: u64) {
        self.add(lag, 1);
    }

    /// By lag, up to the greatest there was.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// How many reads there were.
    pub fn reads(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The mean lag; 0 if there was no read.
    pub fn mean(&self) -> f64 {
        let behind: u64 = (0..)
            .zip(&self.counts)
            .map(|(lag, reads)| lag * reads)
            .sum();
        behind as f64 / self.reads().max(1) as f64
    }

    /// Those of these reads that are not among `earlier` ones.
    pub fn since(&self, earlier: &Lags) -> Lags {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let more = self.counts.iter().zip(before);
        more.map(|(now, before)| now.saturating_sub(before))
            .collect()
    }

    fn add(&mut self, lag: u64, reads: u64) {
        let lag = lag.min(LAST) as usize;
        if self.counts.len() <= lag {
            self.counts.resize(lag + 1, 0);
        }
        self.counts[lag] += reads;
    }
}

/// Of the reads by 0, 1, … clocks behind.
impl FromIterator<u64> for Lags {
    fn from_iter<I: IntoIterator<Item = u64>>(counts: I) -> Self {
        let mut lags = Lags::default();
        let some = (0..).zip(counts).filter(|(_, reads)| *reads > 0);
        some.for_each(|(lag, reads)| lags.add(lag, reads));
        lags
    }
}

impl AddAssign<&Lags> for Lags {
    fn add_assign(&mut self, other: &Lags) {
        (0..).zip(&other.counts).for_each(|(lag, &reads)| {
            if reads > 0 {
                self.add(lag, reads);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums and differences count every read once.
    #[test]
    fn every_read_counts_once() {
        let mut all = Lags::default();
        [0, 2, 2].into_iter().for_each(|lag| all.count(lag));
        let before = all.clone();
        [5, 0].into_iter().for_each(|lag| all.count(lag));
        assert_eq!(all.counts(), [2, 0, 2, 0, 0, 1]);
        assert_eq!((all.reads(), all.mean()), (5, 9.0 / 5.0));
        let later = all.since(&before);
        assert_eq!(later.counts(), [1, 0, 0, 0, 0, 1]);
        let mut sum = later;
        sum += &before;
        assert_eq!(sum, all);
    }

    /// However far behind a read is, and whatever counts are said to be, they stay few.
    #[test]
    fn counts_are_few() {
        let mut far: Lags = std::iter::repeat_n(1, 5000).collect();
        far.count(u64::MAX);
        assert_eq!((far.counts().len(), far.reads()), (1025, 5001));
        assert_eq!(Lags::default().mean(), 0.0);
    }
}
