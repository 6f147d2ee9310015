//! A piece of text and what can be wrong with it; the words of a line.

use crate::error::{Error, Kind, Place, quote_word};

/// Whole lines, each with its line break, and [`PADDING`] zeros behind.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    /// The lines and the zeros.
    pub(crate) bytes: &'a [u8],
    /// Where the lines end.
    pub(crate) end: usize,
}

/// Something wrong at an offset of a text.
#[derive(Debug)]
pub(crate) struct Flaw {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

impl Flaw {
    pub(crate) fn new(at: usize, kind: Kind) -> Self {
        Self { at, kind }
    }

    /// The word at `at` is not what the format has there.
    #[cold]
    pub(crate) fn expected(text: Text<'_>, at: usize, expected: &'static str) -> Self {
        let found = quote_word(&text.bytes[at..text.end]);
        Self {
            at,
            kind: Kind::Unexpected { expected, found },
        }
    }

    /// The word at `at` is `nan`, infinite or overflows.
    #[cold]
    pub(crate) fn not_finite(text: Text<'_>, at: usize) -> Self {
        let found = quote_word(&text.bytes[at..text.end]);
        Self {
            at,
            kind: Kind::NotFinite { found },
        }
    }

    pub(crate) fn located(self, name: &str, lines_before: u64, text: Text<'_>) -> Error {
        let before = &text.bytes[..self.at];
        let line = memchr::memchr_iter(b'\n', before).count() as u64;
        let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let column = (self.at - start) as u64 + 1;
        let place = Place::Byte {
            line: lines_before + line + 1,
            column,
        };
        Error::at(name, place, self.kind)
    }
}

impl Text<'_> {
    /// Where the line that holds the byte at `at` has its line break.
    #[inline]
    pub(crate) fn line_end(self, at: usize) -> usize {
        let newline = memchr::memchr(b'\n', &self.bytes[at..self.end]);
        at + newline.expect("every line of a text has its line break")
    }
}

/// The first byte from `at` on that is no blank.
#[inline]
pub(crate) fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while is_blank(bytes[at]) {
        at += 1;
    }
    at
}

/// A carriage return in front of a line break is a blank at the end of the line.
#[inline]
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Whether a word ends in front of this byte.
#[inline]
pub(crate) fn ends_word(byte: u8) -> bool {
    is_blank(byte) || byte == b'\n'
}
