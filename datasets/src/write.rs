//! Data written in any of the formats that can hold them.
//!
//! A format that cannot is an error of kind `Unsupported`: it has no place for sparse entries, say,
//! or for documents.

use crate::corpus::Corpus;
use crate::matrix::{Labelled, Matrix};
use crate::ratings::Ratings;
use crate::{Format, bag_of_words, documents, lda_c, libsvm, matrix_market, npy, npz, table};
use crate::{triples, vocabulary};
use std::io::{self, Write};

/// Writes features, and the target where the format has a place for it (libsvm, csv, tsv, npz).
pub fn write_labelled(data: &Labelled, format: Format, into: &mut impl Write) -> io::Result<()> {
    match (format, &data.features) {
        (Format::Libsvm, _) => libsvm::write(data, into),
        (Format::MatrixMarket, matrix) => matrix_market::write(matrix, into),
        (Format::Csv, _) => table::write(data, ',', into),
        (Format::Tsv, _) => table::write(data, '\t', into),
        (Format::Npz, _) => npz::write(data, into),
        (Format::Npy, Matrix::Dense(array)) => npy::write(array, into),
        (Format::Npy, Matrix::Sparse(_)) => Err(unsupported(format, "sparse features")),
        _ => Err(unsupported(format, "features")),
    }
}

/// Writes one number a line, or an array.
pub fn write_vector(values: &[f64], format: Format, into: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Csv | Format::Tsv => values.iter().try_for_each(|&value| {
            crate::number::write_number(into, value)?;
            writeln!(into)
        }),
        Format::Npy => {
            npy::write_header(into, "<f8", false, &[values.len()])?;
            npy::write_values(into, values)
        }
        _ => Err(unsupported(format, "a vector")),
    }
}

/// Writes documents; see [`write_vocabulary`] for their words.
pub fn write_corpus(corpus: &Corpus, format: Format, into: &mut impl Write) -> io::Result<()> {
    match format {
        Format::BagOfWords => bag_of_words::write(corpus, into),
        Format::LdaC => lda_c::write(corpus, into),
        Format::Lines => documents::write(corpus, into),
        _ => Err(unsupported(format, "documents")),
    }
}

/// Writes one word a line.
pub fn write_vocabulary(words: &[String], into: &mut impl Write) -> io::Result<()> {
    vocabulary::write(words, into)
}

/// Writes ratings, with users and items as they were called where they came from.
pub fn write_ratings(ratings: &Ratings, format: Format, into: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Triples => triples::write(ratings, into),
        _ => Err(unsupported(format, "ratings")),
    }
}

fn unsupported(format: Format, what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!("{format} cannot hold {what}"),
    )
}
