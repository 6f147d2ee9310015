//! Reading back the `.npz` files that this program writes: stored arrays of f32, f64, i32 or i64, by name.
//!
//! The zip container has a checksum for every array, so a damaged file is refused, and so is one that
//! is cut off, whose directory is missing.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use zip::ZipArchive;

use crate::cli::nearest;

/// An open file.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
}

/// An array in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub name: String,
    /// Its length along each axis.
    pub shape: Vec<usize>,
}

/// As much of an array as certainly has its header.
const HEAD: u64 = 1 << 10;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Archive {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<Self, Unreadable> {
        let unreadable = |reason: String| Unreadable {
            path: path.to_owned(),
            reason,
        };
        let file = File::open(path).map_err(|error| unreadable(not_opened(path, &error)))?;
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|error| unreadable(format!("is no complete npz file: {error}")))?;
        Ok(Self {
            path: path.to_owned(),
            zip,
        })
    }

    /// Whether there is an array of this name.
    pub fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// What is stored, without reading it: names and shapes.
    pub fn list(&mut self) -> Result<Vec<Stored>, Unreadable> {
        let mut found = Vec::new();
        for at in 0..self.zip.len() {
            let mut head = Vec::new();
            let read = self.zip.by_index(at).and_then(|entry| {
                let name = entry.name()?.trim_end_matches(".npy").to_owned();
                entry.take(HEAD).read_to_end(&mut head)?;
                Ok(name)
            });
            let name = read.map_err(|error| self.unreadable(error.to_string()))?;
            let shape = header(&head).and_then(|(header, _)| shape(header));
            found.extend(shape.map(|shape| Stored { name, shape }));
        }
        Ok(found)
    }

    /// A matrix (or vector: one column) of f32: entries in row-major order and number of columns.
    pub fn matrix(&mut self, name: &str) -> Result<(Vec<f32>, usize), Unreadable> {
        let (values, shape) = self.array(name, "<f4")?;
        Ok((values, shape.get(1).copied().unwrap_or(1)))
    }

    /// A list of f64.
    pub fn numbers(&mut self, name: &str) -> Result<Vec<f64>, Unreadable> {
        Ok(self.array(name, "<f8")?.0)
    }

    /// A list of integers.
    pub fn integers(&mut self, name: &str) -> Result<Vec<i64>, Unreadable> {
        Ok(self.array(name, "<i8")?.0)
    }

    /// A list of integers of four bytes.
    pub fn small_integers(&mut self, name: &str) -> Result<Vec<i32>, Unreadable> {
        Ok(self.array(name, "<i4")?.0)
    }

    /// What is wrong with this file.
    pub fn unreadable(&self, reason: impl Into<String>) -> Unreadable {
        Unreadable {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }

    fn array<T: Pod>(
        &mut self,
        name: &str,
        kind: &str,
    ) -> Result<(Vec<T>, Vec<usize>), Unreadable> {
        let mut bytes = Vec::new();
        let read = match self.zip.by_name(&format!("{name}.npy")) {
            Ok(mut entry) => entry
                .read_to_end(&mut bytes)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        read.map_err(|error| self.unreadable(format!("array {name}: {error}")))?;
        parse(&bytes, kind)
            .ok_or_else(|| self.unreadable(format!("array {name} is not as expected")))
    }
}

/// Why `path` could not be opened, and what was perhaps meant.
fn not_opened(path: &Path, error: &std::io::Error) -> String {
    match nearest::file(path) {
        Some(meant) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("there is no such file\ndid you mean {}?", meant.display())
        }
        _ => format!("cannot open: {error}"),
    }
}

/// Values and shape of a version 1 `.npy` in row-major order.
fn parse<T: Pod>(bytes: &[u8], kind: &str) -> Option<(Vec<T>, Vec<usize>)> {
    let (header, data) = header(bytes)?;
    if !header.contains(&format!("'{kind}'")) || !header.contains("'fortran_order': False") {
        return None;
    }
    let shape = shape(header)?;
    let count = shape
        .iter()
        .try_fold(1_usize, |n, &axis| n.checked_mul(axis))?;
    let whole = data.len() == count.checked_mul(size_of::<T>())?;
    let values = data
        .chunks_exact(size_of::<T>())
        .map(bytemuck::pod_read_unaligned);
    whole.then(|| (values.collect(), shape))
}

/// The header of a version 1 `.npy`, and what follows it.
fn header(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(b"\x93NUMPY\x01\x00")?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (header, data) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// The shape that a header tells.
fn shape(header: &str) -> Option<Vec<usize>> {
    let (_, shape) = header.split_once("'shape': (")?;
    let axes = shape.split_once(')')?.0.split(',').map(str::trim);
    axes.filter(|axis| !axis.is_empty())
        .map(|axis| axis.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// No bytes make the parser panic, and what it accepts has as many values as its shape.
        #[test]
        fn any_bytes_are_refused_or_read(
            header in "\\{'descr': '<f4', 'fortran_order': False, 'shape': \\([0-9, ]{0,40}\\), \\}",
            data in prop::collection::vec(any::<u8>(), 0..64),
            cut in 0usize..120,
        ) {
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.as_bytes());
            bytes.extend(&data);
            bytes.truncate(cut.max(bytes.len() / 2));
            if let Some((values, shape)) = parse::<f32>(&bytes, "<f4") {
                prop_assert_eq!(values.len(), shape.iter().product::<usize>());
            }
        }
    }
}
