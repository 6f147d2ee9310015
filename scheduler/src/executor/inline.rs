//! One thread, one task after the other, with a virtual clock.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::{Crew, Finished};
use crate::error::{Error, panic_message};
use crate::plan::{Assignment, Claim, Place};
use crate::program::Program;

pub(super) struct Inline<'a, P: Program> {
    shards: &'a mut [P::Shard],
    speeds: Vec<f64>,
    round: u64,
    assignments: Vec<Assignment<P::Task>>,
    span: f64,
}

/// A round as the virtual clock sees it.
struct Play<T> {
    /// What each worker has yet to do, by position in the plan.
    own: Vec<VecDeque<(usize, Assignment<T>)>>,
    offered: VecDeque<(usize, Assignment<T>)>,
    free_at: Vec<f64>,
    held: Vec<Held>,
    /// When the last task ends.
    end: f64,
}

/// Claims of a running task, and when it gives them up.
struct Held {
    until: f64,
    claims: Vec<Claim>,
}

impl<'a, P: Program> Inline<'a, P> {
    pub fn new(shards: &'a mut [P::Shard], speeds: &[f64]) -> Self {
        assert!(
            speeds.iter().all(|&speed| speed.is_finite() && speed > 0.0),
            "speeds are finite and positive, unlike some of {speeds:?}"
        );
        let speed = |worker: usize| speeds.get(worker).copied().unwrap_or(1.0);
        let speeds = (0..shards.len()).map(speed).collect();
        Self {
            shards,
            speeds,
            round: 0,
            assignments: Vec::new(),
            span: 0.0,
        }
    }

    fn run(&mut self, worker: usize, task: P::Task) -> Result<Finished<P::Share>, Error> {
        let began = Instant::now();
        let shard = &mut self.shards[worker];
        match catch_unwind(AssertUnwindSafe(|| P::push(shard, task))) {
            Ok(share) => Ok(Finished {
                worker,
                share,
                seconds: began.elapsed().as_secs_f64(),
            }),
            Err(panic) => Err(Error::Panicked {
                worker,
                round: self.round,
                message: panic_message(&*panic),
            }),
        }
    }
}

impl<P: Program> Crew<P> for Inline<'_, P> {
    fn dispatch(&mut self, round: u64, assignments: Vec<Assignment<P::Task>>) {
        self.round = round;
        self.assignments = assignments;
    }

    fn collect(&mut self) -> Result<Vec<Finished<P::Share>>, Error> {
        let assignments = std::mem::take(&mut self.assignments);
        let mut finished: Vec<Option<Finished<P::Share>>> = Vec::new();
        finished.resize_with(assignments.len(), || None);
        let mut play = Play::new(assignments, self.shards.len());
        while let Some((worker, position, task)) = play.next(&self.speeds) {
            finished[position] = Some(self.run(worker, task)?);
        }
        self.span = play.end;
        Ok(finished
            .into_iter()
            .map(|f| f.expect("every assignment was run"))
            .collect())
    }

    fn span(&self) -> f64 {
        self.span
    }
}

impl<T> Play<T> {
    fn new(assignments: Vec<Assignment<T>>, workers: usize) -> Self {
        let mut play = Self {
            own: (0..workers).map(|_| VecDeque::new()).collect(),
            offered: VecDeque::new(),
            free_at: vec![0.0; workers],
            held: Vec::new(),
            end: 0.0,
        };
        for (position, assignment) in assignments.into_iter().enumerate() {
            match assignment.place {
                Place::Worker(worker) => play.own[worker].push_back((position, assignment)),
                Place::Anyone => play.offered.push_back((position, assignment)),
            }
        }
        play
    }

    /// The next task to start, who starts it and its position. Whoever is free first does its own
    /// tasks in order, then takes the first offered one whose claims are free.
    fn next(&mut self, speeds: &[f64]) -> Option<(usize, usize, T)> {
        loop {
            let worker = (0..self.free_at.len())
                .filter(|&w| !self.own[w].is_empty() || !self.offered.is_empty())
                .min_by(|&a, &b| self.free_at[a].total_cmp(&self.free_at[b]))?;
            let now = self.free_at[worker];
            self.held.retain(|held| held.until > now);
            let Some((position, assignment)) = self.startable(worker) else {
                // Nothing that this worker could do starts before somebody gives up a claim.
                let releases = self.held.iter().map(|held| held.until);
                self.free_at[worker] = releases.fold(f64::INFINITY, f64::min);
                continue;
            };
            let until = now + assignment.cost / speeds[worker];
            self.free_at[worker] = until;
            self.end = self.end.max(until);
            if !assignment.claims.is_empty() {
                let claims = assignment.claims;
                self.held.push(Held { until, claims });
            }
            return Some((worker, position, assignment.task));
        }
    }

    fn startable(&mut self, worker: usize) -> Option<(usize, Assignment<T>)> {
        let held = &self.held;
        let free =
            |(_, a): &(usize, Assignment<T>)| !held.iter().any(|held| a.excluded_by(&held.claims));
        if self.own[worker].is_empty() {
            let first = self.offered.iter().position(free)?;
            self.offered.remove(first)
        } else {
            self.own[worker].pop_front_if(|next| free(next))
        }
    }
}
