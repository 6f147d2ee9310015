//! NumPy's `.npz`: a scipy sparse matrix, or a dense array, with its target if there is one.
//!
//! A sparse matrix is what `scipy.sparse.save_npz` writes (csr or csc). Of dense arrays, the
//! features are the one called `X`, or the only one beside the target. The target is the array
//! called `y`, beside either.

use crate::error::{Error, Kind, Place};
use crate::input::Storage;
use crate::matrix::{Csc, Labelled, Matrix};
use crate::npy::{Array, PART, Scalar, write_header, write_values};
use crate::options::ReadOptions;
use crate::shape::proven;
use crate::sparse_columns::{SparseColumns, sort_column};
use std::io::{self, BufReader, Read, Write};
use zip::result::ZipError;
use zip::write::StreamWriter;

/// Reads features, and the target if there is one.
pub(crate) fn read(storage: &Storage, options: &ReadOptions) -> Result<Labelled, Error> {
    let names = names(storage)?;
    let target = match names.iter().any(|name| name == "y.npy") {
        true => Some(with(storage, "y", |array| array.all_values())?),
        false => None,
    };
    let features = if names.iter().any(|name| name == "indptr.npy") {
        Matrix::Sparse(read_sparse(storage, options.threads)?)
    } else {
        let others: Vec<_> = names.iter().filter(|name| *name != "y.npy").collect();
        let array = match others[..] {
            [only] => only.trim_end_matches(".npy"),
            _ => "X",
        };
        with(storage, array, |array| array.matrix(options.threads))?
    };
    if let Some(target) = &target {
        crate::shape::one_target_a_row(target.len(), features.rows())
            .map_err(|kind| Error::whole(storage.name(), kind))?;
    }
    Ok(Labelled {
        features,
        target,
        names: None,
    })
}

/// The names of the arrays, in alphabetical order.
fn names(storage: &Storage) -> Result<Vec<String>, Error> {
    let archive = archive(storage)?;
    let names: Result<Vec<_>, _> = archive
        .file_names()
        .map(|n| n.map(|n| n.into_owned()))
        .collect();
    let mut names = names.map_err(|error| damaged(storage.name().to_owned(), &error))?;
    names.sort();
    Ok(names)
}

fn read_sparse(storage: &Storage, threads: usize) -> Result<Csc, Error> {
    let format = with(storage, "format", |array| array.text())?;
    let shape = with(storage, "shape", |array| array.all_sizes())?;
    let starts = with(storage, "indptr", |array| array.all_sizes())?;
    let whole = |kind| Error::whole(storage.name(), kind);
    let &[rows, columns] = &shape[..] else {
        let what = "the number of axes of a sparse matrix";
        return Err(whole(Kind::Mismatch {
            what,
            expected: 2,
            found: shape.len() as u64,
        }));
    };
    let entries = starts.last().copied().unwrap_or(0);
    if let Some(large) = [rows, columns]
        .into_iter()
        .find(|&size| size > u32::MAX as usize)
    {
        let (what, found) = ("the number of rows or columns", large.to_string());
        return Err(whole(Kind::TooLarge {
            what,
            found,
            limit: u64::from(u32::MAX),
            advice: "",
        }));
    }
    if rows == 0 {
        return Err(whole(Kind::Empty { what: "rows" }));
    }
    let (outer, inner) = match format.as_str() {
        "csr" => (rows, columns),
        "csc" => (columns, rows),
        _ => {
            let what = format!("a sparse matrix in {format} form");
            return Err(whole(Kind::Unsupported {
                what,
                advice: "convert it with .tocsc()",
            }));
        }
    };
    // What is not proven by the length of `indptr` must not reserve memory by its own word.
    proven(
        "the number of rows or columns",
        inner,
        entries.max(starts.len()),
    )
    .map_err(whole)?;
    check_starts(&starts, outer).map_err(whole)?;
    with(storage, "indices", |indices| {
        with(storage, "data", |values| {
            let pairs = Pairs {
                indices,
                values,
                inner,
                before: 0,
                part: (Vec::new(), Vec::new()),
            };
            match format == "csc" {
                true => pairs.by_column(starts, rows),
                false => pairs.by_row(&starts, columns, threads),
            }
        })
    })
}

fn check_starts(starts: &[usize], outer: usize) -> Result<(), Kind> {
    if starts.len() != outer + 1 {
        let what = "the length of indptr";
        return Err(Kind::Mismatch {
            what,
            expected: outer as u64 + 1,
            found: starts.len() as u64,
        });
    }
    if starts[0] != 0 || !starts.is_sorted() {
        let reason = "indptr does not ascend from 0".to_owned();
        return Err(Kind::Damaged {
            what: "sparse matrix",
            reason,
        });
    }
    Ok(())
}

/// The indices and values of a sparse matrix, read side by side.
struct Pairs<I, V> {
    indices: Array<I>,
    values: Array<V>,
    /// Every index is below it.
    inner: usize,
    before: usize,
    part: (Vec<usize>, Vec<f64>),
}

impl<I: Read, V: Read> Pairs<I, V> {
    /// The next ones; false if there are no more.
    fn advance(&mut self) -> Result<bool, Error> {
        self.before += self.part.0.len();
        self.indices.read_sizes(PART, &mut self.part.0)?;
        self.values.read(PART, &mut self.part.1)?;
        let (indices, values) = (&self.part.0, &self.part.1);
        if indices.len() != values.len() {
            let (expected, found) = (indices.len() as u64, values.len() as u64);
            let what = "indices and data differ in length";
            return Err(self.values.error(
                Place::Whole,
                Kind::Mismatch {
                    what,
                    expected,
                    found,
                },
            ));
        }
        for (at, (&index, value)) in indices.iter().zip(values).enumerate() {
            let place = Place::Entry {
                row: (self.before + at) as u64 + 1,
                column: 1,
            };
            if index >= self.inner {
                let found = index.to_string();
                let limit = self.inner as u64 - u64::from(self.inner > 0);
                let what = "the index";
                return Err(self.indices.error(
                    place,
                    Kind::TooLarge {
                        what,
                        found,
                        limit,
                        advice: "",
                    },
                ));
            }
            if !value.is_finite() {
                return Err(self.values.error(
                    place,
                    Kind::NotFinite {
                        found: value.to_string(),
                    },
                ));
            }
        }
        Ok(!indices.is_empty())
    }

    fn by_row(mut self, starts: &[usize], columns: usize, threads: usize) -> Result<Csc, Error> {
        let rows = starts.len() - 1;
        let mut builder = SparseColumns::new();
        let mut row = 0;
        while self.advance()? {
            for (at, (&column, &value)) in self.part.0.iter().zip(&self.part.1).enumerate() {
                while row < rows && starts[row + 1] <= self.before + at {
                    row += 1;
                }
                if row == rows {
                    break;
                }
                builder
                    .push(row as u32, column as u32, value)
                    .map_err(|kind| self.values.error(Place::Whole, kind))?;
            }
        }
        self.check_count(starts[rows])?;
        builder
            .finish(rows, columns, 0, threads)
            .map_err(|kind| self.values.error(Place::Whole, kind))
    }

    fn by_column(mut self, starts: Vec<usize>, rows: usize) -> Result<Csc, Error> {
        let (mut indices, mut values) = (Vec::new(), Vec::new());
        while self.advance()? {
            indices.extend(self.part.0.iter().map(|&row| row as u32));
            values.extend_from_slice(&self.part.1);
        }
        self.check_count(starts[starts.len() - 1])?;
        indices.shrink_to_fit();
        values.shrink_to_fit();
        for (column, range) in starts.windows(2).map(|pair| pair[0]..pair[1]).enumerate() {
            sort_column(&mut indices[range.clone()], &mut values[range]).map_err(|row| {
                let (row, at_column) = (u64::from(row) + 1, column as u64 + 1);
                self.values
                    .error(Place::Whole, Kind::Duplicate { row, at_column })
            })?;
        }
        Csc::try_new_csc((rows, starts.len() - 1), starts, indices, values).map_err(
            |(.., error)| {
                let reason = error.to_string();
                self.values.error(
                    Place::Whole,
                    Kind::Damaged {
                        what: "sparse matrix",
                        reason,
                    },
                )
            },
        )
    }

    fn check_count(&self, expected: usize) -> Result<(), Error> {
        if self.before == expected {
            return Ok(());
        }
        let what = "the number of entries";
        let (expected, found) = (expected as u64, self.before as u64);
        Err(self.values.error(
            Place::Whole,
            Kind::Mismatch {
                what,
                expected,
                found,
            },
        ))
    }
}

type Archive = zip::ZipArchive<BufReader<Box<dyn crate::input::ReadSeek>>>;

fn archive(storage: &Storage) -> Result<Archive, Error> {
    let reader = BufReader::new(storage.open()?);
    zip::ZipArchive::new(reader).map_err(|error| damaged(storage.name().to_owned(), &error))
}

/// Opens the array called `array` and does something with it.
fn with<T>(
    storage: &Storage,
    array: &str,
    work: impl FnOnce(Array<&mut dyn Read>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut archive = archive(storage)?;
    let name = format!("{}, array {array}", storage.name());
    match archive.by_name(&format!("{array}.npy")) {
        Ok(mut file) => work(Array::open(name, &mut file as &mut dyn Read)?),
        Err(ZipError::FileNotFound) => {
            let what = "array of this name: features are X or the only array";
            Err(Error::whole(name, Kind::Empty { what }))
        }
        Err(error) => Err(damaged(name, &error)),
    }
}

fn damaged(name: String, error: &ZipError) -> Error {
    let reason = error.to_string();
    Error::whole(
        name,
        Kind::Damaged {
            what: "npz file",
            reason,
        },
    )
}

/// Writes arrays into an `.npz` file, one after another.
///
/// The same arrays give the same bytes: no time of day is recorded.
///
/// ```
/// let mut npz = strads_datasets::npz::Writer::new(Vec::new());
/// npz.array("coef", &[3], &[0.5, 0.0, -2.0])?;
/// npz.array("shape", &[2], &[10_i64, 3])?;
/// npz.scalar("intercept", 1.5)?;
/// let bytes = npz.finish()?;
/// # assert!(bytes.starts_with(b"PK"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Writer<W: Write> {
    zip: zip::ZipWriter<StreamWriter<W>>,
}

impl<W: Write> Writer<W> {
    /// Starts a file.
    pub fn new(into: W) -> Self {
        Self {
            zip: zip::ZipWriter::new_stream(into),
        }
    }

    /// Adds an array in row-major order.
    ///
    /// # Panics
    /// If there are not as many values as the shape says.
    pub fn array<T: Scalar>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: &[T],
    ) -> io::Result<()> {
        self.add(name, T::DESCR, false, shape, values)
    }

    /// Adds an array in column-major order.
    ///
    /// # Panics
    /// If there are not as many values as the shape says.
    pub fn array_by_columns<T: Scalar>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: &[T],
    ) -> io::Result<()> {
        self.add(name, T::DESCR, true, shape, values)
    }

    /// Adds a single number.
    pub fn scalar<T: Scalar>(&mut self, name: &str, value: T) -> io::Result<()> {
        self.array(name, &[], &[value])
    }

    /// Adds a few bytes of text, as scipy has them.
    pub fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.start(name, text.len())?;
        write_header(&mut self.zip, &format!("|S{}", text.len()), false, &[])?;
        self.zip.write_all(text.as_bytes())
    }

    /// Completes the file.
    pub fn finish(self) -> io::Result<W> {
        Ok(self.zip.finish()?.into_inner())
    }

    fn add<T: Scalar>(
        &mut self,
        name: &str,
        descr: &str,
        fortran: bool,
        shape: &[usize],
        values: &[T],
    ) -> io::Result<()> {
        assert_eq!(
            shape.iter().product::<usize>(),
            values.len(),
            "the shape of {name}"
        );
        self.start(name, size_of_val(values))?;
        write_header(&mut self.zip, descr, fortran, shape)?;
        write_values(&mut self.zip, values)
    }

    fn start(&mut self, name: &str, bytes: usize) -> io::Result<()> {
        // Stored, not deflated: numbers hardly shrink, and models are read again at once.
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(bytes >= 1 << 31);
        Ok(self.zip.start_file(format!("{name}.npy"), options)?)
    }
}

/// Writes features as scipy (sparse) or NumPy (dense, `X`) would, and the target as `y`.
pub(crate) fn write(data: &Labelled, into: &mut impl Write) -> io::Result<()> {
    let mut npz = Writer::new(into);
    match &data.features {
        Matrix::Sparse(csc) => {
            npz.text("format", "csc")?;
            npz.array("shape", &[2], &[csc.rows() as i64, csc.cols() as i64])?;
            let starts = csc.proper_indptr();
            if csc.nnz().max(csc.rows()) <= i32::MAX as usize {
                let starts: Vec<_> = starts.iter().map(|&start| start as i32).collect();
                let rows: Vec<_> = csc.indices().iter().map(|&row| row as i32).collect();
                npz.array("indptr", &[starts.len()], &starts)?;
                npz.array("indices", &[rows.len()], &rows)?;
            } else {
                let starts: Vec<_> = starts.iter().map(|&start| start as i64).collect();
                let rows: Vec<_> = csc.indices().iter().map(|&row| i64::from(row)).collect();
                npz.array("indptr", &[starts.len()], &starts)?;
                npz.array("indices", &[rows.len()], &rows)?;
            }
            npz.array("data", &[csc.nnz()], csc.data())?;
        }
        Matrix::Dense(array) => {
            let values = array.t();
            let values = values.as_slice().expect("a matrix is column-major");
            npz.array_by_columns("X", &[array.nrows(), array.ncols()], values)?;
        }
    }
    if let Some(target) = &data.target {
        npz.array("y", &[target.len()], target)?;
    }
    npz.finish().map(|_| ())
}
