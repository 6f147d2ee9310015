//! What is known of a run without knowing how it came about: who said what, and who was handed it.

use bosen::broadcast::Update;
use bosen::consistency::Consistency;
use std::collections::BTreeSet;
use strads_common::ids::{Clock, WorkerId};

/// The pieces of an update, as a function of who made it when.
pub fn pieces(origin: WorkerId, clock: Clock) -> Vec<Vec<u8>> {
    let count = 1 + (origin.0 as u64 + clock.0) % 3;
    let piece = |index: u64| format!("{origin} {clock} piece {index}").into_bytes();
    (0..count).map(piece).collect()
}

pub struct Oracle {
    consistency: Consistency,
    /// By worker: what it has been handed, in order.
    handed: Vec<Vec<(WorkerId, Clock)>>,
    /// By worker and origin: how many.
    counts: Vec<Vec<u64>>,
}

impl Oracle {
    pub fn new(workers: usize, consistency: Consistency) -> Oracle {
        Oracle {
            consistency,
            handed: vec![Vec::new(); workers],
            counts: vec![vec![0; workers]; workers],
        }
    }

    /// `worker` has been handed `update`.
    pub fn handed(&mut self, worker: WorkerId, update: &Update) -> Result<(), String> {
        let Update {
            origin,
            clock,
            pieces: found,
        } = update;
        let count = &mut self.counts[worker.index()][origin.index()];
        if clock.0 != *count {
            return Err(format!(
                "{worker} is handed {origin}'s {clock} after {count} of them"
            ));
        }
        *count += 1;
        let contents: Vec<Vec<u8>> = found.iter().map(|piece| piece.content.to_vec()).collect();
        if contents != pieces(*origin, *clock) {
            return Err(format!(
                "{worker} is handed {origin}'s {clock} with other pieces"
            ));
        }
        self.handed[worker.index()].push((*origin, *clock));
        Ok(())
    }

    /// `worker` begins `clock` while `alive` are there.
    pub fn begins(
        &self,
        worker: WorkerId,
        clock: Clock,
        alive: &BTreeSet<WorkerId>,
    ) -> Result<(), String> {
        let need = self.consistency.needs(clock).0;
        for origin in alive {
            let has = self.counts[worker.index()][origin.index()];
            if has < need {
                return Err(format!(
                    "{worker} begins {clock} with {has} updates of {origin}"
                ));
            }
        }
        Ok(())
    }

    /// Survivors have the same, `clocks` of each other.
    pub fn ended(&self, survivors: &BTreeSet<WorkerId>, clocks: u64) -> Result<(), String> {
        let Some(first) = survivors.first() else {
            return Ok(());
        };
        for worker in survivors {
            if self.counts[worker.index()] != self.counts[first.index()] {
                return Err(format!(
                    "{worker} has {:?}, {first} {:?}",
                    self.counts[worker.index()],
                    self.counts[first.index()]
                ));
            }
            if survivors
                .iter()
                .any(|origin| self.counts[worker.index()][origin.index()] != clocks)
            {
                return Err(format!(
                    "{worker} lacks updates: {:?}",
                    self.counts[worker.index()]
                ));
            }
            let same = self.handed[worker.index()] == self.handed[first.index()];
            if self.consistency == Consistency::Bsp && !same {
                return Err(format!("{worker} and {first} were handed other sequences"));
            }
        }
        let sorted =
            self.handed[first.index()].is_sorted_by_key(|(origin, clock)| (*clock, *origin));
        if self.consistency == Consistency::Bsp && !sorted {
            return Err("not in the order of clocks and workers".to_owned());
        }
        Ok(())
    }
}
