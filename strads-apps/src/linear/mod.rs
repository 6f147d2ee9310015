//! Sparse linear models: Lasso and elastic net as scheduled programs.

pub mod descent;
pub mod design;
pub mod face;
pub mod grid;
mod kernel;
pub mod penalty;
pub mod program;
mod scan;
pub mod textbook;
