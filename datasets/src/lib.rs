//! Readers, partitions and generators of training data.

mod corpus;
mod error;
mod format;
mod input;
mod libsvm;
#[cfg(test)]
mod libsvm_tests;
mod lines;
mod matrix;
mod number;
mod options;
mod ratings;
mod shape;
mod source;
mod sparse_columns;

pub use corpus::Corpus;
pub use error::{Error, Kind};
pub use format::Format;
pub use matrix::{Csc, Labelled, Matrix};
pub use options::{IndexBase, Progress, ReadOptions};
pub use ratings::{Ids, Ratings};
pub use source::Source;

/// Reads features, and targets where the file has them.
pub fn read_labelled(source: &Source, options: &ReadOptions) -> Result<Labelled, Error> {
    let input = input::Input::open(source, options.progress.as_ref())?;
    libsvm::read(lines::Lines::new(input), options)
}
