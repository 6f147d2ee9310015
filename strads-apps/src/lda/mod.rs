//! Latent Dirichlet allocation: topics of documents, by scheduled collapsed Gibbs sampling.
//!
//! The sampler is [`exact`], its parallel form [`program`]; [`train`] is the run as a command.

mod args;
mod census;
mod checkpoint;
mod coherence;
mod counts;
mod exact;
mod gamma;
mod layout;
mod mh;
mod model;
mod moves;
mod program;
mod replicas;
mod sampler;
mod shard;
#[cfg(test)]
mod tests;
mod text;
mod train;
mod weights;
mod wide;

pub use args::Args;
pub use train::run;
