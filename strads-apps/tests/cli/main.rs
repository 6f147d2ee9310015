//! The command as scripts and people meet it: what it prints, where, and with which exit code.

mod contract;
mod generate;
mod hostile;
mod runner;
