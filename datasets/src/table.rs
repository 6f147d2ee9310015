//! Tables of numbers: values separated by commas, semicolons, tabs or blanks, one row a line.
//!
//! The first line is a header if it has a field that is no number. Lines that start with `#` and
//! empty lines are read over.

use crate::dense_columns::DenseColumns;
use crate::error::{Error, Kind, quote};
use crate::lines::Lines;
use crate::matrix::{Labelled, Matrix};
use crate::number::{PADDING, number, write_number};
use crate::options::ReadOptions;
use crate::shape::RowCounter;
use crate::text::{Flaw, Text, is_blank, skip_blanks};
use std::io::{self, Write};

/// What is between two fields.
#[derive(Clone, Copy, PartialEq)]
enum Separator {
    Byte(u8),
    Blanks,
}

/// Reads a dense matrix; the target is the column that the options name, if they do.
pub(crate) fn read(mut lines: Lines, options: &ReadOptions) -> Result<Labelled, Error> {
    let name = lines.name().to_owned();
    let Some(first) = first_line(&mut lines)? else {
        return Err(Error::whole(name, Kind::Empty { what: "rows" }));
    };
    let separator = separator(&first);
    let fields = split(&first, separator);
    let is_header = fields
        .iter()
        .any(|field| !field.is_empty() && !is_number(field));
    let names = is_header.then(|| {
        fields
            .iter()
            .map(|f| String::from_utf8_lossy(f).into_owned())
            .collect::<Vec<_>>()
    });
    if is_header {
        lines.next_line()?;
    }
    let target = match &options.target {
        None => None,
        Some(told) => Some(
            find_column(told, names.as_deref(), fields.len())
                .map_err(|kind| Error::whole(&name, kind))?,
        ),
    };
    let layout = Layout {
        separator,
        fields: fields.len(),
        target,
    };

    let mut builder = DenseColumns::new(layout.fields - usize::from(target.is_some()));
    let (mut targets, mut rows) = (Vec::new(), RowCounter::default());
    lines.parse(
        options.threads,
        |text, part| parse(text, layout, part),
        |part: &mut Part| {
            for _ in 0..part.rows {
                rows.next()?;
            }
            targets.extend_from_slice(&part.targets);
            builder.push(&part.features)
        },
    )?;
    let rows = rows.total().map_err(|kind| Error::whole(&name, kind))?;
    let features = if layout.fields == 1 && target.is_some() {
        Matrix::from_columns(rows, 0, Vec::new())
    } else {
        builder.finish(options.threads)
    };
    let names = names.map(|mut names| {
        target.map(|target| names.remove(target));
        names
    });
    Ok(Labelled {
        features,
        target: target.map(|_| targets),
        names,
    })
}

/// What every line looks like.
#[derive(Clone, Copy)]
struct Layout {
    separator: Separator,
    fields: usize,
    target: Option<usize>,
}

/// The rows of one piece of text.
#[derive(Default)]
struct Part {
    rows: usize,
    features: Vec<f64>,
    targets: Vec<f64>,
}

fn parse(text: Text<'_>, layout: Layout, part: &mut Part) -> Result<(), Flaw> {
    part.rows = 0;
    part.features.clear();
    part.targets.clear();
    let mut at = 0;
    while at < text.end {
        let start = skip_blanks(text.bytes, at);
        if !matches!(text.bytes[start], b'\n' | b'#') {
            at = parse_row(text, start, layout, part)?;
            part.rows += 1;
        }
        at = text.line_end(at) + 1;
    }
    Ok(())
}

fn parse_row(text: Text<'_>, start: usize, layout: Layout, part: &mut Part) -> Result<usize, Flaw> {
    let bytes = text.bytes;
    let mut at = start;
    for field in 0.. {
        // Tabs between fields are not blanks to be skipped: a field may be missing.
        let number_at = skip_padding(bytes, at, layout.separator);
        let quoted = usize::from(bytes[number_at] == b'"');
        let (value, end) = number(bytes, number_at + quoted)
            .ok_or_else(|| no_number(text, number_at, layout, field))?;
        let mut end = end;
        if quoted == 1 && bytes[end] == b'"' {
            end += 1;
        }
        let after = skip_padding(bytes, end, layout.separator);
        let last = bytes[after] == b'\n';
        let separated = match layout.separator {
            Separator::Byte(separator) => bytes[after] == separator,
            Separator::Blanks => after > end,
        };
        if !last && !separated {
            return Err(Flaw::expected(text, number_at, "a number"));
        }
        if !value.is_finite() {
            return Err(Flaw::not_finite(text, number_at));
        }
        if layout.target == Some(field) {
            part.targets.push(value);
        } else {
            part.features.push(value);
        }
        if last && field + 1 == layout.fields {
            return Ok(after);
        }
        if last || field + 1 == layout.fields {
            return Err(wrong_count(text, start, layout));
        }
        at = after + usize::from(layout.separator != Separator::Blanks);
    }
    unreachable!("the line ends or has a field too many")
}

#[inline]
fn skip_padding(bytes: &[u8], mut at: usize, separator: Separator) -> usize {
    while is_blank(bytes[at]) && separator != Separator::Byte(bytes[at]) {
        at += 1;
    }
    at
}

#[cold]
fn no_number(text: Text<'_>, at: usize, layout: Layout, field: usize) -> Flaw {
    let next = text.bytes[at];
    let ends = next == b'\n';
    if ends && field > 0 && layout.separator == Separator::Blanks {
        return wrong_count(text, at, layout);
    }
    if ends || layout.separator == Separator::Byte(next) {
        let found = "nothing: a missing value".to_owned();
        return Flaw::new(
            at,
            Kind::Unexpected {
                expected: "a number",
                found,
            },
        );
    }
    Flaw::expected(text, at, "a number")
}

#[cold]
fn wrong_count(text: Text<'_>, start: usize, layout: Layout) -> Flaw {
    let line_start = memchr::memrchr(b'\n', &text.bytes[..start]).map_or(0, |newline| newline + 1);
    let line = &text.bytes[line_start..text.line_end(start)];
    let (expected, found) = (
        layout.fields as u64,
        split(line, layout.separator).len() as u64,
    );
    Flaw::new(
        line_start,
        Kind::Mismatch {
            what: "the number of fields in the line",
            expected,
            found,
        },
    )
}

/// The first line with content, which stays the next one.
fn first_line(lines: &mut Lines) -> Result<Option<Vec<u8>>, Error> {
    while let Some(line) = lines.peek_line()? {
        let content = line.trim_ascii_start();
        if !content.is_empty() && content[0] != b'#' {
            return Ok(Some(line));
        }
        lines.next_line()?;
    }
    Ok(None)
}

fn separator(line: &[u8]) -> Separator {
    let seen = [b',', b'\t', b';']
        .into_iter()
        .find(|separator| line.contains(separator));
    seen.map_or(Separator::Blanks, Separator::Byte)
}

/// The fields of a line, without blanks and quotes around them.
fn split(line: &[u8], separator: Separator) -> Vec<&[u8]> {
    let mut fields = Vec::new();
    match separator {
        Separator::Blanks => {
            fields.extend(
                line.split(|byte| is_blank(*byte))
                    .filter(|field| !field.is_empty()),
            );
        }
        Separator::Byte(separator) => {
            let mut quoted = false;
            let ends_field = |byte: &u8| {
                quoted ^= *byte == b'"';
                *byte == separator && !quoted
            };
            fields.extend(line.split(ends_field).map(<[u8]>::trim_ascii));
        }
    }
    let unquoted = |field: &mut &[u8]| {
        if let Some(inner) = field
            .strip_prefix(b"\"")
            .and_then(|f| f.strip_suffix(b"\""))
        {
            *field = inner;
        }
    };
    fields.iter_mut().for_each(unquoted);
    fields
}

fn is_number(field: &[u8]) -> bool {
    let padded = [field, &[0; PADDING]].concat();
    number(&padded, 0).is_some_and(|(_, end)| end == field.len())
}

/// The column that is called `told`, or has this number from 1.
fn find_column(told: &str, names: Option<&[String]>, columns: usize) -> Result<usize, Kind> {
    let by_name = names.and_then(|names| names.iter().position(|name| name == told));
    let by_number = || {
        told.parse()
            .ok()
            .filter(|number| (1..=columns).contains(number))
    };
    by_name
        .or_else(|| by_number().map(|number: usize| number - 1))
        .ok_or_else(|| Kind::Option {
            option: "target",
            expected: "the name of a column in the header, or a column's number from 1",
            found: quote(told.as_bytes()),
        })
}

/// Writes a table with the target as last column; a header if columns have names.
pub(crate) fn write(data: &Labelled, separator: char, into: &mut impl Write) -> io::Result<()> {
    let target = data.target.as_deref();
    if let Some(names) = &data.names {
        let mut names = names.clone();
        names.extend(target.map(|_| "target".to_owned()));
        writeln!(into, "{}", names.join(&separator.to_string()))?;
    }
    let rows = data.features.by_rows();
    let mut row_values = vec![0.0; data.features.columns()];
    for row in 0..rows.count() {
        row_values.fill(0.0);
        rows.nonzeros(row)
            .for_each(|(column, value)| row_values[column] = value);
        let values = row_values
            .iter()
            .copied()
            .chain(target.map(|target| target[row]));
        for (field, value) in values.enumerate() {
            if field > 0 {
                write!(into, "{separator}")?;
            }
            write_number(into, value)?;
        }
        writeln!(into)?;
    }
    Ok(())
}
