//! A linear model on disk: `model.npz` for programs, `coefficients.txt` for people.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use strads_datasets::npz;

use super::loss::Loss;
use super::program::Solution;
use crate::archive::{Archive, Unreadable};
use crate::files::completely;

/// A model that predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// One coefficient a feature.
    pub coef: Vec<f64>,
    /// What is predicted where all features are zero.
    pub intercept: f64,
    /// What it was trained for.
    pub loss: Loss,
}

impl Model {
    /// Reads what [`write()`] wrote: `path` is the directory, or the `model.npz` in it.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let file = if path.is_dir() {
            path.join("model.npz")
        } else {
            path.to_owned()
        };
        let mut archive = Archive::open(&file)?;
        let coef = archive.numbers("coef")?;
        let intercept = archive
            .numbers("intercept")?
            .first()
            .copied()
            .unwrap_or(0.0);
        let loss = match archive.integers("logistic")?.first() {
            Some(0) => Loss::Squared,
            Some(1) => Loss::Logistic,
            _ => return Err(archive.unreadable("array logistic is neither 0 nor 1")),
        };
        Ok(Self {
            coef,
            intercept,
            loss,
        })
    }
}

/// Writes the last solution as the model, and all of them as the path, into `directory`.
pub fn write(
    directory: &Path,
    solutions: &[Solution],
    features: usize,
    loss: Loss,
    names: Option<&[String]>,
) -> io::Result<()> {
    let Some(last) = solutions.last() else {
        return Ok(());
    };
    fs::create_dir_all(directory)?;
    completely(&directory.join("coefficients.txt"), |file| {
        list(file, last, names)
    })?;
    completely(&directory.join("model.npz"), |file| {
        let mut npz = npz::Writer::new(file);
        let mut coef = vec![0.0; features];
        last.coefficients
            .iter()
            .for_each(|&(j, beta)| coef[j as usize] = beta);
        npz.array("coef", &[features], &coef)?;
        npz.scalar("intercept", last.intercept)?;
        npz.scalar("logistic", i64::from(loss == Loss::Logistic))?;
        if solutions.len() > 1 {
            write_path(&mut npz, solutions, features)?;
        }
        npz.finish().map(drop)
    })
}

/// One row a λ, in CSR form.
fn write_path<W: Write>(
    npz: &mut npz::Writer<W>,
    solutions: &[Solution],
    features: usize,
) -> io::Result<()> {
    let rows = solutions.len();
    let entries = || solutions.iter().flat_map(|s| &s.coefficients);
    let data: Vec<f64> = entries().map(|&(_, beta)| beta).collect();
    let indices: Vec<i64> = entries().map(|&(j, _)| i64::from(j)).collect();
    let mut indptr = vec![0_i64];
    for solution in solutions {
        indptr.push(indptr[indptr.len() - 1] + solution.coefficients.len() as i64);
    }
    let each = |value: fn(&Solution) -> f64| solutions.iter().map(value).collect::<Vec<f64>>();
    npz.array("lambdas", &[rows], &each(|s| s.lambda))?;
    npz.array("intercepts", &[rows], &each(|s| s.intercept))?;
    npz.array("path_data", &[data.len()], &data)?;
    npz.array("path_indices", &[indices.len()], &indices)?;
    npz.array("path_indptr", &[indptr.len()], &indptr)?;
    npz.array("path_shape", &[2], &[rows as i64, features as i64])
}

/// The largest coefficients first; features are named, or counted from 0.
fn list(file: &mut impl Write, solution: &Solution, names: Option<&[String]>) -> io::Result<()> {
    writeln!(file, "# lambda {}", solution.lambda)?;
    writeln!(file, "# intercept {}", solution.intercept)?;
    let counted = if names.is_some() {
        ""
    } else {
        " (counted from 0)"
    };
    writeln!(file, "# feature{counted} coefficient")?;
    let mut order = solution.coefficients.clone();
    order.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
    order.iter().try_for_each(|&(j, beta)| match names {
        Some(names) => writeln!(file, "{} {beta}", names[j as usize]),
        None => writeln!(file, "{j} {beta}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model is read as it was written; the last λ of a path is the model.
    #[test]
    fn models_survive_writing() {
        let solution = |lambda: f64| Solution {
            lambda,
            coefficients: vec![(1, lambda), (3, -2.0)],
            intercept: 0.25,
            standing: Default::default(),
        };
        let directory = tempfile::tempdir().unwrap();
        write(
            directory.path(),
            &[solution(1.0), solution(0.5)],
            5,
            Loss::Logistic,
            None,
        )
        .unwrap();
        let model = Model::read(directory.path()).unwrap();
        assert_eq!(model.coef, [0.0, 0.5, 0.0, -2.0, 0.0]);
        assert_eq!((model.intercept, model.loss), (0.25, Loss::Logistic));
        let text = fs::read_to_string(directory.path().join("coefficients.txt")).unwrap();
        assert_eq!(text.lines().nth(3), Some("3 -2"));
    }
}
