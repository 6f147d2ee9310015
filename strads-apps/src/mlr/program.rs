//! A training as a program: a round is an epoch.
//!
//! Every worker has a copy of the model and a part of the examples. Within an epoch workers tell
//! each other what they learn, by ways of their own; the coordinator hears at its end how it went,
//! and, where a checkpoint is due, what the model is. On a cluster two rounds come first: workers
//! open ways to themselves, and are told those to the others.

use std::sync::Arc;

use strads::cluster::{Passport, Remote};
use strads::{Moved, Plan, Program, Round, Shares};

use super::checkpoint::State;
use super::learner::Learner;
use super::sending::Traffic;
use super::terms::Terms;
use super::worker::{Left, Met};
use crate::failure::Failure;

/// The program.
#[derive(Debug)]
pub struct Learning {
    terms: Arc<Terms>,
    /// Epochs between checkpoints, if there are to be any.
    keeps_every: Option<u64>,
    stage: Stage,
    /// Examples looked at so far.
    looked_at: u64,
    /// The last epoch, of all workers here.
    met: Met,
    kept: Option<Arc<State>>,
    left: Option<Left>,
    trouble: Option<String>,
}

/// What comes next.
#[derive(Clone, Debug)]
enum Stage {
    Open,
    Meet(Arc<Vec<String>>),
    Learn(u64),
    Finish,
    Over,
}

/// What a worker is to do.
#[derive(Clone, Debug)]
pub enum Task {
    /// Let others reach it.
    Open,
    /// Reach the others.
    Meet(Arc<Vec<String>>),
    /// Learn for an epoch; and tell the model after it?
    Learn(u64, bool),
    /// Leave; and tell the model?
    Finish(bool),
}

/// What comes of it.
#[derive(Clone, Debug)]
pub enum Share {
    /// Where it can be reached.
    Opened(String),
    /// It reaches the others.
    Together,
    /// An epoch is over.
    Learnt(Met, Option<State>),
    /// It has left.
    Finished(Left),
    /// It cannot go on.
    Failed(String),
}

strads::travel_by_variants!(Task {
    0 => Open, 1 => Meet(addresses), 2 => Learn(epoch, wanted), 3 => Finish(wanted),
});
strads::travel_by_variants!(Share {
    0 => Opened(address), 1 => Together, 2 => Learnt(met, state), 3 => Finished(left),
    4 => Failed(reason),
});
strads::travel_by_fields!(
    Met { loss, examples, steps, behind, traffic }
    Traffic { factors, sparse, full }
    Left { weights, apart, sent_bytes }
);

impl Learning {
    /// A training on these terms, whose model is kept every so many epochs. Workers that are apart
    /// meet first.
    pub fn new(terms: Arc<Terms>, keeps_every: Option<u64>, apart: bool) -> Self {
        let stage = match apart {
            true => Stage::Open,
            false => first(&terms),
        };
        Self {
            terms,
            keeps_every,
            stage,
            looked_at: 0,
            met: Met::default(),
            kept: None,
            left: None,
            trouble: None,
        }
    }

    /// The epochs that are over, if the round before this ended one.
    pub fn epochs(&self) -> Option<u64> {
        (self.met.steps > 0).then_some(match self.stage {
            Stage::Learn(epoch) => epoch,
            _ => self.terms.epochs.end,
        })
    }

    /// How the last epoch went, over all workers here.
    pub fn met(&self) -> &Met {
        &self.met
    }

    /// Examples learnt from so far.
    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// The model after the last epoch, if it is to be kept.
    pub fn kept(&self) -> Option<&Arc<State>> {
        self.kept.as_ref()
    }

    /// What is left at the end; or why there is nothing.
    pub fn into_left(self) -> Result<Left, Failure> {
        match (self.left, self.trouble) {
            (_, Some(trouble)) => Err(Failure::World(trouble)),
            (Some(left), None) => Ok(left),
            (None, None) => Err(Failure::world("the training was not ended by its last epoch")),
        }
    }

    /// Whether the model is kept after epoch number `epoch`.
    fn keeps(&self, epoch: u64) -> bool {
        let after = epoch + 1;
        let is_due = |every| after.is_multiple_of(every) || after == self.terms.epochs.end;
        self.keeps_every.is_some_and(is_due)
    }

    /// Takes in what one worker says.
    fn hear(&mut self, share: Share, addresses: &mut Vec<String>) {
        match share {
            Share::Opened(address) => addresses.push(address),
            Share::Together => {}
            Share::Learnt(met, state) => {
                self.met.loss += met.loss;
                self.met.examples += met.examples;
                self.met.steps += met.steps;
                self.met.behind += met.behind;
                self.met.traffic += met.traffic;
                self.kept = self.kept.take().or(state.map(Arc::new));
            }
            Share::Finished(left) => match &mut self.left {
                None => self.left = Some(left),
                Some(first) => {
                    first.apart = first.apart.max(left.apart);
                    let bytes = first.sent_bytes.zip(left.sent_bytes);
                    first.sent_bytes = bytes.map(|(first, other)| first + other);
                }
            },
            Share::Failed(trouble) => {
                self.trouble.get_or_insert(trouble);
            }
        }
    }
}

/// The first epoch that is to come, or the end.
fn first(terms: &Terms) -> Stage {
    match terms.epochs.is_empty() {
        true => Stage::Finish,
        false => Stage::Learn(terms.epochs.start),
    }
}

impl Remote for Learning {
    const NAME: &'static str = "mlr";
    const TOGETHER: bool = true;
}

impl Program for Learning {
    type Shard = Learner;
    type Task = Task;
    type Share = Share;

    fn schedule(&mut self, round: &mut Round) -> Plan<Task> {
        let task = |worker: usize| match &self.stage {
            Stage::Open => Task::Open,
            Stage::Meet(addresses) => Task::Meet(addresses.clone()),
            Stage::Learn(epoch) => Task::Learn(*epoch, worker == 0 && self.keeps(*epoch)),
            Stage::Finish | Stage::Over => Task::Finish(worker == 0),
        };
        Plan::one_each((0..round.workers()).map(task))
    }

    fn push(learner: &mut Learner, task: Task) -> Share {
        let done = match task {
            Task::Open => learner.open().map(Share::Opened),
            Task::Meet(addresses) => learner.meet(&addresses).map(|()| Share::Together),
            Task::Learn(epoch, wanted) => learner
                .learn(epoch, wanted)
                .map(|(met, state)| Share::Learnt(met, state)),
            Task::Finish(wanted) => learner.finish(wanted).map(Share::Finished),
        };
        done.unwrap_or_else(|failure| Share::Failed(failure.to_string()))
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        if shares.done.is_empty() {
            return Moved::default();
        }
        (self.met, self.kept) = (Met::default(), None);
        let mut addresses = Vec::new();
        for share in shares.into_values() {
            self.hear(share, &mut addresses);
        }
        self.looked_at += self.met.examples;
        self.stage = match &self.stage {
            Stage::Open => Stage::Meet(Arc::new(addresses)),
            Stage::Meet(_) => first(&self.terms),
            Stage::Learn(epoch) if epoch + 1 < self.terms.epochs.end => Stage::Learn(epoch + 1),
            Stage::Learn(_) => Stage::Finish,
            Stage::Finish | Stage::Over => Stage::Over,
        };
        Moved {
            updates: self.met.examples,
            objective: (self.met.examples > 0).then(|| self.met.loss / self.met.examples as f64),
            finished: self.trouble.is_some() || matches!(self.stage, Stage::Over),
            ..Moved::default()
        }
    }

    fn passport() -> Option<Passport<Self>> {
        Some(Passport::new())
    }
}
