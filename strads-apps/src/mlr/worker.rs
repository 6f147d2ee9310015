//! One worker's training: what is the same for all, whatever they send and over what.

use std::sync::Arc;

use bosen::factors::Factors;

use super::batches::{Batches, Step};
use super::decision::{Decision, Told};
use super::examples::Examples;
use super::kernel::{differentiate, scores, softmax};
use super::replica::Replica;
use super::schedule::Schedule;
use super::sending::{Exchange, nothing};
use crate::failure::Failure;

/// Examples whose factors are made, and sent, before the next ones are looked at.
const PART: usize = 128;

/// What all workers have in common.
#[derive(Debug)]
pub struct Job {
    /// All examples.
    pub examples: Examples,
    /// How many classes there are.
    pub classes: usize,
    /// Who looks at which when.
    pub batches: Batches,
    /// What is sent.
    pub decision: Decision,
    /// All steps.
    pub schedule: Arc<Schedule>,
    /// Threads of one worker.
    pub threads: usize,
}

/// What a worker tells of its training.
#[derive(Debug)]
pub enum News<'a> {
    /// From now on this is sent.
    Decided(Told),
    /// An epoch is over.
    Epoch {
        /// How many are.
        epochs: u64,
        /// The mean loss of this worker's examples, each as it was when it was learnt from.
        loss: f64,
    },
    /// The model after so many epochs, where it was asked for.
    Model {
        /// How many.
        epochs: u64,
        /// The model.
        replica: &'a Replica,
    },
}

/// Trains `replica` as worker `me`; at the ends of epochs that `keeps` is true for, it tells the
/// model as well. Returns how far the replica was from the others' at the end, before it was made
/// the same.
pub fn train<E: Exchange>(
    job: &Job,
    me: usize,
    replica: &mut Replica,
    exchange: &mut E,
    keeps: impl Fn(u64) -> bool,
    mut tell: impl FnMut(News<'_>) -> Result<(), Failure>,
) -> Result<f32, Failure> {
    let mut order = (u64::MAX, Vec::new());
    let mut decided = None;
    let (mut loss, mut seen) = (0.0, 0);
    for (number, step, choice) in job.schedule.steps() {
        if decided != Some((choice.form, choice.route)) {
            decided = Some((choice.form, choice.route));
            tell(News::Decided(job.decision.told(step)))?;
        }
        if order.0 != step.epoch {
            order = (step.epoch, job.batches.order(me, step.epoch));
        }
        exchange.begin(replica, number)?;
        let own = step.of(&order.1);
        for (part, last) in parts(own) {
            let (factors, of_part) = job.gradient(step, part, replica);
            exchange.part(replica, number, choice, factors, last)?;
            loss += of_part;
        }
        seen += own.len();
        if step.ends_epoch() {
            let epochs = step.epoch + 1;
            tell(News::Epoch {
                epochs,
                loss: loss / seen.max(1) as f64,
            })?;
            (loss, seen) = (0.0, 0);
            if keeps(epochs) {
                exchange.catch_up(replica, number + 1)?;
                tell(News::Model { epochs, replica })?;
            }
        }
    }
    exchange.finish(replica, job.schedule.len())
}

/// The examples of a step in parts, and whether each is the last; also an empty step has one.
fn parts(own: &[usize]) -> impl Iterator<Item = (&[usize], bool)> {
    let count = own.len().div_ceil(PART).max(1);
    (0..count).map(move |part| {
        let range = part * PART..own.len().min((part + 1) * PART);
        (&own[range], part + 1 == count)
    })
}

impl Job {
    /// The gradient of `which` examples as factors, and their summed loss.
    fn gradient(&self, step: &Step, which: &[usize], replica: &Replica) -> (Factors<'static>, f64) {
        let (rows, classes) = (replica.rows, self.classes);
        if which.is_empty() {
            return (nothing(rows, classes), 0.0);
        }
        let v = self.examples.gather(which);
        let labels: Vec<u32> = which.iter().map(|&at| self.examples.labels[at]).collect();
        let mut u = scores(&v, &replica.weights, rows, classes, self.threads);
        softmax(&mut u, classes);
        let loss = differentiate(&mut u, &labels, classes);
        (Factors::gradient(classes, rows, u, v, step.total), loss)
    }
}
