//! When a run ends.

use serde::Serialize;

use crate::program::Moved;
use crate::record::Totals;

/// Limits of a run; it ends at whichever is reached first, or when the program has finished.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stop {
    /// This many rounds.
    pub rounds: Option<u64>,
    /// This many updates of variables.
    pub updates: Option<u64>,
    /// This much time. Where a run stops then depends on timing, unlike what it computed until then.
    pub seconds: Option<f64>,
    /// An objective at or below this.
    pub objective: Option<f64>,
    /// A round in which no variable moved by more than this.
    pub change: Option<f64>,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The program said that it has finished.
    Finished,
    /// It did as many rounds as asked.
    Rounds,
    /// It did as many updates as asked.
    Updates,
    /// It ran as long as asked.
    Seconds,
    /// It reached the asked objective.
    Objective,
    /// Variables stopped moving.
    Change,
    /// The observer asked for an end.
    Observer,
}

impl Stop {
    /// Only the program ends the run.
    pub fn when_finished() -> Self {
        Self::default()
    }

    /// After `rounds` rounds.
    pub fn after_rounds(rounds: u64) -> Self {
        Self {
            rounds: Some(rounds),
            ..Self::default()
        }
    }

    pub(crate) fn ended(&self, moved: &Moved, totals: &Totals) -> Option<Ended> {
        let reached = |limit: Option<u64>, value: u64| limit.is_some_and(|limit| value >= limit);
        if moved.finished {
            Some(Ended::Finished)
        } else if reached(self.rounds, totals.rounds) {
            Some(Ended::Rounds)
        } else if reached(self.updates, totals.updates) {
            Some(Ended::Updates)
        } else if self.seconds.is_some_and(|limit| totals.seconds >= limit) {
            Some(Ended::Seconds)
        } else if self
            .objective
            .is_some_and(|goal| moved.objective.is_some_and(|at| at <= goal))
        {
            Some(Ended::Objective)
        } else if moved.updates > 0 && self.change.is_some_and(|limit| moved.change <= limit) {
            Some(Ended::Change)
        } else {
            None
        }
    }
}
