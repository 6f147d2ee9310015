//! A worker's tokens while they are sampled by Metropolis–Hastings moves.
//!
//! Tokens lie in the order of cells and words, four bytes each (eight with more than 1,024 topics); a
//! permutation (four more) says where each document has its own. Documents are visited in the order in
//! which words have their tokens, so that the places of neighbouring documents are neighbours.

use strads::cluster::{Malformed, Packer, Travel, Unpacker};
use strads_common::random::Stream;

use super::exact::Prior;
use super::mh::{Packed, Visitor};
use super::shard::{Cell, View, head_row, sparse};

/// The tokens of all cells, packed as tightly as the number of topics allows.
#[derive(Clone, Debug)]
pub enum Moves {
    /// Up to 1,024 topics.
    Few(Tokens<u32>),
    /// More.
    Many(Tokens<u64>),
}

/// Tokens, where documents have theirs, and what visits need.
#[derive(Clone, Debug)]
pub struct Tokens<T> {
    tokens: Vec<T>,
    /// Where each cell begins.
    begins: Vec<usize>,
    /// Where the tokens of each document are, document after document.
    order: Vec<u32>,
    /// The document at hand.
    gathered: Vec<T>,
    visitor: Visitor,
    /// How many of the tokens have each topic, before the phase.
    before: Vec<u32>,
}

impl Moves {
    /// More topics than this do not fit.
    pub const TOPICS: usize = u64::TOPICS;

    /// The tokens of `cells`, each with its topic as its own proposal.
    pub fn new(cells: &[Cell], lengths: &[u32], topics: usize) -> Self {
        if topics <= u32::TOPICS {
            Self::Few(Tokens::new(cells, lengths, topics))
        } else {
            Self::Many(Tokens::new(cells, lengths, topics))
        }
    }

    /// Visits the words of a block. `first`: this begins a phase.
    pub fn visit_words(
        &mut self,
        cell: &Cell,
        block: usize,
        view: View<'_>,
        first: bool,
        random: &mut Stream,
    ) {
        match self {
            Self::Few(tokens) => tokens.visit_words(cell, block, view, first, random),
            Self::Many(tokens) => tokens.visit_words(cell, block, view, first, random),
        }
    }

    /// Visits all documents: a phase.
    pub fn visit_documents(
        &mut self,
        lengths: &[u32],
        prior: Prior,
        totals: &[u32],
        random: &mut Stream,
    ) {
        match self {
            Self::Few(tokens) => tokens.visit_documents(lengths, prior, totals, random),
            Self::Many(tokens) => tokens.visit_documents(lengths, prior, totals, random),
        }
    }

    /// What the phase that has ended changed in the totals.
    pub fn end_phase(&mut self, changes: &mut [i32]) {
        match self {
            Self::Few(tokens) => tokens.end_phase(changes),
            Self::Many(tokens) => tokens.end_phase(changes),
        }
    }

    /// Calls `see` with the topics of each cell's tokens.
    pub fn topics(&self, see: impl FnMut(usize, &mut dyn Iterator<Item = u32>)) {
        match self {
            Self::Few(tokens) => tokens.topics(see),
            Self::Many(tokens) => tokens.topics(see),
        }
    }
}

impl<T: Packed> Tokens<T> {
    fn new(cells: &[Cell], lengths: &[u32], topics: usize) -> Self {
        let mut begins = vec![0];
        let mut tokens = Vec::with_capacity(cells.iter().map(Cell::tokens).sum());
        let mut before = vec![0; topics];
        for cell in cells {
            for &topic in &cell.topics {
                tokens.push(T::pack(topic, topic, topic));
                before[topic as usize] += 1;
            }
            begins.push(tokens.len());
        }
        let longest = lengths.iter().max().copied().unwrap_or(0) as usize;
        Self {
            order: order(cells, lengths),
            gathered: vec![T::pack(0, 0, 0); longest],
            visitor: Visitor::new(topics),
            tokens,
            begins,
            before,
        }
    }

    fn visit_words(
        &mut self,
        cell: &Cell,
        block: usize,
        view: View<'_>,
        first: bool,
        random: &mut Stream,
    ) {
        let View {
            block: words,
            shared,
            prior,
        } = view;
        let topics = self.before.len();
        let (totals, heads) = shared.split_at_mut(topics);
        if first {
            self.visitor.begin_phase();
            self.visitor.freeze(prior, totals);
        }
        let tokens = &mut self.tokens[self.begins[block]..self.begins[block + 1]];
        for slot in 0..cell.starts.len() - 1 {
            let here = cell.starts[slot] as usize..cell.starts[slot + 1] as usize;
            if here.is_empty() {
                continue;
            }
            let tokens = &mut tokens[here];
            if slot < words.len() {
                let row = words.row(slot).iter().copied();
                let row = self.visitor.visit_word(tokens, row, prior.beta, random);
                words.write(slot, row.iter().copied());
            } else {
                let dense = head_row(heads, slot - words.len(), topics);
                let row = self
                    .visitor
                    .visit_word(tokens, sparse(dense), prior.beta, random);
                dense.fill(0);
                for &(topic, count) in row {
                    dense[topic as usize] = count;
                }
            }
        }
    }

    fn visit_documents(
        &mut self,
        lengths: &[u32],
        prior: Prior,
        totals: &[u32],
        random: &mut Stream,
    ) {
        self.visitor.begin_phase();
        self.visitor.freeze(prior, totals);
        let mut order = self.order.as_slice();
        for &length in lengths {
            let (places, rest) = order.split_at(length as usize);
            order = rest;
            let gathered = &mut self.gathered[..length as usize];
            for (token, &place) in gathered.iter_mut().zip(places) {
                *token = self.tokens[place as usize];
            }
            self.visitor.visit_document(gathered, prior.alpha, random);
            for (token, &place) in gathered.iter().zip(places) {
                self.tokens[place as usize] = *token;
            }
        }
    }

    fn end_phase(&mut self, changes: &mut [i32]) {
        let after = self.visitor.after();
        for ((change, before), &after) in changes.iter_mut().zip(&mut self.before).zip(after) {
            *change = after.wrapping_sub(*before).cast_signed();
            *before = after;
        }
    }

    fn topics(&self, mut see: impl FnMut(usize, &mut dyn Iterator<Item = u32>)) {
        for (cell, range) in self.begins.windows(2).enumerate() {
            let tokens = &self.tokens[range[0]..range[1]];
            see(cell, &mut tokens.iter().map(|token| token.parts().1));
        }
    }
}

/// The places of each document's tokens, ascending.
fn order(cells: &[Cell], lengths: &[u32]) -> Vec<u32> {
    let mut ends: Vec<u32> = lengths
        .iter()
        .scan(0, |end, &length| {
            *end += length;
            Some(*end - length)
        })
        .collect();
    let mut order = vec![0; cells.iter().map(Cell::tokens).sum()];
    let documents = cells.iter().flat_map(|cell| &cell.documents);
    for (place, &document) in (0..).zip(documents) {
        let end = &mut ends[document as usize];
        order[*end as usize] = place;
        *end += 1;
    }
    order
}

strads::travel_by_variants!(Moves { 0 => Few(tokens), 1 => Many(tokens) });

/// Nothing that a visitor has outlives a sweep, so only its measures travel.
impl<T: Packed + Travel> Travel for Tokens<T> {
    fn pack(&self, out: &mut Packer<'_>) {
        self.tokens.pack(out);
        self.begins.pack(out);
        self.order.pack(out);
        self.gathered.len().pack(out);
        self.before.pack(out);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        let (tokens, begins, order) = Travel::unpack(from)?;
        let (longest, before): (usize, Vec<u32>) = Travel::unpack(from)?;
        Ok(Self {
            tokens,
            begins,
            order,
            gathered: vec![<T as Packed>::pack(0, 0, 0); longest],
            visitor: Visitor::new(before.len()),
            before,
        })
    }
}
