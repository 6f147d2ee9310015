//! Models and checkpoints: told by the names of their arrays.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Found;
use crate::archive::{Archive, Stored};
use crate::failure::Failure;

/// What a checkpoint of topics begins with.
const LDA: &[u8] = b"{\"sweeps\":";

/// What `file` is, if it is a model or a checkpoint.
pub fn find(file: &Path) -> Result<Option<Found>, Failure> {
    let mut head = Vec::new();
    let opened = fs::File::open(file)
        .map_err(|error| Failure::world(format!("{}: {error}", file.display())))?;
    let read = BufReader::new(opened)
        .take(4096)
        .read_until(b'\n', &mut head);
    read.map_err(|error| Failure::world(format!("{}: {error}", file.display())))?;
    if head.starts_with(LDA) {
        return Ok(topics_checkpoint(&head));
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
        () if has("user_travelled") => factors_checkpoint(&mut archive, &stored)?,
        () if has("weights") && has("bias") => classes(&stored),
        () => return Ok(None),
    };
    Ok(Some(found))
}

/// The newest checkpoint in a directory.
pub fn newest_checkpoint(directory: &Path) -> Option<PathBuf> {
    let topics = directory.join("lda.checkpoint");
    if topics.exists() {
        return Some(topics);
    }
    let epoch = |path: &PathBuf| -> Option<u64> {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("epoch-")?
            .strip_suffix(".npz")?
            .parse()
            .ok()
    };
    let entries = fs::read_dir(directory).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| epoch(path).is_some()).max_by_key(epoch)
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

fn factors_checkpoint(archive: &mut Archive, stored: &[Stored]) -> Result<Found, Failure> {
    let epochs = archive.integers("job")?.get(1).copied();
    let users = axis(stored, "user_travelled", 0);
    let entries = axis(stored, "user_entries", 0);
    let rank = entries
        .zip(users)
        .map(|(entries, users)| entries / users.max(1));
    Ok(Found::new("a checkpoint of strads mf")
        .with("epochs", epochs)
        .with("users", users)
        .with("items", axis(stored, "item_travelled", 0))
        .with("rank", rank))
}

fn topics_checkpoint(head: &[u8]) -> Option<Found> {
    let header: Value = serde_json::from_slice(head).ok()?;
    let of = |name: &str| header[name].clone();
    let prior = |at: usize| {
        let bits = u32::try_from(header["prior"][at].as_u64()?).ok()?;
        Some(f64::from(f32::from_bits(bits)))
    };
    Some(
        Found::new("a checkpoint of strads lda")
            .with("sweeps", of("sweeps"))
            .with("topics", of("topics"))
            .with("tokens", of("tokens"))
            .with("seed", of("seed"))
            .with("alpha", prior(0))
            .with("beta", prior(1)),
    )
}

fn axis(stored: &[Stored], name: &str, axis: usize) -> Option<usize> {
    let array = stored.iter().find(|array| array.name == name)?;
    array.shape.get(axis).copied()
}
