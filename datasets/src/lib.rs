//! Readers, partitions and generators of training data.

mod corpus;
mod dense_columns;
mod error;
mod format;
pub mod generate;
mod input;
mod libsvm;
#[cfg(test)]
mod libsvm_tests;
mod lines;
mod matrix;
mod npy;
pub mod npz;
mod number;
#[cfg(test)]
mod numpy_tests;
mod options;
mod ratings;
mod segment;
mod shape;
mod source;
mod sparse_columns;
mod workers;
mod write;

pub use corpus::Corpus;
pub use error::{Error, Kind, Place};
pub use format::Format;
pub use matrix::{Csc, Labelled, Matrix};
pub use npy::Scalar;
pub use options::{IndexBase, Progress, ReadOptions};
pub use ratings::{Ids, Ratings};
pub use source::Source;
pub use write::write_labelled;

/// Reads features, and targets where the file has them.
pub fn read_labelled(source: &Source, options: &ReadOptions) -> Result<Labelled, Error> {
    let input = input::Input::open(source, options.progress.as_ref())?;
    let threads = options.threads;
    if input.head().starts_with(b"PK\x03\x04") {
        let storage = input::Storage::new(source, input, options.progress.as_ref())?;
        npz::read(&storage, options)
    } else if input.head().starts_with(npy::MAGIC) {
        let features = npy::Array::open(source.to_string(), input)?.matrix(threads)?;
        Ok(Labelled {
            features,
            target: None,
            names: None,
        })
    } else {
        libsvm::read(lines::Lines::new(input), options)
    }
}
