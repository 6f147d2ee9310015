//! `strads gen lda`: documents from a topic model.

use strads_datasets::generate::Documents;
use strads_datasets::{Format, write_corpus};

use super::output::{Endings, Output};
use crate::failure::Failure;

const EXAMPLE: &str = "\
Example: 5,000 documents about 20 topics
  strads gen lda --documents 5000 --topics 20 --out docword.bow";

const FORMATS: &[Endings] = &[
    (Format::BagOfWords, &[".bow", "docword.txt"]),
    (Format::LdaC, &[".ldac", ".lda-c"]),
    (Format::Lines, &[".txt", ".lines"]),
];

/// Documents whose words come from topics
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
pub struct Args {
    /// Documents
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    documents: usize,
    /// Different words
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    words: usize,
    /// Topics
    #[arg(long, value_name = "K", default_value_t = 100)]
    topics: usize,
    /// Small values give documents about few topics
    #[arg(long, value_name = "A", default_value_t = 0.1)]
    alpha: f64,
    /// Small values give topics of few words
    #[arg(long, value_name = "B", default_value_t = 0.05)]
    beta: f64,
    /// The word of rank k occurs in proportion to k^-E
    #[arg(long, value_name = "E", default_value_t = 1.0)]
    zipf: f64,
    /// Words in a document, on average
    #[arg(long, value_name = "N", default_value_t = 150.0)]
    length: f64,
    #[command(flatten)]
    output: Output,
}

/// Generates and writes.
pub fn run(args: &Args) -> Result<(), Failure> {
    let format = args.output.format(FORMATS)?;
    let documents = Documents {
        documents: args.documents,
        words: args.words,
        topics: args.topics,
        alpha: args.alpha,
        beta: args.beta,
        zipf: args.zipf,
        length: args.length,
        seed: args.output.seed,
    };
    let corpus = documents.generate()?;
    args.output
        .write(|mut into| write_corpus(&corpus, format, &mut into))
}
