//! `strads mf`: ratings as the product of a row of factors for each user and one for each item.
//!
//! [`train`] tells a training end to end. Two solvers ([`sgd`], [`ccd`]) are programs over the same
//! [`blocks`]; the hot loop is [`descend`].

mod blocks;
mod ccd;
mod cells;
mod checkpoint;
mod descend;
mod epochs;
mod grid;
mod input;
mod measure;
mod model;
mod options;
mod recommend;
mod rows;
mod sgd;
mod solver;
mod split;
#[cfg(test)]
mod tests;
mod train;

pub use blocks::programs;
pub use options::Args;

use crate::failure::Failure;
use options::Action;

/// Trains, recommends or scores.
pub fn run(args: Args) -> Result<(), Failure> {
    match &args.action {
        Some(Action::Recommend(recommend)) => recommend::recommend(recommend),
        Some(Action::Score(score)) => recommend::score(score),
        None => train::train(&args).map(drop),
    }
}
