//! The apps of strads: each says which variables to update, how, and how results are committed.

pub mod archive;
pub mod bosen_bench;
pub mod console;
pub mod demo;
pub mod failure;
pub mod files;
pub mod generate;
pub mod lda;
pub mod linear;
pub mod mf;
pub mod mlr;
pub mod options;
