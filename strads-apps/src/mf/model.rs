//! A trained model: what `--out` holds, and what recommending and scoring read.
//!
//! `model.npz` has `user_factors`, `item_factors`, `user_bias`, `item_bias` and `mean`, float32: the rating that
//! user u gives item i is mean + user_bias\[u\] + item_bias\[i\] + user_factors\[u\] · item_factors\[i\]. Beside it
//! `users.txt` and `items.txt` have the ids, one a line, in the order of rows.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use strads_datasets::{Ids, npz};

use super::blocks::Factors;
use crate::archive::{Archive, Unreadable};
use crate::files::completely;

/// Factors with the ids of their rows.
#[derive(Debug)]
pub struct Model {
    /// The users' factors and biases.
    pub users: Factors,
    /// The items' factors and biases.
    pub items: Factors,
    /// The users' ids.
    pub user_ids: Ids,
    /// The items' ids.
    pub item_ids: Ids,
    /// What a rating is beside biases and factors.
    pub mean: f32,
}

impl Model {
    /// The rating that user `user` gives `item`, rows counted from 0; a side that is not known
    /// contributes nothing.
    pub fn predict(&self, user: Option<usize>, item: Option<usize>) -> f32 {
        let bias = |factors: &Factors, row: Option<usize>| row.map_or(0.0, |row| factors.bias[row]);
        let dot = match (user, item) {
            (Some(user), Some(item)) => {
                let pairs = self.users.row(user).iter().zip(self.items.row(item));
                pairs.map(|(p, q)| p * q).sum()
            }
            _ => 0.0,
        };
        self.mean + bias(&self.users, user) + bias(&self.items, item) + dot
    }

    /// Writes the model into `directory`, which is made if need be. A file appears under its name
    /// only when it is complete.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        completely(&directory.join("users.txt"), |file| {
            list(file, &self.user_ids)
        })?;
        completely(&directory.join("items.txt"), |file| {
            list(file, &self.item_ids)
        })?;
        completely(&directory.join("model.npz"), |file| {
            let mut npz = npz::Writer::new(file);
            self.users.write(&mut npz, "user")?;
            self.items.write(&mut npz, "item")?;
            npz.scalar("mean", self.mean)?;
            npz.finish().map(drop)
        })
    }

    /// Reads what [`Model::write`] wrote: `path` is the directory, or the `model.npz` in it.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let directory = match path.file_name() {
            Some(name) if name == "model.npz" => path.parent().unwrap_or(Path::new("")),
            _ => path,
        };
        let mut archive = Archive::open(&directory.join("model.npz"))?;
        let users = Factors::read(&mut archive, "user")?;
        let items = Factors::read(&mut archive, "item")?;
        let (mean, _) = archive.matrix("mean")?;
        let model = Self {
            user_ids: read_ids(directory.join("users.txt"), users.bias.len())?,
            item_ids: read_ids(directory.join("items.txt"), items.bias.len())?,
            mean: mean[0],
            users,
            items,
        };
        if model.users.rank != model.items.rank {
            return Err(archive.unreadable("users and items have different ranks"));
        }
        Ok(model)
    }
}

impl Factors {
    /// The entries of `row`.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.entries[row * self.rank..][..self.rank]
    }

    fn write<W: Write>(&self, npz: &mut npz::Writer<W>, side: &str) -> io::Result<()> {
        let shape = [self.bias.len(), self.rank];
        npz.array(&format!("{side}_factors"), &shape, &self.entries)?;
        npz.array(&format!("{side}_bias"), &shape[..1], &self.bias)
    }

    fn read(archive: &mut Archive, side: &str) -> Result<Self, Unreadable> {
        let (entries, rank) = archive.matrix(&format!("{side}_factors"))?;
        let (bias, _) = archive.matrix(&format!("{side}_bias"))?;
        if bias.len() * rank != entries.len() {
            return Err(archive.unreadable(format!("{side}_bias does not fit {side}_factors")));
        }
        Ok(Self {
            rank,
            entries,
            bias,
        })
    }
}

fn list(file: &mut impl Write, ids: &Ids) -> io::Result<()> {
    (0..ids.len() as u32).try_for_each(|at| writeln!(file, "{}", ids.name(at)))
}

fn read_ids(path: PathBuf, rows: usize) -> Result<Ids, Unreadable> {
    let unreadable = |reason| Unreadable {
        path: path.clone(),
        reason,
    };
    let text = fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let names: Vec<String> = text.lines().map(str::to_owned).collect();
    if names.len() != rows {
        return Err(unreadable(format!(
            "has {} ids for {rows} rows",
            names.len()
        )));
    }
    Ok(Ids::Names(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        let factors = |rows: usize| Factors {
            rank: 2,
            entries: (0..2 * rows).map(|x| x as f32 - 1.5).collect(),
            bias: (0..rows).map(|x| x as f32 / 4.0).collect(),
        };
        Model {
            users: factors(2),
            items: factors(3),
            user_ids: Ids::Integers(vec![1, 1 << 40]),
            item_ids: Ids::Names(["a", "b", "ü"].map(str::to_owned).to_vec()),
            mean: 3.5,
        }
    }

    /// A model is read as it was written, ids too.
    #[test]
    fn models_survive_writing() {
        let directory = tempfile::tempdir().unwrap();
        model().write(directory.path()).unwrap();
        for path in [
            directory.path().to_owned(),
            directory.path().join("model.npz"),
        ] {
            let read = Model::read(&path).unwrap();
            assert_eq!(
                (read.users, read.items, read.mean),
                (model().users, model().items, 3.5)
            );
            assert_eq!(read.user_ids.name(1), "1099511627776");
            assert_eq!(read.item_ids.name(2), "ü");
        }
    }

    /// A byte that changed or is missing anywhere in the arrays is noticed.
    #[test]
    fn damage_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        model().write(directory.path()).unwrap();
        let path = directory.path().join("model.npz");
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[180] ^= 1;
        for bytes in [&flipped[..], &whole[..whole.len() - 30], &[]] {
            fs::write(&path, bytes).unwrap();
            assert!(Model::read(&path).is_err());
        }
    }

    /// What is not known of a user or an item leaves the rest of the prediction.
    #[test]
    fn unknown_sides_contribute_nothing() {
        let model = model();
        assert_eq!(model.predict(None, None), 3.5);
        assert_eq!(model.predict(None, Some(2)), 3.5 + 0.5);
        let dot = 0.5 * 2.5 + 1.5 * 3.5;
        assert_eq!(model.predict(Some(1), Some(2)), 3.5 + 0.25 + 0.5 + dot);
    }
}
