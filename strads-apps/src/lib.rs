//! The apps of strads: each says which variables to update, how, and how results are committed.

pub mod archive;
pub mod bosen_bench;
pub mod checkpoint;
pub mod cli;
pub mod cluster;
pub mod console;
pub mod demo;
pub mod failure;
mod fetch;
pub mod files;
pub mod generate;
pub mod inspect;
pub mod lda;
pub mod linear;
pub mod mf;
pub mod mlr;
pub mod options;
pub mod report;
pub mod standard;
