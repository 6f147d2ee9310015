//! Sparse linear models: Lasso, elastic net and sparse logistic regression.
//!
//! [`program`] is the algorithm; [`descent`], [`face`] and [`newton`] are what a worker does with a
//! block of columns, [`scan`] with all of them; [`command`] is what a person calls. [`textbook`] is
//! the plain scheduled Lasso that shows what each ingredient of a schedule is worth.

pub mod command;
mod committing;
mod descent;
pub mod design;
mod evaluate;
mod face;
pub mod grid;
mod kernel;
pub mod loss;
mod message;
pub mod model;
mod newton;
mod penalty;
mod planning;
pub mod program;
mod scan;
mod target;
pub mod textbook;

pub use evaluate::{Eval, Predict, eval, predict};
