//! All steps of a training, known before the first: what each is about, its rate, and its route.

use std::ops::Range;

use bosen::topology::cost::{Choice, Route};
use strads_common::ids::Clock;

use super::args::Solver;
use super::batches::Step;
use super::decision::Decision;
use super::terms::Terms;

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
    /// The steps that `terms` lead to.
    pub fn new(terms: &Terms) -> Self {
        let decision = Decision::new(terms);
        let steps: Vec<Step> = terms.batches().steps(0, terms.epochs.end).collect();
        let choices: Vec<Choice> = steps.iter().map(|step| decision.of(step)).collect();
        let rates: Vec<f64> = steps.iter().map(|step| terms.rate_of(step.epoch)).collect();
        let first = steps.partition_point(|step| step.epoch < terms.epochs.start);
        let lambda = terms.lambda;
        let mut shrunk = vec![0.0];
        for rate in &rates {
            // More than all of a weight cannot be taken away.
            let keeps = match terms.solver {
                Solver::Sgd => (1.0 - rate * lambda).max(0.1),
                Solver::Adagrad | Solver::Sdca => 1.0,
            };
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

    /// The numbers of the steps of `epoch`.
    pub fn of_epoch(&self, epoch: u64) -> Range<usize> {
        let before = |epoch| self.steps.partition_point(|step| step.epoch < epoch);
        before(epoch)..before(epoch + 1)
    }

    /// Step `number`, and what is sent in it.
    pub fn step(&self, number: usize) -> (Step, Choice) {
        (self.steps[number], self.choices[number])
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
