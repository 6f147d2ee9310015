//! One thread, one task after the other, with a virtual clock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::{Crew, Finished};
use crate::error::{Error, panic_message};
use crate::plan::{Assignment, Place};
use crate::program::Program;

pub(super) struct Inline<'a, P: Program> {
    shards: &'a mut [P::Shard],
    speeds: Vec<f64>,
    round: u64,
    /// The round that runs: assignment and its position in the plan.
    waiting: Vec<(usize, Assignment<P::Task>)>,
    span: f64,
}

/// When a claim is given up, on the virtual clock.
struct Held {
    until: f64,
    position: usize,
}

impl<'a, P: Program> Inline<'a, P> {
    pub fn new(shards: &'a mut [P::Shard], speeds: &[f64]) -> Self {
        let speed = |worker: usize| {
            speeds
                .get(worker)
                .copied()
                .filter(|&s| s > 0.0)
                .unwrap_or(1.0)
        };
        let speeds = (0..shards.len()).map(speed).collect();
        Self {
            shards,
            speeds,
            round: 0,
            waiting: Vec::new(),
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
        self.waiting = assignments.into_iter().enumerate().collect();
    }

    /// Plays the round on the virtual clock: every worker does its own tasks first, then takes
    /// offered ones, each as soon as it is free and the task's claims are.
    fn collect(&mut self) -> Result<Vec<Finished<P::Share>>, Error> {
        let mut free_at = vec![0.0_f64; self.shards.len()];
        let waiting = std::mem::take(&mut self.waiting);
        let mut finished: Vec<Option<Finished<P::Share>>> = waiting.iter().map(|_| None).collect();
        let mut offered = Vec::new();
        for (position, assignment) in waiting {
            match assignment.place {
                Place::Worker(worker) => {
                    free_at[worker] += assignment.cost / self.speeds[worker];
                    finished[position] = Some(self.run(worker, assignment.task)?);
                }
                Place::Anyone => offered.push((position, assignment)),
            }
        }
        self.play(offered, &mut free_at, &mut finished)?;
        self.span = free_at.into_iter().fold(0.0, f64::max);
        Ok(finished
            .into_iter()
            .map(|f| f.expect("every assignment was run"))
            .collect())
    }

    fn span(&self) -> f64 {
        self.span
    }
}

impl<P: Program> Inline<'_, P> {
    fn play(
        &mut self,
        mut offered: Vec<(usize, Assignment<P::Task>)>,
        free_at: &mut [f64],
        finished: &mut [Option<Finished<P::Share>>],
    ) -> Result<(), Error> {
        let mut held: Vec<(Held, Assignment<()>)> = Vec::new();
        while !offered.is_empty() {
            let worker = (0..free_at.len())
                .min_by(|&a, &b| free_at[a].total_cmp(&free_at[b]))
                .expect("a run has at least one worker");
            let now = free_at[worker];
            held.retain(|(h, _)| h.until > now);
            let ready = offered
                .iter()
                .position(|(_, a)| !held.iter().any(|(_, h)| a.excludes(h)));
            let Some(at) = ready else {
                // Nothing can start before some claim is given up.
                let next = held.iter().min_by(|a, b| {
                    (a.0.until, a.0.position)
                        .partial_cmp(&(b.0.until, b.0.position))
                        .expect("times are numbers")
                });
                free_at[worker] = next.expect("a task waits only for a held claim").0.until;
                continue;
            };
            let (position, assignment) = offered.remove(at);
            let until = now + assignment.cost / self.speeds[worker];
            free_at[worker] = until;
            let Assignment {
                place,
                cost,
                entries,
                claims,
                task,
            } = assignment;
            held.push((
                Held { until, position },
                Assignment {
                    place,
                    cost,
                    entries,
                    claims,
                    task: (),
                },
            ));
            finished[position] = Some(self.run(worker, task)?);
        }
        Ok(())
    }
}
