//! `--report`: a run as one HTML file that needs no network, in light, dark and on paper.
//!
//! A [`Report`] gathers what an app says anyway (events, the run record) and writes the page at the
//! end. It keeps a bounded number of everything: a run of a million rounds makes a page as large as
//! one of a thousand. The same figures make up the demo's report.

mod environment;
pub mod figure;
pub mod lines;
mod load;
mod measures;
pub mod page;
mod scale;
mod schedule;
mod staleness;
mod stretches;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use strads::Record;

pub use environment::{By, Setting, Settings};

/// How many steps are kept between events; twice as many steps, every second one is kept.
const KEPT: usize = 2048;

/// What becomes a report.
#[derive(Debug)]
pub struct Report {
    path: PathBuf,
    settings: Settings,
    threads: usize,
    start: Value,
    events: Thinned,
    steps: Thinned,
    done: Value,
    record: Option<Record>,
}

/// Values of which every `stride`-th is kept.
#[derive(Debug)]
struct Thinned {
    kept: Vec<Value>,
    stride: usize,
    seen: usize,
}

impl Report {
    /// A report at `path` on a run with these settings, on so many threads.
    pub fn new(path: &Path, settings: Settings, threads: usize) -> Self {
        Self {
            path: path.to_owned(),
            settings,
            threads,
            start: Value::Null,
            events: Thinned::new(),
            steps: Thinned::new(),
            done: Value::Null,
            record: None,
        }
    }

    /// Where it is to be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes an event.
    pub fn event(&mut self, name: &str, fields: Value) {
        match name {
            "start" => self.start = fields,
            "progress" => self.events.add(|| fields),
            "done" => self.done = fields,
            _ => {}
        }
    }

    /// Takes a step that is too small for an event; it is only made if it is kept.
    pub fn step(&mut self, fields: impl FnOnce() -> Value) {
        self.steps.add(fields);
    }

    /// Takes the record of a run, which continues those before it.
    pub fn ran(&mut self, record: Record) {
        match &mut self.record {
            Some(before) => before.append(record),
            None => self.record = Some(record),
        }
    }

    /// Writes the page to its place, whole or not at all.
    pub fn write(&self) -> io::Result<()> {
        crate::files::completely(&self.path, |into| page::write(self, into))
    }

    /// What measures are drawn from: the finer of the two.
    fn measured(&self) -> &[Value] {
        if self.steps.kept.len() > self.events.kept.len() {
            &self.steps.kept
        } else {
            &self.events.kept
        }
    }
}

impl Thinned {
    fn new() -> Self {
        Self {
            kept: Vec::new(),
            stride: 1,
            seen: 0,
        }
    }

    fn add(&mut self, value: impl FnOnce() -> Value) {
        if self.seen.is_multiple_of(self.stride) {
            self.kept.push(value());
        }
        self.seen += 1;
        if self.kept.len() == KEPT {
            self.stride *= 2;
            let mut at = 0;
            self.kept.retain(|_| {
                at += 1;
                at % 2 == 1
            });
        }
    }
}
