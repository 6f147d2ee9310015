//! `strads lda infer`: the topics of new documents under a stored model.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use strads_datasets::{ReadOptions, Source, npz, read_corpus};

use super::folding::{Document, Found, fold_in};
use super::heldout::Heldout;
use super::stored::Stored;
use super::text::{Pruning, prune};
use super::topics::Mixture;
use crate::failure::Failure;
use crate::files;
use crate::options::Common;

const EXAMPLE: &str = "\
Example: topics of new posts, by a model of old ones
  strads lda infer model new.txt --tokenise --out found";

/// How many topics of a document are named.
const TOP: usize = 5;

/// The topics of new documents
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
pub struct Infer {
    /// The directory that training wrote, or the model.npz in it
    pub model: PathBuf,
    /// The documents, in any format that training takes
    #[arg(value_name = "CORPUS")]
    pub corpus: PathBuf,
    /// The words of the corpus, one a line
    #[arg(long, value_name = "FILE")]
    pub vocabulary: Option<PathBuf>,
    /// Take words as text, as training did
    #[arg(long)]
    pub tokenise: bool,
    /// Measure how well the model predicts half of each document from the other
    #[arg(long)]
    pub perplexity: bool,
    /// Options of all apps.
    #[command(flatten)]
    pub common: Common,
}

#[derive(Serialize)]
struct Start {
    documents: usize,
    topics: usize,
    words: usize,
    tokens: u64,
    tokens_unknown: u64,
    seconds_read: f64,
}

#[derive(Serialize)]
struct End {
    #[serde(skip_serializing_if = "Option::is_none")]
    heldout_perplexity: Option<f64>,
    seconds_read: f64,
    seconds_infer: f64,
    seconds_write: f64,
}

/// Runs the command.
pub fn infer(args: &Infer) -> Result<(), Failure> {
    args.common.stays_here()?;
    let mut console = args.common.console();
    let began = Instant::now();
    let model = Stored::read(&args.model)?;
    let options = ReadOptions {
        threads: args.common.threads(),
        vocabulary: args.vocabulary.as_deref().map(Source::from),
        ..ReadOptions::default()
    };
    let mut corpus = read_corpus(&args.corpus.as_path().into(), &options)?;
    if args.tokenise {
        let tokenise = Pruning {
            tokenise: true,
            ..Pruning::all()
        };
        corpus = prune(&corpus, &tokenise);
    }
    let (documents, tokens_unknown) = model.names.translate(&corpus);
    let start = Start {
        documents: documents.len(),
        topics: model.topics.len(),
        words: model.topics.words(),
        tokens: corpus.tokens(),
        tokens_unknown,
        seconds_read: began.elapsed().as_secs_f64(),
    };
    if tokens_unknown == start.tokens {
        return Err(Failure::input(format!(
            "{}: the model knows none of its words\n\
             give the corpus the vocabulary of the training, and --tokenise if that had it",
            args.corpus.display()
        )));
    }
    if tokens_unknown > 0 {
        console.note(format_args!(
            "{tokens_unknown} of {} tokens are of words that the model does not know: left out",
            start.tokens
        ));
    }
    console.event("start", &start);

    let inferring = Instant::now();
    let topics = Arc::new(model.topics);
    let (seed, executor, workers) = (
        args.common.seed,
        args.common.executor(),
        args.common.threads(),
    );
    let heldout_perplexity = if args.perplexity {
        let heldout = Heldout::new(documents.iter().cloned(), seed);
        Some(heldout.perplexity(&topics, seed, &executor, workers)?)
    } else {
        None
    };
    let whole: Vec<Document> = documents.into_iter().map(Document::whole).collect();
    let found = fold_in(&topics, &whole, seed, &executor, workers)?;
    let seconds_infer = inferring.elapsed().as_secs_f64();
    for (document, found) in found.iter().enumerate() {
        console.say(format_args!(
            "{}\t{}",
            document + 1,
            described(&found.mixture)
        ));
    }
    if let Some(perplexity) = heldout_perplexity {
        console.note(format_args!("perplexity of hidden halves: {perplexity:.1}"));
    }
    let writing = Instant::now();
    if let Some(directory) = &args.common.out {
        write(directory, &found, topics.len()).map_err(|error| {
            let directory = directory.display();
            Failure::world(format!("{directory}: cannot write the topics: {error}"))
        })?;
    }
    let end = End {
        heldout_perplexity,
        seconds_read: start.seconds_read,
        seconds_infer,
        seconds_write: writing.elapsed().as_secs_f64(),
    };
    console.event("done", end);
    Ok(())
}

/// The topics with most tokens and their shares, the largest first.
fn described(mixture: &Mixture) -> String {
    let mut counts = mixture.counts.clone();
    counts.sort_by(|a, b| b.1.total_cmp(&a.1));
    let named = counts.iter().take(TOP).map(|&(topic, count)| {
        let share = count / mixture.tokens as f32;
        format!("{topic}:{share:.3}")
    });
    named.collect::<Vec<_>>().join(" ")
}

/// Writes `doc_topic.npz` (mean counts, CSR) and `documents.txt` into `directory`.
fn write(directory: &Path, found: &[Found], topics: usize) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let rows = || found.iter().map(|found| &found.mixture.counts);
    let data: Vec<f32> = rows().flatten().map(|&(_, count)| count).collect();
    let indices: Vec<i32> = rows()
        .flatten()
        .map(|&(topic, _)| topic.cast_signed())
        .collect();
    let ends = rows().scan(0, |end, row| {
        *end += row.len() as i64;
        Some(*end)
    });
    let indptr: Vec<i64> = std::iter::once(0).chain(ends).collect();
    let shape = [found.len() as i64, topics as i64];
    files::completely(&directory.join("doc_topic.npz"), |file| {
        let mut arrays = npz::Writer::new(file);
        arrays.array("doc_topic_data", &[data.len()], &data)?;
        arrays.array("doc_topic_indices", &[indices.len()], &indices)?;
        arrays.array("doc_topic_indptr", &[indptr.len()], &indptr)?;
        arrays.array("doc_topic_shape", &[2], &shape)?;
        arrays.finish().map(drop)
    })?;
    files::completely(&directory.join("documents.txt"), |file| {
        for (document, found) in found.iter().enumerate() {
            writeln!(file, "{}\t{}", document + 1, described(&found.mixture))?;
        }
        Ok(())
    })
}
