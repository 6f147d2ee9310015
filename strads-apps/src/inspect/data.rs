//! Data files: read as training would read them, and summed up.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use strads_datasets::{
    Corpus, Labelled, Matrix, Progress, Ratings, ReadOptions, Source, read_corpus, read_labelled,
    read_ratings,
};

use super::Found;
use crate::console::Console;
use crate::failure::Failure;
use crate::files::watched;

/// What data can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Samples of features, for lasso, logistic and mlr
    Features,
    /// Documents, for lda
    Corpus,
    /// Ratings, for mf
    Ratings,
}

/// What is in `file`, read as `kind` or as what it looks like.
pub fn find(file: &Path, kind: Option<Kind>, console: &mut Console) -> Result<Found, Failure> {
    let kind = kind.unwrap_or_else(|| likely(file));
    let source = Source::from(file);
    let found = watched(console, file, |progress: Arc<Progress>| {
        let options = ReadOptions {
            progress: Some(progress),
            ..ReadOptions::default()
        };
        match kind {
            Kind::Features => read_labelled(&source, &options).map(|data| features(&data)),
            Kind::Corpus => read_corpus(&source, &options).map(|data| corpus(&data)),
            Kind::Ratings => read_ratings(&source, &options).map(|data| ratings(&data)),
        }
    });
    Ok(found?)
}

/// What a file looks like by its name and first lines.
fn likely(file: &Path) -> Kind {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    if ["docword", ".bow", ".ldac", ".lda-c"]
        .iter()
        .any(|part| name.contains(part))
    {
        return Kind::Corpus;
    }
    let mut head = [0; 4096];
    let read = File::open(file).and_then(|mut file| file.read(&mut head));
    let text = String::from_utf8_lossy(&head[..read.unwrap_or(0)]).into_owned();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(5)
        .collect();
    let numeric = |line: &&str| {
        line.split([' ', '\t', ',', ';', ':'])
            .all(|word| word.is_empty() || word.parse::<f64>().is_ok())
    };
    if !lines.is_empty() && lines.iter().all(|line| is_rating(line)) {
        Kind::Ratings
    } else if text.contains('\u{fffd}')
        || text.starts_with("%%")
        || name.contains(".csv")
        || name.contains(".svm")
        || lines.iter().all(numeric)
    {
        Kind::Features
    } else {
        Kind::Corpus
    }
}

/// Two whole numbers and a third one, in columns of their own.
fn is_rating(line: &str) -> bool {
    let words: Vec<&str> = line
        .split(['\t', ' ', ',', ':'])
        .filter(|word| !word.is_empty())
        .collect();
    let ids = words
        .iter()
        .take(2)
        .filter(|word| word.parse::<u64>().is_ok())
        .count();
    let pairs = line.contains(':') && !line.contains("::");
    (3..=4).contains(&words.len()) && ids == 2 && words[2].parse::<f64>().is_ok() && !pairs
}

fn features(data: &Labelled) -> Found {
    let (rows, columns) = (data.features.rows(), data.features.columns());
    let layout = match data.features {
        Matrix::Dense(_) => "dense",
        Matrix::Sparse(_) => "sparse",
    };
    let mut found = Found::new("features")
        .with("rows", rows)
        .with("features", columns)
        .with("layout", layout)
        .with("stored", data.features.nonzeros())
        .with("bytes_in_memory", data.features.bytes());
    found = match &data.target {
        None => found.with("target", "none in this file: give --target in training"),
        Some(target) => {
            let low = target.iter().copied().fold(f64::INFINITY, f64::min);
            let high = target.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mean = target.iter().sum::<f64>() / target.len() as f64;
            let mut values = target.clone();
            values.sort_unstable_by(f64::total_cmp);
            values.dedup();
            found
                .with("target_values", values.len())
                .with("target_smallest", low)
                .with("target_largest", high)
                .with("target_mean", mean)
        }
    };
    found
}

fn corpus(corpus: &Corpus) -> Found {
    let documents = corpus.documents();
    let longest = (0..documents).map(|d| {
        corpus
            .document(d)
            .1
            .iter()
            .map(|&n| u64::from(n))
            .sum::<u64>()
    });
    let vocabulary = if corpus.vocabulary.is_some() {
        "named"
    } else {
        "numbers only"
    };
    Found::new("documents")
        .with("documents", documents)
        .with("words", corpus.word_kinds)
        .with("tokens", corpus.tokens())
        .with("longest_document", longest.max().unwrap_or(0))
        .with("vocabulary", vocabulary)
}

fn ratings(ratings: &Ratings) -> Found {
    let values = || ratings.values.iter().copied().map(f64::from);
    let count = ratings.len() as f64;
    let mean = values().sum::<f64>() / count;
    let deviation = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    Found::new("ratings")
        .with("ratings", ratings.len())
        .with("users", ratings.user_ids.len())
        .with("items", ratings.item_ids.len())
        .with("smallest", values().fold(f64::INFINITY, f64::min))
        .with("largest", values().fold(f64::NEG_INFINITY, f64::max))
        .with("mean", mean)
        .with("deviation", deviation)
}
