//! What the command prints: results and JSON events on standard output, progress on standard error.
//!
//! With `--json` standard output holds one JSON object a line and nothing else. Progress is one
//! line that is rewritten in place on a terminal and is not printed otherwise.

use std::fmt::Display;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use serde::Serialize;
use strads::Record;

use crate::failure::Failure;
use crate::report::Report;
use crate::standard::{print_line, to_standard_error};

/// How often the progress line changes.
const EVERY: Duration = Duration::from_millis(100);

/// Where an app says what it does.
#[derive(Debug)]
pub struct Console {
    json: bool,
    live: bool,
    quiet: bool,
    shown: Option<Instant>,
    report: Option<Box<Report>>,
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
            report: None,
        }
    }

    /// Also keeps what is said here for `report`.
    pub fn reporting(mut self, report: Option<Report>) -> Self {
        self.report = report.map(Box::new);
        self
    }

    /// Prints an event under `--json`; `fields` is a struct or map.
    pub fn event(&mut self, event: &str, fields: impl Serialize) {
        if let Some(report) = &mut self.report {
            let fields = serde_json::to_value(&fields).expect("events are plain data");
            report.event(event, fields);
        }
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
            print_line(line);
        }
    }

    /// Prints a remark that is no result (a warning, where a file went), unless told to be quiet.
    pub fn note(&mut self, line: impl Display) {
        if !self.quiet {
            self.clear();
            to_standard_error(format_args!("{line}\n"));
        }
    }

    /// Shows how far the work is, on a terminal, at most ten times a second. The line is only
    /// made when it is shown.
    pub fn progress<L: Display>(&mut self, line: impl FnOnce() -> L) {
        if self.live && self.shown.is_none_or(|at| at.elapsed() >= EVERY) {
            self.shown = Some(Instant::now());
            // A line that wraps could not be rewritten.
            let width = terminal_size::terminal_size_of(stderr());
            let width = width.map_or(80, |(width, _)| usize::from(width.0));
            let line: String = line()
                .to_string()
                .chars()
                .take(width.saturating_sub(1))
                .collect();
            to_standard_error(format_args!("\r\x1b[2K{line}"));
        }
    }

    /// Shows what begins now and may take a while, on a terminal.
    pub fn stage(&mut self, line: impl Display) {
        self.shown = None;
        self.progress(|| line);
    }

    /// Tells the report, if there is to be one, of a step too small for an event. The fields are
    /// those of `progress` events, and are only made if they are kept.
    pub fn step<T: Serialize>(&mut self, fields: impl FnOnce() -> T) {
        if let Some(report) = &mut self.report {
            report.step(|| serde_json::to_value(fields()).expect("steps are plain data"));
        }
    }

    /// Tells the report of a run; one that follows another continues it.
    pub fn ran(&mut self, record: Record) {
        tracing::debug!(
            rounds = record.totals.rounds,
            updates = record.totals.updates,
            seconds = record.totals.seconds,
            imbalance = record.totals.imbalance(),
            dropped = record.totals.dropped,
            "ran"
        );
        if let Some(report) = &mut self.report {
            report.ran(record);
        }
    }

    /// Ends the command's output: where a report was asked for, writes it.
    pub fn finish(&mut self) -> Result<(), Failure> {
        let Some(report) = self.report.take() else {
            return Ok(());
        };
        let path = report.path().display();
        report
            .write()
            .map_err(|error| Failure::world(format!("{path}: cannot write the report: {error}")))?;
        self.note(format_args!("the report: {path}"));
        Ok(())
    }

    /// Removes the progress line.
    pub fn clear(&mut self) {
        if self.shown.take().is_some() {
            to_standard_error(format_args!("\r\x1b[2K"));
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.clear();
    }
}
