//! Readers, partitions and generators of training data.

mod corpus;
mod error;
mod format;
mod matrix;
mod options;
mod ratings;
mod source;

pub use corpus::Corpus;
pub use error::{Error, Kind};
pub use format::Format;
pub use matrix::{Csc, Labelled, Matrix};
pub use options::{IndexBase, Progress, ReadOptions};
pub use ratings::{Ids, Ratings};
pub use source::Source;
