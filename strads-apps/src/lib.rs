//! The apps of strads: each says which variables to update, how, and how results are committed.

pub mod console;
pub mod failure;
pub mod lda;
pub mod linear;
pub mod options;
