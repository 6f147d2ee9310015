//! What the servers of all tests have logged, so that a test can wait for the line that is due.

use std::fmt::{Debug, Write};
use std::sync::{Condvar, Mutex, Once};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static ADDED: Condvar = Condvar::new();
static STARTED: Once = Once::new();

struct Collector;

/// Begins to collect.
pub fn start() {
    STARTED.call_once(|| tracing::subscriber::set_global_default(Collector).unwrap());
}

/// Waits for a line that has `words`, which only the caller's doings produce.
pub fn expect(words: &str) {
    let mut lines = LINES.lock().unwrap();
    while !lines.iter().any(|line| line.contains(words)) {
        lines = ADDED.wait(lines).unwrap();
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("bosen")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.lock().unwrap().push(line.0);
        ADDED.notify_all();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
