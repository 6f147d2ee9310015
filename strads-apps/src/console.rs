//! What the command prints: results and JSON events on standard output, progress on standard error.
//!
//! With `--json` standard output holds one JSON object a line and nothing else. Progress is one
//! line that is rewritten in place on a terminal and is not printed otherwise.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How often the progress line changes.
const EVERY: Duration = Duration::from_millis(100);

/// Where an app says what it does.
#[derive(Debug)]
pub struct Console {
    json: bool,
    live: bool,
    quiet: bool,
    shown: Option<Instant>,
}

/// An event as it appears on standard output.
#[derive(Serialize)]
struct Event<'a, T> {
    event: &'a str,
    #[serde(flatten)]
    fields: T,
}

impl Console {
    /// A console that prints JSON events (`json`) or text, and no progress if `quiet`.
    pub fn new(json: bool, quiet: bool) -> Self {
        Self {
            json,
            live: !quiet && stderr().is_terminal(),
            quiet,
            shown: None,
        }
    }

    /// Prints an event under `--json`; `fields` is a struct or map.
    pub fn event(&mut self, event: &str, fields: impl Serialize) {
        if self.json {
            let line =
                serde_json::to_string(&Event { event, fields }).expect("events are plain data");
            print_line(&line);
        }
    }

    /// Prints a line of the result, unless results are JSON.
    pub fn say(&mut self, line: impl Display) {
        if !self.json {
            self.clear();
            print_line(&line.to_string());
        }
    }

    /// Prints a remark that is no result (a warning, where a file went), unless told to be quiet.
    pub fn note(&mut self, line: impl Display) {
        if !self.quiet {
            self.clear();
            eprintln!("{line}");
        }
    }

    /// Shows how far the work is, on a terminal, at most ten times a second. The line is only
    /// made when it is shown.
    pub fn progress<L: Display>(&mut self, line: impl FnOnce() -> L) {
        if self.live && self.shown.is_none_or(|at| at.elapsed() >= EVERY) {
            self.shown = Some(Instant::now());
            eprint!("\r\x1b[2K{}", line());
            let _ = stderr().flush();
        }
    }

    /// Removes the progress line.
    pub fn clear(&mut self) {
        if self.shown.take().is_some() {
            eprint!("\r\x1b[2K");
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A reader that has gone away (`strads … | head`) ends the command quietly, as a signal would.
fn print_line(line: &str) {
    if writeln!(stdout(), "{line}").is_err() {
        std::process::exit(141);
    }
}
