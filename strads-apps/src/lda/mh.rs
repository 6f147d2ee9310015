//! The O(1) sampler: Metropolis–Hastings moves, with counts in cache-conscious order.
//!
//! The conditional probability of a topic has two factors, n_dk + α and (n_wk + β) / (n_k + Vβ). Each of
//! them is easy to propose from: copy the topic of another token of the document (of the word), or now
//! and then take any topic. A proposal from one factor is accepted by the other, so that a *word
//! visit* needs the counts of one word only, and a *document visit* those of one document. Each visit
//! accepts what the other kind proposed, and proposes for it. Nothing depends on the number of topics.
//!
//! Counts of the side that is not visited are those of its last visit, and the totals are frozen for a
//! phase. The token itself is left out of all counts and of the tokens it may copy from.

use rand::RngExt;
use strads_common::random::Stream;

use super::exact::Prior;

/// A token in one machine word: the topic under which its word has it counted, the topic it has now,
/// and the one proposed.
pub trait Packed: Copy + Send + std::fmt::Debug {
    /// How many topics fit.
    const TOPICS: usize;
    /// Three topics in one.
    fn pack(counted: u32, topic: u32, proposal: u32) -> Self;
    /// The three: counted, topic, proposal.
    fn parts(self) -> (u32, u32, u32);
}

impl Packed for u32 {
    const TOPICS: usize = 1 << 10;
    #[inline(always)]
    fn pack(counted: u32, topic: u32, proposal: u32) -> Self {
        counted << 20 | topic << 10 | proposal
    }
    #[inline(always)]
    fn parts(self) -> (u32, u32, u32) {
        (self >> 20, self >> 10 & 0x3ff, self & 0x3ff)
    }
}

impl Packed for u64 {
    const TOPICS: usize = 1 << 21;
    #[inline(always)]
    fn pack(counted: u32, topic: u32, proposal: u32) -> Self {
        u64::from(counted) << 42 | u64::from(topic) << 21 | u64::from(proposal)
    }
    #[inline(always)]
    fn parts(self) -> (u32, u32, u32) {
        let part = |shift: u32| (self >> shift) as u32 & 0x1f_ffff;
        (part(42), part(21), part(0))
    }
}

/// What visits need, whichever word or document they are to.
#[derive(Clone, Debug)]
pub struct Visitor {
    topics: usize,
    /// 1 / (n_k + Vβ), and the same with one token less.
    inverse: Vec<[f32; 2]>,
    /// Counts of the open word or document by topic; all 0 between visits. As long as a power of two,
    /// so that a masked topic is known to be inside.
    counts: Vec<u32>,
    /// Where the copies of each topic begin in the urn.
    begins: Vec<u32>,
    /// The topics of a word's tokens, wherever those are.
    urn: Vec<u32>,
    /// The topics that the open word has or had, some of them twice.
    seen: Vec<u32>,
    /// The word's row after the visit.
    row: Vec<(u32, u32)>,
    /// How many of this worker's tokens have each topic after the phase, as far as it got.
    after: Vec<u32>,
}

/// How many copies of a topic the urn takes at once: it has so much room behind its end.
const AT_ONCE: usize = 8;

impl Visitor {
    /// For `topics` topics.
    pub fn new(topics: usize) -> Self {
        let room = topics.next_power_of_two();
        Self {
            topics,
            inverse: vec![[0.0; 2]; room],
            counts: vec![0; room],
            begins: vec![0; room],
            urn: Vec::new(),
            seen: Vec::new(),
            row: Vec::new(),
            after: vec![0; room],
        }
    }

    /// Freezes the totals for a phase.
    pub fn freeze(&mut self, prior: Prior, totals: &[u32]) {
        let smoothing = prior.beta * prior.words as f32;
        for (inverse, &total) in self.inverse.iter_mut().zip(totals) {
            let all = total as f32 + smoothing;
            // A topic without tokens is never the topic of a token.
            *inverse = [1.0 / all, 1.0 / (all - 1.0).max(smoothing)];
        }
    }

    /// Forgets what the last phase counted.
    pub fn begin_phase(&mut self) {
        self.after.fill(0);
    }

    /// How many of the tokens visited in this phase have each topic.
    pub fn after(&self) -> &[u32] {
        &self.after[..self.topics]
    }

    /// Visits a word: `row` are its counts, `tokens` those of its tokens that are here. Returns its
    /// counts afterwards.
    pub fn visit_word<T: Packed>(
        &mut self,
        tokens: &mut [T],
        row: impl Iterator<Item = (u32, u32)>,
        beta: f32,
        random: &mut Stream,
    ) -> &[(u32, u32)] {
        let all = self.open_word(tokens, row);
        let Self {
            counts,
            inverse,
            seen,
            after,
            ..
        } = self;
        accept(tokens, counts, inverse, after, beta, random, |topic| {
            seen.push(topic)
        });
        self.fill_urn(all);
        self.propose_from_word(tokens, all, beta, random);
        &self.row
    }

    /// Lays out the counts with what the document visits changed; the sum of the row.
    fn open_word<T: Packed>(
        &mut self,
        tokens: &[T],
        row: impl Iterator<Item = (u32, u32)>,
    ) -> usize {
        let Self { counts, seen, .. } = self;
        let mask = counts.len() - 1;
        seen.clear();
        let mut all = 0;
        for (topic, count) in row {
            counts[topic as usize & mask] = count;
            all += count as usize;
            seen.push(topic);
        }
        for token in tokens {
            let (counted, topic, _) = token.parts();
            if counted != topic {
                counts[counted as usize & mask] -= 1;
                let count = &mut counts[topic as usize & mask];
                if *count == 0 {
                    seen.push(topic);
                }
                *count += 1;
            }
        }
        all
    }

    /// Takes the counts off into the row, and the urn gets as many copies of each topic.
    fn fill_urn(&mut self, all: usize) {
        let Self {
            counts,
            begins,
            urn,
            seen,
            row,
            ..
        } = self;
        if urn.len() < all + AT_ONCE {
            urn.resize(all + AT_ONCE, 0);
        }
        row.clear();
        let mask = counts.len() - 1;
        let begins = &mut begins[..=mask];
        let mut end = 0;
        for &topic in seen.iter() {
            let count = std::mem::take(&mut counts[topic as usize & mask]);
            if count == 0 {
                continue;
            }
            row.push((topic, count));
            begins[topic as usize & mask] = end as u32;
            urn[end..end + AT_ONCE].fill(topic);
            let next = end + count as usize;
            if count as usize > AT_ONCE {
                urn[end + AT_ONCE..next].fill(topic);
            }
            end = next;
        }
        debug_assert_eq!(end, all, "a word has as many tokens as ever");
    }

    /// Proposes from n_wk + β, the token itself left out.
    fn propose_from_word<T: Packed>(
        &self,
        tokens: &mut [T],
        all: usize,
        beta: f32,
        random: &mut Stream,
    ) {
        let mixture = Mixture::new(all - 1, beta, self.topics);
        let mask = self.begins.len() - 1;
        for token in tokens {
            let (_, topic, _) = token.parts();
            let own = self.begins[topic as usize & mask] as usize;
            let proposal = mixture.draw(random.random(), own, |at| self.urn[at]);
            *token = T::pack(topic, topic, proposal);
        }
    }

    /// Visits a document, whose tokens were gathered in `tokens`.
    pub fn visit_document<T: Packed>(&mut self, tokens: &mut [T], alpha: f32, random: &mut Stream) {
        let mask = self.counts.len() - 1;
        let counts = &mut self.counts;
        for token in &*tokens {
            counts[token.parts().1 as usize & mask] += 1;
        }
        accept(
            tokens,
            counts,
            &self.inverse,
            &mut self.after,
            alpha,
            random,
            |_| (),
        );
        let mixture = Mixture::new(tokens.len() - 1, alpha, self.topics);
        for at in 0..tokens.len() {
            let (counted, topic, _) = tokens[at].parts();
            let proposal = mixture.draw(random.random(), at, |at| tokens[at].parts().1);
            tokens[at] = T::pack(counted, topic, proposal);
            counts[topic as usize & mask] = 0;
        }
    }
}

/// Accepts proposals by one factor of the conditional probability, token by token. Tells topics that
/// get their first count.
#[inline(always)]
fn accept<T: Packed>(
    tokens: &mut [T],
    counts: &mut [u32],
    inverse: &[[f32; 2]],
    after: &mut [u32],
    prior: f32,
    random: &mut Stream,
    mut first: impl FnMut(u32),
) {
    let mask = counts.len() - 1;
    let (inverse, after) = (&inverse[..=mask], &mut after[..=mask]);
    for token in tokens {
        let (counted, topic, proposal) = token.parts();
        let (from, to) = (topic as usize & mask, proposal as usize & mask);
        let (here, there) = (counts[from], counts[to]);
        let stay = (here.cast_signed() as f32 - 1.0 + prior) * inverse[from][1];
        let go = (there.cast_signed() as f32 + prior) * inverse[to][0];
        let goes = random.random::<f32>() * stay < go;
        // Without a branch: whether a token goes cannot be foreseen.
        let new = if goes { proposal } else { topic };
        counts[from] -= u32::from(goes);
        counts[to] += u32::from(goes);
        after[new as usize & mask] += 1;
        if there == 0 && goes {
            first(proposal);
        }
        *token = T::pack(counted, new, proposal);
    }
}

/// A draw in proportion to counts + prior: the topic of one of so many tokens, or any topic.
#[derive(Clone, Copy, Debug)]
struct Mixture {
    others: u64,
    /// The mass of tokens and topics, in units of 2⁻²⁴ tokens.
    mass: u64,
    /// Topics in a unit of the mass beyond the tokens.
    scale: f32,
    last: u32,
}

impl Mixture {
    fn new(others: usize, prior: f32, topics: usize) -> Self {
        const UNIT: f64 = (1 << 24) as f64;
        let mass = others as f64 + f64::from(prior) * topics as f64;
        Self {
            others: others as u64,
            mass: (mass * UNIT) as u64,
            scale: (1.0 / (f64::from(prior) * UNIT)) as f32,
            last: topics as u32 - 1,
        }
    }

    /// `own` is the place to leave out.
    #[inline(always)]
    fn draw(&self, random: u64, own: usize, topic_at: impl Fn(usize) -> u32) -> u32 {
        let mark = ((u128::from(random) * u128::from(self.mass)) >> 64) as u64;
        let place = mark >> 24;
        if place < self.others {
            let place = place as usize;
            topic_at(place + usize::from(place >= own))
        } else {
            let rest = (mark - (self.others << 24)) as f32 * self.scale;
            (rest as u32).min(self.last)
        }
    }
}
