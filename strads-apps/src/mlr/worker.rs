//! One worker at work, an epoch at a time: what is the same for all, whatever they send and over what.

use std::ops::AddAssign;
use std::sync::Arc;

use bosen::factors::Factors;
use strads_common::lags::Lags;

use super::batches::{Batches, Step};
use super::checkpoint::State;
use super::duals::{Ascent, Duals, summed_loss};
use super::examples::Own;
use super::kernel::{differentiate, scores, softmax};
use super::learner::Beginning;
use super::replica::Replica;
use super::schedule::Schedule;
use super::sending::{Exchange, Volume, nothing};
use super::terms::Terms;
use crate::failure::Failure;

/// Examples whose factors are made, and sent, before the next ones are looked at.
const PART: usize = 128;
/// Examples that are measured together.
const MEASURED: usize = 1024;

/// A worker with all that it needs. Dropping it before [`Worker::finish`] tells the others that it
/// is lost.
pub struct Worker {
    me: usize,
    replica: Replica,
    exchange: Box<dyn Exchange>,
    own: Own,
    /// sdca: the distributions of its examples.
    duals: Option<Duals>,
    terms: Arc<Terms>,
    batches: Batches,
    schedule: Arc<Schedule>,
    threads: usize,
}

/// What a worker met in an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Met {
    /// The summed loss of its examples, each as it was when it was learnt from.
    pub loss: f64,
    /// How many examples these were.
    pub examples: u64,
    /// Steps.
    pub steps: u64,
    /// How many clocks of others were missing when they began.
    pub lags: Lags,
    /// What it has sent since training began.
    pub volume: Volume,
    /// sdca: what its examples are to the bound.
    pub bound: Option<Bound>,
}

impl AddAssign for Met {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.examples += other.examples;
        self.steps += other.steps;
        self.lags += &other.lags;
        self.volume += other.volume;
        self.bound = match (self.bound, other.bound) {
            (Some(own), Some(other)) => Some(Bound {
                loss: own.loss + other.loss,
                entropy: own.entropy + other.entropy,
                ..own
            }),
            (own, other) => own.or(other),
        };
    }
}

/// A worker's part of primal and dual.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bound {
    /// The summed loss of its examples.
    pub loss: f64,
    /// The summed entropy of their distributions.
    pub entropy: f64,
    /// ‖W‖², which is everybody's.
    pub square: f64,
}

/// What is left when a worker is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Left {
    /// The model, if it was asked for.
    pub weights: Option<Vec<f32>>,
    /// How far the replica was from the others', before it was made the same.
    pub apart: f32,
    /// Bytes on the wire, where there is one.
    pub sent_bytes: Option<u64>,
}

impl Worker {
    /// Worker `me`, who learns from `own` beginning at `state`.
    pub fn new(
        me: usize,
        terms: Arc<Terms>,
        own: Own,
        begins: &Beginning,
        exchange: Box<dyn Exchange>,
        threads: usize,
    ) -> Self {
        let schedule = Arc::new(Schedule::new(&terms));
        let mut replica = Replica::new(&terms, schedule.clone(), threads);
        if let Some(state) = &begins.state {
            replica.weights.clone_from(&state.weights);
            replica.squares.clone_from(&state.squares);
        }
        let duals = terms.is_dual().then(|| match &begins.duals {
            Some(entries) => Duals::of(entries.clone(), terms.classes),
            None => Duals::certain(&own.labels(), terms.classes),
        });
        Self {
            me,
            replica,
            exchange,
            own,
            duals,
            batches: terms.batches(),
            terms,
            schedule,
            threads,
        }
    }

    /// Learns from all of its examples once.
    pub fn learn(&mut self, epoch: u64) -> Result<Met, Failure> {
        let order = self.batches.order(self.me, epoch);
        let (mut met, before) = (Met::default(), self.exchange.lags());
        for number in self.schedule.of_epoch(epoch) {
            let (step, choice) = self.schedule.step(number);
            self.exchange.begin(&mut self.replica, number)?;
            met.steps += 1;
            let own = step.of(&order);
            let blocks = own.len().div_ceil(PART);
            for (part, last) in parts(own) {
                let (factors, loss) = match self.duals.is_some() {
                    true => self.ascent(part, blocks),
                    false => self.gradient(&step, part),
                };
                self.exchange
                    .part(&mut self.replica, number, &choice, factors, last)?;
                met.loss += loss;
            }
            met.examples += own.len() as u64;
        }
        met.volume = self.exchange.volume();
        met.lags = self.exchange.lags().since(&before);
        if self.duals.is_some() {
            met.bound = Some(self.bound(epoch)?);
        }
        Ok(met)
    }

    /// sdca: the distributions of its examples.
    pub fn duals(&self) -> Option<Vec<f32>> {
        self.duals.as_ref().map(|duals| duals.entries().to_vec())
    }

    /// The model after `epochs` epochs, with all of them in it and nothing else.
    pub fn state(&mut self, epochs: u64) -> Result<State, Failure> {
        let next = self.schedule.of_epoch(epochs).start;
        self.exchange.catch_up(&mut self.replica, next)?;
        Ok(State {
            weights: self.replica.weights.clone(),
            squares: self.replica.squares.clone(),
            duals: None,
        })
    }

    /// Makes the model that of all workers, and leaves them.
    pub fn finish(mut self, tells: bool) -> Result<Left, Failure> {
        let apart = self
            .exchange
            .finish(&mut self.replica, self.schedule.len())?;
        let sent_bytes = self.exchange.sent_bytes();
        self.exchange.leave();
        Ok(Left {
            weights: tells.then_some(self.replica.weights),
            apart,
            sent_bytes,
        })
    }

    /// Steps of the dual for the examples in `places`, one of so many blocks of this worker; what
    /// they add to the weights as factors, and the examples' summed loss.
    fn ascent(&mut self, places: &[usize], blocks: usize) -> (Factors<'static>, f64) {
        let (rows, classes) = (self.replica.rows, self.replica.classes);
        let Some(duals) = self.duals.as_mut().filter(|_| !places.is_empty()) else {
            return (nothing(rows, classes), 0.0);
        };
        let (v, labels) = self.own.gather(places);
        let (examples, lambda) = (self.terms.examples, self.terms.lambda);
        // Blocks of other workers, and of their clocks that are on the way, are as many.
        let at_once = (blocks * self.terms.workers) as f32 * (1 + self.terms.staleness) as f32;
        let ascent = Ascent {
            lambda_n: (lambda * examples as f64) as f32,
            blocks: at_once,
            rows,
            threads: self.threads,
        };
        let (u, loss) = duals.ascend(places, &v, &labels, &self.replica.weights, ascent);
        let factors = Factors::dual(classes, rows, u, v, examples, lambda);
        (factors, loss)
    }

    /// What its examples are to primal and dual, with all epochs up to `epoch` in the weights.
    fn bound(&mut self, epoch: u64) -> Result<Bound, Failure> {
        let next = self.schedule.of_epoch(epoch + 1).start;
        self.exchange.catch_up(&mut self.replica, next)?;
        let (rows, classes, weights) = (
            self.replica.rows,
            self.replica.classes,
            &self.replica.weights,
        );
        let places: Vec<usize> = (0..self.own.len()).collect();
        let mut loss = 0.0;
        for part in places.chunks(MEASURED) {
            let (v, labels) = self.own.gather(part);
            let z = scores(&v, weights, rows, classes, self.threads);
            loss += summed_loss(&z, &labels, classes);
        }
        Ok(Bound {
            loss,
            entropy: self.duals.as_ref().map_or(0.0, Duals::entropy),
            square: weights.iter().map(|&w| f64::from(w) * f64::from(w)).sum(),
        })
    }

    /// The gradient of the examples in `places` as factors, and their summed loss.
    fn gradient(&self, step: &Step, places: &[usize]) -> (Factors<'static>, f64) {
        let (rows, classes) = (self.replica.rows, self.replica.classes);
        if places.is_empty() {
            return (nothing(rows, classes), 0.0);
        }
        let (v, labels) = self.own.gather(places);
        let mut u = scores(&v, &self.replica.weights, rows, classes, self.threads);
        softmax(&mut u, classes);
        let loss = differentiate(&mut u, &labels, classes);
        (Factors::gradient(classes, rows, u, v, step.total), loss)
    }
}

/// The examples of a step in parts, and whether each is the last; also an empty step has one.
fn parts(own: &[usize]) -> impl Iterator<Item = (&[usize], bool)> {
    let count = own.len().div_ceil(PART).max(1);
    (0..count).map(move |part| {
        let range = part * PART..own.len().min((part + 1) * PART);
        (&own[range], part + 1 == count)
    })
}
