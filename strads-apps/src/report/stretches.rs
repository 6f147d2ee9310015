//! A record in at most [`COLUMNS`] stretches of rounds, however many rounds there were: what the
//! figures over rounds have in their columns.

use strads::{Record, RoundRecord};

/// How many stretches there are at most.
pub const COLUMNS: usize = 96;

/// Kept rounds that follow each other.
pub struct Stretch<'a> {
    /// The rounds.
    pub rounds: &'a [RoundRecord],
    /// Updates up to its start.
    updates_before: u64,
    /// When it began.
    began: f64,
}

/// The stretches of `record`, all about equally long.
pub fn stretches(record: &Record) -> Vec<Stretch<'_>> {
    let length = record.rounds.len().div_ceil(COLUMNS).max(1);
    let mut ended = (0, 0.0);
    record
        .rounds
        .chunks(length)
        .map(|rounds| {
            let last = &rounds[rounds.len() - 1];
            let (updates_before, began) =
                std::mem::replace(&mut ended, (last.updates_so_far, last.at_seconds));
            Stretch {
                rounds,
                updates_before,
                began,
            }
        })
        .collect()
}

/// What the threads did with the time of some rounds, in shares of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shares {
    /// In `push`.
    pub computing: f64,
    /// In `schedule` and `refresh`.
    pub planning: f64,
    /// In `pull`.
    pub committing: f64,
    /// For others to finish, or to be given something.
    pub waiting: f64,
}

impl Stretch<'_> {
    /// When it ended.
    pub fn ended(&self) -> f64 {
        self.rounds
            .last()
            .map_or(self.began, |round| round.at_seconds)
    }

    /// When it began.
    pub fn began(&self) -> f64 {
        self.began
    }

    /// Updates in a second.
    pub fn updates_per_second(&self) -> f64 {
        let after = self.rounds.last().map_or(0, |round| round.updates_so_far);
        let seconds = self.ended() - self.began;
        (after - self.updates_before) as f64 / seconds
    }

    /// The most loaded worker's planned cost over the mean's, all rounds together.
    pub fn imbalance(&self) -> f64 {
        let span = self.sum(|round| round.span);
        let mean = self.sum(|round| round.mean_load);
        if mean > 0.0 { span / mean } else { 1.0 }
    }

    /// The share of what was asked for that went out, and the share that had gone stale.
    pub fn full_and_dropped(&self) -> (f64, f64) {
        let asked = self.sum(|round| round.asked as f64);
        let dropped = self.sum(|round| round.dropped as f64);
        let planned = self.sum(|round| round.planned as f64);
        if asked > 0.0 {
            ((planned - dropped) / asked, dropped / asked)
        } else {
            (1.0, 0.0)
        }
    }

    /// Where the time of `threads` threads went. At depth 1, planning is not within a round.
    pub fn shares(&self, threads: usize, depth: usize) -> Shares {
        let planning = self.sum(|round| round.seconds_scheduling);
        let apart = if depth == 1 { planning } else { 0.0 };
        let whole = self.sum(|round| round.seconds) + apart;
        if whole <= 0.0 {
            return Shares::default();
        }
        let pushing = self.sum(|round| round.sent.iter().map(|sent| sent.seconds).sum());
        let computing = (pushing / threads as f64 / whole).min(1.0);
        let committing = (self.sum(|round| round.seconds_pulling) / whole).min(1.0 - computing);
        // Planned ahead, by one thread while others compute; otherwise while all wait for it.
        let ahead = (planning - apart) / threads as f64;
        let planning = ((apart + ahead) / whole).min(1.0 - computing - committing);
        Shares {
            computing,
            planning,
            committing,
            waiting: 1.0 - computing - committing - planning,
        }
    }

    /// The share of its rounds' time that `worker` computed.
    pub fn busy(&self, worker: usize) -> f64 {
        let mine = |round: &RoundRecord| {
            let tasks = round.sent.iter().filter(|sent| sent.worker == worker);
            tasks.map(|sent| sent.seconds).sum()
        };
        let whole = self.sum(|round| round.seconds);
        if whole > 0.0 {
            (self.sum(mine) / whole).min(1.0)
        } else {
            0.0
        }
    }

    fn sum(&self, of: impl Fn(&RoundRecord) -> f64) -> f64 {
        self.rounds.iter().map(of).sum()
    }
}
