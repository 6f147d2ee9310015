//! libsvm / svmlight: `target index:value …`, one sample a line.
//!
//! Indices count from 0 or 1 and may be in any order, each once in a line. `#` starts a comment,
//! and `qid:` is read over: no program here ranks.

use crate::error::{Error, Kind};
use crate::lines::Lines;
use crate::matrix::{Labelled, Matrix};
use crate::number::{integer, integer_of_width, number, write_number};
use crate::options::{IndexBase, ReadOptions};
use crate::shape::{RowCounter, width};
use crate::sparse_columns::SparseColumns;
use crate::text::{Flaw, Text, is_blank, skip_blanks};
use std::io::{self, Write};

/// Reads samples with their targets.
pub(crate) fn read(lines: Lines, options: &ReadOptions) -> Result<Labelled, Error> {
    let name = lines.name().to_owned();
    let mut columns = SparseColumns::new();
    let mut targets = Vec::new();
    let mut rows = RowCounter::default();
    let (mut least, mut end) = (u32::MAX, 0);
    lines.parse(
        options.threads,
        |text, samples| parse(text, options, samples),
        |samples: &mut Samples| {
            let mut start = 0;
            for &row_end in &samples.row_ends {
                let row = rows.next()?;
                for &(index, value) in &samples.entries[start..row_end] {
                    columns.push(row, index, value)?;
                }
                start = row_end;
            }
            least = least.min(samples.least);
            end = end.max(samples.end);
            targets.extend_from_slice(&samples.targets);
            Ok(())
        },
    )?;
    let first = match options.base {
        IndexBase::Zero => 0,
        IndexBase::One => 1,
        IndexBase::Detect => u32::from(least > 0),
    };
    let whole = |kind| Error::whole(&name, kind);
    let rows = rows.total().map_err(whole)?;
    // No index at all leaves `end` at 0.
    let met = (end as usize).saturating_sub(first as usize);
    let width = width(met, columns.entries(), options).map_err(whole)?;
    let features = columns
        .finish(rows, width, first, options.threads)
        .map_err(whole)?;
    Ok(Labelled {
        features: Matrix::Sparse(features),
        target: Some(targets),
        names: None,
    })
}

/// The samples of one piece of text.
#[derive(Default)]
struct Samples {
    targets: Vec<f64>,
    /// Where each row ends in `entries`.
    row_ends: Vec<usize>,
    /// Indices as written, from 0 or 1, ascending within a row; and values.
    entries: Vec<(u32, f64)>,
    /// The least index.
    least: u32,
    /// One more than the greatest index.
    end: u32,
}

fn parse(text: Text<'_>, options: &ReadOptions, samples: &mut Samples) -> Result<(), Flaw> {
    samples.targets.clear();
    samples.row_ends.clear();
    samples.entries.clear();
    samples.least = u32::MAX;
    samples.end = 0;
    let largest = largest_index(options);
    let mut at = 0;
    while at < text.end {
        at = skip_blanks(text.bytes, at);
        if !ends_row(text.bytes[at]) {
            let (target, end) = parse_target(text, at)?;
            samples.targets.push(target);
            at = parse_row(text, end, largest, options.base, samples)?;
            samples.row_ends.push(samples.entries.len());
        }
        at = text.line_end(at) + 1;
    }
    Ok(())
}

/// The largest index that can be right, as written.
fn largest_index(options: &ReadOptions) -> u64 {
    // u32::MAX itself is left out, so that one more than an index fits.
    let limit = u64::from(u32::MAX) - 1;
    match (options.columns, options.base) {
        (None, _) => limit,
        (Some(columns), IndexBase::Zero) => limit.min((columns as u64).saturating_sub(1)),
        (Some(columns), _) => limit.min(columns as u64),
    }
}

fn parse_target(text: Text<'_>, start: usize) -> Result<(f64, usize), Flaw> {
    const EXPECTED: &str = "a target (one number) at the start of the line";
    let (target, end) =
        number(text.bytes, start).ok_or_else(|| Flaw::expected(text, start, EXPECTED))?;
    if text.bytes[end] == b',' {
        let what = "a sample with several targets".to_owned();
        let advice = "give each sample one number";
        return Err(Flaw::new(end, Kind::Unsupported { what, advice }));
    }
    if !ends_word(text.bytes[end]) {
        return Err(Flaw::expected(text, start, EXPECTED));
    }
    finite(text, start, target)?;
    Ok((target, end))
}

/// Appends the entries from `at` to the end of the row, in order; returns where they end.
fn parse_row(
    text: Text<'_>,
    mut at: usize,
    largest: u64,
    base: IndexBase,
    samples: &mut Samples,
) -> Result<usize, Flaw> {
    let bytes = text.bytes;
    let row_start = samples.entries.len();
    let text_start = at;
    // One more than the last index, so that the first may be 0.
    let mut after = 0;
    let mut sorted = true;
    // Indices ascend as a rule, so the next one has as many digits as the last.
    let mut width = 0;
    loop {
        at = skip_blanks(bytes, at);
        let read = integer_of_width(bytes, at, width).or_else(|| integer(bytes, at));
        let Some((index, colon)) = read else {
            if ends_row(bytes[at]) {
                break;
            }
            at = skip_query(text, at)?;
            continue;
        };
        width = colon - at;
        if bytes[colon] != b':' {
            return Err(Flaw::expected(text, at, "index:value"));
        }
        if index > largest {
            return Err(too_large(text, at, largest));
        }
        let start = colon + 1;
        let (value, end) = number(bytes, start)
            .filter(|&(_, end)| ends_word(bytes[end]))
            .ok_or_else(|| Flaw::expected(text, start, "a number behind the colon"))?;
        finite(text, start, value)?;
        let index = index as u32;
        sorted &= index >= after;
        after = index + 1;
        samples.entries.push((index, value));
        at = end;
    }
    let row = &mut samples.entries[row_start..];
    if !sorted {
        row.sort_by_key(|&(index, _)| index);
    }
    if let (Some(&(first, _)), Some(&(last, _))) = (row.first(), row.last()) {
        samples.least = samples.least.min(first);
        samples.end = samples.end.max(last + 1);
    }
    if base == IndexBase::One && samples.least == 0 {
        return Err(Flaw::expected(
            text,
            find(text, text_start, 0, 0),
            "an index from 1 on",
        ));
    }
    let twice = |pair: &&[(u32, f64)]| pair[0].0 == pair[1].0;
    if !sorted && let Some(pair) = row.windows(2).find(twice) {
        return Err(Flaw::expected(
            text,
            find(text, text_start, pair[0].0, 1),
            "each index once in a line",
        ));
    }
    Ok(at)
}

/// Where in the row that starts at `at` the entry with `index` is, after `skip` others of it.
#[cold]
fn find(text: Text<'_>, at: usize, index: u32, skip: usize) -> usize {
    let row = text.bytes[at..text.end]
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    let mut offset = at;
    let mut left = skip;
    for word in row.split(|byte| is_blank(*byte)) {
        if integer(text.bytes, offset).is_some_and(|(found, _)| found == u64::from(index)) {
            if left == 0 {
                return offset;
            }
            left -= 1;
        }
        offset += word.len() + 1;
    }
    at
}

#[cold]
fn skip_query(text: Text<'_>, at: usize) -> Result<usize, Flaw> {
    let query = text.bytes[at..]
        .starts_with(b"qid:")
        .then(|| integer(text.bytes, at + 4));
    if let Some((_, end)) = query
        .flatten()
        .filter(|&(_, end)| ends_word(text.bytes[end]))
    {
        return Ok(end);
    }
    Err(Flaw::expected(text, at, "index:value"))
}

#[cold]
fn too_large(text: Text<'_>, at: usize, limit: u64) -> Flaw {
    let found = text.bytes[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .take(32);
    let found = found.map(|&digit| char::from(digit)).collect();
    Flaw::new(
        at,
        Kind::TooLarge {
            what: "the feature index",
            found,
            limit,
            advice: "",
        },
    )
}

/// Refuses a value that is not finite.
#[inline]
fn finite(text: Text<'_>, at: usize, value: f64) -> Result<(), Flaw> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(Flaw::not_finite(text, at))
    }
}

#[inline]
fn ends_row(byte: u8) -> bool {
    matches!(byte, b'\n' | b'#')
}

#[inline]
fn ends_word(byte: u8) -> bool {
    is_blank(byte) || ends_row(byte)
}

/// Writes samples with indices from 1; a missing target is written as 0.
pub(crate) fn write(data: &Labelled, into: &mut impl Write) -> io::Result<()> {
    let rows = data.features.by_rows();
    for row in 0..rows.count() {
        write_number(into, data.target.as_ref().map_or(0.0, |target| target[row]))?;
        for (column, value) in rows.nonzeros(row) {
            write!(into, " {}:", column + 1)?;
            write_number(into, value)?;
        }
        writeln!(into)?;
    }
    Ok(())
}
