//! NumPy's `.npy`: a header with type, order and shape, then the values.
//!
//! Versions 1 to 3; integers of 1 to 8 bytes, floats of 4 and 8 bytes, bools; either byte order and
//! either memory order. A header's promise reserves nothing: memory is taken as values arrive.

use crate::dense_columns::DenseColumns;
use crate::error::{Error, Kind, Place, quote};
use crate::matrix::Matrix;
use std::io::{self, ErrorKind, Read, Write};

/// An array whose header has been read and whose values come next.
pub(crate) struct Array<R> {
    name: String,
    reader: R,
    element: Element,
    big_endian: bool,
    /// By columns and not by rows.
    pub(crate) fortran: bool,
    pub(crate) shape: Vec<usize>,
    /// Values not read yet.
    left: usize,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Element {
    F4,
    F8,
    Signed(usize),
    Unsigned(usize),
    /// Fixed-length bytes, as in scipy's `format`.
    Bytes(usize),
}

/// How every file starts.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header, far above what a plain type and shape take.
const LONGEST_HEADER: usize = 1 << 16;

impl<R: Read> Array<R> {
    /// Reads the header.
    pub(crate) fn open(name: impl Into<String>, mut reader: R) -> Result<Self, Error> {
        let name = name.into();
        let header = read_header(&mut reader).map_err(|kind| Error::whole(&name, kind))?;
        parse_header(&header, name.clone(), reader).map_err(|kind| Error::whole(name, kind))
    }

    /// The next values, at most `limit`; fewer, and at last none, only at the end of the array.
    pub(crate) fn read(&mut self, limit: usize, into: &mut Vec<f64>) -> Result<(), Error> {
        into.clear();
        let (element, size) = (self.element, self.element.size());
        let bytes = self.fill(limit)?;
        let values = bytes.chunks_exact(size);
        match element {
            Element::F8 => into.extend(values.map(|b| f64::from_bits(unsigned(b)))),
            Element::F4 => {
                into.extend(values.map(|b| f64::from(f32::from_bits(unsigned(b) as u32))))
            }
            Element::Signed(_) => into.extend(values.map(|b| signed(b) as f64)),
            Element::Unsigned(_) => into.extend(values.map(|b| unsigned(b) as f64)),
            Element::Bytes(_) => return Err(self.not_numbers()),
        }
        Ok(())
    }

    /// As [`Self::read`], for indices and sizes, which must not be negative.
    pub(crate) fn read_sizes(&mut self, limit: usize, into: &mut Vec<usize>) -> Result<(), Error> {
        into.clear();
        let (element, size) = (self.element, self.element.size());
        let bytes = self.fill(limit)?;
        let mut values = bytes.chunks_exact(size);
        let negative = match element {
            Element::Unsigned(_) => {
                into.extend(values.map(|b| unsigned(b) as usize));
                None
            }
            Element::Signed(_) => values.find_map(|b| {
                let value = signed(b);
                into.push(value as usize);
                (value < 0).then_some(value)
            }),
            _ => return Err(self.not_numbers()),
        };
        match negative {
            None => Ok(()),
            Some(value) => {
                let kind = Kind::Unexpected {
                    expected: "an index from 0 on",
                    found: value.to_string(),
                };
                Err(Error::whole(&self.name, kind))
            }
        }
    }

    /// All sizes, of an array with one axis.
    pub(crate) fn all_sizes(mut self) -> Result<Vec<usize>, Error> {
        let (mut all, mut part) = (Vec::new(), Vec::new());
        loop {
            self.read_sizes(PART, &mut part)?;
            if part.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(&part);
        }
    }

    /// All values, in the order of the file; all finite.
    pub(crate) fn all_values(mut self) -> Result<Vec<f64>, Error> {
        let (mut all, mut part) = (Vec::new(), Vec::new());
        loop {
            self.read(PART, &mut part)?;
            if part.is_empty() {
                return Ok(all);
            }
            if let Some(at) = part.iter().position(|value| !value.is_finite()) {
                return Err(self.not_finite(all.len() + at, part[at]));
            }
            all.extend_from_slice(&part);
        }
    }

    /// A matrix: one axis is one column.
    pub(crate) fn matrix(mut self, threads: usize) -> Result<Matrix, Error> {
        let (rows, columns) = self.rows_and_columns()?;
        let empty = |what| Error::whole(&self.name, Kind::Empty { what });
        if rows == 0 {
            return Err(empty("rows"));
        }
        if columns == 0 {
            return Err(empty("columns"));
        }
        if self.fortran || columns == 1 {
            let mut values = self.all_values()?;
            values.shrink_to_fit();
            return Ok(Matrix::from_columns(rows, columns, values));
        }
        let mut builder = DenseColumns::new(columns);
        let (mut before, mut part) = (0, Vec::new());
        loop {
            self.read(PART, &mut part)?;
            if part.is_empty() {
                return Ok(builder.finish(threads));
            }
            if let Some(at) = part.iter().position(|value| !value.is_finite()) {
                return Err(self.not_finite(before + at, part[at]));
            }
            builder
                .push(&part)
                .map_err(|kind| Error::whole(&self.name, kind))?;
            before += part.len();
        }
    }

    /// Text of a fixed length, in an array without axes.
    pub(crate) fn text(mut self) -> Result<String, Error> {
        match self.element {
            Element::Bytes(_) if self.shape.is_empty() => {
                let text = String::from_utf8_lossy(self.fill(1)?).into_owned();
                Ok(text.trim_end_matches('\0').to_owned())
            }
            _ => Err(Error::whole(
                &self.name,
                Kind::Unexpected {
                    expected: "bytes without axes",
                    found: "numbers".to_owned(),
                },
            )),
        }
    }

    fn rows_and_columns(&self) -> Result<(usize, usize), Error> {
        match self.shape[..] {
            [rows] => Ok((rows, 1)),
            [rows, columns] => Ok((rows, columns)),
            _ => Err(Error::whole(
                &self.name,
                Kind::Unsupported {
                    what: format!("an array of {} axes", self.shape.len()),
                    advice: "reshape it to rows and columns",
                },
            )),
        }
    }

    /// An error in this array.
    pub(crate) fn error(&self, place: Place, kind: Kind) -> Error {
        Error::at(&self.name, place, kind)
    }

    /// The bytes of the next values, little-endian, at most `limit` values.
    fn fill(&mut self, limit: usize) -> Result<&[u8], Error> {
        let size = self.element.size();
        let count = self.left.min(limit);
        self.buffer.resize(count * size, 0);
        if let Err(error) = self.reader.read_exact(&mut self.buffer) {
            return Err(Error::whole(&self.name, explain(error)));
        }
        self.left -= count;
        if self.big_endian {
            self.buffer.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(&self.buffer)
    }

    fn not_numbers(&self) -> Error {
        let kind = Kind::Unexpected {
            expected: "an array of numbers",
            found: "text".to_owned(),
        };
        Error::whole(&self.name, kind)
    }

    /// The value that is number `at` in the file is not finite.
    fn not_finite(&self, at: usize, value: f64) -> Error {
        let columns = self.shape.get(1).copied().unwrap_or(1);
        let (row, column) = match self.fortran {
            true => (at % self.shape[0], at / self.shape[0]),
            false => (at / columns, at % columns),
        };
        let place = Place::Entry {
            row: row as u64 + 1,
            column: column as u64 + 1,
        };
        Error::at(
            &self.name,
            place,
            Kind::NotFinite {
                found: value.to_string(),
            },
        )
    }
}

/// How many values are read at a time.
pub(crate) const PART: usize = 1 << 15;

impl Element {
    fn size(self) -> usize {
        match self {
            Self::F4 => 4,
            Self::F8 => 8,
            Self::Signed(size) | Self::Unsigned(size) | Self::Bytes(size) => size,
        }
    }
}

/// Up to eight little-endian bytes.
fn unsigned(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

fn signed(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len() as u32;
    (unsigned(bytes) << unused) as i64 >> unused
}

fn explain(error: io::Error) -> Kind {
    match error.kind() {
        ErrorKind::UnexpectedEof => Kind::Truncated { what: "array" },
        ErrorKind::InvalidData | ErrorKind::InvalidInput => Kind::Damaged {
            what: "array",
            reason: error.to_string(),
        },
        _ => Kind::Io {
            action: "read",
            error,
        },
    }
}

/// The text between magic and values.
fn read_header(reader: &mut impl Read) -> Result<Vec<u8>, Kind> {
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(explain)?;
    if !start.starts_with(MAGIC) {
        let found = quote(&start);
        return Err(Kind::Unexpected {
            expected: "a NumPy array",
            found,
        });
    }
    let mut length = [0; 4];
    let width = if start[6] == 1 { 2 } else { 4 };
    if !(1..=3).contains(&start[6]) {
        let what = format!("version {} of the npy format", start[6]);
        return Err(Kind::Unsupported {
            what,
            advice: "save it with a current numpy.save",
        });
    }
    reader.read_exact(&mut length[..width]).map_err(explain)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST_HEADER {
        return Err(Kind::TooLarge {
            what: "the length of the header",
            found: length.to_string(),
            limit: LONGEST_HEADER as u64,
            advice: "",
        });
    }
    let mut header = vec![0; length];
    reader.read_exact(&mut header).map_err(explain)?;
    Ok(header)
}

/// `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`
fn parse_header<R>(header: &[u8], name: String, reader: R) -> Result<Array<R>, Kind> {
    let unexpected = |expected| Kind::Unexpected {
        expected,
        found: quote(header),
    };
    let text = std::str::from_utf8(header).map_err(|_| unexpected("a header in UTF-8"))?;
    let field = |key: &str| {
        let (_, rest) = text.split_once(&format!("'{key}'"))?;
        rest.trim_start().strip_prefix(':').map(str::trim_start)
    };
    let descr = field("descr").ok_or_else(|| unexpected("a header with 'descr'"))?;
    if descr.starts_with('[') {
        let what = "an array of records".to_owned();
        return Err(Kind::Unsupported {
            what,
            advice: "save one field of it",
        });
    }
    let descr = descr
        .strip_prefix('\'')
        .and_then(|rest| rest.split_once('\''))
        .map(|(d, _)| d);
    let descr = descr.ok_or_else(|| unexpected("a quoted type behind 'descr'"))?;
    let element = parse_element(descr)?;
    let order =
        field("fortran_order").ok_or_else(|| unexpected("a header with 'fortran_order'"))?;
    let fortran = match (order.starts_with("True"), order.starts_with("False")) {
        (true, _) => true,
        (_, true) => false,
        _ => return Err(unexpected("True or False behind 'fortran_order'")),
    };
    let shape = field("shape").and_then(parse_shape);
    let shape = shape.ok_or_else(|| unexpected("a header with 'shape': (…)"))?;
    let left = shape
        .iter()
        .try_fold(element.size(), |all, &axis| all.checked_mul(axis));
    let left = left.ok_or_else(|| Kind::TooLarge {
        what: "the size of the array in bytes",
        found: quote(header),
        limit: usize::MAX as u64,
        advice: "",
    })? / element.size();
    let big_endian = descr.starts_with('>');
    Ok(Array {
        name,
        reader,
        element,
        big_endian,
        fortran,
        shape,
        left,
        buffer: Vec::new(),
    })
}

fn parse_element(descr: &str) -> Result<Element, Kind> {
    let unsupported = || Kind::Unsupported {
        what: format!("the type {}", quote(descr.as_bytes())),
        advice: "convert it with .astype('float64')",
    };
    let kind = descr.trim_start_matches(['<', '>', '|', '=']);
    Ok(match kind {
        "f4" => Element::F4,
        "f8" => Element::F8,
        "b1" => Element::Unsigned(1),
        "i1" | "i2" | "i4" | "i8" => Element::Signed(usize::from(kind.as_bytes()[1] - b'0')),
        "u1" | "u2" | "u4" | "u8" => Element::Unsigned(usize::from(kind.as_bytes()[1] - b'0')),
        _ => {
            let length = kind
                .strip_prefix('S')
                .and_then(|length| length.parse().ok());
            Element::Bytes(
                length
                    .filter(|length| (1..=64).contains(length))
                    .ok_or_else(unsupported)?,
            )
        }
    })
}

/// `(3, 4)`, `(3,)` or `()`.
fn parse_shape(text: &str) -> Option<Vec<usize>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let axes = inside
        .split(',')
        .map(str::trim)
        .filter(|axis| !axis.is_empty());
    axes.map(|axis| axis.trim_end_matches('L').parse().ok())
        .collect()
}

/// A type that arrays are written in.
pub trait Scalar: bytemuck::Pod {
    /// What NumPy calls it.
    const DESCR: &str;
}

impl Scalar for f64 {
    const DESCR: &str = "<f8";
}
impl Scalar for f32 {
    const DESCR: &str = "<f4";
}
impl Scalar for i64 {
    const DESCR: &str = "<i8";
}
impl Scalar for i32 {
    const DESCR: &str = "<i4";
}
impl Scalar for u32 {
    const DESCR: &str = "<u4";
}

/// Writes a header: what comes behind it are the values, little-endian.
pub(crate) fn write_header(
    into: &mut impl Write,
    descr: &str,
    fortran: bool,
    shape: &[usize],
) -> io::Result<()> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let order = if fortran { "True" } else { "False" };
    let mut text = format!(
        "{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({}), }}",
        axes.trim_end()
    );
    // The values start at a multiple of 64, one byte before which is the line break.
    while (text.len() + 11) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    into.write_all(MAGIC)?;
    into.write_all(&[1, 0])?;
    into.write_all(&(text.len() as u16).to_le_bytes())?;
    into.write_all(text.as_bytes())
}

/// Writes values as they are in memory; every machine that this runs on is little-endian.
pub(crate) fn write_values<T: Scalar>(into: &mut impl Write, values: &[T]) -> io::Result<()> {
    const { assert!(cfg!(target_endian = "little")) };
    into.write_all(bytemuck::cast_slice(values))
}

/// Writes a dense array as it is in memory.
pub(crate) fn write(array: &ndarray::Array2<f64>, into: &mut impl Write) -> io::Result<()> {
    let values = array.t();
    let values = values.as_slice().expect("a matrix is column-major");
    write_header(into, f64::DESCR, true, array.shape())?;
    write_values(into, values)
}
