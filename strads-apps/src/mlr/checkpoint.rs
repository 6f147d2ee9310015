//! Checkpoints: the whole state of a training between two epochs.
//!
//! A checkpoint is a file of its own, `epoch-N.npz`, complete when it appears under that name, and
//! checked by its checksums when it is read. The newest two are kept: if the newest is damaged,
//! the one before it is used. A resumed run continues to the same bits as one that was not
//! interrupted, which is why it is refused where data or settings differ.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use strads_datasets::npz;

use super::replica::Replica;
use crate::archive::{Archive, Unreadable};
use crate::failure::Failure;
use crate::files::completely;

/// How many checkpoints are kept.
const KEPT: usize = 2;

/// Where checkpoints are, and what they belong to.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    directory: PathBuf,
    /// Stands for data and settings.
    job: i64,
}

/// The state of a training.
#[derive(Debug)]
pub struct State {
    /// Epochs that are done.
    pub epochs: u64,
    /// The model.
    pub weights: Vec<f32>,
    /// adagrad: its memory.
    pub squares: Option<Vec<f32>>,
}

impl Checkpoints {
    /// Checkpoints in `directory` of a job that `description` tells from others.
    pub fn new(directory: &Path, description: &str) -> Self {
        // FNV-1a: the same on every machine, and nobody is kept out by it.
        let job = description
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        Self {
            directory: directory.to_owned(),
            job: job.cast_signed(),
        }
    }

    /// Keeps the model after `epochs` epochs.
    pub fn save(&self, epochs: u64, replica: &Replica) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        completely(
            &self.directory.join(format!("epoch-{epochs}.npz")),
            |file| {
                let mut npz = npz::Writer::new(file);
                npz.array("job", &[2], &[self.job, epochs.cast_signed()])?;
                npz.array("weights", &[replica.weights.len()], &replica.weights)?;
                if let Some(squares) = &replica.squares {
                    npz.array("squares", &[squares.len()], squares)?;
                }
                npz.finish().map(drop)
            },
        )?;
        for (_, old) in self.list()?.into_iter().rev().skip(KEPT) {
            fs::remove_file(old)?;
        }
        Ok(())
    }

    /// The newest usable state, of `entries` weights.
    pub fn newest(&self, entries: usize, adapts: bool) -> Result<State, Failure> {
        let mut failure = None;
        for (epochs, path) in self.list().unwrap_or_default().into_iter().rev() {
            match self.load(epochs, &path, entries, adapts) {
                Ok(state) => return Ok(state),
                Err(damage) => failure = failure.or(Some(damage)),
            }
        }
        Err(failure.map_or_else(
            || {
                Failure::input(format!(
                    "{}: holds no checkpoint to resume from",
                    self.directory.display()
                ))
            },
            Failure::from,
        ))
    }

    fn load(
        &self,
        epochs: u64,
        path: &Path,
        entries: usize,
        adapts: bool,
    ) -> Result<State, Unreadable> {
        let mut archive = Archive::open(path)?;
        if archive.integers("job")?.first() != Some(&self.job) {
            return Err(archive.unreadable(
                "was made from other data or with other options\nresume with the same ones",
            ));
        }
        let (weights, _) = archive.matrix("weights")?;
        let squares = match adapts {
            true => Some(archive.matrix("squares")?.0),
            false => None,
        };
        let fits = |values: &Vec<f32>| values.len() == entries;
        match fits(&weights) && squares.as_ref().is_none_or(fits) {
            true => Ok(State {
                epochs,
                weights,
                squares,
            }),
            false => Err(archive.unreadable("is of another model")),
        }
    }

    /// All checkpoints, oldest first.
    fn list(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let epochs = name
                .and_then(|name| name.strip_prefix("epoch-")?.strip_suffix(".npz"))
                .and_then(|epochs| epochs.parse().ok());
            found.extend(epochs.map(|epochs| (epochs, path)));
        }
        found.sort();
        Ok(found)
    }
}
