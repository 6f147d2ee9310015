//! The exact sampler: collapsed Gibbs, a word at a time.
//!
//! A token of word w in document d takes topic k with probability proportional to
//! (n_dk + α) · φ_k, where φ_k = (n_wk + β) / (n_k + Vβ) and all counts leave the token itself
//! out. The sum falls into Σ n_dk φ_k over the few topics of the document, which is computed, and
//! α Σ φ_k, which a tree of sums has at hand: while one word is open, only the φ of topics that
//! gain or lose a token change. A token costs O(topics of its document), in wide registers. Where
//! topics are few, all K products are computed instead, and no sums are kept.

use rand::RngExt;
use serde::{Deserialize, Serialize};
use strads::cluster::{Malformed, Packer, Travel, Unpacker};
use strads_common::random::Stream;

use super::counts::{
    Chunk, Counts, DENSE_UP_TO, DenseRows, DocumentCounts, NO_TOPIC, SparseRows, with_one_less,
    with_one_more,
};
use super::weights::Weights;
use super::wide::{LANES, Lanes, Wide, locate, locate_mark};
use crate::fetch::fetch;

/// What all samplers are told about the model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prior {
    /// α: how many tokens of each topic a document has before it is read.
    pub alpha: f32,
    /// β: how many tokens of each word a topic has before anything is read.
    pub beta: f32,
    /// V: the number of different words.
    pub words: usize,
}

/// Where one word at a time is open: its counts and φ by topic, and the totals they depend on.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Documents' rows are dense: φ is then read whole for each token, and no sums are kept.
    dense: bool,
    /// Words with so many tokens are sampled several tokens at a time, if rows are dense.
    pub many: u32,
    prior: Prior,
    /// Vβ.
    smoothing: f32,
    /// n_k, as this worker sees it.
    totals: Vec<u32>,
    /// 1 / (n_k + Vβ).
    inverse: Vec<f32>,
    /// n_wk of the open word; all 0 between words.
    counts: Vec<u32>,
    /// Σ n_wk of the open word.
    tokens: u32,
    /// The topics that the open word has or had, some of them twice.
    topics: Vec<u32>,
    /// φ of the open word; β / (n_k + Vβ) between words.
    phi: Weights,
    /// n_dk φ_k of the topics of the document at hand.
    masses: Vec<Lanes>,
}

impl Desk {
    /// An empty desk for `topics` topics, to sample documents with `dense` rows or with sparse ones.
    pub fn new(topics: usize, dense: bool) -> Self {
        Self {
            dense,
            many: MANY,
            prior: Prior {
                alpha: 1.0,
                beta: 1.0,
                words: 1,
            },
            smoothing: 1.0,
            totals: vec![0; topics],
            inverse: vec![0.0; topics],
            counts: vec![0; topics],
            tokens: 0,
            topics: Vec::new(),
            phi: Weights::new(topics),
            masses: vec![[0.0; LANES]; topics.div_ceil(LANES)],
        }
    }

    /// Starts from these totals.
    pub fn prepare<W: Wide>(&mut self, wide: W, prior: Prior, totals: &[u32]) {
        self.prior = prior;
        self.totals.copy_from_slice(totals);
        self.smoothing = prior.beta * prior.words as f32;
        for (topic, (inverse, &total)) in self.inverse.iter_mut().zip(totals).enumerate() {
            *inverse = 1.0 / (total as f32 + self.smoothing);
            self.phi.place(topic as u32, prior.beta * *inverse);
        }
        if !self.dense {
            self.phi.rebuild(wide);
        }
    }

    /// The totals, with what was sampled since.
    pub fn totals(&self) -> &[u32] {
        &self.totals
    }

    /// Lays a word's counts on the empty desk.
    #[inline(always)]
    pub fn open<W: Wide>(&mut self, wide: W, row: impl Iterator<Item = (u32, u32)>) {
        self.topics.clear();
        self.tokens = 0;
        for (topic, count) in row {
            self.topics.push(topic);
            self.tokens += count;
            self.counts[topic as usize] = count;
            self.phi.place(topic, self.phi_of(topic));
        }
        self.sum_up(wide);
    }

    /// Takes the word's counts off the desk, topic by topic, each once.
    #[inline(always)]
    pub fn close<W: Wide>(&mut self, wide: W) -> impl Iterator<Item = (u32, u32)> + '_ {
        for at in 0..self.topics.len() {
            let topic = self.topics[at];
            let phi = self.prior.beta * self.inverse[topic as usize];
            self.phi.place(topic, phi);
        }
        self.sum_up(wide);
        let counts = &mut self.counts;
        self.topics.iter().filter_map(move |&topic| {
            let count = std::mem::take(&mut counts[topic as usize]);
            (count > 0).then_some((topic, count))
        })
    }

    /// Takes the word's counts off the desk and forgets them.
    #[inline(always)]
    pub fn clear<W: Wide>(&mut self, wide: W) {
        self.close(wide).for_each(drop);
    }

    /// Sums anew above the topics of the word: path by path, or all at once where that is less.
    #[inline(always)]
    fn sum_up<W: Wide>(&mut self, wide: W) {
        if self.dense {
            return;
        }
        if self.topics.len() * LANES > self.totals.len() {
            self.phi.rebuild(wide);
        } else {
            for &topic in &self.topics {
                self.phi.refresh(wide, topic);
            }
        }
    }

    #[inline(always)]
    fn phi_of(&self, topic: u32) -> f32 {
        let topic = topic as usize;
        (self.counts[topic] as f32 + self.prior.beta) * self.inverse[topic]
    }

    /// φ of `topic` with one of its tokens left out.
    #[inline(always)]
    fn phi_without_one(&self, topic: u32) -> f32 {
        let topic = topic as usize;
        (self.counts[topic] as f32 - 1.0 + self.prior.beta)
            / (self.totals[topic] as f32 - 1.0 + self.smoothing)
    }

    /// How much likelier `topic` is with so many more tokens in it, some of them of the document whose
    /// counts are in `row`.
    #[inline(always)]
    fn lift(&self, row: &[u16], topic: u32, tokens: u16, of_document: u16) -> f32 {
        if tokens == 0 {
            return 1.0;
        }
        let topic = topic as usize;
        let more = f32::from(tokens);
        let document = f32::from(row[topic]) + self.prior.alpha;
        let word = self.counts[topic] as f32 + self.prior.beta;
        let all = self.totals[topic] as f32 + self.smoothing;
        (document + f32::from(of_document)) * (word + more) * all / (document * word * (all + more))
    }

    #[inline(always)]
    fn take<W: Wide>(&mut self, wide: W, topic: u32) {
        self.counts[topic as usize] -= 1;
        self.totals[topic as usize] -= 1;
        self.weigh(wide, topic);
    }

    #[inline(always)]
    fn give<W: Wide>(&mut self, wide: W, topic: u32) {
        if self.counts[topic as usize] == 0 {
            self.topics.push(topic);
        }
        self.counts[topic as usize] += 1;
        self.totals[topic as usize] += 1;
        self.weigh(wide, topic);
    }

    #[inline(always)]
    fn weigh<W: Wide>(&mut self, wide: W, topic: u32) {
        self.inverse[topic as usize] = 1.0 / (self.totals[topic as usize] as f32 + self.smoothing);
        let phi = self.phi_of(topic);
        if self.dense {
            self.phi.place_whole(wide, topic, phi);
        } else {
            self.phi.set(topic, phi);
        }
    }
}

/// Samples the tokens of the open word once: `topics[i]` is the topic of a token in document
/// `documents[i]`.
#[inline(always)]
pub fn sample<W: Wide>(
    wide: W,
    desk: &mut Desk,
    documents: &[u32],
    topics: &mut [u32],
    rows: &mut DocumentCounts,
    random: &mut Stream,
) {
    match rows {
        DocumentCounts::Dense(rows) => sample_dense(wide, desk, documents, topics, rows, random),
        DocumentCounts::Sparse(rows) => sample_sparse(wide, desk, documents, topics, rows, random),
    }
}

/// How many tokens before its turn a document's row is asked for.
const AHEAD: usize = 8;
/// Of so many tokens a few at a time are few.
const MANY: u32 = 64;

#[inline(always)]
fn sample_dense<W: Wide>(
    wide: W,
    desk: &mut Desk,
    documents: &[u32],
    topics: &mut [u32],
    rows: &mut DenseRows,
    random: &mut Stream,
) {
    // Where a word is rare, several of its tokens are too much to leave out: rare anywhere, not only here.
    let is_rare = desk.tokens < desk.many;
    // With the number of nodes known, running sums stay in registers.
    macro_rules! by_nodes {
        ($($nodes:literal)*) => {
            match (desk.phi.nodes().len(), is_rare) {
                $(($nodes, true) => sample_together::<W, $nodes, 1>(wide, desk, documents, topics, rows.rows(), random),
                ($nodes, false) => sample_together::<W, $nodes, 4>(wide, desk, documents, topics, rows.rows(), random),)*
                _ => unreachable!("rows are dense up to {DENSE_UP_TO} topics"),
            }
        };
    }
    by_nodes!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// Takes `T` tokens out of all counts, draws a topic for each from what is left, and puts them back
/// one after the other.
///
/// The draws do not depend on each other, so the processor works on all of them at once. As they leave
/// out more than the own token they are proposals (of Metropolis and Hastings, independent of
/// where tokens were), accepted with the probability that makes up for it. With one token at a time
/// that is Gibbs sampling, and nothing is refused.
#[inline(always)]
fn sample_together<W: Wide, const N: usize, const T: usize>(
    wide: W,
    desk: &mut Desk,
    documents: &[u32],
    topics: &mut [u32],
    rows: &mut [[Counts; N]],
    random: &mut Stream,
) {
    let mut proposed = [0; T];
    let batches = documents.chunks(T).zip(topics.chunks_mut(T));
    for (batch, (here, topics)) in batches.enumerate() {
        for &ahead in documents.iter().skip(batch * T + AHEAD).take(T) {
            fetch(&rows[ahead as usize]);
        }
        for (&document, &topic) in here.iter().zip(&*topics) {
            desk.take(wide, topic);
            let node = &mut rows[document as usize][topic as usize / LANES];
            *node = with_one_less(*node, topic);
        }
        for (&document, proposed) in here.iter().zip(&mut proposed) {
            *proposed = draw_dense(wide, desk, &rows[document as usize], random.random());
        }
        for at in 0..topics.len() {
            let (old, new) = (topics[at], proposed[at]);
            if new == old {
                continue;
            }
            let row = rows[here[at] as usize].as_flattened();
            let lift = |topic| {
                let others = (0..here.len()).filter(|&other| other != at && topics[other] == topic);
                let (mut tokens, mut of_document) = (0, 0);
                for other in others {
                    tokens += 1;
                    of_document += u16::from(here[other] == here[at]);
                }
                desk.lift(row, topic, tokens, of_document)
            };
            let likelier = lift(new) / lift(old);
            if likelier >= 1.0 || random.random::<f32>() < likelier {
                topics[at] = new;
            }
        }
        for (&document, &topic) in here.iter().zip(&*topics) {
            desk.give(wide, topic);
            let node = &mut rows[document as usize][topic as usize / LANES];
            *node = with_one_more(*node, topic);
        }
    }
}

/// Draws a topic from all K products.
#[inline(always)]
fn draw_dense<W: Wide, const N: usize>(
    wide: W,
    desk: &Desk,
    row: &[Counts; N],
    uniform: f32,
) -> u32 {
    let alpha = wide.splat(desk.prior.alpha);
    let phi = desk.phi.nodes();
    assert_eq!(phi.len(), N);
    let mut sum = wide.splat(0.0);
    let mut sums = [sum; N];
    for node in 0..N {
        sum = wide.add(sum, wide.masses_in_order(&row[node], &phi[node], alpha));
        sums[node] = sum;
    }
    let (node, lane) = locate(wide, &sums, uniform);
    (node * LANES + lane) as u32
}

/// Nothing is written while a token keeps its topic, as most do: its neighbours then do not depend on
/// it, and the processor works on several at once.
#[inline(always)]
fn sample_sparse<W: Wide>(
    wide: W,
    desk: &mut Desk,
    documents: &[u32],
    topics: &mut [u32],
    rows: &mut SparseRows,
    random: &mut Stream,
) {
    for (at, topic) in topics.iter_mut().enumerate() {
        let document = documents[at] as usize;
        if let Some(&ahead) = documents.get(at + AHEAD) {
            fetch(rows.chunks(ahead as usize));
        }
        let old = *topic;
        let new = draw_sparse(wide, desk, rows.chunks(document), old, random.random());
        if new != old {
            desk.take(wide, old);
            rows.remove(wide, document, old);
            desk.give(wide, new);
            rows.add(wide, document, new);
            *topic = new;
        }
    }
}

/// Draws a topic for a token that all counts still have under `old`.
#[inline(always)]
fn draw_sparse<W: Wide>(wide: W, desk: &mut Desk, row: &[Chunk], old: u32, uniform: f32) -> u32 {
    let reduced = desk.phi_without_one(old);
    let surplus = desk.phi.leaves()[old as usize] - reduced;
    let of_lanes = weigh_row(
        wide,
        row,
        desk.phi.leaves(),
        (old, reduced),
        &mut desk.masses,
    );
    let ends = wide.running_sums(of_lanes);
    let of_document = wide.store(wide.last(ends))[0];
    let of_prior = desk.prior.alpha * (desk.phi.total() - surplus);
    let mark = uniform * (of_document + of_prior);
    if mark < of_document {
        let sums = desk.masses[..row.len()].iter().map(|sums| wide.load(sums));
        let (chunk, lane) = locate_mark(wide, sums, of_lanes, ends, wide.splat(mark));
        row[chunk].topics[lane]
    } else {
        draw_from_prior(
            wide,
            desk,
            old,
            reduced,
            (mark - of_document) / desk.prior.alpha,
        )
    }
}

/// Draws in proportion to φ alone, with the token's own part left out.
#[inline(always)]
fn draw_from_prior<W: Wide>(wide: W, desk: &mut Desk, old: u32, reduced: f32, mark: f32) -> u32 {
    let whole = desk.phi.leaves()[old as usize];
    desk.phi.set(old, reduced);
    let new = desk.phi.find(wide, mark);
    desk.phi.set(old, whole);
    new
}

/// Writes running sums of n_dk φ_k along each lane to `masses`, the token's own part left out;
/// returns the lanes' totals. `own` is the token's topic and φ without the token.
#[inline(always)]
fn weigh_row<W: Wide>(
    wide: W,
    row: &[Chunk],
    phi: &[f32],
    own: (u32, f32),
    masses: &mut [Lanes],
) -> W::V {
    let mut total = wide.splat(0.0);
    for (chunk, masses) in row.iter().zip(masses) {
        total = wide.add(total, wide.masses(chunk, phi, own));
        *masses = wide.store(total);
    }
    total
}

/// The sum over tokens of the open word of log Σ_k θ_dk φ_k, with every count in.
///
/// `lengths[d]` is the number of tokens of document d.
#[inline(always)]
pub fn log_likelihood<W: Wide>(
    wide: W,
    desk: &mut Desk,
    documents: &[u32],
    rows: &DocumentCounts,
    lengths: &[u32],
) -> f64 {
    let prior_tokens = desk.prior.alpha * desk.totals.len() as f32;
    let mut total = 0.0;
    for run in documents.chunk_by(|a, b| a == b) {
        let document = run[0] as usize;
        let mass = match rows {
            DocumentCounts::Dense(rows) => mass_dense(wide, desk, rows.row(document)),
            DocumentCounts::Sparse(rows) => mass_sparse(wide, desk, rows.chunks(document)),
        };
        let tokens = lengths[document] as f32 + prior_tokens;
        total += run.len() as f64 * f64::from(mass / tokens).ln();
    }
    total
}

#[inline(always)]
fn mass_dense<W: Wide>(wide: W, desk: &Desk, row: &[Counts]) -> f32 {
    let alpha = wide.splat(desk.prior.alpha);
    let mut sum = wide.splat(0.0);
    for (counts, phi) in row.iter().zip(desk.phi.nodes()) {
        sum = wide.add(sum, wide.masses_in_order(counts, phi, alpha));
    }
    wide.sum(sum)
}

#[inline(always)]
fn mass_sparse<W: Wide>(wide: W, desk: &mut Desk, row: &[Chunk]) -> f32 {
    let nobody = (NO_TOPIC, 0.0);
    let of_lanes = weigh_row(wide, row, desk.phi.leaves(), nobody, &mut desk.masses);
    wide.sum(of_lanes) + desk.prior.alpha * desk.phi.total()
}

strads::travel_by_fields!(Prior { alpha, beta, words });

/// Nothing on a desk outlives a round, so only its measures travel.
impl Travel for Desk {
    fn pack(&self, out: &mut Packer<'_>) {
        (self.totals.len(), self.dense).pack(out);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        let (topics, dense) = Travel::unpack(from)?;
        Ok(Self::new(topics, dense))
    }
}
