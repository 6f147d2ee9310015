//! Readers, partitions and generators of training data.
//!
//! A reader recognises format and compression, parses on all cores, holds data once, and says of
//! what is wrong where it is and what was expected:
//!
//! ```
//! use strads_datasets::{ReadOptions, Source, read_labelled};
//!
//! let source = Source::memory("tiny.svm", *b"1 1:0.5 3:2\n-1 2:oops\n");
//! let error = read_labelled(&source, &ReadOptions::default()).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "tiny.svm, line 2, column 6: expected a number behind the colon, found \"oops\"",
//! );
//! ```

mod bag_of_words;
mod blocks;
mod corpus;
mod dense_columns;
mod detect;
mod digits;
mod documents;
mod error;
mod format;
pub mod generate;
mod input;
mod lda_c;
mod libsvm;
mod lines;
mod matrix;
mod matrix_market;
mod memory;
mod npy;
pub mod npz;
mod number;
mod options;
pub mod partition;
mod ratings;
mod read;
mod shape;
mod source;
mod sparse_columns;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod triples;
mod vocabulary;
mod workers;
mod write;

pub use corpus::Corpus;
pub use error::{Error, Kind, Place};
pub use format::Format;
pub use matrix::{Csc, Labelled, Matrix};
pub use npy::Scalar;
pub use options::{IndexBase, Progress, ReadOptions};
pub use ratings::{Ids, Ratings};
pub use read::{read_corpus, read_labelled, read_ratings, read_ratings_like, read_vector};
pub use source::Source;
pub use write::{write_corpus, write_labelled, write_ratings, write_vector, write_vocabulary};
