//! Where data come from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file, standard input, or bytes in memory.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file by path.
    File(PathBuf),
    /// Standard input, which is called `-`.
    Stdin,
    /// Bytes in memory, with the name to use in messages and to tell the format by.
    Memory {
        /// Such as `inline.svm`.
        name: String,
        /// The content.
        bytes: Arc<[u8]>,
    },
}

impl Source {
    /// Bytes in memory under a name.
    pub fn memory(name: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Memory {
            name: name.to_owned(),
            bytes: bytes.into(),
        }
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        if path == Path::new("-") {
            Self::Stdin
        } else {
            Self::File(path.to_owned())
        }
    }
}

impl From<&str> for Source {
    fn from(path: &str) -> Self {
        Path::new(path).into()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
            Self::Memory { name, .. } => f.write_str(name),
        }
    }
}
