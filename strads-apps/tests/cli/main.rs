//! The command as scripts and people meet it: what it prints, where, and with which exit code.

#![allow(clippy::unwrap_used)]

mod config;
mod contract;
mod digits;
mod documentation;
mod face;
mod generate;
mod hostile;
mod lda;
mod loss;
mod messages;
mod report;
mod runner;
