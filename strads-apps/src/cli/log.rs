//! Logs: what happens inside, for whoever looks for the reason of something, on standard error.

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Nothing.
    Off,
    /// What ends or may end the command.
    Error,
    /// What a person should look at.
    #[default]
    Warn,
    /// What was read, trained and written, and how long it took.
    Info,
    /// How it was done.
    Debug,
    /// Everything.
    Trace,
}

/// Logs to standard error from now on.
pub fn start(level: Level) {
    let level = match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let started = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        // It would be said on standard error, where nobody reads.
        .log_internal_errors(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
    debug_assert!(started.is_ok(), "logs are started once, at the beginning");
}
