//! What training goes on from between two epochs: the model, adagrad's memory, sdca's duals.
//!
//! The first two are everybody's and duals are in the order of the data, so a run can go on with any number of workers; with as many as before it
//! comes to the same bits as one that was not interrupted.

use bytes::Bytes;
use strads::cluster::{pack, unpack};

use super::terms::Terms;
use crate::checkpoint::Kept;
use crate::failure::Failure;

/// The state of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The model.
    pub weights: Vec<f32>,
    /// adagrad: its memory.
    pub squares: Option<Vec<f32>>,
    /// sdca: the distributions of all examples.
    pub duals: Option<Vec<f32>>,
}

strads::travel_by_fields!(State {
    weights,
    squares,
    duals
});

impl State {
    /// Puts the duals of `worker`'s examples where they belong in the order of the data.
    pub fn take_duals(&mut self, terms: &Terms, worker: usize, own: &[f32]) {
        let (classes, entries) = (terms.classes, terms.examples * terms.classes);
        let all = self.duals.get_or_insert_with(|| vec![0.0; entries]);
        let which = terms.batches().own(worker);
        for (at, own) in which.into_iter().zip(own.chunks_exact(classes)) {
            all[at * classes..][..classes].copy_from_slice(own);
        }
    }
}

/// Of the duals of all examples those numbered `which`.
pub fn duals_of(all: &[f32], terms: &Terms, which: &[usize]) -> Vec<f32> {
    let of_example = |&at: &usize| &all[at * terms.classes..][..terms.classes];
    which.iter().flat_map(of_example).copied().collect()
}

/// The state, in parts.
pub fn parts(state: &State) -> Vec<(&'static str, Bytes)> {
    let mut parts = vec![("weights", pack(&state.weights))];
    parts.extend(
        state
            .squares
            .iter()
            .map(|squares| ("squares", pack(squares))),
    );
    parts.extend(state.duals.iter().map(|duals| ("duals", pack(duals))));
    parts
}

/// The state that was kept, of a model of these terms.
pub fn restore(kept: &Kept, terms: &Terms) -> Result<State, Failure> {
    let entries = terms.entries();
    let some = |has: bool, name, entries| has.then(|| part(kept, name, entries)).transpose();
    Ok(State {
        weights: part(kept, "weights", entries)?,
        squares: some(terms.adapts(), "squares", entries)?,
        duals: some(terms.is_dual(), "duals", terms.examples * terms.classes)?,
    })
}

fn part(kept: &Kept, name: &'static str, entries: usize) -> Result<Vec<f32>, Failure> {
    let values: Vec<f32> = unpack(kept.part(name)?).map_err(|what| kept.unreadable(what))?;
    match values.len() == entries {
        true => Ok(values),
        false => Err(kept.unreadable(format!("its {name} are those of another model"))),
    }
}
