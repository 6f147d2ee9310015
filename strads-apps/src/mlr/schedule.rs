//! All steps of a training, known before the first: what each is about, its rate, and its route.

use bosen::topology::cost::{Choice, Route};
use strads_common::ids::Clock;

use super::batches::{Batches, Step};
use super::decision::Decision;

/// The steps of a training.
#[derive(Debug)]
pub struct Schedule {
    /// The penalty.
    pub lambda: f64,
    /// The step that this run begins with.
    pub first: usize,
    steps: Vec<Step>,
    choices: Vec<Choice>,
    rates: Vec<f64>,
    /// Before each step, the logarithm of what sgd has shrunk the weights by.
    shrunk: Vec<f64>,
    /// The step of each clock of a broadcast.
    broadcasts: Vec<usize>,
}

impl Schedule {
    /// Epochs up to `end`, of which those before `begin` are done; `rate` is a function of the epoch.
    pub fn new(
        batches: &Batches,
        decision: &Decision,
        (begin, end): (u64, u64),
        lambda: f64,
        rate: impl Fn(u64) -> f64,
    ) -> Self {
        let steps: Vec<Step> = batches.steps(0, end).collect();
        let choices: Vec<Choice> = steps.iter().map(|step| decision.of(step)).collect();
        let rates: Vec<f64> = steps.iter().map(|step| rate(step.epoch)).collect();
        let first = steps.partition_point(|step| step.epoch < begin);
        let mut shrunk = vec![0.0];
        for rate in &rates {
            // More than all of a weight cannot be taken away.
            let keeps = (1.0 - rate * lambda).max(0.1);
            shrunk.push(shrunk[shrunk.len() - 1] + keeps.ln());
        }
        let is_broadcast = |number: &usize| matches!(choices[*number].route, Route::Broadcast(_));
        let broadcasts = (first..steps.len()).filter(is_broadcast).collect();
        Self {
            lambda,
            first,
            steps,
            choices,
            rates,
            shrunk,
            broadcasts,
        }
    }

    /// The steps that this run does, with their numbers and what is sent in them.
    pub fn steps(&self) -> impl Iterator<Item = (usize, &Step, &Choice)> {
        let all = self.steps.iter().zip(&self.choices).enumerate();
        all.skip(self.first)
            .map(|(number, (step, choice))| (number, step, choice))
    }

    /// How many steps there are, those done before included.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// The rate of step `number`.
    pub fn rate(&self, number: usize) -> f32 {
        self.rates[number] as f32
    }

    /// What weights shrink by between the beginnings of two steps; above 1 from a later one to
    /// an earlier one.
    pub fn shrinks(&self, from: usize, to: usize) -> f64 {
        (self.shrunk[to] - self.shrunk[from]).exp()
    }

    /// The step whose updates bear `clock`.
    pub fn step_of(&self, clock: Clock) -> usize {
        self.broadcasts[clock.0 as usize]
    }
}
