//! What a fit goes on from: its state before a scan.
//!
//! Between scans the working set and the steps on it are half done; a scan begins from the
//! coefficients alone. What workers remember of earlier scans only saves them work, so a resumed
//! fit has them forget it and comes to the same bits, with any number of workers.

use std::sync::Arc;

use bytes::Bytes;
use strads::cluster::{Malformed, pack, unpack};

use super::design::Moments;
use super::factor::Factor;
use super::newton::Predictions;
use super::penalty::Penalty;
use super::program::{Next, Solution, SparseRegression, Standing};
use super::scan::ANCHORS;
use super::trail::Trail;

/// The state; fields as in the program.
struct State {
    lambdas: Vec<f64>,
    at: usize,
    penalty: Penalty,
    beta: Vec<f64>,
    support: Vec<u32>,
    residual: Vec<f64>,
    predictions: Option<Predictions>,
    moments: Moments,
    standing: Standing,
    stalled: usize,
    divided: bool,
    direct: bool,
    solutions: Vec<Solution>,
    trail: Trail,
    factor: Factor,
    looked: Vec<(u32, f64)>,
}

strads::travel_by_fields!(
    State {
        lambdas, at, penalty, beta, support, residual, predictions, moments, standing, stalled,
        divided, solutions, trail, factor, direct, looked,
    }
    Standing { lambda, primal, gap, relative_gap, nonzeros, updates }
    Solution { lambda, coefficients, intercept, standing }
);

impl SparseRegression {
    /// The state, if the fit is at a point from which it can go on.
    pub fn state(&self) -> Option<Bytes> {
        if !matches!(self.next, Next::Scan) || self.at == self.lambdas.len() {
            return None;
        }
        Some(pack(&State {
            lambdas: self.lambdas.clone(),
            at: self.at,
            penalty: self.penalty,
            beta: self.beta.clone(),
            support: self.support.clone(),
            residual: self.residual.to_vec(),
            predictions: self.predictions.as_deref().cloned(),
            moments: Moments::clone(&self.moments),
            standing: self.standing,
            stalled: self.stalled,
            divided: self.divided,
            direct: self.direct,
            solutions: self.solutions.clone(),
            trail: self.trail.clone(),
            factor: self.factor.clone(),
            looked: self.looked.to_vec(),
        }))
    }

    /// Goes on from a state of the same problem, with `workers` workers.
    pub fn go_on_from(&mut self, state: &[u8], workers: usize) -> Result<(), Malformed> {
        let state: State = unpack(state)?;
        let fits = state.beta.len() == self.beta.len()
            && state.moments.square.len() == self.beta.len()
            && state.residual.len() == self.residual.len()
            && state.at < state.lambdas.len()
            && state.factor.fits(self.beta.len())
            && state.predictions.is_some() == self.predictions.is_some();
        if !fits {
            return Err(Malformed("the state of a fit of this size"));
        }
        self.lambdas = state.lambdas;
        self.at = state.at;
        self.penalty = state.penalty;
        self.beta = state.beta;
        self.support = state.support;
        self.residual = Arc::new(state.residual);
        self.predictions = state.predictions.map(Arc::new);
        self.moments = Arc::new(state.moments);
        self.standing = state.standing;
        self.stalled = state.stalled;
        self.divided = state.divided;
        self.direct = state.direct;
        self.solutions = state.solutions;
        self.trail = state.trail;
        self.factor = state.factor;
        self.looked = Arc::new(state.looked);
        self.workers = workers;
        self.next = Next::Scan;
        // As many as there can be: the next scan computes every column afresh.
        self.anchors = vec![Arc::clone(&self.residual); ANCHORS];
        Ok(())
    }
}
