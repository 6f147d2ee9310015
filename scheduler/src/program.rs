//! What somebody who writes an algorithm implements: three functions and three types.
//!
//! The coordinator owns the program and calls [`Program::schedule`] and [`Program::pull`]; workers
//! own shards and run [`Program::push`]. `push` takes no `self`: what a worker must know about the
//! model travels in the task, so the boundary between machines is checked by the compiler.

use std::ops::Range;

use crate::cluster::Passport;
use crate::plan::Plan;
use crate::round::Round;

/// A model-parallel algorithm.
pub trait Program: Sized {
    /// What a worker keeps between rounds: its part of the data, its scratch space.
    type Shard: Send;
    /// What goes out to a worker: the variables to update and what it must know about the model.
    type Task: Send;
    /// What comes back.
    type Share: Send;

    /// Says which variables the round updates, and who updates them.
    ///
    /// With a pipeline of depth d it is called up to d − 1 rounds ahead: it sees what was pulled
    /// by then, not the rounds that are still on their way.
    fn schedule(&mut self, round: &mut Round) -> Plan<Self::Task>;

    /// Computes one task where the data are.
    fn push(shard: &mut Self::Shard, task: Self::Task) -> Self::Share;

    /// Combines the shares of one round, in the order of its plan, and commits the result.
    ///
    /// Every round that was scheduled is pulled, in order, however the run ends. The one exception
    /// is a round in which a `push` panicked: its shares are incomplete, and nobody gets them.
    fn pull(&mut self, shares: Shares<Self>) -> Moved;

    /// Takes a last look at a task that was planned ahead, just before it leaves: drops entries
    /// that went stale since, and fills in what only now is known.
    fn refresh(&mut self, _task: &mut Self::Task) -> Freshness {
        Freshness::Fresh
    }

    /// The variables that a task will write, for the record of rounds: worth telling where plans
    /// do not claim them. Asked only for rounds that the record keeps.
    fn variables(_task: &Self::Task) -> Vec<Range<usize>> {
        Vec::new()
    }

    /// Lets the program run on a cluster: `Some(Passport::new())` for one that is [`Remote`].
    ///
    /// [`Remote`]: crate::cluster::Remote
    fn passport() -> Option<Passport<Self>> {
        None
    }
}

/// What [`Program::refresh`] found in a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// All of it is still worth doing.
    Fresh,
    /// This many of its entries were dropped; the rest goes out.
    Trimmed(usize),
    /// Nothing is left to do: the task stays here and reaches `pull` among the unsent.
    Stale,
}

/// One round's results, in the order of its plan (hence in worker order), however they arrived.
pub struct Shares<P: Program> {
    /// The results.
    pub done: Vec<Done<P::Share>>,
    /// Tasks that did not go out: stale ones, and all tasks of a round that the run's end overtook.
    pub unsent: Vec<P::Task>,
}

/// The result of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Done<S> {
    /// The worker that computed it.
    pub worker: usize,
    /// What its `push` returned.
    pub share: S,
}

impl<P: Program> Shares<P> {
    /// The results without their workers.
    pub fn into_values(self) -> impl Iterator<Item = P::Share> {
        self.done.into_iter().map(|done| done.share)
    }
}

/// What a round achieved, for stop rules and for the record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moved {
    /// How many variables were updated.
    pub updates: u64,
    /// The largest change of a variable.
    pub change: f64,
    /// The objective after the round, where the program knows it.
    pub objective: Option<f64>,
    /// The program has reached its goal: no further rounds.
    pub finished: bool,
}
