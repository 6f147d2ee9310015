//! The run record: what was planned, what became of it, how long it took.
//!
//! Every front end (progress line, JSON events, report) reads this and nothing else. Totals are
//! exact; of the rounds, one in each stretch of equal length is kept, so that a record of a million
//! rounds stays small and the cost of keeping it does not grow. Which one is a coin toss by number:
//! rounds of a program that alternates between two kinds are kept of both.

use std::ops::Range;

use serde::Serialize;
use strads_common::lags::Lags;

use crate::plan::Place;
use crate::stop::Ended;

/// How many rounds a record keeps at most; twice as many rounds, every second one is kept.
const KEPT: usize = 2048;
/// How many ranges of variables it keeps of a round at most, roughly, and of all rounds.
const RANGES: usize = 1024;
const ALL_RANGES: usize = 1 << 18;
/// However many assignments a round has, each may have this many.
const FEWEST_RANGES: usize = 8;

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
    /// One round of each `stride` in a row.
    pub rounds: Vec<RoundRecord>,
    /// How many rounds a kept one stands for: a power of two.
    pub stride: u64,
    /// What each worker did, exact over all rounds.
    pub work: Vec<Work>,
    /// What went over links between processes, where there are any.
    pub links: Vec<Traffic>,
    /// How far behind reads of shared parameters were, where workers have any.
    pub lags: Lags,
    /// Why the run ended.
    pub ended: Ended,
    /// How many ranges of variables the kept rounds have.
    #[serde(skip)]
    ranges: usize,
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

/// What one worker did in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Time in `push`.
    pub seconds: f64,
    /// Tasks that it did.
    pub tasks: u64,
}

/// What went from one process to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Who sent it: `coordinator`, or a node by its name.
    pub from: String,
    /// Who got it.
    pub to: String,
    /// What kind of content it was.
    pub kind: String,
    /// How many bytes, headers included; signs of life and what sealing adds are left out.
    pub bytes: u64,
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
    /// Variables updated from the start of the run to the end of this round.
    pub updates_so_far: u64,
    /// The largest change of a variable.
    pub change: f64,
    /// The objective after the round, where the program knows it.
    pub objective: Option<f64>,
    /// The most loaded worker's planned cost, divided by its speed.
    pub span: f64,
    /// The mean worker's planned cost.
    pub mean_load: f64,
    /// Time from taking up its plan to the end of its `pull`.
    pub seconds: f64,
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
    /// The variables that it was to write, ascending; where they are in many places, ranges with
    /// the smallest gaps between them are joined.
    pub writes: Vec<Range<usize>>,
    /// How long its `push` took.
    pub seconds: f64,
}

impl RoundRecord {
    fn ranges(&self) -> usize {
        self.sent.iter().map(|sent| sent.writes.len()).sum()
    }

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

    fn join(&mut self, later: &Totals) {
        self.rounds += later.rounds;
        self.updates += later.updates;
        self.asked += later.asked;
        self.planned += later.planned;
        self.dropped += later.dropped;
        self.seconds += later.seconds;
        self.seconds_scheduling += later.seconds_scheduling;
        self.seconds_pulling += later.seconds_pulling;
        self.span += later.span;
        self.mean_load += later.mean_load;
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
            work: vec![Work::default(); workers],
            links: Vec::new(),
            lags: Lags::default(),
            ended: Ended::Finished,
            ranges: 0,
        }
    }

    /// True if the record will keep round `round`: only then its details are worth gathering.
    pub(crate) fn keeps(&self, round: u64) -> bool {
        stands(round, self.stride)
    }

    pub(crate) fn add(&mut self, mut round: RoundRecord) {
        self.totals.add(&round);
        round.updates_so_far = self.totals.updates;
        if self.keeps(round.round) {
            self.ranges += round.ranges();
            self.rounds.push(round);
            self.thin();
        }
    }

    /// Notes that `worker` did a task in so many seconds.
    pub(crate) fn did(&mut self, worker: usize, seconds: f64) {
        self.work[worker].seconds += seconds;
        self.work[worker].tasks += 1;
    }

    /// Continues this record with a run that came after it, as if they had been one. Time between
    /// the two is left out.
    pub fn append(&mut self, later: Record) {
        let before = self.totals;
        self.totals.join(&later.totals);
        let whole = later.stride == 1;
        self.stride = self.stride.max(later.stride);
        for mut round in later.rounds {
            round.round += before.rounds;
            round.at_seconds += before.seconds;
            round.updates_so_far += before.updates;
            let last = self.rounds.last().map(|last| last.round / self.stride);
            // A run that was thinned by itself has other rounds than the whole would have kept.
            let keeps = if whole {
                self.keeps(round.round)
            } else {
                last != Some(round.round / self.stride)
            };
            if keeps {
                self.ranges += round.ranges();
                self.rounds.push(round);
                self.thin();
            }
        }
        self.workers = self.workers.max(later.workers);
        self.work.resize(self.workers, Work::default());
        for (all, later) in self.work.iter_mut().zip(&later.work) {
            all.seconds += later.seconds;
            all.tasks += later.tasks;
        }
        for traffic in later.links {
            self.carried(traffic);
        }
        self.lags += &later.lags;
        self.ended = later.ended;
    }

    /// Adds what went over a link.
    pub fn carried(&mut self, traffic: Traffic) {
        let same = |known: &&mut Traffic| {
            (&known.from, &known.to, &known.kind) == (&traffic.from, &traffic.to, &traffic.kind)
        };
        match self.links.iter_mut().find(same) {
            Some(known) => known.bytes += traffic.bytes,
            None => self.links.push(traffic),
        }
    }

    /// Forgets every second round once there are too many.
    fn thin(&mut self) {
        if self.rounds.len() < KEPT && self.ranges < ALL_RANGES {
            return;
        }
        let half = self.stride;
        self.stride *= 2;
        let stretches = self
            .rounds
            .chunk_by(|a, b| a.round / (2 * half) == b.round / (2 * half));
        let keep: Vec<bool> = stretches
            .flat_map(|kept| {
                let chosen =
                    |one: &RoundRecord| (one.round / half) & 1 == coin(one.round / half / 2);
                // One of two stays, and one that is alone.
                kept.iter().map(move |one| kept.len() == 1 || chosen(one))
            })
            .collect();
        let mut keep = keep.into_iter();
        self.rounds.retain(|_| keep.next() == Some(true));
        self.ranges = self.rounds.iter().map(RoundRecord::ranges).sum();
    }
}

/// True of one round in each `stride` in a row, and only if it was true of it for half the stride:
/// of the two halves, a coin decides which one's round stays.
fn stands(round: u64, stride: u64) -> bool {
    (0..stride.trailing_zeros()).all(|level| round >> level & 1 == coin(round >> (level + 1)))
}

/// 0 or 1, the same at all times.
fn coin(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63
}

/// A share of a round's ranges, that of one of so many `assignments`, which covers all of
/// `variables`.
pub(crate) fn coarse(mut variables: Vec<Range<usize>>, assignments: usize) -> Vec<Range<usize>> {
    let most = (RANGES / assignments.max(1)).max(FEWEST_RANGES);
    variables.sort_unstable_by_key(|range| range.start);
    let gap = |pair: &[Range<usize>]| pair[1].start.saturating_sub(pair[0].end);
    let mut gaps: Vec<usize> = variables.windows(2).map(gap).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    // Only gaps wider than this one stay: fewer than there may be ranges.
    let widest_closed = gaps.get(most - 1).copied().unwrap_or(0);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in variables.into_iter().filter(|range| !range.is_empty()) {
        match joined.last_mut() {
            Some(last) if range.start.saturating_sub(last.end) <= widest_closed => {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(number: u64) -> RoundRecord {
        RoundRecord {
            round: number,
            at_seconds: (number + 1) as f64,
            asked: 4,
            planned: 3,
            dropped: 1,
            updates: 2,
            updates_so_far: 0,
            change: 0.0,
            objective: None,
            span: 3.0,
            mean_load: 2.0,
            seconds: 1.0,
            seconds_scheduling: 0.0,
            seconds_pulling: 0.0,
            sent: Vec::new(),
        }
    }

    /// However long the run, the record is bounded, has one round of each stretch, as many odd as
    /// even ones, and its totals are exact.
    #[test]
    fn a_long_run_keeps_a_round_of_each_stretch_and_exact_totals() {
        let mut record = Record::new(0, 1, 1);
        for number in 0..100_000 {
            record.add(round(number));
        }
        assert!(record.rounds.len() < KEPT && record.rounds.len() >= KEPT / 2 - 1);
        let stretch = |kept: &RoundRecord| kept.round / record.stride;
        let next = |pair: &[RoundRecord]| stretch(&pair[1]) == stretch(&pair[0]) + 1;
        assert!(record.rounds.windows(2).all(next));
        let odd = record.rounds.iter().filter(|kept| kept.round % 2 == 1);
        let share = odd.count() as f64 / record.rounds.len() as f64;
        assert!((0.4..0.6).contains(&share), "{share}");
        assert_eq!(record.totals.updates, 200_000);
        assert_eq!(record.totals.fullness(), 0.5);
        assert_eq!(record.totals.imbalance(), 1.5);
    }

    /// Runs one after the other read as one: rounds, times and updates go on counting, sums are
    /// exact, and the whole is as bounded as one run.
    #[test]
    fn runs_in_a_row_read_as_one() {
        let run = |rounds: u64| {
            let mut record = Record::new(0, 1, 2);
            (0..rounds).for_each(|number| {
                record.did(1, 0.5);
                record.lags.count(number % 2);
                record.add(round(number));
            });
            record
        };
        let mut all = run(3);
        (0..3000).for_each(|_| all.append(run(13)));
        assert_eq!(all.totals.rounds, 3 + 3000 * 13);
        assert_eq!(all.totals.updates, 2 * all.totals.rounds);
        assert_eq!(all.work[1].tasks, all.totals.rounds);
        assert_eq!(all.lags.reads(), all.totals.rounds);
        assert!(all.rounds.len() < KEPT && all.rounds.len() >= KEPT / 4);
        let ascend = |pair: &[RoundRecord]| {
            pair[1].round / all.stride == pair[0].round / all.stride + 1
                && pair[1].at_seconds > pair[0].at_seconds
                && pair[1].updates_so_far > pair[0].updates_so_far
        };
        assert!(all.rounds.windows(2).all(ascend));
        let last = &all.rounds[all.rounds.len() - 1];
        assert_eq!(last.updates_so_far, 2 * (last.round + 1));

        let mut long = run(5000);
        assert_eq!((long.rounds.len(), long.stride), (1250, 4));
        long.append(run(5000));
        assert_eq!((long.rounds.len(), long.stride), (1250, 8));
    }

    /// However scattered, what is kept of an assignment is bounded and covers all it wrote.
    #[test]
    fn scattered_variables_become_few_ranges_that_cover_them() {
        let scattered: Vec<_> = (0..5000).map(|at| at * at..at * at + 1).collect();
        let few = coarse(scattered.clone(), 4);
        assert!(few.len() <= RANGES / 4 && few.len() > RANGES / 8);
        let covered =
            |one: &Range<usize>| few.iter().any(|r| r.start <= one.start && one.end <= r.end);
        assert!(scattered.iter().all(covered));
        assert_eq!(coarse(vec![4..6, 0..2, 5..9], 1), [0..2, 4..9]);
        assert_eq!(coarse(Vec::new(), 1), []);
    }
}
