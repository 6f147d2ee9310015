//! Models and checkpoints: told by the names of their arrays.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::Found;
use crate::archive::{Archive, Stored};
use crate::checkpoint::{self, Manifest};
use crate::failure::Failure;

/// What `file` is, if it is a model or a checkpoint.
pub fn find(file: &Path) -> Result<Option<Found>, Failure> {
    let mut head = Vec::new();
    let opened = fs::File::open(file)
        .map_err(|error| Failure::world(format!("{}: {error}", file.display())))?;
    let read = BufReader::new(opened)
        .take(4096)
        .read_until(b'\n', &mut head);
    read.map_err(|error| Failure::world(format!("{}: {error}", file.display())))?;
    if let Some(manifest) = checkpoint::manifest(file) {
        return Ok(Some(kept(&manifest)));
    }
    if !head.starts_with(b"PK") {
        return Ok(None);
    }
    let mut archive = Archive::open(file)?;
    let stored = archive.list()?;
    let has = |name: &str| stored.iter().any(|array| array.name == name);
    let found = match () {
        () if has("coef") => linear(&mut archive, &stored)?,
        () if has("topic_word_data") => topics(&mut archive)?,
        () if has("user_factors") => factors(&stored),
        () if has("weights") && has("bias") => classes(&stored),
        () => return Ok(None),
    };
    Ok(Some(found))
}

fn linear(archive: &mut Archive, stored: &[Stored]) -> Result<Found, Failure> {
    let coefficients = archive.numbers("coef")?;
    let logistic = archive.integers("logistic")?.first() == Some(&1);
    let what = if logistic {
        "a model of strads logistic"
    } else {
        "a model of strads lasso"
    };
    let nonzeros = coefficients.iter().filter(|&&beta| beta != 0.0).count();
    let mut found = Found::new(what)
        .with("features", coefficients.len())
        .with("nonzeros", nonzeros)
        .with("intercept", archive.numbers("intercept")?.first().copied());
    if stored.iter().any(|array| array.name == "lambdas") {
        let lambdas = archive.numbers("lambdas")?;
        found = found
            .with("lambdas", lambdas.len())
            .with("largest_lambda", lambdas.first().copied())
            .with("smallest_lambda", lambdas.last().copied());
    }
    Ok(found)
}

fn topics(archive: &mut Archive) -> Result<Found, Failure> {
    let words = archive.integers("topic_word_shape")?;
    let documents = archive.integers("doc_topic_shape")?;
    let at = |shape: &[i64], axis: usize| shape.get(axis).copied();
    Ok(Found::new("a model of strads lda")
        .with("topics", at(&words, 0))
        .with("words", at(&words, 1))
        .with("documents", at(&documents, 0))
        .with("alpha", archive.numbers("alpha")?.first().copied())
        .with("beta", archive.numbers("beta")?.first().copied()))
}

fn factors(stored: &[Stored]) -> Found {
    Found::new("a model of strads mf")
        .with("users", axis(stored, "user_factors", 0))
        .with("items", axis(stored, "item_factors", 0))
        .with("rank", axis(stored, "user_factors", 1))
}

fn classes(stored: &[Stored]) -> Found {
    Found::new("a model of strads mlr")
        .with(
            "weights",
            stored
                .iter()
                .find(|array| array.name == "weights")
                .map(|array| array.shape.clone()),
        )
        .with("classes", axis(stored, "bias", 0))
}

fn kept(manifest: &Manifest) -> Found {
    let step = match manifest.app.as_str() {
        "lda" => "sweeps",
        "mf" | "mlr" => "epochs",
        _ => "updates",
    };
    Found::new(format!("a checkpoint of strads {}", manifest.app))
        .with(step, manifest.step)
        .with("command", manifest.command.join(" "))
}

fn axis(stored: &[Stored], name: &str, axis: usize) -> Option<usize> {
    let array = stored.iter().find(|array| array.name == name)?;
    array.shape.get(axis).copied()
}
