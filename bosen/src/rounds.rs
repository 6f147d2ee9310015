//! Which rounds of a table are complete, and what was done in those that are not.
//!
//! Pure bookkeeping, the same in every home of the store: who has begun which clock, whose
//! increments wait for whom, and which of them come too late to count. Increments of a round come
//! out in the order of their workers, so that their sum is the same in every run.

use crate::batch::Batch;
use crate::consistency::Consistency;
use crate::rule::Rule;
use crate::spec::TableSpec;
use crate::store;
use std::collections::BTreeMap;
use strads_common::ids::{Clock, WorkerId};

/// The rounds of one table.
pub struct Rounds {
    /// The round that each worker is in.
    clocks: Vec<Clock>,
    /// Complete rounds.
    clock: Clock,
    /// Increments of incomplete rounds, in the order in which they will be summed.
    held: BTreeMap<(Clock, WorkerId), Vec<Batch>>,
    discarded: u64,
}

/// A worker that has not left.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    /// Who.
    pub worker: WorkerId,
    /// Whether it has not been heard of for too long.
    pub lost: bool,
}

impl Rounds {
    /// The rounds of a table that `workers` workers have not begun to use.
    pub fn new(workers: usize) -> Rounds {
        Rounds {
            clocks: vec![Clock(0); workers],
            clock: Clock(0),
            held: BTreeMap::new(),
            discarded: 0,
        }
    }

    /// The number of complete rounds.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Late batches that have been dropped.
    pub fn discarded(&self) -> u64 {
        self.discarded
    }

    /// The increments that wait for their round.
    pub fn held(&self) -> impl Iterator<Item = &Batch> {
        self.held.values().flatten()
    }

    /// Keeps what `worker` did at `clock` until that round is complete, or drops it if it is.
    pub fn hold(&mut self, worker: WorkerId, clock: Clock, batch: Batch) {
        if clock < self.clock {
            self.discarded += 1;
        } else {
            self.held.entry((clock, worker)).or_default().push(batch);
        }
    }

    /// `worker` has begun `clock`.
    pub fn begin(&mut self, worker: WorkerId, clock: Clock) {
        let own = &mut self.clocks[worker.index()];
        *own = clock.max(*own);
    }

    /// Completes the rounds that enough of the `live` workers have finished; the increments of
    /// each, or `None` if the table clock does not move.
    pub fn complete(&mut self, consistency: Consistency, live: &[Live]) -> Option<Vec<Vec<Batch>>> {
        let target = self.reached(consistency, live);
        if target <= self.clock {
            return None;
        }
        let later = self.held.split_off(&(target, WorkerId(0)));
        let held = std::mem::replace(&mut self.held, later);
        let mut rounds: BTreeMap<Clock, Vec<Batch>> = BTreeMap::new();
        for ((round, worker), batches) in held {
            // A part of a round is worth nothing: it counts when its worker has finished it or
            // has left.
            let finished = self.clocks[worker.index()] > round;
            match finished || live.iter().all(|live| live.worker != worker) {
                true => rounds.entry(round).or_default().extend(batches),
                false => self.discarded += batches.len() as u64,
            }
        }
        self.clock = target;
        Some(rounds.into_values().collect())
    }

    /// The number of rounds that enough workers have finished.
    fn reached(&self, consistency: Consistency, live: &[Live]) -> Clock {
        let mut clocks: Vec<Clock> = live
            .iter()
            .map(|live| self.clocks[live.worker.index()])
            .collect();
        clocks.sort_unstable_by(|a, b| b.cmp(a));
        let quorum = consistency.quorum(clocks.len());
        quorum
            .checked_sub(1)
            .map_or(self.clock, |last| clocks[last])
    }

    /// The lost worker for which whoever waits for the table clock `need` would wait in vain.
    pub fn hopeless(
        &self,
        consistency: Consistency,
        live: &[Live],
        need: Clock,
    ) -> Option<WorkerId> {
        let behind = |live: &&Live| live.lost && self.clocks[live.worker.index()] < need;
        let out = live.iter().filter(behind).count();
        let reachable = live.len() - out;
        let culprit = live.iter().find(behind)?;
        (reachable < consistency.quorum(live.len())).then_some(culprit.worker)
    }

    /// Of those for whom whoever waits for the table clock `need` waits, the one that is furthest
    /// behind.
    pub fn latest(&self, live: &[Live], need: Clock) -> Option<WorkerId> {
        let clock = |live: &&Live| self.clocks[live.worker.index()];
        let behind = live.iter().filter(|live| clock(live) < need);
        behind.min_by_key(clock).map(|live| live.worker)
    }
}

/// What a complete round does to a table: its increments, or the one step that an optimiser makes
/// of their sum.
pub fn effects(spec: &TableSpec, round: Vec<Batch>) -> Vec<Batch> {
    if spec.rule == Rule::Add {
        return round;
    }
    let mut sum = store::open(spec.layout);
    round.iter().for_each(|batch| sum.add(batch));
    sum.drain().into_iter().collect()
}

#[cfg(test)]
mod tests {
    //! The definitions, one by one: who completes a round, what counts in it, who is waited for in
    //! vain.
    use super::*;
    use crate::rows::RowSet;
    use std::sync::Arc;

    fn live(count: u32) -> Vec<Live> {
        let live = |id| Live {
            worker: WorkerId(id),
            lost: false,
        };
        (0..count).map(live).collect()
    }

    fn batch(value: i64) -> Batch {
        Batch::dense(Arc::new(RowSet::range(0, 1)), vec![value])
    }

    #[test]
    fn a_round_waits_for_all_and_comes_out_in_worker_order() {
        let mut rounds = Rounds::new(2);
        for worker in [1, 0] {
            assert!(rounds.complete(Consistency::Bsp, &live(2)).is_none());
            rounds.hold(WorkerId(worker), Clock(0), batch(i64::from(worker)));
            rounds.begin(WorkerId(worker), Clock(1));
        }
        let complete = rounds.complete(Consistency::Bsp, &live(2));
        assert_eq!(complete, Some(vec![vec![batch(0), batch(1)]]));
        assert_eq!(rounds.clock(), Clock(1));
    }

    #[test]
    fn a_backup_round_drops_what_is_unfinished_or_late() {
        let mut rounds = Rounds::new(2);
        let backup = Consistency::Backup { needed: 1 };
        rounds.hold(WorkerId(1), Clock(0), batch(7));
        rounds.hold(WorkerId(0), Clock(0), batch(5));
        rounds.begin(WorkerId(0), Clock(1));
        assert_eq!(
            rounds.complete(backup, &live(2)),
            Some(vec![vec![batch(5)]])
        );
        rounds.hold(WorkerId(1), Clock(0), batch(9));
        assert_eq!(rounds.discarded(), 2);
    }

    #[test]
    fn what_a_worker_did_before_it_left_counts() {
        let mut rounds = Rounds::new(2);
        rounds.hold(WorkerId(1), Clock(0), batch(7));
        rounds.begin(WorkerId(0), Clock(1));
        assert_eq!(
            rounds.complete(Consistency::Bsp, &live(1)),
            Some(vec![vec![batch(7)]])
        );
    }

    #[test]
    fn only_the_lost_worker_that_is_needed_is_waited_for_in_vain() {
        let mut rounds = Rounds::new(3);
        let mut workers = live(3);
        workers[1].lost = true;
        let (bsp, backup) = (Consistency::Bsp, Consistency::Backup { needed: 2 });
        assert_eq!(rounds.hopeless(bsp, &workers, Clock(1)), Some(WorkerId(1)));
        assert_eq!(rounds.hopeless(backup, &workers, Clock(1)), None);
        rounds.begin(WorkerId(1), Clock(1));
        assert_eq!(rounds.hopeless(bsp, &workers, Clock(1)), None);
    }

    /// Who is furthest behind is named; nobody is where all are as far as is needed.
    #[test]
    fn the_latest_is_named() {
        let mut rounds = Rounds::new(3);
        rounds.begin(WorkerId(0), Clock(4));
        rounds.begin(WorkerId(1), Clock(2));
        rounds.begin(WorkerId(2), Clock(1));
        assert_eq!(rounds.latest(&live(3), Clock(3)), Some(WorkerId(2)));
        assert_eq!(rounds.latest(&live(2), Clock(3)), Some(WorkerId(1)));
        assert_eq!(rounds.latest(&live(3), Clock(1)), None);
    }
}
