//! Held-out perplexity by document completion: half of a document's tokens are seen, how likely are the
//! others?

use std::sync::Arc;

use rand::seq::SliceRandom;
use strads::{Error, Executor};
use strads_common::random::stream;
use strads_datasets::Corpus;

use super::folding::{Document, fold_in};
use super::topics::Topics;

/// What `--heldout` says.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// This share of the documents.
    Share(f64),
    /// The documents of this file.
    File(std::path::PathBuf),
}

impl std::str::FromStr for Source {
    type Err = String;

    /// A number is a share, anything else a file.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => Ok(Self::Share(share)),
            Ok(share) => Err(format!("a share is between 0 and 1, unlike {share}")),
            Err(_) => Ok(Self::File(text.into())),
        }
    }
}

/// Documents that are not learnt from.
#[derive(Clone, Debug, PartialEq)]
pub struct Heldout {
    documents: Vec<Document>,
    hidden: usize,
}

impl Heldout {
    /// Halves of documents, at random. Documents of one token have nothing to be seen.
    pub fn new(documents: impl Iterator<Item = Vec<u32>>, seed: u64) -> Self {
        let halve = |(number, mut words): (u64, Vec<u32>)| {
            words.shuffle(&mut stream(seed, "lda halves", number));
            let hidden = words.split_off(words.len() / 2);
            Document {
                seen: words,
                hidden,
            }
        };
        let documents: Vec<Document> = (0..).zip(documents).map(halve).collect();
        Self {
            hidden: documents.iter().map(|document| document.hidden.len()).sum(),
            documents,
        }
    }

    /// How many tokens are to be predicted.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// exp(−Σ log p / N) over the N hidden tokens.
    pub fn perplexity(
        &self,
        topics: &Arc<Topics>,
        seed: u64,
        executor: &Executor,
        workers: usize,
    ) -> Result<f64, Error> {
        let found = fold_in(topics, &self.documents, seed, executor, workers)?;
        let sum: f64 = found.iter().map(|found| found.log_likelihood).sum();
        Ok((-sum / self.hidden as f64).exp())
    }
}

/// The tokens of a document, word by word.
pub fn tokens(corpus: &Corpus, document: usize) -> Vec<u32> {
    let (words, counts) = corpus.document(document);
    let copies = words.iter().zip(counts);
    copies
        .flat_map(|(&word, &count)| std::iter::repeat_n(word, count as usize))
        .collect()
}

/// Takes a share of the documents out of the corpus, at random: they stay there, without words. At least
/// one is taken.
pub fn set_aside(corpus: Corpus, share: f64, seed: u64) -> (Corpus, Heldout) {
    let mut order: Vec<usize> = (0..corpus.documents()).collect();
    order.shuffle(&mut stream(seed, "lda held out", 0));
    let taken = (corpus.documents() as f64 * share).round().max(1.0) as usize;
    order.truncate(taken);
    order.sort_unstable();
    let heldout = Heldout::new(order.iter().map(|&d| tokens(&corpus, d)), seed);
    let mut rest = Corpus {
        starts: vec![0],
        words: Vec::new(),
        counts: Vec::new(),
        ..corpus
    };
    for document in 0..corpus.starts.len() - 1 {
        if order.binary_search(&document).is_err() {
            let entries = corpus.starts[document]..corpus.starts[document + 1];
            rest.words.extend(&corpus.words[entries.clone()]);
            rest.counts.extend(&corpus.counts[entries]);
        }
        rest.starts.push(rest.words.len());
    }
    (rest, heldout)
}

/// The numbers that a model has for words, by name.
#[derive(Clone, Debug, Default)]
pub struct Names(std::collections::HashMap<String, u32>);

impl Names {
    /// The words of a model in order, by their numbers from 0 if they have no names.
    pub fn new(vocabulary: Option<&[String]>, words: usize) -> Self {
        let names: Vec<String> = match vocabulary {
            Some(words) => words.to_vec(),
            None => (0..words).map(|word| word.to_string()).collect(),
        };
        Self(names.into_iter().zip(0..).collect())
    }

    /// The documents of another corpus in the model's words, and how many tokens have none.
    pub fn translate(&self, corpus: &Corpus) -> (Vec<Vec<u32>>, u64) {
        let name = |word: usize| match &corpus.vocabulary {
            Some(words) => self.0.get(&words[word]).copied(),
            None => self.0.get(&word.to_string()).copied(),
        };
        let numbers: Vec<Option<u32>> = (0..corpus.word_kinds).map(name).collect();
        let known = |document| -> Vec<u32> {
            let words = tokens(corpus, document).into_iter();
            words.filter_map(|word| numbers[word as usize]).collect()
        };
        let documents: Vec<Vec<u32>> = (0..corpus.documents()).map(known).collect();
        let all: usize = documents.iter().map(Vec::len).sum();
        (documents, corpus.tokens() - all as u64)
    }
}
