//! Sparse linear models: Lasso, elastic net and sparse logistic regression.
//!
//! [`program`] is the algorithm: [`planning`] says what each round sends out, [`committing`] and
//! [`moving`] what comes of it. [`descent`] and [`newton`] are what a worker does with a few columns,
//! [`scan`] with all of them; [`command`] is what a person calls. [`textbook`] is the plain
//! scheduled Lasso that shows what each ingredient of a schedule is worth.

mod checkpoint;
pub mod command;
mod committing;
mod descent;
pub mod design;
mod direct;
mod evaluate;
mod face;
mod factor;
pub mod grid;
mod kernel;
pub mod loss;
mod message;
pub mod model;
mod moving;
mod newton;
mod penalty;
mod planning;
mod portions;
pub mod program;
mod scan;
mod sketch;
mod target;
pub mod textbook;
mod trail;

pub use evaluate::{Eval, Predict, eval, predict};
