//! Options that all training commands share.

use std::path::PathBuf;

use strads::Executor;

use crate::console::Console;

/// The options that every app has.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Write the model into this directory
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print events as JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
}

impl Common {
    /// How many threads to use.
    pub fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(all, usize::from)
    }

    /// Where programs run.
    pub fn executor(&self) -> Executor {
        Executor::Threads(self.threads())
    }

    /// Where the app says what it does.
    pub fn console(&self) -> Console {
        Console::new(self.json, self.quiet)
    }
}
