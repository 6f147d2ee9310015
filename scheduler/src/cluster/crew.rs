//! A cluster as the loop of rounds sees it: tasks go out, shares come back in the order of the plan.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::parcel::Lent;
use super::remote::{Passport, Programs};
use super::session::{Answer, Session};
use super::simulated::{self, Weather};
use super::tcp::{self, Members, Timing};
use crate::error::Error;
use crate::executor::{Crew, Finished, longest};
use crate::plan::{Assignment, Claim, Place, Plan, excludes};
use crate::program::Program;
use crate::record::Traffic;

/// Nodes that wait for programs to run.
///
/// Blocks of the model stay where they were last used, from run to run. The loss of a node ends the
/// cluster: whoever wants to go on joins those that are left.
#[derive(Clone)]
pub struct Cluster {
    session: Arc<Mutex<Session>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// Two are the same if they have the same nodes at the same time.
impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.session, &other.session)
    }
}

impl Cluster {
    /// Connects to nodes that run already.
    pub fn join(members: &Members, timing: Timing) -> Result<Self, Error> {
        tcp::join(members, timing).map(Self::new)
    }

    /// Nodes in this thread behind a network that is a function of its seed: messages take their
    /// time, and nodes are lost where the weather says so.
    pub fn simulated(nodes: usize, programs: Programs, weather: Weather) -> Self {
        Self::new(simulated::session(nodes, programs, weather))
    }

    fn new(session: Session) -> Self {
        Self {
            session: Arc::new(Mutex::new(session)),
        }
    }

    /// How many workers the nodes have room for.
    pub fn slots(&self) -> usize {
        self.lock().slots()
    }

    pub(crate) fn recall(&self, lender: u64) -> Result<(), Error> {
        self.lock().recall(lender)
    }

    fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts workers on `shards`, on the nodes of `cluster`, for as long as `work` runs; the shards come
/// home afterwards. Also returns what has gone over links.
pub(crate) fn employ<P: Program, R>(
    cluster: &Cluster,
    shards: &mut [P::Shard],
    work: impl FnOnce(&mut dyn Crew<P>) -> R,
) -> Result<(R, Vec<Traffic>), Error> {
    let passport = P::passport().ok_or(Error::StaysHome)?;
    let mut session = cluster.lock();
    session.check()?;
    let homes = session.homes(shards.len());
    session.begin(passport.name);
    for (worker, shard) in shards.iter().enumerate() {
        session.hire(homes[worker], worker, |out| {
            (passport.pack_shard)(shard, out)
        });
    }
    let mut crew = Remotely {
        passport: &passport,
        session: &mut session,
        homes: &homes,
        round: 0,
        span: 0.0,
        offered: VecDeque::new(),
        held: vec![Vec::new(); homes.len()],
        open: 0,
        finished: Vec::new(),
    };
    let result = work(&mut crew);
    session.end();
    bring_home(&mut session, &passport, &homes, shards)?;
    Ok((result, session.traffic()))
}

/// Exchanges shards for what they have become. A lost node is no error here: whoever ran into it
/// has one already.
fn bring_home<P: Program>(
    session: &mut Session,
    passport: &Passport<P>,
    homes: &[usize],
    shards: &mut [P::Shard],
) -> Result<(), Error> {
    if session.check().is_err() {
        return Ok(());
    }
    for (worker, &node) in homes.iter().enumerate() {
        session.dismiss(node, worker);
    }
    for _ in homes {
        let (node, answer) = session.next()?;
        if let Answer::Dismissed(worker, shard) = answer {
            let shard = session.unpack(node, &shard, passport.unpack_shard)?;
            shards[worker] = shard;
        }
    }
    Ok(())
}

struct Remotely<'a, P: Program> {
    passport: &'a Passport<P>,
    session: &'a mut Session,
    /// The node of each worker.
    homes: &'a [usize],
    round: u64,
    span: f64,
    offered: VecDeque<(usize, Assignment<P::Task>)>,
    /// What each worker's tasks claim, by their places in the plan.
    held: Vec<Vec<(usize, Vec<Claim>)>>,
    /// How many tasks are out.
    open: usize,
    finished: Vec<Option<Finished<P::Share>>>,
}

impl<P: Program> Crew<P> for Remotely<'_, P> {
    fn foresee(&mut self, round: u64, plan: &Plan<P::Task>) {
        let loans = self.loans(plan.assignments());
        self.session.foresee(round, loans);
    }

    fn dispatch(&mut self, round: u64, assignments: Vec<Assignment<P::Task>>) {
        self.round = round;
        self.span = longest(&assignments, self.homes.len());
        self.finished.clear();
        self.finished.resize_with(assignments.len(), || None);
        let loans = self.loans(&assignments);
        self.session.bring(round, loans);
        for (position, assignment) in assignments.into_iter().enumerate() {
            match assignment.place {
                Place::Worker(worker) => self.send(worker, position, assignment),
                Place::Anyone => self.offered.push_back((position, assignment)),
            }
        }
        self.offer();
        self.session.move_ahead();
    }

    fn collect(&mut self) -> Result<Vec<Finished<P::Share>>, Error> {
        let mut failure = None;
        while self.open > 0 {
            let (node, answer) = self.session.next()?;
            match answer {
                Answer::Done {
                    position,
                    seconds,
                    share,
                } => {
                    let share = self
                        .session
                        .unpack(node, &share, self.passport.unpack_share)?;
                    let worker = self.release(position);
                    self.finished[position] = Some(Finished {
                        worker,
                        share,
                        seconds,
                    });
                }
                Answer::Panicked { position, message } => {
                    let worker = self.release(position);
                    // The round is lost, and what has not gone out will not.
                    self.offered.clear();
                    failure.get_or_insert(Error::Panicked {
                        worker,
                        round: self.round,
                        message,
                    });
                }
                Answer::Dismissed(..) | Answer::Home => {}
            }
            self.offer();
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok(self
                .finished
                .drain(..)
                .map(|finished| finished.expect("the round has no open tasks"))
                .collect()),
        }
    }

    fn span(&self) -> f64 {
        self.span
    }
}

impl<P: Program> Remotely<'_, P> {
    /// The loans of tasks whose workers are known, with the workers' nodes.
    fn loans(&self, assignments: &[Assignment<P::Task>]) -> Vec<(usize, Vec<Lent>)> {
        let known = assignments.iter().filter_map(|a| match a.place {
            Place::Worker(worker) => Some((*self.homes.get(worker)?, &a.task)),
            Place::Anyone => None,
        });
        known
            .map(|(node, task)| (node, (self.passport.loans)(task)))
            .collect()
    }

    fn send(&mut self, worker: usize, position: usize, assignment: Assignment<P::Task>) {
        let pack = self.passport.pack_task;
        let place = (self.round, position, worker);
        self.session
            .push(self.homes[worker], place, |out| pack(&assignment.task, out));
        self.held[worker].push((position, assignment.claims));
        self.open += 1;
    }

    /// Gives offered tasks to workers that have nothing to do, where no claim forbids it.
    fn offer(&mut self) {
        for worker in 0..self.homes.len() {
            if self.offered.is_empty() {
                return;
            }
            if !self.held[worker].is_empty() {
                continue;
            }
            let free = |(_, task): &(usize, Assignment<P::Task>)| {
                let mut held = self.held.iter().flatten();
                !held.any(|(_, claims)| excludes(&task.claims, claims))
            };
            if let Some(first) = self.offered.iter().position(free)
                && let Some((position, assignment)) = self.offered.remove(first)
            {
                let loans = (self.passport.loans)(&assignment.task);
                self.session
                    .bring(self.round, vec![(self.homes[worker], loans)]);
                self.send(worker, position, assignment);
            }
        }
    }

    /// The worker that had the task at `position`, and has it no more.
    fn release(&mut self, position: usize) -> usize {
        let has = |tasks: &Vec<(usize, Vec<Claim>)>| tasks.iter().any(|(at, _)| *at == position);
        let worker = self.held.iter().position(has);
        let worker = worker.expect("a task that was sent out has a worker");
        self.held[worker].retain(|(at, _)| *at != position);
        self.open -= 1;
        worker
    }
}
