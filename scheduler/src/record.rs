//! The run record: what was planned, what became of it, how long it took.
//!
//! Every front end (progress line, JSON events, report) reads this and nothing else. Totals are
//! exact; of the rounds, evenly spaced ones are kept, so that a record of a million rounds stays
//! small and the cost of keeping it does not grow.

use serde::Serialize;

use crate::plan::{Claim, Place};
use crate::stop::Ended;

/// How many rounds a record keeps at most; twice as many rounds, every second one is kept.
const KEPT: usize = 2048;

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The seed of the run.
    pub seed: u64,
    /// How many rounds were planned ahead, the running one included.
    pub depth: usize,
    /// How many workers there were.
    pub workers: usize,
    /// Exact sums over all rounds.
    pub totals: Totals,
    /// Every `stride`-th round from the first.
    pub rounds: Vec<RoundRecord>,
    /// The distance between kept rounds.
    pub stride: u64,
    /// Why the run ended.
    pub ended: Ended,
}

/// Sums over all rounds of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Rounds that were dispatched and pulled.
    pub rounds: u64,
    /// Variables updated, as the program counts them.
    pub updates: u64,
    /// Entries that the policy asked for.
    pub asked: u64,
    /// Entries that were planned.
    pub planned: u64,
    /// Entries that went stale between plan and dispatch.
    pub dropped: u64,
    /// Time from the start of the run.
    pub seconds: f64,
    /// Of that, in `schedule` and `refresh`.
    pub seconds_scheduling: f64,
    /// Of that, in `pull`.
    pub seconds_pulling: f64,
    /// The sum over rounds of the most loaded worker's planned cost (divided by its speed).
    pub span: f64,
    /// The sum over rounds of the mean worker's planned cost.
    pub mean_load: f64,
}

/// What one round did.
#[derive(Clone, Debug, Serialize)]
pub struct RoundRecord {
    /// The round.
    pub round: u64,
    /// When it was pulled, since the start of the run.
    pub at_seconds: f64,
    /// Entries that the policy asked for.
    pub asked: usize,
    /// Entries that were planned.
    pub planned: usize,
    /// Entries that went stale between plan and dispatch.
    pub dropped: usize,
    /// Variables updated, as the program counts them.
    pub updates: u64,
    /// The largest change of a variable.
    pub change: f64,
    /// The objective after the round, where the program knows it.
    pub objective: Option<f64>,
    /// The most loaded worker's planned cost, divided by its speed.
    pub span: f64,
    /// The mean worker's planned cost.
    pub mean_load: f64,
    /// Time in `schedule` and `refresh` for this round.
    pub seconds_scheduling: f64,
    /// Time in `pull`.
    pub seconds_pulling: f64,
    /// What went out, in the order of the plan.
    pub sent: Vec<Sent>,
}

/// What is kept of an assignment.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    /// Whom it was planned for.
    pub place: Place,
    /// Who did it.
    pub worker: usize,
    /// How many entries it held when it was planned.
    pub entries: usize,
    /// Its planned cost.
    pub cost: f64,
    /// What it claimed.
    pub claims: Vec<Claim>,
    /// How long its `push` took.
    pub seconds: f64,
}

impl RoundRecord {
    /// How full the round was: entries dispatched per entry asked for.
    pub fn fullness(&self) -> f64 {
        ratio((self.planned - self.dropped) as f64, self.asked as f64)
    }

    /// The most loaded worker's planned cost over the mean worker's: 1 is even.
    pub fn imbalance(&self) -> f64 {
        ratio(self.span, self.mean_load)
    }
}

impl Totals {
    /// How full rounds were: entries dispatched per entry asked for.
    pub fn fullness(&self) -> f64 {
        ratio((self.planned - self.dropped) as f64, self.asked as f64)
    }

    /// How much longer rounds took, by planned cost, than if every worker had the same load.
    pub fn imbalance(&self) -> f64 {
        ratio(self.span, self.mean_load)
    }

    fn add(&mut self, round: &RoundRecord) {
        self.rounds += 1;
        self.updates += round.updates;
        self.asked += round.asked as u64;
        self.planned += round.planned as u64;
        self.dropped += round.dropped as u64;
        self.seconds = round.at_seconds;
        self.seconds_scheduling += round.seconds_scheduling;
        self.seconds_pulling += round.seconds_pulling;
        self.span += round.span;
        self.mean_load += round.mean_load;
    }
}

/// Nothing asked for and nothing done is even and full.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 1.0 }
}

impl Record {
    pub(crate) fn new(seed: u64, depth: usize, workers: usize) -> Self {
        Self {
            seed,
            depth,
            workers,
            totals: Totals::default(),
            rounds: Vec::new(),
            stride: 1,
            ended: Ended::Finished,
        }
    }

    /// True if the record will keep round `round`: only then its details are worth gathering.
    pub(crate) fn keeps(&self, round: u64) -> bool {
        round.is_multiple_of(self.stride)
    }

    pub(crate) fn add(&mut self, round: RoundRecord) {
        self.totals.add(&round);
        if !self.keeps(round.round) {
            return;
        }
        self.rounds.push(round);
        if self.rounds.len() == KEPT {
            self.stride *= 2;
            let stride = self.stride;
            self.rounds.retain(|kept| kept.round.is_multiple_of(stride));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(number: u64) -> RoundRecord {
        RoundRecord {
            round: number,
            at_seconds: number as f64,
            asked: 4,
            planned: 3,
            dropped: 1,
            updates: 2,
            change: 0.0,
            objective: None,
            span: 3.0,
            mean_load: 2.0,
            seconds_scheduling: 0.0,
            seconds_pulling: 0.0,
            sent: Vec::new(),
        }
    }

    /// However long the run, the record is bounded, evenly spaced, and its totals are exact.
    #[test]
    fn a_long_run_keeps_evenly_spaced_rounds_and_exact_totals() {
        let mut record = Record::new(0, 1, 1);
        for number in 0..100_000 {
            record.add(round(number));
        }
        assert!(record.rounds.len() < KEPT && record.rounds.len() >= KEPT / 2 - 1);
        assert!(
            record
                .rounds
                .windows(2)
                .all(|pair| pair[1].round - pair[0].round == record.stride)
        );
        assert_eq!(record.totals.updates, 200_000);
        assert_eq!(record.totals.fullness(), 0.5);
        assert_eq!(record.totals.imbalance(), 1.5);
    }
}
