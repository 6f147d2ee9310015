//! What a worker keeps: the topics of its documents' tokens, arranged by word block.
//!
//! A token costs eight bytes (its topic, its document) beside the documents' counts. Within a
//! cell tokens are in the order of their words, so that a block on loan is read once, in order.

use rand::RngExt;
use serde::{Deserialize, Serialize};
use strads_common::random::stream;
use strads_datasets::Corpus;

use super::census::{Census, Side, length_growth};
use super::counts::{DENSE_UP_TO, DenseRows, DocumentCounts, WordCounts};
use super::exact::{self, Desk, Prior};
use super::gamma::Growth;
use super::layout::Layout;
use super::moves::Moves;
use super::wide::{Wide, Work, widest};

/// A worker's documents.
#[derive(Clone, Debug)]
pub struct Shard {
    /// The tokens to sample with each block.
    pub cells: Vec<Cell>,
    /// How many tokens each document has.
    pub lengths: Vec<u32>,
    /// How many tokens of each topic each document has.
    pub rows: DocumentCounts,
    /// Where words are sampled.
    pub desk: Desk,
    /// The tokens while they are sampled by moves. Cells then have no topics of their own.
    pub moves: Option<Moves>,
}

/// The tokens of one word block in one worker's documents.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Where the tokens of each word start, and at last where they end: block words, then head
    /// words.
    pub starts: Vec<u32>,
    /// The document of each token.
    pub documents: Vec<u32>,
    /// The topic of each token.
    pub topics: Vec<u32>,
}

impl Shard {
    /// The documents of `worker`, every token with a topic drawn evenly.
    pub fn random(
        corpus: &Corpus,
        layout: &Layout,
        worker: usize,
        topics: usize,
        seed: u64,
    ) -> Self {
        let mut random = stream(seed, "lda first topics", worker as u64);
        Self::with_topics(corpus, layout, worker, topics, |_| {
            random.random_range(0..topics as u32)
        })
    }

    /// The documents of `worker`; `topic` gives each token its topic, by its number in the corpus.
    pub fn with_topics(
        corpus: &Corpus,
        layout: &Layout,
        worker: usize,
        topics: usize,
        mut topic: impl FnMut(u32) -> u32,
    ) -> Self {
        let mut lengths = vec![0; layout.documents[worker].len()];
        let slots = |block: &Vec<u32>| block.len() + layout.heads.len();
        let mut starts: Vec<_> = layout
            .blocks
            .iter()
            .map(|b| vec![0u32; slots(b) + 1])
            .collect();
        layout.visit(corpus, worker, |tokens| {
            lengths[tokens.document as usize] += tokens.count;
            starts[tokens.block][tokens.slot + 1] += tokens.count;
        });
        let mut cells: Vec<Cell> = starts.into_iter().map(Cell::empty).collect();
        let mut ends: Vec<Vec<u32>> = cells.iter().map(|cell| cell.starts.clone()).collect();
        layout.visit(corpus, worker, |tokens| {
            let (cell, end) = (
                &mut cells[tokens.block],
                &mut ends[tokens.block][tokens.slot],
            );
            for token in 0..tokens.count {
                cell.documents[*end as usize] = tokens.document;
                cell.topics[*end as usize] = topic(tokens.origin + token);
                *end += 1;
            }
        });
        let longest = lengths.iter().max().copied().unwrap_or(0);
        let dense = topics <= DENSE_UP_TO && longest <= DenseRows::LONGEST;
        let mut shard = Self {
            rows: DocumentCounts::new(&lengths, topics, dense),
            desk: Desk::new(topics, dense),
            moves: None,
            cells,
            lengths,
        };
        shard.recount();
        shard
    }

    /// Calls `visit` with each token's number in the corpus and its topic.
    pub fn topics(
        &self,
        corpus: &Corpus,
        layout: &Layout,
        worker: usize,
        mut visit: impl FnMut(u32, u32),
    ) {
        let starts = self.cells.iter().map(|cell| cell.starts.clone());
        let mut ends: Vec<Vec<u32>> = starts.collect();
        layout.visit(corpus, worker, |tokens| {
            let end = &mut ends[tokens.block][tokens.slot];
            for token in 0..tokens.count {
                let topic = self.cells[tokens.block].topics[*end as usize];
                visit(tokens.origin + token, topic);
                *end += 1;
            }
        });
    }

    /// Counts the documents' topics anew, in the order of their tokens.
    ///
    /// Counts that were moved one by one are the same but lie in another order, and sums over
    /// them round differently: a checkpoint has to start from this order on both sides.
    pub fn recount(&mut self) {
        struct Recount<'a>(&'a mut Shard);
        impl Work for Recount<'_> {
            type Output = ();
            #[inline(always)]
            fn run<W: Wide>(self, wide: W) {
                let Shard { cells, rows, .. } = self.0;
                rows.clear();
                for cell in cells {
                    for (&document, &topic) in cell.documents.iter().zip(&cell.topics) {
                        rows.add(wide, document as usize, topic);
                    }
                }
            }
        }
        widest(Recount(self));
    }
}

impl Cell {
    /// Room for tokens, given how many each word has (one place up).
    fn empty(mut starts: Vec<u32>) -> Self {
        for slot in 1..starts.len() {
            starts[slot] += starts[slot - 1];
        }
        let tokens = starts[starts.len() - 1] as usize;
        Self {
            starts,
            documents: vec![0; tokens],
            topics: vec![0; tokens],
        }
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.documents.len()
    }
}

/// The model as a worker sees it during a sub-round: a block on loan, and its own copy of what
/// everybody shares.
pub struct View<'a> {
    /// The counts of the block's words.
    pub block: &'a mut WordCounts,
    /// A row of topic counts for all words together, then one for each head word.
    pub shared: &'a mut [u32],
    /// α, β and V.
    pub prior: Prior,
}

impl Shard {
    /// Samples every token of one cell once.
    pub fn sample(&mut self, view: View<'_>, block: usize, random: Random) {
        widest(Sample {
            shard: self,
            view,
            block,
            random,
        });
    }

    /// The sum over the tokens of one cell of their predictive log-probability.
    pub fn log_likelihood(&mut self, view: View<'_>, block: usize) -> f64 {
        widest(Measure {
            shard: self,
            view,
            block,
        })
    }
}

impl Shard {
    /// What the documents' counts say about α.
    pub fn census(&self, prior: Prior) -> Side {
        let alpha = f64::from(prior.alpha);
        let growth = Growth::from(alpha);
        let length = length_growth(alpha, self.desk.totals().len());
        let mut side = Side::default();
        for (document, &tokens) in self.lengths.iter().enumerate() {
            let counts = self.rows.row(document).map(|(_, count)| count);
            side.counts += Census::of(counts, &growth);
            side.lengths += length(tokens);
        }
        side
    }
}

impl Shard {
    /// Sampling goes on by moves: packs the tokens.
    pub fn begin_moves(&mut self) {
        let topics = self.desk.totals().len();
        self.moves = Some(Moves::new(&self.cells, &self.lengths, topics));
        self.hide_topics();
    }

    /// Visits the words of one block. `first`: that begins a phase.
    pub fn visit_words(&mut self, view: View<'_>, block: usize, random: Random, first: bool) {
        let mut random = stream(random.seed, "lda words", random.number);
        let moves = self
            .moves
            .as_mut()
            .expect("visits are planned between `begin_moves` and `end_moves`");
        moves.visit_words(&self.cells[block], block, view, first, &mut random);
    }

    /// Visits all documents, which is a phase.
    pub fn visit_documents(&mut self, prior: Prior, totals: &[u32], random: Random) {
        let mut random = stream(random.seed, "lda documents", random.number);
        let moves = self
            .moves
            .as_mut()
            .expect("visits are planned between `begin_moves` and `end_moves`");
        moves.visit_documents(&self.lengths, prior, totals, &mut random);
    }

    /// What the phase that has ended changed in the totals.
    pub fn end_phase(&mut self, changes: &mut [i32]) {
        let moves = self
            .moves
            .as_mut()
            .expect("visits are planned between `begin_moves` and `end_moves`");
        moves.end_phase(changes);
    }

    /// Gives the cells their topics, if moves have them.
    pub fn show_topics(&mut self) {
        if let Some(moves) = &self.moves {
            moves.topics(|cell, topics| self.cells[cell].topics = topics.collect());
        }
    }

    /// Takes the cells' topics away, if moves have them.
    pub fn hide_topics(&mut self) {
        if self.moves.is_some() {
            self.cells
                .iter_mut()
                .for_each(|cell| cell.topics = Vec::new());
        }
    }

    /// Sampling goes on otherwise: unpacks the tokens.
    pub fn end_moves(&mut self) {
        self.show_topics();
        self.moves = None;
        self.recount();
    }
}

/// The name of a random stream: seed and number.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Random {
    /// The run's seed.
    pub seed: u64,
    /// Different in each sub-round of each worker.
    pub number: u64,
}

struct Sample<'a> {
    shard: &'a mut Shard,
    view: View<'a>,
    block: usize,
    random: Random,
}

impl Work for Sample<'_> {
    type Output = ();

    #[inline(always)]
    fn run<W: Wide>(self, wide: W) {
        let Shard {
            cells, rows, desk, ..
        } = self.shard;
        let cell = &mut cells[self.block];
        let View {
            block,
            shared,
            prior,
        } = self.view;
        let (totals, heads) = shared.split_at_mut(desk.totals().len());
        let mut random = stream(self.random.seed, "lda sample", self.random.number);
        desk.prepare(wide, prior, totals);
        let words = block.len();
        for slot in 0..cell.starts.len() - 1 {
            let tokens = cell.starts[slot] as usize..cell.starts[slot + 1] as usize;
            if tokens.is_empty() {
                continue;
            }
            let documents = &cell.documents[tokens.clone()];
            let topics = &mut cell.topics[tokens];
            if slot < words {
                desk.open(wide, block.row(slot).iter().copied());
                exact::sample(wide, desk, documents, topics, rows, &mut random);
                block.write(slot, desk.close(wide));
            } else {
                let row = head_row(heads, slot - words, totals.len());
                desk.open(wide, sparse(row));
                exact::sample(wide, desk, documents, topics, rows, &mut random);
                row.fill(0);
                for (topic, count) in desk.close(wide) {
                    row[topic as usize] = count;
                }
            }
        }
        totals.copy_from_slice(desk.totals());
    }
}

struct Measure<'a> {
    shard: &'a mut Shard,
    view: View<'a>,
    block: usize,
}

impl Work for Measure<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<W: Wide>(self, wide: W) -> f64 {
        let Shard {
            cells,
            rows,
            desk,
            lengths,
            ..
        } = self.shard;
        let cell = &cells[self.block];
        let View {
            block,
            shared,
            prior,
        } = self.view;
        let (totals, heads) = shared.split_at_mut(desk.totals().len());
        desk.prepare(wide, prior, totals);
        let words = block.len();
        let mut sum = 0.0;
        for slot in 0..cell.starts.len() - 1 {
            let documents =
                &cell.documents[cell.starts[slot] as usize..cell.starts[slot + 1] as usize];
            if slot < words {
                desk.open(wide, block.row(slot).iter().copied());
            } else {
                desk.open(wide, sparse(head_row(heads, slot - words, totals.len())));
            }
            sum += exact::log_likelihood(wide, desk, documents, rows, lengths);
            desk.clear(wide);
        }
        sum
    }
}

/// The row of a head word.
pub fn head_row(heads: &mut [u32], head: usize, topics: usize) -> &mut [u32] {
    &mut heads[head * topics..(head + 1) * topics]
}

/// The topics of a dense row that occur.
pub fn sparse(row: &[u32]) -> impl Iterator<Item = (u32, u32)> + '_ {
    (0u32..)
        .zip(row.iter().copied())
        .filter(|&(_, count)| count > 0)
}

strads::travel_by_fields!(
    Shard { cells, lengths, rows, desk, moves }
    Cell { starts, documents, topics }
    Random { seed, number }
);
