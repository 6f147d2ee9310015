//! The one error of this crate: what is wrong, where, and what to do about it.
//!
//! Context is data, so that a caller can match on it; the message is one to three lines.

use std::fmt;
use std::io;

/// Why data could not be read, written or generated.
#[derive(Debug, thiserror::Error)]
#[error("{name}{place}{kind}")]
pub struct Error {
    /// The file, or `standard input`.
    pub name: String,
    /// Where in it.
    pub place: Place,
    /// What is wrong.
    pub kind: Kind,
}

/// Where in a file; everything counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It concerns the file as a whole.
    Whole,
    /// A line of text.
    Line(u64),
    /// A byte of a line of text.
    Byte {
        /// The line.
        line: u64,
        /// The byte in the line.
        column: u64,
    },
    /// An entry of a binary array.
    Entry {
        /// The row.
        row: u64,
        /// The column.
        column: u64,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str(": "),
            Self::Line(line) => write!(f, ", line {line}: "),
            Self::Byte { line, column } => write!(f, ", line {line}, column {column}: "),
            Self::Entry { row, column } => write!(f, ", entry in row {row}, column {column}: "),
        }
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Kind {
    /// The operating system said no.
    #[error("cannot {action}: {error}")]
    Io {
        /// `open`, `read`, `write`…
        action: &'static str,
        /// What it said.
        error: io::Error,
    },
    /// The text or bytes are not what the format has at this place.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What the format has here.
        expected: &'static str,
        /// What is here, quoted and abbreviated.
        found: String,
    },
    /// A number is NaN, infinite, or too large to be finite.
    #[error(
        "expected a finite number, found {found}\nremove or impute missing values first: no model can be trained on them"
    )]
    NotFinite {
        /// The number as written.
        found: String,
    },
    /// Two values for one entry.
    #[error("the entry in row {row}, column {at_column} is given twice")]
    Duplicate {
        /// Row, counted from 1.
        row: u64,
        /// Column, counted from 1.
        at_column: u64,
    },
    /// A number is beyond what this program holds.
    #[error("{what} is {found}, and the largest supported is {limit}{advice}")]
    TooLarge {
        /// Such as `the feature index`.
        what: &'static str,
        /// The number as written.
        found: String,
        /// The largest supported one.
        limit: u64,
        /// Empty, or a line break and what to do.
        advice: &'static str,
    },
    /// The data end before the format says that they do.
    #[error("the {what} ends too early: it was cut off, or is still being written")]
    Truncated {
        /// Such as `gzip stream`.
        what: &'static str,
    },
    /// A compressed stream or container does not decode.
    #[error("the {what} is damaged: {reason}")]
    Damaged {
        /// Such as `gzip stream`.
        what: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// There is nothing to learn from.
    #[error("no {what} in the input")]
    Empty {
        /// Such as `rows`.
        what: &'static str,
    },
    /// Two counts that have to agree do not.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// What was counted.
        what: &'static str,
        /// The count promised or needed.
        expected: u64,
        /// The count met.
        found: u64,
    },
    /// A feature of a format that is understood but not supported.
    #[error("{what} is not supported\n{advice}")]
    Unsupported {
        /// What was met.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// No format fits the name or the content.
    #[error(
        "cannot tell the format from the name or the content, which starts with {found}\nname the format: {}",
        crate::Format::NAMES
    )]
    UnknownFormat {
        /// The start of the content, quoted and abbreviated.
        found: String,
    },
    /// An option that makes no sense.
    #[error("{option} is {found}, and has to be {expected}")]
    Option {
        /// Its name.
        option: &'static str,
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
}

impl Error {
    /// An error that concerns `name` as a whole.
    pub fn whole(name: impl Into<String>, kind: Kind) -> Self {
        Self::at(name, Place::Whole, kind)
    }

    /// An error at a place.
    pub fn at(name: impl Into<String>, place: Place, kind: Kind) -> Self {
        Self {
            name: name.into(),
            place,
            kind,
        }
    }
}

/// The text at the start of `bytes` up to a blank, quoted, escaped and abbreviated for a message.
pub(crate) fn quote_word(bytes: &[u8]) -> String {
    let end = bytes
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(bytes.len());
    match (end, bytes.first()) {
        (0, None | Some(b'\n' | b'\r')) => "the end of the line".to_owned(),
        (0, _) => "a blank".to_owned(),
        _ => quote(&bytes[..end]),
    }
}

/// `bytes` quoted, escaped and abbreviated for a message.
pub(crate) fn quote(bytes: &[u8]) -> String {
    const SHOWN: usize = 32;
    let shown = &bytes[..bytes.len().min(SHOWN)];
    let dots = if bytes.len() > SHOWN { "…" } else { "" };
    match std::str::from_utf8(shown) {
        Ok(text) if !text.contains(char::is_control) => format!("\"{text}{dots}\""),
        _ => format!("\"{}{dots}\"", shown.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message says where and what, and never repeats unbounded input.
    #[test]
    fn messages_are_short_and_say_where() {
        let found = quote_word(&[b'x'; 5000]);
        let error = Error::at(
            "a.svm",
            Place::Byte {
                line: 3,
                column: 14,
            },
            Kind::Unexpected {
                expected: "a number",
                found,
            },
        );
        let text = error.to_string();
        assert!(
            text.starts_with("a.svm, line 3, column 14: expected a number, found \"xxx"),
            "{text}"
        );
        assert!(text.len() < 120);
    }
}
