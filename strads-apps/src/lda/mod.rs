//! Latent Dirichlet allocation: topics of documents, by scheduled collapsed Gibbs sampling.
//!
//! Two samplers draw the topics of tokens: [`exact`], from the conditional distribution, and [`mh`], by moves
//! that cost the same for any number of topics. [`program`] schedules both; [`train`] is the run as a
//! command. [`topics`] is the model held still, for documents that it was not learnt from.

mod annealing;
mod args;
mod census;
mod checkpoint;
mod coherence;
mod counts;
mod exact;
mod folding;
mod gamma;
mod heldout;
mod infer;
mod layout;
mod mh;
mod model;
mod moves;
mod program;
mod replicas;
mod sampler;
mod shard;
mod stored;
#[cfg(test)]
mod tests;
mod text;
mod topics;
mod train;
mod weights;
mod wide;

pub use args::Args;
pub use program::Lda;

use crate::failure::Failure;
use args::Action;

/// Trains, or infers.
pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.action {
        Some(Action::Infer(infer)) => infer::infer(infer),
        None => train::train(args),
    }
}
