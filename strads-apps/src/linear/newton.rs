//! Coordinate descent on a block of columns, for the logistic loss.
//!
//! A step of Newton's method replaces the loss by its quadratic at the present predictions, and the
//! penalised quadratic is minimised by coordinate descent; the step is halved until the true
//! objective falls.

use super::descent::{Block, View, project};
use super::kernel::vectorised;
use super::loss::{Loss, sigmoid};
use super::penalty::Penalty;

/// No descent needs more Newton steps; one that does not converge must not hang.
const STEPS: usize = 100;
/// Epochs on one quadratic.
const EPOCHS: usize = 50;
/// Epochs end when no coordinate gains more than this share of what the largest one gained at first.
const SETTLED: f64 = 1e-4;
/// Newton steps on the intercept; it is all but settled when they begin.
const INTERCEPT_STEPS: usize = 8;
/// Curvature of a row whose label is all but certain.
const FLATTEST: f64 = 1e-9;

/// Predictions for all rows, from the whole model.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// η, one a row, the intercept included.
    pub eta: Vec<f64>,
    /// The intercept, if there is one.
    pub intercept: Option<f64>,
}

/// Minimises over `block` (and the intercept) with everything else fixed, until the block's duality
/// gap is at most `goal`. Returns how many coordinates were minimised over.
pub fn descend(
    view: View,
    penalty: Penalty,
    labels: &[f64],
    block: &mut Block,
    at: &mut Predictions,
    goal: f64,
) -> u64 {
    let mut residual = residual(labels, &at.eta);
    let mut updates = 0;
    for _ in 0..STEPS {
        let worst = worst(view, penalty, block, &residual);
        let beta = block.beta.iter().copied();
        let (primal, gap) = Loss::Logistic.certify(labels, &residual, worst, beta, penalty);
        if gap <= goal {
            break;
        }
        let mut quadratic = Quadratic::new(view, penalty, block, at, &residual);
        updates += quadratic.minimise();
        let step = quadratic.step();
        if !line_search(penalty, labels, block, at, &step, primal) {
            break;
        }
        settle_intercept(labels, at);
        residual = self::residual(labels, &at.eta);
    }
    updates
}

/// y − σ(η).
pub fn residual(labels: &[f64], eta: &[f64]) -> Vec<f64> {
    labels
        .iter()
        .zip(eta)
        .map(|(y, &eta)| y - sigmoid(eta))
        .collect()
}

/// Minimises over the intercept alone. Its residual then sums to zero, without which no scale of
/// it is a dual point.
fn settle_intercept(labels: &[f64], at: &mut Predictions) {
    let Some(intercept) = &mut at.intercept else {
        return;
    };
    for _ in 0..INTERCEPT_STEPS {
        let (slope, curvature) =
            labels
                .iter()
                .zip(&at.eta)
                .fold((0.0, 0.0), |(slope, curvature), (y, &eta)| {
                    let p = sigmoid(eta);
                    (slope + y - p, curvature + p * (1.0 - p))
                });
        // A step of at most 1 keeps Newton's method from overshooting where the loss is flat.
        let step = (slope / curvature.max(f64::MIN_POSITIVE)).clamp(-1.0, 1.0);
        *intercept += step;
        at.eta.iter_mut().for_each(|eta| *eta += step);
        if step.abs() < 1e-14 {
            return;
        }
    }
}

/// The largest |correlation| of a column of the block.
fn worst(view: View, penalty: Penalty, block: &Block, residual: &[f64]) -> f64 {
    let rows = residual.len() as f64;
    project(view, &block.columns, residual)
        .iter()
        .zip(&block.beta)
        .fold(0.0, |worst, (product, beta)| {
            worst.max((product / rows - penalty.l2 * beta).abs())
        })
}

/// The penalised quadratic at the present predictions.
struct Quadratic<'a> {
    view: View<'a>,
    penalty: Penalty,
    block: &'a Block,
    beta: Vec<f64>,
    /// Curvature of each row.
    weights: Vec<f64>,
    /// The loss's downhill direction after the moves so far.
    downhill: Vec<f64>,
    /// Σ w x² of each column.
    squares: Vec<f64>,
    /// X Δβ + Δintercept so far.
    moved: Vec<f64>,
    /// The change of the intercept, if there is one.
    intercept: Option<f64>,
}

/// Where the quadratic's minimum lies from here.
struct Step {
    beta: Vec<f64>,
    moved: Vec<f64>,
    intercept: f64,
}

impl<'a> Quadratic<'a> {
    fn new(
        view: View<'a>,
        penalty: Penalty,
        block: &'a Block,
        at: &Predictions,
        residual: &[f64],
    ) -> Self {
        let curvature = |&eta: &f64| (sigmoid(eta) * sigmoid(-eta)).max(FLATTEST);
        let weights: Vec<f64> = at.eta.iter().map(curvature).collect();
        let mut squares = Vec::with_capacity(block.columns.len());
        vectorised(
            #[inline(always)]
            || {
                for &j in &block.columns {
                    let factor = view.moments.factor(j as usize);
                    let square = view.design.column(j as usize).weighted_square(&weights);
                    squares.push(factor * factor * square);
                }
            },
        );
        Self {
            view,
            penalty,
            block,
            beta: block.beta.clone(),
            downhill: residual.to_vec(),
            squares,
            moved: vec![0.0; weights.len()],
            weights,
            intercept: at.intercept.map(|_| 0.0),
        }
    }

    fn minimise(&mut self) -> u64 {
        let mut first = None;
        for epoch in 1..=EPOCHS {
            let gain = vectorised(
                #[inline(always)]
                || self.epoch(),
            );
            if gain <= SETTLED * *first.get_or_insert(gain) {
                return (epoch * self.beta.len()) as u64;
            }
        }
        (EPOCHS * self.beta.len()) as u64
    }

    /// One pass over the block; the largest gain of a coordinate.
    #[inline(always)]
    fn epoch(&mut self) -> f64 {
        let rows = self.weights.len() as f64;
        let mut largest: f64 = 0.0;
        for k in 0..self.beta.len() {
            let curvature = self.squares[k] / rows;
            if curvature == 0.0 {
                continue;
            }
            let j = self.block.columns[k] as usize;
            let column = self.view.design.column(j);
            let factor = self.view.moments.factor(j);
            let pull = factor * column.dot(&self.downhill) / rows + curvature * self.beta[k];
            let new = self.penalty.minimise(curvature, pull);
            let change = new - self.beta[k];
            if change != 0.0 {
                column.add_weighted(-change * factor, &self.weights, &mut self.downhill);
                column.add_scaled(change * factor, &mut self.moved);
                self.beta[k] = new;
                largest = largest.max(curvature * change * change);
            }
        }
        if let Some(intercept) = &mut self.intercept {
            let change = self.downhill.iter().sum::<f64>() / self.weights.iter().sum::<f64>();
            *intercept += change;
            self.moved.iter_mut().for_each(|moved| *moved += change);
            self.downhill
                .iter_mut()
                .zip(&self.weights)
                .for_each(|(d, w)| *d -= change * w);
        }
        largest
    }

    fn step(self) -> Step {
        Step {
            beta: self.beta,
            moved: self.moved,
            intercept: self.intercept.unwrap_or(0.0),
        }
    }
}

/// Goes the whole step, or half of it, or a quarter …: as far as the objective falls.
fn line_search(
    penalty: Penalty,
    labels: &[f64],
    block: &mut Block,
    at: &mut Predictions,
    step: &Step,
    before: f64,
) -> bool {
    let mut length = 1.0;
    for _ in 0..30 {
        let beta: Vec<f64> = block
            .beta
            .iter()
            .zip(&step.beta)
            .map(|(old, new)| old + length * (new - old))
            .collect();
        let eta: Vec<f64> = at
            .eta
            .iter()
            .zip(&step.moved)
            .map(|(eta, moved)| eta + length * moved)
            .collect();
        let (after, _) = Loss::Logistic.certify(
            labels,
            &residual(labels, &eta),
            0.0,
            beta.iter().copied(),
            penalty,
        );
        if after < before {
            block.beta = beta;
            at.eta = eta;
            at.intercept = at
                .intercept
                .map(|intercept| intercept + length * step.intercept);
            return true;
        }
        length *= 0.5;
    }
    false
}

strads::travel_by_fields!(Predictions { eta, intercept });
