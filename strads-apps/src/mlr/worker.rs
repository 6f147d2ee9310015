//! One worker at work, an epoch at a time: what is the same for all, whatever they send and over what.

use std::sync::Arc;

use bosen::factors::Factors;

use super::batches::{Batches, Step};
use super::checkpoint::State;
use super::examples::Own;
use super::kernel::{differentiate, scores, softmax};
use super::replica::Replica;
use super::schedule::Schedule;
use super::sending::{Exchange, Traffic, nothing};
use super::terms::Terms;
use crate::failure::Failure;

/// Examples whose factors are made, and sent, before the next ones are looked at.
const PART: usize = 128;

/// A worker with all that it needs. Dropping it before [`Worker::finish`] tells the others that it
/// is lost.
pub struct Worker {
    me: usize,
    replica: Replica,
    exchange: Box<dyn Exchange>,
    own: Own,
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
    /// Over these, the summed number of others' clocks that were missing.
    pub behind: u64,
    /// What it has sent since training began.
    pub traffic: Traffic,
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
        terms: &Terms,
        own: Own,
        state: Option<&State>,
        exchange: Box<dyn Exchange>,
        threads: usize,
    ) -> Self {
        let schedule = Arc::new(Schedule::new(terms));
        let mut replica = Replica::new(terms, schedule.clone(), threads);
        if let Some(state) = state {
            replica.weights.clone_from(&state.weights);
            replica.squares.clone_from(&state.squares);
        }
        Self {
            me,
            replica,
            exchange,
            own,
            batches: terms.batches(),
            schedule,
            threads,
        }
    }

    /// Learns from all of its examples once.
    pub fn learn(&mut self, epoch: u64) -> Result<Met, Failure> {
        let order = self.batches.order(self.me, epoch);
        let mut met = Met::default();
        for number in self.schedule.of_epoch(epoch) {
            let (step, choice) = self.schedule.step(number);
            self.exchange.begin(&mut self.replica, number)?;
            met.behind += self.exchange.behind();
            met.steps += 1;
            let own = step.of(&order);
            for (part, last) in parts(own) {
                let (factors, loss) = self.gradient(&step, part);
                self.exchange
                    .part(&mut self.replica, number, &choice, factors, last)?;
                met.loss += loss;
            }
            met.examples += own.len() as u64;
        }
        met.traffic = self.exchange.traffic();
        Ok(met)
    }

    /// The model after `epochs` epochs, with all of them in it and nothing else.
    pub fn state(&mut self, epochs: u64) -> Result<State, Failure> {
        let next = self.schedule.of_epoch(epochs).start;
        self.exchange.catch_up(&mut self.replica, next)?;
        Ok(State {
            weights: self.replica.weights.clone(),
            squares: self.replica.squares.clone(),
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
