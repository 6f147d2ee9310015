//! `strads mlr`: multi-class logistic regression by workers that tell each other what they learn.
//!
//! ```text
//! minimise over W, b:   1/n Σᵢ −log softmax(W xᵢ + b)[yᵢ]  +  λ/2 ‖W‖²
//! ```
//!
//! With `--solver sdca` the bias is penalised like the weights, and a duality gap says how far from the
//! minimum the model is at most.
//!
//! Every worker has a replica of the model and a part of the examples. The gradient of an example
//! is an outer product, so a mini-batch may travel as factors ([`bosen::factors`]), from worker to
//! worker without a server ([`bosen::broadcast`]), and whether that is less than the matrix itself is
//! computed, not guessed ([`decision`]). [`train`] tells a training end to end, [`program`] what runs on
//! threads or on a cluster, and [`worker`] one worker's loop.

mod args;
mod batches;
mod checkpoint;
mod decision;
mod duals;
mod evaluate;
mod examples;
mod kernel;
mod learner;
mod meeting;
mod message;
mod model;
mod program;
mod replica;
mod schedule;
mod sending;
mod servers;
mod terms;
#[cfg(test)]
mod tests;
mod train;
mod worker;

pub use args::Args;
pub use evaluate::{eval, is_model, predict};
pub use program::Learning;
pub use train::run;
