//! LDA as a scheduled program.
//!
//! Documents stay with their workers; word blocks are lent out and rotate, so that in no
//! sub-round two workers sample the same word. Only the topic totals (and the rows of head words)
//! are known to all at once: a worker starts a sub-round from the same copy as everybody and sees
//! its own changes to it, but the others' only at the end. How far off that puts it is measured:
//! [`Lda::drift`].

use std::sync::Arc;

use strads::policy::Rotation;
use strads::{Lender, Loan, Moved, Plan, Program, Round, Shares};
use strads_datasets::Corpus;

use super::census::{Census, Side, length_growth};
use super::counts::WordCounts;
use super::exact::Prior;
use super::gamma::Growth;
use super::layout::Layout;
use super::replicas::{Counts, Replicas};
use super::shard::{Random, Shard, View, sparse};

/// The coordinator's part of the model.
#[derive(Debug)]
pub struct Lda {
    /// Who has what.
    pub layout: Arc<Layout>,
    /// α, β and V.
    pub prior: Prior,
    /// What the rounds to come are for.
    pub aim: Aim,
    topics: usize,
    seed: u64,
    tokens: u64,
    lender: Lender<WordCounts>,
    /// A row of counts by topic for all words together, then one for each head word.
    shared: Arc<[u32]>,
    /// The next sub-round since the start of training (sampling) or of the measurement.
    step: u64,
    measured: Measured,
    drift: Drift,
}

/// What rounds are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Every token is sampled once in `workers` rounds.
    Sample,
    /// Likelihoods are summed over `workers` rounds.
    Measure,
}

/// Likelihoods of the state between sweeps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Σ log Σ_k θ_dk φ_kw over tokens.
    pub predictive: f64,
    /// Topics of documents under α.
    pub documents: Side,
    /// Words of topics under β.
    pub words: Side,
}

/// How far workers' copies of the totals are from the truth when it is told again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drift {
    sum: f64,
    times: u64,
}

/// A sub-round of one worker.
pub struct Task {
    loan: Loan<WordCounts>,
    shared: Arc<[u32]>,
    prior: Prior,
    what: What,
}

enum What {
    Sample(Random),
    Measure { with_rows: bool },
}

/// What came of it.
pub enum Share {
    /// Changes of the shared counts, and how many tokens were sampled.
    Sampled { changes: Vec<i32>, tokens: u64 },
    /// Likelihoods of the tokens, the documents and the block.
    Measured(Measured),
}

impl Lda {
    /// The model of `shards`, counted from their topics.
    pub fn new(
        layout: Arc<Layout>,
        shards: &[Shard],
        prior: Prior,
        topics: usize,
        seed: u64,
    ) -> Self {
        let (blocks, shared) = count(&layout, shards, topics);
        Self {
            tokens: shared[..topics].iter().map(|&n| u64::from(n)).sum(),
            lender: Lender::new(blocks),
            shared: shared.into(),
            aim: Aim::Sample,
            step: 0,
            measured: Measured::default(),
            drift: Drift::default(),
            layout,
            prior,
            topics,
            seed,
        }
    }

    /// Continues after `sweeps` sweeps.
    pub fn resume_after(&mut self, sweeps: u64) {
        self.step = sweeps * self.layout.workers() as u64;
    }

    /// Counts words anew, in the order in which a resumed run would.
    pub fn recount(&mut self, shards: &[Shard]) {
        let (blocks, shared) = count(&self.layout, shards, self.topics);
        assert_eq!(*self.shared, *shared, "counts follow the tokens");
        self.lender = Lender::new(blocks);
    }

    /// How many sweeps were completed.
    pub fn sweeps(&self) -> u64 {
        self.step / self.layout.workers() as u64
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// How many topics there are.
    pub fn topics(&self) -> usize {
        self.topics
    }

    /// How many tokens each topic has.
    pub fn totals(&self) -> &[u32] {
        &self.shared[..self.topics]
    }

    /// Calls `look` with each word and its topics, ascending, between rounds.
    pub fn for_each_word(&self, mut look: impl FnMut(u32, &[(u32, u32)])) {
        let mut sorted = Vec::new();
        let mut show = |word: u32, row: &mut dyn Iterator<Item = (u32, u32)>| {
            sorted.clear();
            sorted.extend(row);
            sorted.sort_unstable();
            look(word, &sorted);
        };
        for (block, words) in self.layout.blocks.iter().enumerate() {
            self.lender.with(block, |counts| {
                for (slot, &word) in words.iter().enumerate() {
                    show(word, &mut counts.row(slot).iter().copied());
                }
            });
        }
        let heads = self.shared[self.topics..].chunks(self.topics);
        for (&word, row) in self.layout.heads.iter().zip(heads) {
            show(word, &mut sparse(row));
        }
    }

    /// Starts a measurement of `workers` rounds.
    pub fn measure(&mut self) -> u64 {
        self.aim = Aim::Measure;
        self.measured = Measured::default();
        self.layout.workers() as u64
    }

    /// What the measurement found; sampling goes on where it was.
    pub fn measured(&mut self) -> Measured {
        self.aim = Aim::Sample;
        let growth = Growth::from(f64::from(self.prior.beta));
        let heads = self.shared[self.topics..].iter();
        let heads = heads.copied().filter(|&count| count > 0);
        self.measured.words.counts += Census::of(heads, &growth);
        let length = length_growth(f64::from(self.prior.beta), self.prior.words);
        for &total in &self.shared[..self.topics] {
            self.measured.words.lengths += length(total);
        }
        self.measured
    }

    /// How far workers' totals were off at the ends of sub-rounds, since this was last asked.
    pub fn drift(&mut self) -> f64 {
        let Drift { sum, times } = std::mem::take(&mut self.drift);
        if times > 0 { sum / times as f64 } else { 0.0 }
    }

    fn commit(&mut self, shares: &[(Vec<i32>, u64)]) {
        let mut shared = self.shared.to_vec();
        let mut sums = vec![0i64; self.topics];
        for (changes, _) in shares {
            for (count, &change) in shared.iter_mut().zip(changes) {
                *count = count.wrapping_add_signed(change);
            }
            for (sum, &change) in sums.iter_mut().zip(changes) {
                *sum += i64::from(change);
            }
        }
        for (changes, _) in shares {
            let unseen = sums.iter().zip(changes);
            let unseen: u64 = unseen.map(|(all, &own)| all.abs_diff(i64::from(own))).sum();
            self.drift.sum += unseen as f64 / self.tokens.max(1) as f64;
            self.drift.times += 1;
        }
        debug_assert_eq!(sums.iter().sum::<i64>(), 0, "no token is lost or made");
        self.shared = shared.into();
    }
}

impl Program for Lda {
    type Shard = Shard;
    type Task = Task;
    type Share = Share;

    fn schedule(&mut self, round: &mut Round) -> Plan<Task> {
        let workers = round.workers();
        let step = match self.aim {
            Aim::Sample => self.step,
            Aim::Measure => round.number(),
        };
        let mut plan = Plan::new();
        for (worker, block) in Rotation::new(workers, workers).blocks(step).enumerate() {
            let what = match self.aim {
                Aim::Sample => What::Sample(Random {
                    seed: self.seed,
                    number: step * workers as u64 + worker as u64,
                }),
                // Every document and every block once: the rows count in the first round.
                Aim::Measure => What::Measure {
                    with_rows: step == 0,
                },
            };
            let task = Task {
                loan: self.lender.lend(block),
                shared: Arc::clone(&self.shared),
                prior: self.prior,
                what,
            };
            let cost = self.layout.load(worker, block) as f64;
            plan.assign(worker, task)
                .costing(cost)
                .writing(block..block + 1);
        }
        plan
    }

    fn push(shard: &mut Shard, mut task: Task) -> Share {
        let block = task.loan.block();
        let mut words = task.loan.open();
        let mut shared = task.shared.to_vec();
        let view = View {
            block: &mut words,
            shared: &mut shared,
            prior: task.prior,
        };
        match task.what {
            What::Sample(random) => {
                shard.sample(view, block, random);
                let changes = shared.iter().zip(task.shared.iter());
                Share::Sampled {
                    changes: changes
                        .map(|(&new, &old)| new.wrapping_sub(old).cast_signed())
                        .collect(),
                    tokens: shard.cells[block].tokens() as u64,
                }
            }
            What::Measure { with_rows } => {
                let mut measured = Measured {
                    predictive: shard.log_likelihood(view, block),
                    ..Measured::default()
                };
                if with_rows {
                    measured.documents = shard.census(task.prior);
                    let growth = Growth::from(f64::from(task.prior.beta));
                    let counts = words.counts();
                    measured.words.counts = Census::of(counts, &growth);
                }
                Share::Measured(measured)
            }
        }
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        let mut sampled = Vec::new();
        for share in shares.into_values() {
            match share {
                Share::Sampled { changes, tokens } => sampled.push((changes, tokens)),
                Share::Measured(found) => {
                    self.measured.predictive += found.predictive;
                    self.measured.documents += found.documents;
                    self.measured.words += found.words;
                }
            }
        }
        let updates = sampled.iter().map(|(_, tokens)| tokens).sum();
        if !sampled.is_empty() {
            self.commit(&sampled);
            self.step += 1;
        }
        Moved {
            updates,
            ..Moved::default()
        }
    }
}

/// The counts of a corpus divided, for the data-parallel alternative.
pub fn replicas(lda: &Lda, shards: &[Shard], period: u64) -> Replicas {
    let (blocks, shared) = count(&lda.layout, shards, lda.topics);
    let counts = Counts { blocks, shared };
    Replicas::new(counts, lda.prior, lda.topics, lda.seed, period)
}

/// Counts words by topic: blocks, and the rows that all share.
fn count(layout: &Layout, shards: &[Shard], topics: usize) -> (Vec<WordCounts>, Vec<u32>) {
    let mut shared = vec![0u32; (1 + layout.heads.len()) * topics];
    let mut row = vec![0u32; topics];
    let mut blocks = Vec::new();
    for (block, words) in layout.blocks.iter().enumerate() {
        let cells = || shards.iter().map(|shard| &shard.cells[block]);
        let tokens = |slot: usize| {
            let length = move |starts: &[u32]| (starts[slot + 1] - starts[slot]) as usize;
            cells().map(|cell| length(&cell.starts)).sum()
        };
        let mut counts = WordCounts::new((0..words.len()).map(tokens), topics);
        for slot in 0..words.len() + layout.heads.len() {
            let mut seen = Vec::new();
            for cell in cells() {
                for &topic in
                    &cell.topics[cell.starts[slot] as usize..cell.starts[slot + 1] as usize]
                {
                    if row[topic as usize] == 0 {
                        seen.push(topic);
                    }
                    row[topic as usize] += 1;
                }
            }
            seen.sort_unstable();
            for &topic in &seen {
                shared[topic as usize] += row[topic as usize];
            }
            let entries = seen
                .iter()
                .map(|&topic| (topic, std::mem::take(&mut row[topic as usize])));
            if slot < words.len() {
                counts.write(slot, entries);
            } else {
                let head = (1 + slot - words.len()) * topics;
                entries.for_each(|(topic, count)| shared[head + topic as usize] += count);
            }
        }
        blocks.push(counts);
    }
    (blocks, shared)
}

/// A corpus divided, with random topics or those given, and the model that they make.
pub fn prepare(
    corpus: &Corpus,
    workers: usize,
    prior: Prior,
    topics: usize,
    seed: u64,
    given: Option<&[u32]>,
) -> (Lda, Vec<Shard>) {
    let layout = Layout::new(corpus, workers);
    let shards: Vec<Shard> = (0..workers)
        .map(|worker| match given {
            Some(given) => {
                Shard::with_topics(corpus, &layout, worker, topics, |t| given[t as usize])
            }
            None => Shard::random(corpus, &layout, worker, topics, seed),
        })
        .collect();
    let lda = Lda::new(Arc::new(layout), &shards, prior, topics, seed);
    (lda, shards)
}
