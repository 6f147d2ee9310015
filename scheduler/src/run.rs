//! A run: the loop of rounds, on one executor.
//!
//! One round, told end to end, is [`Drive::round`]. The order of calls on the program is fixed by
//! round numbers alone, never by who was fast, so a run is a function of program, shards, seed and
//! depth; executors differ in where `push` happens.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use crate::error::Error;
use crate::executor::{Crew, Executor, Finished};
use crate::plan::{Access, Assignment, Place, Plan};
use crate::program::{Done, Freshness, Moved, Program, Shares};
use crate::record::{Record, RoundRecord, Sent, coarse};
use crate::round::Round;
use crate::stop::{Ended, Stop};

/// The settings of a run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    seed: u64,
    depth: usize,
    stop: Stop,
}

/// What an observer wants after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// End the run here.
    Stop,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            seed: 0,
            depth: 1,
            stop: Stop::when_finished(),
        }
    }
}

impl Run {
    /// Seed 0, no planning ahead, until the program has finished.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the seed of all the run's random streams.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how many rounds exist at once, from planned to running: 1 plans each round after the
    /// one before it was pulled; d plans up to d − 1 rounds ahead while one runs.
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth.max(1);
        self
    }

    /// Sets when to stop.
    pub fn until(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Runs `program` with one worker a shard.
    pub fn on<P: Program>(
        self,
        executor: &Executor,
        program: &mut P,
        shards: &mut [P::Shard],
    ) -> Result<Record, Error> {
        self.observed(executor, program, shards, |_, _| Verdict::Continue)
    }

    /// Runs `program` and shows it to `observer` after every round.
    pub fn observed<P: Program>(
        self,
        executor: &Executor,
        program: &mut P,
        shards: &mut [P::Shard],
        observer: impl FnMut(&P, &RoundRecord) -> Verdict,
    ) -> Result<Record, Error> {
        if shards.is_empty() {
            return Err(Error::NoWorkers);
        }
        let workers = shards.len();
        let (outcome, links) = executor.employ::<P, _>(shards, |crew| {
            let mut drive = Drive {
                run: self,
                program,
                crew,
                workers,
                started: Instant::now(),
                ahead: VecDeque::new(),
                next: 0,
                record: Record::new(self.seed, self.depth, workers),
            };
            let outcome = drive.rounds(observer);
            drive.recall();
            outcome.map(|()| drive.record)
        })?;
        let mut record = outcome?;
        record.links = links;
        Ok(record)
    }
}

/// A plan that waits for its turn.
struct Ahead<T> {
    round: u64,
    plan: Plan<T>,
    seconds: f64,
}

struct Drive<'a, P: Program> {
    run: Run,
    program: &'a mut P,
    crew: &'a mut dyn Crew<P>,
    workers: usize,
    started: Instant,
    ahead: VecDeque<Ahead<P::Task>>,
    /// The number of the next round to plan.
    next: u64,
    record: Record,
}

impl<P: Program> Drive<'_, P> {
    fn rounds(
        &mut self,
        mut observer: impl FnMut(&P, &RoundRecord) -> Verdict,
    ) -> Result<(), Error> {
        if self.run.stop.rounds == Some(0) {
            self.record.ended = Ended::Rounds;
            return Ok(());
        }
        loop {
            self.plan_ahead(1);
            let (record, moved) = self.round()?;
            let verdict = observer(self.program, &record);
            self.record.add(record);
            let ended = self.run.stop.ended(&moved, &self.record.totals);
            if let Some(ended) = ended.or((verdict == Verdict::Stop).then_some(Ended::Observer)) {
                self.record.ended = ended;
                return Ok(());
            }
        }
    }

    /// One round: the oldest plan is freshened and goes out; while it runs, the rounds after it
    /// are planned; its shares come back and are pulled.
    fn round(&mut self) -> Result<(RoundRecord, Moved), Error> {
        let began = Instant::now();
        let ahead = self
            .ahead
            .pop_front()
            .expect("`rounds` plans one before it comes here");
        let number = ahead.round;
        let mut record = match self.sketch(&ahead) {
            Ok(record) => record,
            Err(refused) => {
                // Its tasks go back to the program like those of the rounds behind it.
                self.ahead.push_front(ahead);
                return Err(refused);
            }
        };
        let (going, unsent) = self.freshen(ahead.plan, &mut record);
        let sent = self.outline(number, &going);

        self.crew.dispatch(number, going);
        self.plan_ahead(self.run.depth - 1);
        let finished = self.crew.collect()?;

        finished
            .iter()
            .for_each(|f| self.record.did(f.worker, f.seconds));
        record.sent = complete(sent, &finished);
        record.span = self.crew.span();
        let done = finished
            .into_iter()
            .map(|f| Done {
                worker: f.worker,
                share: f.share,
            })
            .collect();
        let pulling = Instant::now();
        let moved = self.program.pull(Shares { done, unsent });
        record.seconds_pulling = pulling.elapsed().as_secs_f64();
        record.seconds = began.elapsed().as_secs_f64();
        record.at_seconds = self.started.elapsed().as_secs_f64();
        (record.updates, record.change, record.objective) =
            (moved.updates, moved.change, moved.objective);
        Ok((record, moved))
    }

    /// Plans until `depth` rounds wait, but none beyond the last one that will run.
    fn plan_ahead(&mut self, depth: usize) {
        while self.ahead.len() < depth && self.run.stop.rounds.is_none_or(|last| self.next < last) {
            let began = Instant::now();
            let mut round = Round::new(self.next, self.workers, self.run.seed);
            let plan = self.program.schedule(&mut round);
            self.crew.foresee(self.next, &plan);
            self.ahead.push_back(Ahead {
                round: self.next,
                plan,
                seconds: began.elapsed().as_secs_f64(),
            });
            self.next += 1;
        }
    }

    /// Refuses a plan that cannot be run safely, and opens its record.
    fn sketch(&self, ahead: &Ahead<P::Task>) -> Result<RoundRecord, Error> {
        let (round, workers) = (ahead.round, self.workers);
        for assignment in ahead.plan.assignments() {
            if let Place::Worker(worker) = assignment.place()
                && worker >= workers
            {
                return Err(Error::NoSuchWorker {
                    round,
                    worker,
                    workers,
                });
            }
        }
        if let Some((first, second)) = ahead.plan.conflict() {
            return Err(Error::Conflict {
                round,
                first,
                second,
            });
        }
        Ok(RoundRecord {
            round,
            at_seconds: 0.0,
            asked: 0,
            planned: 0,
            dropped: 0,
            updates: 0,
            updates_so_far: 0,
            change: 0.0,
            objective: None,
            span: 0.0,
            mean_load: 0.0,
            seconds: 0.0,
            seconds_scheduling: ahead.seconds,
            seconds_pulling: 0.0,
            sent: Vec::new(),
        })
    }

    /// Drops what went stale since the plan was made.
    fn freshen(
        &mut self,
        plan: Plan<P::Task>,
        record: &mut RoundRecord,
    ) -> (Vec<Assignment<P::Task>>, Vec<P::Task>) {
        let began = Instant::now();
        let (mut going, asked) = plan.into_parts();
        record.asked = asked;
        record.planned = going.iter().map(|a| a.entries).sum();
        let mut unsent = Vec::new();
        let found: Vec<Freshness> = going
            .iter_mut()
            .map(|a| self.program.refresh(&mut a.task))
            .collect();
        if found.iter().any(|&f| f != Freshness::Fresh) {
            let mut kept = Vec::with_capacity(going.len());
            for (assignment, freshness) in going.into_iter().zip(found) {
                match freshness {
                    Freshness::Fresh => kept.push(assignment),
                    Freshness::Trimmed(entries) => {
                        record.dropped += entries.min(assignment.entries);
                        kept.push(assignment);
                    }
                    Freshness::Stale => {
                        record.dropped += assignment.entries;
                        unsent.push(assignment.task);
                    }
                }
            }
            going = kept;
        }
        record.mean_load = going.iter().map(|a| a.cost).sum::<f64>() / self.workers as f64;
        record.seconds_scheduling += began.elapsed().as_secs_f64();
        (going, unsent)
    }

    /// What the record will say of the assignments, if it keeps this round.
    fn outline(&self, round: u64, going: &[Assignment<P::Task>]) -> Vec<Sent> {
        if !self.record.keeps(round) {
            return Vec::new();
        }
        let outline = |a: &Assignment<P::Task>| Sent {
            place: a.place,
            worker: 0,
            entries: a.entries,
            cost: a.cost,
            writes: coarse(written::<P>(a), going.len()),
            seconds: 0.0,
        };
        going.iter().map(outline).collect()
    }

    /// Hands back the rounds that the end overtook: every round that was scheduled is pulled.
    fn recall(&mut self) {
        for ahead in std::mem::take(&mut self.ahead) {
            let (assignments, _) = ahead.plan.into_parts();
            let unsent = assignments.into_iter().map(|a| a.task).collect();
            self.program.pull(Shares {
                done: Vec::new(),
                unsent,
            });
        }
    }
}

/// The variables that an assignment writes: those that its program names, or those it claims.
fn written<P: Program>(assignment: &Assignment<P::Task>) -> Vec<Range<usize>> {
    let named = P::variables(&assignment.task);
    if !named.is_empty() {
        return named;
    }
    let claims = assignment.claims.iter();
    claims
        .filter(|claim| claim.access == Access::Write)
        .map(|claim| claim.variables.clone())
        .collect()
}

fn complete<S>(mut sent: Vec<Sent>, finished: &[Finished<S>]) -> Vec<Sent> {
    for (sent, finished) in sent.iter_mut().zip(finished) {
        sent.worker = finished.worker;
        sent.seconds = finished.seconds;
    }
    sent
}
