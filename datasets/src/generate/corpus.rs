//! Documents from an LDA model whose words follow Zipf's law.

use super::sample::{Alias, dirichlet, gamma, shuffle};
use super::{cores, require, require_count};
use crate::corpus::Corpus;
use crate::error::{Error, Kind};
use crate::workers;
use rand::RngExt;
use std::sync::Mutex;
use strads_common::random::{Stream, stream};

/// What to generate.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The number of documents.
    pub documents: usize,
    /// The number of different words that may occur.
    pub words: usize,
    /// The number of topics that words come from.
    pub topics: usize,
    /// A document's topics are drawn from a Dirichlet distribution with this for each topic: small
    /// values give documents about few topics.
    pub alpha: f64,
    /// A topic's words are drawn from a Dirichlet distribution with this for the average word:
    /// small values give topics of few words.
    pub beta: f64,
    /// The word of rank k is in proportion to k^-zipf, over all topics.
    pub zipf: f64,
    /// The average number of words in a document.
    pub length: f64,
    /// Everything is a function of the options and this.
    pub seed: u64,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            documents: 10_000,
            words: 20_000,
            topics: 100,
            alpha: 0.1,
            beta: 0.05,
            zipf: 1.0,
            length: 150.0,
            seed: 0,
        }
    }
}

/// How many documents share a random stream.
const BLOCK: usize = 64;

impl Documents {
    /// Generates the documents.
    pub fn generate(&self) -> Result<Corpus, Error> {
        self.check()
            .map_err(|kind| Error::whole("generator options", kind))?;
        let topics = self.topics();
        let blocks = self.documents.div_ceil(BLOCK);
        let done: Vec<_> = (0..blocks).map(|_| Mutex::new(Block::default())).collect();
        workers::run((0..blocks).collect(), cores(), |number| {
            let block = self.block(number, &topics);
            *done[number].lock().expect("one worker has a block") = block;
        });
        let mut corpus = Corpus {
            starts: vec![0],
            words: Vec::new(),
            counts: Vec::new(),
            word_kinds: self.words,
            vocabulary: None,
        };
        for block in done {
            let block = block
                .into_inner()
                .expect("a worker's panic has been passed on");
            let before = corpus.words.len();
            corpus
                .starts
                .extend(block.ends.iter().map(|end| before + end));
            corpus.words.extend_from_slice(&block.words);
            corpus.counts.extend_from_slice(&block.counts);
        }
        Ok(corpus)
    }

    fn check(&self) -> Result<(), Kind> {
        require_count("documents", self.documents)?;
        require_count("words", self.words)?;
        require_count("topics", self.topics)?;
        let reals = [
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("length", self.length),
        ];
        for (option, value) in reals {
            let fits = value > 0.0 && value <= 1e9;
            require(fits, option, "above 0, up to 10^9", value)?;
        }
        let zipf = self.zipf;
        let fits = (0.0..=10.0).contains(&zipf);
        require(fits, "zipf", "from 0 to 10", zipf)
    }

    /// The words of each topic.
    fn topics(&self) -> Vec<Alias> {
        let mut weights: Vec<_> = (1..=self.words)
            .map(|rank| libm::pow(rank as f64, -self.zipf))
            .collect();
        let scale = self.beta * self.words as f64 / weights.iter().sum::<f64>();
        weights.iter_mut().for_each(|weight| *weight *= scale);
        shuffle(&mut stream(self.seed, "word ranks", 0), &mut weights);
        let topics: Vec<_> = (0..self.topics).map(|_| Mutex::new(None)).collect();
        workers::run((0..self.topics).collect(), cores(), |topic| {
            let mut stream = stream(self.seed, "topic", topic as u64);
            let mut shares = vec![0.0; self.words];
            dirichlet(&mut stream, &weights, &mut shares);
            *topics[topic].lock().expect("one worker has a topic") = Some(Alias::new(&shares));
        });
        let made = |topic: Mutex<Option<Alias>>| topic.into_inner().ok().flatten();
        topics
            .into_iter()
            .map(|topic| made(topic).expect("every topic has been made"))
            .collect()
    }

    fn block(&self, number: usize, topics: &[Alias]) -> Block {
        let mut stream = stream(self.seed, "documents", number as u64);
        let mut block = Block::default();
        let alphas = vec![self.alpha; self.topics];
        let mut shares = vec![0.0; self.topics];
        let mut tokens = Vec::new();
        for _ in number * BLOCK..self.documents.min((number + 1) * BLOCK) {
            dirichlet(&mut stream, &alphas, &mut shares);
            let mixture = Alias::new(&shares);
            tokens.clear();
            for _ in 0..self.draw_length(&mut stream) {
                let topic = mixture.draw(stream.random());
                tokens.push(topics[topic as usize].draw(stream.random()));
            }
            tokens.sort_unstable();
            for same in tokens.chunk_by(|a, b| a == b) {
                block.words.push(same[0]);
                block.counts.push(same.len() as u32);
            }
            block.ends.push(block.words.len());
        }
        block
    }

    /// At least one word; some documents are several times as long as others.
    fn draw_length(&self, stream: &mut Stream) -> u64 {
        const SHAPE: f64 = 2.0;
        (self.length * gamma(stream, SHAPE) / SHAPE)
            .round()
            .max(1.0) as u64
    }
}

/// Some documents.
#[derive(Default)]
struct Block {
    /// Where each document ends.
    ends: Vec<usize>,
    words: Vec<u32>,
    counts: Vec<u32>,
}

#[cfg(test)]
mod tests {
    //! The same bytes for the same options, and the structure that was asked for.

    use super::*;
    use crate::generate::checksum;

    fn small() -> Documents {
        Documents {
            documents: 200,
            words: 500,
            topics: 10,
            length: 60.0,
            seed: 3,
            ..Documents::default()
        }
    }

    #[test]
    fn bytes_are_pinned() {
        let mut bytes = Vec::new();
        crate::write_corpus(
            &small().generate().unwrap(),
            crate::Format::LdaC,
            &mut bytes,
        )
        .unwrap();
        assert_eq!(checksum(&bytes), 0x3853_32dc_4fca_fee4);
    }

    #[test]
    fn documents_have_the_length_and_topics_that_were_asked_for() {
        let corpus = Documents {
            documents: 2000,
            ..small()
        }
        .generate()
        .unwrap();
        let mean = corpus.tokens() as f64 / 2000.0;
        assert!((mean - 60.0).abs() < 4.0, "{mean}");
        assert!(
            corpus
                .clone()
                .checked()
                .is_ok_and(|checked| checked == corpus)
        );
        // Few topics with few words each: a document has far fewer different words than tokens.
        let sparse = Documents {
            alpha: 0.01,
            beta: 0.01,
            ..small()
        }
        .generate()
        .unwrap();
        assert!(sparse.words.len() * 2 < sparse.tokens() as usize);
    }

    #[test]
    fn words_follow_zipfs_law() {
        let options = Documents {
            documents: 3000,
            topics: 200,
            beta: 1.0,
            ..small()
        };
        let corpus = options.generate().unwrap();
        let mut totals = vec![0u32; 500];
        corpus
            .words
            .iter()
            .zip(&corpus.counts)
            .for_each(|(&word, &count)| totals[word as usize] += count);
        totals.sort_by(|a, b| b.cmp(a));
        let ratio = f64::from(totals[4]) / f64::from(totals[49]);
        assert!((7.0..13.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn senseless_options_are_refused() {
        let refused = |options: Documents| assert!(options.generate().is_err());
        refused(Documents {
            topics: 0,
            ..small()
        });
        refused(Documents {
            alpha: 0.0,
            ..small()
        });
        refused(Documents {
            beta: f64::NAN,
            ..small()
        });
        refused(Documents {
            zipf: -1.0,
            ..small()
        });
    }
}
