//! The command's options, and what is wrong with them.

use std::path::{Path, PathBuf};

use strads_datasets::Corpus;

use super::exact::Prior;
use super::heldout::Source as Held;
use super::infer::Infer;
use super::moves::Moves;
use super::sampler::Choice;
use super::text::Pruning;
use crate::cluster::place::Place;
use crate::failure::Failure;
use crate::options::Common;

const EXAMPLE: &str = "\
Example: 50 topics of a file with a post a line
  strads lda posts.txt --tokenise --topics 50 --out model";

/// Topics of documents: latent Dirichlet allocation
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// What to do with a model instead of training one
    #[command(subcommand)]
    pub action: Option<Action>,
    /// The corpus: UCI bag of words, LDA-C, Matrix Market, or text with a document a line
    #[arg(value_name = "CORPUS", required = true)]
    pub corpus: Option<PathBuf>,
    /// How many topics
    #[arg(long, short = 'k', value_name = "K", required = true, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    pub topics: Option<u32>,
    /// How often every token is sampled
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub sweeps: u64,
    /// The prior of topics in a document [default: 50 / K]
    #[arg(long, value_name = "A")]
    pub alpha: Option<f64>,
    /// The prior of words in a topic
    #[arg(long, value_name = "B", default_value_t = 0.01)]
    pub beta: f64,
    /// How tokens are sampled
    #[arg(long, value_name = "SAMPLER", value_enum, default_value_t = Choice::Auto)]
    pub sampler: Choice,
    /// Sweeps at the start in which words are smoothed more than β says, less and less, unless that
    /// is seen to bring nothing; 0 does without [default: 40, or 80 of moves]
    #[arg(long, value_name = "SWEEPS")]
    pub anneal: Option<u64>,
    /// Fit α and β to the corpus while training, once β has fallen to its value
    #[arg(long)]
    pub optimise_hyper: bool,
    /// Measure and report every so many sweeps
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub every: u64,
    /// Workers to divide the corpus among; results depend on it [default: one a thread]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub workers: Option<u16>,
    /// For comparison: data parallel, every worker with a copy of all counts, merged every so
    /// many sweeps. Reports likelihoods and writes no model
    #[arg(long, value_name = "SWEEPS", value_parser = clap::value_parser!(u64).range(1..), conflicts_with_all = ["checkpoint", "optimise_hyper", "anneal"])]
    pub replicas: Option<u64>,
    /// The words, one a line
    #[arg(long, value_name = "FILE")]
    pub vocabulary: Option<PathBuf>,
    /// Take words as text: lower case, without punctuation and English stop words
    #[arg(long)]
    pub tokenise: bool,
    /// Leave out words that are in fewer documents
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub min_documents: u32,
    /// Leave out words that are in a larger share of the documents
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    pub max_share: f64,
    /// Documents to measure held-out perplexity on: a file, or a share of the corpus that is then not
    /// learnt from
    #[arg(long, value_name = "FILE|SHARE")]
    pub heldout: Option<Held>,
    /// Options of all apps.
    #[command(flatten)]
    pub common: Common,
}

/// What a model is for.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    Infer(Infer),
}

impl Args {
    /// Where the corpus is.
    pub fn corpus(&self) -> &Path {
        self.corpus
            .as_deref()
            .expect("clap requires it without an action")
    }

    /// How many topics.
    pub fn topics(&self) -> u32 {
        self.topics.expect("clap requires it without an action")
    }

    /// Which words stay.
    pub fn pruning(&self) -> Pruning {
        Pruning {
            tokenise: self.tokenise,
            min_documents: self.min_documents,
            max_share: self.max_share,
        }
    }

    /// How many workers the corpus is divided among.
    pub fn workers(&self) -> usize {
        self.workers
            .map_or_else(|| self.common.threads(), usize::from)
    }

    /// The same, with a worker for each seat of `place` if nobody says how many.
    pub fn on(&self, place: &Place) -> Self {
        Self {
            workers: self.workers.or_else(|| place.elsewhere(place.workers)),
            ..self.clone()
        }
    }

    /// α, β and V, if they make sense.
    pub fn prior(&self, corpus: &Corpus) -> Result<Prior, Failure> {
        let alpha = self.alpha.unwrap_or(50.0 / f64::from(self.topics()));
        for (name, value) in [("--alpha", alpha), ("--beta", self.beta)] {
            if !(value.is_finite() && value >= 1e-6) {
                return Err(Failure::input(format!(
                    "{name} is {value}, and has to be a positive number\n\
                     it counts the tokens that are there before any is read"
                )));
            }
        }
        Ok(Prior {
            alpha: alpha as f32,
            beta: self.beta as f32,
            words: corpus.word_kinds,
        })
    }

    /// Refuses a corpus that nothing can be learnt from, or that does not fit.
    pub fn check(&self, corpus: &Corpus) -> Result<(), Failure> {
        let name = self.corpus().display();
        let tokens = corpus.tokens();
        if tokens == 0 {
            return Err(Failure::input(format!("{name}: no words in any document")));
        }
        if tokens > u64::from(u32::MAX) {
            return Err(Failure::input(format!(
                "{name}: {tokens} tokens, and at most {} fit",
                u32::MAX
            )));
        }
        if self.sampler == Choice::Mh && self.topics() as usize > Moves::TOPICS {
            return Err(Failure::input(format!(
                "--sampler mh samples at most {} topics\ntake fewer, or --sampler exact",
                Moves::TOPICS
            )));
        }
        if let Some(words) = &corpus.vocabulary
            && words.len() != corpus.word_kinds
        {
            return Err(Failure::input(format!(
                "{name}: {} different words, but a vocabulary of {}",
                corpus.word_kinds,
                words.len()
            )));
        }
        Ok(())
    }
}
