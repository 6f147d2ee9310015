//! What workers send each other: chosen by bytes, unless told, and anew when the batch changes.

use bosen::topology::cost::{Choice, Form, Route, Shape as Matrix};
use serde::Serialize;

use super::args::{Shape, Update};
use super::batches::Step;
use super::terms::Terms;

/// What is possible, and what it is about.
#[derive(Clone, Debug)]
pub struct Decision {
    possible: Vec<(Form, Route)>,
    matrix: Matrix,
}

/// A choice, as it is told.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// Examples that a worker sends in a step.
    batch: usize,
    update: String,
    topology: String,
    /// Over the busiest wire, in a step.
    bytes: f64,
    /// The same for the full matrix, by the best way for it.
    bytes_full: Option<f64>,
}

impl Decision {
    /// What `terms` leave open.
    pub fn new(terms: &Terms) -> Self {
        Self {
            possible: possible(terms),
            matrix: terms.matrix(),
        }
    }

    /// What to do in `step`.
    pub fn of(&self, step: &Step) -> Choice {
        self.matrix(step).choose(&self.possible)
    }

    /// The choice for `step`, to be told.
    pub fn told(&self, step: &Step) -> Told {
        let (matrix, choice) = (self.matrix(step), self.of(step));
        let full = self.possible.iter().filter(|(form, _)| *form == Form::Full);
        let full = full.filter_map(|&(form, route)| matrix.cost(form, route));
        Told {
            batch: step.share,
            update: choice.form.to_string(),
            topology: choice.route.to_string(),
            bytes: choice.bytes,
            bytes_full: full.map(|choice| choice.bytes).min_by(f64::total_cmp),
        }
    }

    fn matrix(&self, step: &Step) -> Matrix {
        Matrix {
            batch: step.share,
            ..self.matrix
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Told {
            batch,
            update,
            topology,
            bytes,
            bytes_full,
        } = self;
        write!(
            f,
            "{batch} examples a worker: {update} over {topology}, {:.3} MB a step",
            bytes / 1e6
        )?;
        match bytes_full {
            Some(full) if update != "full" => write!(f, " (full: {:.3} MB)", full / 1e6),
            _ => Ok(()),
        }
    }
}

fn possible(terms: &Terms) -> Vec<(Form, Route)> {
    if terms.shape == Shape::Server {
        return vec![(Form::Full, Route::Servers(1))];
    }
    let broadcast = Route::Broadcast(terms.topology());
    let may = |update| terms.update == Update::Auto || terms.update == update;
    let mut possible = Vec::new();
    if may(Update::Factors) {
        possible.push((Form::Factors, broadcast));
    }
    // With dense data a batch touches all rows.
    if terms.update == Update::Sparse || may(Update::Sparse) && terms.density < 1.0 {
        possible.push((Form::Rows, broadcast));
    }
    if may(Update::Full) {
        // A sum that goes round has no clocks, and does not survive the loss of a worker.
        let rounds = terms.staleness == 0 && !terms.goes_on;
        if rounds && matches!(terms.shape, Shape::Auto | Shape::Ring) {
            possible.push((Form::Full, Route::AllReduce));
        }
        possible.push((Form::Full, broadcast));
    }
    possible
}
