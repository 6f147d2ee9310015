//! A trained model: `model.npz` with `weights` (classes × features), `bias` and `classes`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use strads_datasets::npz;

use crate::archive::{Archive, Unreadable};
use crate::files::completely;

/// A model that predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// A row for each feature and one for the bias, a column for each class.
    pub weights: Vec<f32>,
    /// The classes as they were called in the training data, ascending.
    pub classes: Vec<f64>,
}

/// The file of the model at `path`: a directory, or the file in it.
pub fn file(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join("model.npz"),
        false => path.to_owned(),
    }
}

impl Model {
    /// Features, without the bias.
    pub fn features(&self) -> usize {
        (self.weights.len() / self.classes.len().max(1)).saturating_sub(1)
    }

    /// Writes the model into `directory`, which is made if need be.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let (classes, features) = (self.classes.len(), self.features());
        let (weights, bias) = self.weights.split_at(features * classes);
        let by_class: Vec<f32> = (0..classes)
            .flat_map(|class| weights[class..].iter().step_by(classes))
            .copied()
            .collect();
        completely(&directory.join("model.npz"), |file| {
            let mut npz = npz::Writer::new(file);
            npz.array("weights", &[classes, features], &by_class)?;
            npz.array("bias", &[classes], bias)?;
            npz.array("classes", &[classes], &self.classes)?;
            npz.finish().map(drop)
        })
    }

    /// Reads what [`Model::write`] wrote: `path` is the directory, or the `model.npz` in it.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let mut archive = Archive::open(&file(path))?;
        let classes = archive.numbers("classes")?;
        let (by_class, features) = archive.matrix("weights")?;
        let (bias, _) = archive.matrix("bias")?;
        let fits = classes.len() == bias.len() && by_class.len() == bias.len() * features;
        if !fits || classes.is_empty() || !classes.is_sorted() {
            return Err(archive.unreadable("weights, bias and classes do not fit each other"));
        }
        let mut weights: Vec<f32> = (0..features)
            .flat_map(|feature| by_class[feature..].iter().step_by(features))
            .copied()
            .collect();
        weights.extend(bias);
        Ok(Self { weights, classes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model is read as it was written; inside it lies as others expect it.
    #[test]
    fn models_survive_writing() {
        let model = Model {
            weights: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
            classes: vec![-1.0, 2.5, 7.0],
        };
        let directory = tempfile::tempdir().unwrap();
        model.write(directory.path()).unwrap();
        assert_eq!(Model::read(directory.path()).unwrap(), model);
        let mut archive = Archive::open(&directory.path().join("model.npz")).unwrap();
        let (weights, features) = archive.matrix("weights").unwrap();
        assert_eq!((weights, features), (vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0], 2));
        assert_eq!(archive.matrix("bias").unwrap().0, [7.0, 8.0, 9.0]);
    }
}
