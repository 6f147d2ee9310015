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

use super::blocks::{Blocks, Factors};
use super::epochs::{Best, Learnt};
use super::rows::{Aside, Rows};
use crate::archive::{Archive, Unreadable};
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

/// Why training cannot be resumed.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There is no checkpoint.
    #[error("{}: holds no checkpoint to resume from", .0.display())]
    None(PathBuf),
    /// It was made from other data or with other settings.
    #[error("{}: was made from other ratings or with other options\nresume with the same ones", .0.display())]
    Other(PathBuf),
    /// None of those there can be read; this is the newest.
    #[error(transparent)]
    Damaged(#[from] Unreadable),
}

/// One side of the model: by row in the order of ids, entries and what is beside them.
struct Side {
    entries: Vec<f32>,
    bias: Vec<f32>,
    travelled: Vec<f32>,
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

    /// Keeps the state of `blocks` after `epochs` epochs, and the best model so far.
    pub fn save(&self, blocks: &Blocks, epochs: u64, best: Option<&Best>) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let users = Side::of(|look| blocks.each_user(look));
        let items = Side::of(|look| blocks.each_item(look));
        completely(
            &self.directory.join(format!("epoch-{epochs}.npz")),
            |file| {
                let mut npz = npz::Writer::new(file);
                npz.array("job", &[2], &[self.job, epochs.cast_signed()])?;
                users.write(&mut npz, "user")?;
                items.write(&mut npz, "item")?;
                write_best(&mut npz, best)?;
                npz.finish().map(drop)
            },
        )?;
        for (_, old) in self.list()?.into_iter().rev().skip(KEPT) {
            fs::remove_file(old)?;
        }
        Ok(())
    }

    /// Puts the newest usable state into `blocks`; after how many epochs it was taken, and the best
    /// model until then.
    pub fn resume(&self, blocks: &Blocks) -> Result<(u64, Option<Best>), Unusable> {
        let all = self.list().unwrap_or_default();
        let mut newest_failure = Unusable::None(self.directory.clone());
        for (at, (epochs, path)) in all.into_iter().rev().enumerate() {
            match self.load(&path, blocks) {
                Ok(best) => return Ok((epochs, best)),
                Err(failure) if at == 0 => newest_failure = failure,
                Err(_) => {}
            }
        }
        Err(newest_failure)
    }

    fn load(&self, path: &Path, blocks: &Blocks) -> Result<Option<Best>, Unusable> {
        let mut archive = Archive::open(path)?;
        if archive.integers("job")?.first() != Some(&self.job) {
            return Err(Unusable::Other(path.to_owned()));
        }
        let users = Side::read(&mut archive, "user", blocks.grid.users.len(), blocks.rank())?;
        let items = Side::read(&mut archive, "item", blocks.grid.items.len(), blocks.rank())?;
        let best = read_best(&mut archive, blocks.rank())?;
        blocks.each_user(|id, rows, at| users.restore(id, rows, at));
        blocks.each_item(|id, rows, at| items.restore(id, rows, at));
        Ok(best)
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

/// Numbers that a [`Learnt`] is made of; NaN where one is missing.
const MEASURES: usize = 7;

fn write_best<W: io::Write>(npz: &mut npz::Writer<W>, best: Option<&Best>) -> io::Result<()> {
    let Some(Best { learnt, factors }) = best else {
        return npz.array::<f64>("best", &[0], &[]);
    };
    let known = |measure: Option<f64>| measure.unwrap_or(f64::NAN);
    let measures: [f64; MEASURES] = [
        learnt.epochs as f64,
        learnt.train_rmse,
        learnt.train_mae,
        known(learnt.validation_rmse),
        known(learnt.test_rmse),
        known(learnt.test_mae),
        learnt.ratings_per_second,
    ];
    npz.array("best", &[MEASURES], &measures)?;
    for (name, side) in [("user", &factors.0), ("item", &factors.1)] {
        let entries = format!("best_{name}_entries");
        npz.array(&entries, &[side.entries.len()], &side.entries)?;
        npz.array(&format!("best_{name}_bias"), &[side.bias.len()], &side.bias)?;
    }
    Ok(())
}

fn read_best(archive: &mut Archive, rank: usize) -> Result<Option<Best>, Unreadable> {
    let measures = archive.numbers("best")?;
    if measures.is_empty() {
        return Ok(None);
    }
    let Ok(
        [
            epochs,
            train_rmse,
            train_mae,
            validation,
            test_rmse,
            test_mae,
            speed,
        ],
    ) = <[f64; MEASURES]>::try_from(measures)
    else {
        return Err(archive.unreadable("array best is not as expected"));
    };
    let known = |measure: f64| (!measure.is_nan()).then_some(measure);
    let learnt = Learnt {
        epochs: epochs as u64,
        train_rmse,
        train_mae,
        validation_rmse: known(validation),
        test_rmse: known(test_rmse),
        test_mae: known(test_mae),
        ratings_per_second: speed,
    };
    let mut side = |name: &str| {
        let entries = archive.matrix(&format!("best_{name}_entries"))?.0;
        let bias = archive.matrix(&format!("best_{name}_bias"))?.0;
        if entries.len() != bias.len() * rank {
            return Err(archive.unreadable(format!("best {name} rows are not as many as expected")));
        }
        Ok(Factors {
            rank,
            entries,
            bias,
        })
    };
    let factors = (side("user")?, side("item")?);
    Ok(Some(Best { learnt, factors }))
}

impl Side {
    fn of(each: impl FnOnce(&mut dyn FnMut(u32, &mut Rows, usize))) -> Self {
        let mut side = Self {
            entries: Vec::new(),
            bias: Vec::new(),
            travelled: Vec::new(),
        };
        each(&mut |_, rows, at| {
            let Aside { bias, travelled } = rows.aside(at);
            side.entries.extend_from_slice(rows.row(at));
            side.bias.push(bias);
            side.travelled.push(travelled);
        });
        side
    }

    fn write<W: io::Write>(&self, npz: &mut npz::Writer<W>, name: &str) -> io::Result<()> {
        let rows = self.bias.len();
        npz.array(
            &format!("{name}_entries"),
            &[self.entries.len()],
            &self.entries,
        )?;
        npz.array(&format!("{name}_bias"), &[rows], &self.bias)?;
        npz.array(&format!("{name}_travelled"), &[rows], &self.travelled)
    }

    fn read(
        archive: &mut Archive,
        name: &str,
        rows: usize,
        rank: usize,
    ) -> Result<Self, Unreadable> {
        let side = Self {
            entries: archive.matrix(&format!("{name}_entries"))?.0,
            bias: archive.matrix(&format!("{name}_bias"))?.0,
            travelled: archive.matrix(&format!("{name}_travelled"))?.0,
        };
        let fits = side.entries.len() == rows * rank
            && side.bias.len() == rows
            && side.travelled.len() == rows;
        fits.then_some(side)
            .ok_or_else(|| archive.unreadable(format!("{name} rows are not as many as expected")))
    }

    fn restore(&self, id: u32, rows: &mut Rows, at: usize) {
        let id = id as usize;
        let rank = rows.rank();
        rows.row_mut(at)
            .copy_from_slice(&self.entries[id * rank..][..rank]);
        *rows.aside_mut(at) = Aside {
            bias: self.bias[id],
            travelled: self.travelled[id],
        };
    }
}
