//! A worker's copy of the model, and how gradients change it.
//!
//! `W` has a row for each feature and a column for each class; its last row is the bias, which is
//! not penalised. `η` is the rate of a step and `λ` the penalty:
//!
//! - sgd: `W ← (1 − ηλ) W − η G`. An update that comes when the weights have shrunk `d` times and
//!   was made in step `k` is multiplied by what they have shrunk by since `k`, so that the order in
//!   which updates come is not seen but by rounding.
//! - sdca: `W ← W + U`: what ascent of the dual makes is added as it is, in any order.
//! - adagrad: `G ← G + λW`, `v ← v + G²`, `W ← W − η G / (√v + ε)`, with the sum of a round's
//!   gradients.

use std::sync::Arc;

use bosen::broadcast::Update;
use bosen::factors::{Block, Factors, Misshapen, Named, form, rebuild};

use super::kernel::threads_for;
use super::schedule::Schedule;
use super::terms::Terms;

const EPSILON: f32 = 1e-8;

/// A copy of the model.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Rows of the matrix: features and the bias.
    pub rows: usize,
    /// Its columns.
    pub classes: usize,
    /// Its entries, row after row.
    pub weights: Vec<f32>,
    /// adagrad: the sums of squared gradients.
    pub squares: Option<Vec<f32>>,
    lambda: f64,
    schedule: Arc<Schedule>,
    /// How many steps' shrinking is in the weights.
    shrunk: usize,
    threads: usize,
}

impl Replica {
    /// Zeros, for a training on these terms.
    pub fn new(terms: &Terms, schedule: Arc<Schedule>, threads: usize) -> Self {
        let zeros = vec![0.0; terms.entries()];
        Self {
            rows: terms.rows,
            classes: terms.classes,
            squares: terms.adapts().then(|| zeros.clone()),
            weights: zeros,
            lambda: schedule.lambda,
            shrunk: schedule.first,
            schedule,
            threads,
        }
    }

    /// Threads for a product with `pairs` pairs.
    pub fn threads(&self, pairs: usize) -> usize {
        threads_for(pairs * self.weights.len(), self.threads)
    }

    /// The model as it is at the beginning of step `number`, as far as that is this worker's to say.
    pub fn reach(&mut self, number: usize) {
        if self.squares.is_none() && number > self.shrunk {
            let by = self.schedule.shrinks(self.shrunk, number) as f32;
            self.shrunk = number;
            if by != 1.0 {
                let bias = (self.rows - 1) * self.classes;
                self.weights[..bias].iter_mut().for_each(|w| *w *= by);
            }
        }
    }

    /// Takes in updates of steps; whole rounds, if it adapts.
    pub fn apply(&mut self, updates: &[Update]) -> Result<(), Misshapen> {
        match self.squares.is_some() {
            true => updates
                .chunk_by(|a, b| a.clock == b.clock)
                .try_for_each(|round| self.apply_round(round)),
            false => self.apply_each(updates),
        }
    }

    /// Takes in the gradient of step `number`, summed over workers.
    pub fn apply_sum(&mut self, number: usize, gradient: Vec<f32>) {
        if self.squares.is_some() {
            return self.adapt(number, gradient);
        }
        self.reach(number + 1);
        let rate = self.schedule.rate(number);
        let pairs = self.weights.iter_mut().zip(gradient);
        pairs.for_each(|(w, g)| *w -= rate * g);
    }

    /// adagrad: one step with the sum of a round.
    fn apply_round(&mut self, round: &[Update]) -> Result<(), Misshapen> {
        let number = self.schedule.step_of(round[0].clock);
        let ones: Vec<_> = round.iter().map(|update| (1.0, update)).collect();
        let mut gradient = vec![0.0; self.weights.len()];
        self.accumulate(&ones, &mut gradient)?;
        self.adapt(number, gradient);
        Ok(())
    }

    fn adapt(&mut self, number: usize, mut gradient: Vec<f32>) {
        let (rate, lambda) = (self.schedule.rate(number), self.lambda as f32);
        let bias = (self.rows - 1) * self.classes;
        for (g, w) in gradient[..bias].iter_mut().zip(&self.weights) {
            *g += lambda * w;
        }
        let squares = self.squares.as_mut().expect("adagrad has its squares");
        for ((w, v), g) in self.weights.iter_mut().zip(squares).zip(gradient) {
            *v += g * g;
            *w -= rate * g / (v.sqrt() + EPSILON);
        }
    }

    /// sgd: each update with the rate of its step.
    fn apply_each(&mut self, updates: &[Update]) -> Result<(), Misshapen> {
        let mut weighted = Vec::with_capacity(updates.len());
        let mut is_late = false;
        let start = (self.rows - 1) * self.classes;
        let mut bias = self.weights[start..].to_vec();
        for update in updates {
            let number = self.schedule.step_of(update.clock);
            let rate = self.schedule.rate(number);
            let since = self.schedule.shrinks(number + 1, self.shrunk) as f32;
            is_late |= since != 1.0;
            weighted.push((-rate * since, update));
        }
        if is_late {
            // The bias does not shrink, so nothing is made up for there.
            for update in updates {
                let rate = self.schedule.rate(self.schedule.step_of(update.clock));
                self.add_bias(-rate, update, &mut bias)?;
            }
        }
        let mut weights = std::mem::take(&mut self.weights);
        let done = self.accumulate(&weighted, &mut weights);
        if is_late {
            weights[start..].copy_from_slice(&bias);
        }
        self.weights = weights;
        done
    }

    /// `into += Σ factor · update`.
    fn accumulate(&self, updates: &[(f32, &Update)], into: &mut [f32]) -> Result<(), Misshapen> {
        let (rows, classes) = (self.rows, self.classes);
        let mut pairs = Vec::new();
        for &(factor, update) in updates {
            for piece in &update.pieces {
                match piece.form {
                    form::BLOCK => {
                        let block = Block::decode(&piece.content, rows, classes)?;
                        add(factor, &block.values, &mut into[block.first * classes..]);
                    }
                    form::NAMED => {
                        let named = Named::decode(&piece.content, rows, classes)?;
                        for (&row, values) in
                            named.rows.iter().zip(named.values.chunks_exact(classes))
                        {
                            add(factor, values, &mut into[row as usize * classes..]);
                        }
                    }
                    _ => pairs.push((factor, Factors::decode(&piece.content, rows, classes)?)),
                }
            }
        }
        let count = pairs.iter().map(|(_, factors)| factors.pairs()).sum();
        rebuild(&pairs, into, self.threads(count));
        Ok(())
    }

    /// `bias += factor · the last row of update`.
    fn add_bias(&self, factor: f32, update: &Update, bias: &mut [f32]) -> Result<(), Misshapen> {
        let (rows, classes) = (self.rows, self.classes);
        for piece in &update.pieces {
            match piece.form {
                form::BLOCK => {
                    let block = Block::decode(&piece.content, rows, classes)?;
                    if block.first * classes + block.values.len() == rows * classes {
                        let last = block.values.len().saturating_sub(classes);
                        add(factor, &block.values[last..], bias);
                    }
                }
                form::NAMED => {
                    let named = Named::decode(&piece.content, rows, classes)?;
                    if named.rows.last() == Some(&(rows as u32 - 1)) {
                        add(factor, &named.values[named.values.len() - classes..], bias);
                    }
                }
                _ => {
                    // Every example ends in a 1.
                    let factors = Factors::decode(&piece.content, rows, classes)?;
                    for u in factors.u.chunks_exact(classes) {
                        add(factor * factors.scale, u, bias);
                    }
                }
            }
        }
        Ok(())
    }
}

/// `into += factor · values`, as far as there are values.
pub fn add(factor: f32, values: &[f32], into: &mut [f32]) {
    into.iter_mut()
        .zip(values)
        .for_each(|(w, value)| *w += factor * value);
}
