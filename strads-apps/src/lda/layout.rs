//! Who has which documents, and which words travel together.
//!
//! Documents are dealt to workers and words to blocks, the largest first to whoever has least, so
//! that all get about as many tokens. A word that alone would outweigh its block cannot be lent
//! to one worker at a time without everybody waiting for it. Such *head words* stay with all
//! workers, as the topic totals do, and their tokens fill up whichever sub-round is short.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use strads_datasets::Corpus;

/// How a corpus is divided among workers.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The documents of each worker, ascending.
    pub documents: Vec<Vec<u32>>,
    /// The words of each block, ascending; as many blocks as workers.
    pub blocks: Vec<Vec<u32>>,
    /// Words too frequent to be lent.
    pub heads: Vec<u32>,
    /// Where each word is found.
    places: Vec<Place>,
    /// The number of tokens before each entry of the corpus.
    origins: Vec<u32>,
    /// How many tokens each worker samples with each block.
    loads: Vec<Vec<usize>>,
}

/// Where a word is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a block, at this place of it.
    Lent { block: u32, slot: u32 },
    /// Among the head words, at this place.
    Head(u32),
}

/// Tokens of one word in one document.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    /// The block in whose sub-round they are sampled.
    pub block: usize,
    /// The word's place: block words first, then head words.
    pub slot: usize,
    /// The document, as its worker numbers them.
    pub document: u32,
    /// How many tokens there are.
    pub count: u32,
    /// The number of the first of them in the whole corpus.
    pub origin: u32,
}

impl Layout {
    /// Divides `corpus` among `workers`.
    pub fn new(corpus: &Corpus, workers: usize) -> Self {
        let frequencies = frequencies(corpus);
        let tokens: u64 = frequencies.iter().sum();
        let is_head = |word: usize| workers > 1 && 2 * workers as u64 * frequencies[word] > tokens;
        let heads: Vec<u32> = (0..frequencies.len())
            .filter(|&word| is_head(word))
            .map(|word| word as u32)
            .collect();
        let lengths = (0..corpus.documents()).map(|d| {
            let (_, counts) = corpus.document(d);
            counts.iter().map(|&count| u64::from(count)).sum()
        });
        let lent = frequencies.iter().enumerate();
        let lent = lent.map(|(word, &tokens)| if is_head(word) { 0 } else { tokens });
        let blocks = deal(lent, workers);
        let mut places = vec![Place::Head(0); frequencies.len()];
        for (head, &word) in heads.iter().enumerate() {
            places[word as usize] = Place::Head(head as u32);
        }
        for (block, words) in blocks.iter().enumerate() {
            for (slot, &word) in words.iter().enumerate() {
                let (block, slot) = (block as u32, slot as u32);
                places[word as usize] = Place::Lent { block, slot };
            }
        }
        let origins = corpus.counts.iter().scan(0, |end, &count| {
            *end += count;
            Some(*end - count)
        });
        let mut layout = Self {
            documents: deal(lengths, workers),
            origins: origins.collect(),
            blocks,
            heads,
            places,
            loads: Vec::new(),
        };
        layout.loads = (0..workers)
            .map(|worker| {
                let mut loads = vec![0; workers];
                layout.visit(corpus, worker, |tokens| {
                    loads[tokens.block] += tokens.count as usize
                });
                loads
            })
            .collect();
        layout
    }

    /// How many tokens `worker` samples with `block`.
    pub fn load(&self, worker: usize, block: usize) -> usize {
        self.loads[worker][block]
    }

    /// How many tokens `worker` has.
    pub fn load_of(&self, worker: usize) -> usize {
        self.loads[worker].iter().sum()
    }

    /// How many workers there are; as many blocks.
    pub fn workers(&self) -> usize {
        self.documents.len()
    }

    /// Calls `visit` with all tokens of a worker, always in the same order.
    pub fn visit(&self, corpus: &Corpus, worker: usize, mut visit: impl FnMut(Tokens)) {
        let mut fill = self.fill(corpus, worker);
        for (document, &number) in self.documents[worker].iter().enumerate() {
            let entries = corpus.starts[number as usize]..corpus.starts[number as usize + 1];
            for entry in entries {
                let mut tokens = Tokens {
                    block: 0,
                    slot: 0,
                    document: document as u32,
                    count: corpus.counts[entry],
                    origin: self.origins[entry],
                };
                match self.places[corpus.words[entry] as usize] {
                    Place::Lent { block, slot } => {
                        (tokens.block, tokens.slot) = (block as usize, slot as usize);
                    }
                    Place::Head(head) => {
                        tokens.block = fill.take(tokens.count);
                        tokens.slot = self.blocks[tokens.block].len() + head as usize;
                    }
                }
                visit(tokens);
            }
        }
    }

    /// How many head tokens each sub-round of a worker can take until all are equally long.
    fn fill(&self, corpus: &Corpus, worker: usize) -> Fill {
        let mut load = vec![0u64; self.workers()];
        let mut heads = 0;
        for &number in &self.documents[worker] {
            let (words, counts) = corpus.document(number as usize);
            for (&word, &count) in words.iter().zip(counts) {
                match self.places[word as usize] {
                    Place::Lent { block, .. } => load[block as usize] += u64::from(count),
                    Place::Head(_) => heads += u64::from(count),
                }
            }
        }
        let even = (load.iter().sum::<u64>() + heads).div_ceil(load.len() as u64);
        Fill {
            room: load.iter().map(|&load| even.saturating_sub(load)).collect(),
            block: 0,
        }
    }
}

/// Where the next head tokens go.
struct Fill {
    room: Vec<u64>,
    block: usize,
}

impl Fill {
    fn take(&mut self, count: u32) -> usize {
        while self.room[self.block] == 0 && self.block + 1 < self.room.len() {
            self.block += 1;
        }
        let room = &mut self.room[self.block];
        *room = room.saturating_sub(u64::from(count));
        self.block
    }
}

/// How often each word occurs.
pub fn frequencies(corpus: &Corpus) -> Vec<u64> {
    let mut frequencies = vec![0; corpus.word_kinds];
    for (&word, &count) in corpus.words.iter().zip(&corpus.counts) {
        frequencies[word as usize] += u64::from(count);
    }
    frequencies
}

/// Deals numbered costs into `hands` of about the same sum; what costs nothing is left out.
fn deal(costs: impl Iterator<Item = u64>, hands: usize) -> Vec<Vec<u32>> {
    let mut order: Vec<(u64, u32)> = costs.zip(0..).filter(|&(cost, _)| cost > 0).collect();
    order.sort_by_key(|&(cost, number)| (Reverse(cost), number));
    let mut dealt = vec![Vec::new(); hands];
    let mut least: BinaryHeap<_> = (0..hands).map(|hand| Reverse((0, hand))).collect();
    for (cost, number) in order {
        let Reverse((load, hand)) = least.pop().expect("there is at least one hand");
        dealt[hand].push(number);
        least.push(Reverse((load + cost, hand)));
    }
    for hand in &mut dealt {
        hand.sort_unstable();
    }
    dealt
}
