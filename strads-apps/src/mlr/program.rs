//! A training as a program: a round is an epoch.
//!
//! Every worker has a copy of the model and a part of the examples. Within an epoch workers tell
//! each other what they learn, by ways of their own; the coordinator hears at its end how it went,
//! and, where a checkpoint is due, what the model is. On a cluster two rounds come first: workers
//! open ways to themselves, and are told those to the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use bosen::topology::cost::Form;
use serde::Serialize;
use strads::cluster::{Passport, Remote};
use strads::record::Traffic;
use strads::{Moved, Plan, Program, Round, Shares};
use strads_common::lags::Lags;

use super::checkpoint::State;
use super::learner::{Learner, Learnt, Wanted};
use super::sending::Volume;
use super::terms::Terms;
use super::worker::{Bound, Left, Met};
use crate::failure::Failure;

/// The program.
#[derive(Debug)]
pub struct Learning {
    terms: Arc<Terms>,
    keeping: Keeping,
    stage: Stage,
    /// Epochs that are over.
    epoch: u64,
    /// Examples looked at so far.
    looked_at: u64,
    /// The last epoch, of all workers here.
    met: Met,
    /// What each of them has sent.
    sent: BTreeMap<usize, Volume>,
    /// How many clocks of others were missing when steps began, of all epochs and workers here.
    lags: Lags,
    certificate: Option<Certificate>,
    kept: Option<State>,
    left: Option<Left>,
    trouble: Option<Failure>,
}

/// What is kept when, and when it is enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keeping {
    /// Epochs between checkpoints, if there are to be any.
    pub every: Option<u64>,
    /// sdca: the gap that is small enough, as a share of what guessing costs.
    pub tolerance: f64,
}

/// How far the minimum is at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Certificate {
    /// The objective.
    pub primal: f64,
    /// What the minimum is not below is less than that by this.
    pub gap: f64,
    /// The same as a share of the objective of a model that guesses.
    pub relative_gap: f64,
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
    /// Learn for an epoch, and tell what is to be kept after it.
    Learn(u64, Wanted),
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
    Learnt(Learnt),
    /// It has left.
    Finished(Left),
    /// It cannot go on.
    Failed(String),
}

strads::travel_by_variants!(Task {
    0 => Open, 1 => Meet(addresses), 2 => Learn(epoch, wanted), 3 => Finish(wanted),
});
strads::travel_by_variants!(Share {
    0 => Opened(address), 1 => Together, 2 => Learnt(learnt), 3 => Finished(left),
    4 => Failed(reason),
});

impl Learning {
    /// A training on these terms. Workers that are apart meet first.
    pub fn new(terms: Arc<Terms>, keeping: Keeping, apart: bool) -> Self {
        let stage = match apart {
            true => Stage::Open,
            false => first(&terms),
        };
        Self {
            keeping,
            stage,
            epoch: terms.epochs.start,
            terms,
            looked_at: 0,
            met: Met::default(),
            sent: BTreeMap::new(),
            lags: Lags::default(),
            certificate: None,
            kept: None,
            left: None,
            trouble: None,
        }
    }

    /// The epochs that are over.
    pub fn epochs(&self) -> u64 {
        self.epoch
    }

    /// The same, if the last round ended one.
    pub fn ended(&self) -> Option<u64> {
        (self.met.steps > 0 && self.trouble.is_none()).then_some(self.epoch)
    }

    /// How the last epoch went, over all workers here.
    pub fn met(&self) -> &Met {
        &self.met
    }

    /// What has been sent, for the record: by worker and form.
    pub fn traffic(&self) -> impl Iterator<Item = Traffic> + '_ {
        self.sent.iter().flat_map(|(worker, sent)| {
            let forms = [
                (Form::Factors, sent.factors),
                (Form::Rows, sent.sparse),
                (Form::Full, sent.full),
            ];
            forms.map(|(form, bytes)| Traffic {
                from: format!("worker {worker}"),
                to: "the others".to_owned(),
                kind: form.to_string(),
                bytes,
            })
        })
    }

    /// How many clocks of others were missing when steps began.
    pub fn lags(&self) -> &Lags {
        &self.lags
    }

    /// Examples learnt from so far.
    pub fn looked_at(&self) -> u64 {
        self.looked_at
    }

    /// The model after the last epoch, if it is to be kept.
    pub fn kept(&self) -> Option<&State> {
        self.kept.as_ref()
    }

    /// sdca: how far the minimum was at most after the last epoch.
    pub fn certificate(&self) -> Option<Certificate> {
        self.certificate
    }

    fn certify(&self) -> Option<Certificate> {
        let Bound {
            loss,
            entropy,
            square,
        } = self.met.bound?;
        let (examples, classes) = (self.terms.examples as f64, self.terms.classes as f64);
        let penalty = self.terms.lambda / 2.0 * square;
        let (primal, dual) = (loss / examples + penalty, entropy / examples - penalty);
        let gap = (primal - dual).max(0.0);
        Some(Certificate {
            primal,
            gap,
            relative_gap: gap / classes.ln(),
        })
    }

    /// What is left at the end; or why there is nothing.
    pub fn end(&mut self) -> Result<Left, Failure> {
        match (self.left.take(), self.trouble.take()) {
            (_, Some(trouble)) => Err(trouble),
            (Some(left), None) => Ok(left),
            (None, None) => Err(Failure::world(
                "the training was not ended by its last epoch",
            )),
        }
    }

    fn diverged(&self) -> Failure {
        Failure::input(format!(
            "the weights grew without bound in epoch {}\nuse a lower --rate than {}",
            self.epoch + 1,
            self.terms.rate
        ))
    }

    /// What there is to keep of a worker after epoch number `epoch`.
    fn wanted(&self, epoch: u64, worker: usize) -> Wanted {
        let after = epoch + 1;
        let is_due = |every| after.is_multiple_of(every) || after == self.terms.epochs.end;
        match self.keeping.every.is_some_and(is_due) {
            true => Wanted {
                state: worker == 0,
                duals: self.terms.is_dual(),
            },
            false => Wanted::default(),
        }
    }

    /// Whether nothing more is to be learnt.
    fn is_enough(&self) -> bool {
        let is_close =
            |certificate: Certificate| certificate.relative_gap <= self.keeping.tolerance;
        self.epoch >= self.terms.epochs.end || self.certificate.is_some_and(is_close)
    }

    /// Takes in what one worker says.
    fn hear(&mut self, worker: usize, share: Share, addresses: &mut Vec<String>) {
        match share {
            Share::Opened(address) => addresses.push(address),
            Share::Together => {}
            Share::Learnt(learnt) => {
                self.sent.insert(worker, learnt.met.volume);
                self.lags += &learnt.met.lags;
                self.met += learnt.met;
                self.kept = self.kept.take().or(learnt.state);
                if let Some((kept, own)) = self.kept.as_mut().zip(learnt.duals) {
                    kept.take_duals(&self.terms, worker, &own);
                }
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
                self.trouble.get_or_insert(Failure::World(trouble));
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
            Stage::Learn(epoch) => Task::Learn(*epoch, self.wanted(*epoch, worker)),
            Stage::Finish | Stage::Over => Task::Finish(worker == 0),
        };
        Plan::one_each((0..round.workers()).map(task))
    }

    fn push(learner: &mut Learner, task: Task) -> Share {
        let done = match task {
            Task::Open => learner.open().map(Share::Opened),
            Task::Meet(addresses) => learner.meet(&addresses).map(|()| Share::Together),
            Task::Learn(epoch, wanted) => learner.learn(epoch, wanted).map(Share::Learnt),
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
        for (worker, share) in shares.into_values().enumerate() {
            self.hear(worker, share, &mut addresses);
        }
        if self.trouble.is_none() && !self.met.loss.is_finite() {
            self.trouble = Some(self.diverged());
        }
        if self.trouble.is_some() {
            // Some have not learnt what the others have.
            self.kept = None;
        } else if matches!(self.stage, Stage::Learn(_)) {
            self.epoch += 1;
            self.certificate = self.certify();
        }
        self.looked_at += self.met.examples;
        self.stage = match &self.stage {
            Stage::Open => Stage::Meet(Arc::new(addresses)),
            Stage::Meet(_) => first(&self.terms),
            Stage::Learn(_) if self.is_enough() => Stage::Finish,
            Stage::Learn(_) => Stage::Learn(self.epoch),
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
