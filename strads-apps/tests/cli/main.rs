//! The command as scripts and people meet it: what it prints, where, and with which exit code.

#![allow(clippy::unwrap_used)]

mod contract;
mod digits;
mod generate;
mod hostile;
mod loss;
mod readme;
mod runner;
