//! Matrix Market: coordinate or array; real, integer or pattern; general or symmetric.
//!
//! The header's counts are promises: they are compared with the data and reserve nothing.

use crate::error::{Error, Kind, quote};
use crate::lines::Lines;
use crate::matrix::{Labelled, Matrix};
use crate::number::{PADDING, integer, number, write_number};
use crate::options::ReadOptions;
use crate::shape::proven;
use crate::sparse_columns::SparseColumns;
use crate::text::{Flaw, Text, ends_word, skip_blanks};
use std::io::{self, Write};

/// How every file starts.
pub(crate) const BANNER: &[u8] = b"%%MatrixMarket";

/// What the first lines say.
#[derive(Clone, Copy)]
struct Header {
    coordinate: bool,
    /// Entries have no value: each is 1.
    pattern: bool,
    symmetric: bool,
    rows: u64,
    columns: u64,
    /// How many entries follow.
    entries: u64,
}

/// Reads a matrix: sparse from coordinates, dense from an array.
pub(crate) fn read(mut lines: Lines, options: &ReadOptions) -> Result<Labelled, Error> {
    let name = lines.name().to_owned();
    let header = read_header(&mut lines)?;
    let features = match header.coordinate {
        true => read_coordinates(lines, header, options.threads)?,
        false => read_array(lines, header, options.threads)?,
    };
    if features.rows() == 0 {
        return Err(Error::whole(name, Kind::Empty { what: "rows" }));
    }
    Ok(Labelled {
        features,
        target: None,
        names: None,
    })
}

fn read_header(lines: &mut Lines) -> Result<Header, Error> {
    let banner = lines.next_line()?.unwrap_or_default().to_ascii_lowercase();
    let words: Vec<_> = banner
        .split(u8::is_ascii_whitespace)
        .filter(|w| !w.is_empty())
        .collect();
    let &[b"%%matrixmarket", b"matrix", shape, field, symmetry] = &words[..] else {
        let expected = "%%MatrixMarket matrix, then coordinate or array, then real, integer or pattern, then general or symmetric";
        return Err(lines.error(
            0,
            Kind::Unexpected {
                expected,
                found: quote(&banner),
            },
        ));
    };
    let known = matches!(shape, b"coordinate" | b"array")
        && matches!(field, b"real" | b"double" | b"integer" | b"pattern")
        && matches!(symmetry, b"general" | b"symmetric")
        && (shape, field) != (b"array", b"pattern");
    if !known {
        let what = format!("a matrix that is {}", quote(&words[2..].join(&b' ')));
        let advice =
            "write it as coordinate or array, real, integer or pattern, general or symmetric";
        return Err(lines.error(0, Kind::Unsupported { what, advice }));
    }
    let (coordinate, symmetric) = (shape == b"coordinate", symmetry == b"symmetric");
    let [rows, columns, entries] = read_sizes(lines, coordinate)?;
    let header = Header {
        coordinate,
        pattern: field == b"pattern",
        symmetric,
        rows,
        columns,
        entries,
    };
    for (what, found) in [
        ("the number of rows", rows),
        ("the number of columns", columns),
    ] {
        let limit = u64::from(u32::MAX);
        if found > limit {
            let kind = Kind::TooLarge {
                what,
                found: found.to_string(),
                limit,
                advice: "",
            };
            return Err(lines.error(0, kind));
        }
    }
    if symmetric && rows != columns {
        let what = "the number of columns of a symmetric matrix";
        return Err(lines.error(
            0,
            Kind::Mismatch {
                what,
                expected: rows,
                found: columns,
            },
        ));
    }
    let entries = if coordinate {
        entries
    } else {
        header.array_entries()
    };
    Ok(Header { entries, ..header })
}

/// Rows, columns, and entries (0 for an array, whose sizes do not say).
fn read_sizes(lines: &mut Lines, coordinate: bool) -> Result<[u64; 3], Error> {
    while let Some(line) = lines.next_line()? {
        let content = line.trim_ascii_start();
        if content.is_empty() || content[0] == b'%' {
            continue;
        }
        let padded = [&line[..], b"\n", &[0; PADDING]].concat();
        let (mut sizes, mut at) = ([0; 3], 0);
        for size in &mut sizes[..if coordinate { 3 } else { 2 }] {
            at = skip_blanks(&padded, at);
            let read = integer(&padded, at).filter(|&(_, end)| ends_word(padded[end]));
            (*size, at) = read.ok_or_else(|| not_sizes(lines, at, &line, coordinate))?;
        }
        if skip_blanks(&padded, at) < line.len() {
            return Err(not_sizes(lines, at, &line, coordinate));
        }
        return Ok(sizes);
    }
    Err(Error::whole(
        lines.name(),
        Kind::Truncated { what: "header" },
    ))
}

fn not_sizes(lines: &Lines, at: usize, line: &[u8], coordinate: bool) -> Error {
    let expected = match coordinate {
        true => "the numbers of rows, columns and entries",
        false => "the numbers of rows and columns",
    };
    lines.error(
        at,
        Kind::Unexpected {
            expected,
            found: quote(line),
        },
    )
}

impl Header {
    fn array_entries(&self) -> u64 {
        match self.symmetric {
            true => self.rows * (self.rows + 1) / 2,
            false => self.rows * self.columns,
        }
    }

    fn check_count(&self, name: &str, found: u64) -> Result<(), Error> {
        let (what, expected) = ("the number of entries", self.entries);
        let kind = Kind::Mismatch {
            what,
            expected,
            found,
        };
        if found == expected {
            Ok(())
        } else {
            Err(Error::whole(name, kind))
        }
    }
}

/// The entries of one piece of text; rows and columns count from 0.
#[derive(Default)]
struct Entries {
    rows: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

fn read_coordinates(lines: Lines, header: Header, threads: usize) -> Result<Matrix, Error> {
    let name = lines.name().to_owned();
    let mut columns = SparseColumns::new();
    let mut count = 0;
    lines.parse(
        threads,
        |text, entries| parse_coordinates(text, header, entries),
        |entries: &mut Entries| {
            count += entries.rows.len() as u64;
            for ((&row, &column), &value) in entries
                .rows
                .iter()
                .zip(&entries.columns)
                .zip(&entries.values)
            {
                columns.push(row, column, value)?;
                if header.symmetric && row != column {
                    columns.push(column, row, value)?;
                }
            }
            Ok(())
        },
    )?;
    header.check_count(&name, count)?;
    let whole = |kind| Error::whole(&name, kind);
    let width = proven(
        "the number of columns",
        header.columns as usize,
        columns.entries(),
    )
    .map_err(whole)?;
    let rows = proven(
        "the number of rows",
        header.rows as usize,
        columns.entries(),
    )
    .map_err(whole)?;
    let matrix = columns.finish(rows, width, 0, threads).map_err(whole)?;
    Ok(Matrix::Sparse(matrix))
}

fn parse_coordinates(text: Text<'_>, header: Header, entries: &mut Entries) -> Result<(), Flaw> {
    entries.rows.clear();
    entries.columns.clear();
    entries.values.clear();
    let mut at = 0;
    while at < text.end {
        at = skip_blanks(text.bytes, at);
        if !matches!(text.bytes[at], b'\n' | b'%') {
            let (row, end) = index(text, at, header.rows, "a row from 1 to the number of rows")?;
            at = skip_blanks(text.bytes, end);
            let (column, end) = index(
                text,
                at,
                header.columns,
                "a column from 1 to the number of columns",
            )?;
            at = end;
            let mut value = 1.0;
            if !header.pattern {
                at = skip_blanks(text.bytes, at);
                (value, at) = finite_number(text, at)?;
            }
            entries.rows.push(row);
            entries.columns.push(column);
            entries.values.push(value);
            at = expect_line_end(text, at)?;
        }
        at = text.line_end(at) + 1;
    }
    Ok(())
}

fn read_array(lines: Lines, header: Header, threads: usize) -> Result<Matrix, Error> {
    let name = lines.name().to_owned();
    let mut values = Vec::new();
    lines.parse(threads, parse_array, |part: &mut Vec<f64>| {
        values.extend_from_slice(part);
        Ok(())
    })?;
    header.check_count(&name, values.len() as u64)?;
    values.shrink_to_fit();
    let (rows, columns) = (header.rows as usize, header.columns as usize);
    match header.symmetric {
        true => Ok(Matrix::from_columns(rows, rows, mirrored(&values, rows))),
        false => Ok(Matrix::from_columns(rows, columns, values)),
    }
}

fn parse_array(text: Text<'_>, values: &mut Vec<f64>) -> Result<(), Flaw> {
    values.clear();
    let mut at = 0;
    while at < text.end {
        at = skip_blanks(text.bytes, at);
        if !matches!(text.bytes[at], b'\n' | b'%') {
            let (value, end) = finite_number(text, at)?;
            values.push(value);
            at = expect_line_end(text, end)?;
        }
        at = text.line_end(at) + 1;
    }
    Ok(())
}

/// A whole symmetric matrix from the columns of its lower half.
fn mirrored(half: &[f64], size: usize) -> Vec<f64> {
    let mut whole = vec![0.0; size * size];
    let mut values = half.iter();
    for column in 0..size {
        for (row, &value) in (column..size).zip(&mut values) {
            whole[column * size + row] = value;
            whole[row * size + column] = value;
        }
    }
    whole
}

/// An index from 1 to `most`, as one from 0.
#[inline]
fn index(
    text: Text<'_>,
    at: usize,
    most: u64,
    expected: &'static str,
) -> Result<(u32, usize), Flaw> {
    match integer(text.bytes, at) {
        Some((index, end)) if (1..=most).contains(&index) && ends_word(text.bytes[end]) => {
            Ok((index as u32 - 1, end))
        }
        _ => Err(Flaw::expected(text, at, expected)),
    }
}

#[inline]
fn finite_number(text: Text<'_>, at: usize) -> Result<(f64, usize), Flaw> {
    match number(text.bytes, at) {
        Some((value, end)) if value.is_finite() && ends_word(text.bytes[end]) => Ok((value, end)),
        Some((value, end)) if !value.is_finite() && ends_word(text.bytes[end]) => {
            Err(Flaw::not_finite(text, at))
        }
        _ => Err(Flaw::expected(text, at, "a number")),
    }
}

fn expect_line_end(text: Text<'_>, at: usize) -> Result<usize, Flaw> {
    let at = skip_blanks(text.bytes, at);
    if text.bytes[at] == b'\n' {
        Ok(at)
    } else {
        Err(Flaw::expected(text, at, "the end of the line"))
    }
}

/// Writes the features; the format has no place for a target.
pub(crate) fn write(matrix: &Matrix, into: &mut impl Write) -> io::Result<()> {
    match matrix {
        Matrix::Sparse(csc) => {
            writeln!(into, "%%MatrixMarket matrix coordinate real general")?;
            writeln!(into, "{} {} {}", csc.rows(), csc.cols(), csc.nnz())?;
            for (column, rows) in csc.outer_iterator().enumerate() {
                for (row, &value) in rows.iter() {
                    write!(into, "{} {} ", row + 1, column + 1)?;
                    write_number(into, value)?;
                    writeln!(into)?;
                }
            }
        }
        Matrix::Dense(array) => {
            writeln!(into, "%%MatrixMarket matrix array real general")?;
            writeln!(into, "{} {}", array.nrows(), array.ncols())?;
            for &value in array.t() {
                write_number(into, value)?;
                writeln!(into)?;
            }
        }
    }
    Ok(())
}
