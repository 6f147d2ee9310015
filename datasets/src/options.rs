//! What a caller tells a reader beside where the data are.

use crate::Format;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How to read. The defaults detect what can be detected and use every core.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// The format; detected from name and content if not told.
    pub format: Option<Format>,
    /// How many threads parse.
    pub threads: usize,
    /// The number that the first feature has in a libsvm file.
    pub base: IndexBase,
    /// The number of features, if known: a file for prediction has to have as many as the model,
    /// though its last ones may be empty.
    pub columns: Option<usize>,
    /// The column of a table that is the target: its name in the header, or its number from 1.
    pub target: Option<String>,
    /// The words of a corpus, one a line; looked for beside a `docword` file if not told.
    pub vocabulary: Option<crate::Source>,
    /// Where to count what has been read.
    pub progress: Option<Arc<Progress>>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            format: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            base: IndexBase::Detect,
            columns: None,
            target: None,
            vocabulary: None,
            progress: None,
        }
    }
}

/// The number that the first feature has in a libsvm file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexBase {
    /// 0 if any feature has the number 0, otherwise 1.
    Detect,
    /// Features count from 0.
    Zero,
    /// Features count from 1.
    One,
}

/// How much of a file has been read; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    read: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Bytes read so far, as they are on disk (compressed, if the file is).
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The size of what is being read, if known; standard input's is not.
    pub fn total(&self) -> Option<u64> {
        match self.total.load(Ordering::Relaxed) {
            0 => None,
            total => Some(total),
        }
    }

    pub(crate) fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn advance(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }
}
