//! Many documents folded in at once, as a program of one round: each worker has some of them.
//!
//! A document's random stream bears its number, so that what is found does not depend on who did it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strads::{Error, Executor, Moved, Plan, Program, Round, Run, Shares, Stop};
use strads_common::random::stream;

use super::topics::{Mixture, Topics};

/// A document to fold in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The words of the tokens that are seen.
    pub seen: Vec<u32>,
    /// The words of tokens whose probability is asked for.
    pub hidden: Vec<u32>,
}

impl Document {
    /// A document all of which is seen.
    pub fn whole(words: Vec<u32>) -> Self {
        Self {
            seen: words,
            hidden: Vec::new(),
        }
    }
}

/// What was found of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Its topics, from the tokens that were seen.
    pub mixture: Mixture,
    /// Σ log p over the hidden ones.
    pub log_likelihood: f64,
}

/// Finds the topics of all `documents`, in their order.
pub fn fold_in(
    topics: &Arc<Topics>,
    documents: &[Document],
    seed: u64,
    executor: &Executor,
    workers: usize,
) -> Result<Vec<Found>, Error> {
    let each = documents.len().div_ceil(workers).max(1);
    let mut shards: Vec<Part> = documents
        .chunks(each)
        .enumerate()
        .map(|(part, documents)| Part {
            first: (part * each) as u64,
            documents,
        })
        .collect();
    let mut folding = Folding {
        task: Arc::clone(topics),
        seed,
        found: Vec::new(),
        documents: std::marker::PhantomData,
    };
    if !shards.is_empty() {
        let run = Run::new().until(Stop::after_rounds(1));
        run.on(executor, &mut folding, &mut shards)?;
    }
    Ok(folding.found)
}

/// The documents of a worker.
struct Part<'a> {
    /// The number of the first.
    first: u64,
    documents: &'a [Document],
}

struct Folding<'a> {
    task: Arc<Topics>,
    seed: u64,
    found: Vec<Found>,
    documents: std::marker::PhantomData<&'a Document>,
}

impl<'a> Program for Folding<'a> {
    type Shard = Part<'a>;
    type Task = (Arc<Topics>, u64);
    type Share = Vec<Found>;

    fn schedule(&mut self, round: &mut Round) -> Plan<Self::Task> {
        Plan::one_each((0..round.workers()).map(|_| (Arc::clone(&self.task), self.seed)))
    }

    fn push(part: &mut Part<'a>, (topics, seed): Self::Task) -> Vec<Found> {
        let mut fold = topics.fold();
        let numbered = (part.first..).zip(part.documents);
        let find = |(number, document): (u64, &Document)| {
            let mut random = stream(seed, "lda fold in", number);
            let mixture = topics.mixture(&document.seen, &mut fold, &mut random);
            Found {
                log_likelihood: topics.log_likelihood(&document.hidden, &mixture, &mut fold),
                mixture,
            }
        };
        numbered.map(find).collect()
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        self.found.extend(shares.into_values().flatten());
        Moved::default()
    }
}
