//! Data written in any of the formats that can hold them.

use crate::matrix::{Labelled, Matrix};
use crate::{Format, libsvm, npy, npz};
use std::io::{self, Write};

/// Writes features, and the target where the format has a place for it.
///
/// A format that cannot hold them is an error of kind `Unsupported`: `npy` has no sparse matrices,
/// and the formats of corpora and ratings have no features.
pub fn write_labelled(data: &Labelled, format: Format, into: &mut impl Write) -> io::Result<()> {
    match (format, &data.features) {
        (Format::Libsvm, _) => libsvm::write(data, into),
        (Format::Npz, _) => npz::write(data, into),
        (Format::Npy, Matrix::Dense(array)) => npy::write(array, into),
        _ => Err(unsupported(format, "these features")),
    }
}

fn unsupported(format: Format, what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!("{format} cannot hold {what}"),
    )
}
