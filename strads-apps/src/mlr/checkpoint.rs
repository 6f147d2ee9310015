//! What training goes on from between two epochs: the model, and adagrad's memory.
//!
//! Both are everybody's, so a run can go on with any number of workers; with as many as before it
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
}

strads::travel_by_fields!(State { weights, squares });

/// The state, in parts.
pub fn parts(state: &State) -> Vec<(&'static str, Bytes)> {
    let mut parts = vec![("weights", pack(&state.weights))];
    parts.extend(state.squares.iter().map(|squares| ("squares", pack(squares))));
    parts
}

/// The state that was kept, of a model of these terms.
pub fn restore(kept: &Kept, terms: &Terms) -> Result<State, Failure> {
    let adapts = terms.adapts();
    Ok(State {
        weights: part(kept, "weights", terms.entries())?,
        squares: adapts
            .then(|| part(kept, "squares", terms.entries()))
            .transpose()?,
    })
}

fn part(kept: &Kept, name: &'static str, entries: usize) -> Result<Vec<f32>, Failure> {
    let values: Vec<f32> = unpack(kept.part(name)?).map_err(|what| kept.unreadable(what))?;
    match values.len() == entries {
        true => Ok(values),
        false => Err(kept.unreadable(format!("its {name} are those of another model"))),
    }
}
