//! LDA as a scheduled program.
//!
//! Documents stay with their workers; word blocks are lent out and rotate, so that in no
//! sub-round two workers sample the same word. Only the topic totals (and the rows of head words)
//! are known to all at once: a worker starts a sub-round from the same copy as everybody and sees
//! its own changes to it, but the others' only at the end. How far off that puts it is measured:
//! [`Lda::drift`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strads::cluster::{Passport, Remote};
use strads::policy::Rotation;
use strads::{Error, Executor, Lender, Loan, Moved, Plan, Program, Round, Shares};
use strads_datasets::Corpus;

use super::annealing::Annealing;
use super::census::{Census, Side, length_growth};
use super::counts::WordCounts;
use super::exact::Prior;
use super::gamma::Growth;
use super::layout::Layout;
use super::replicas::{Counts, Replicas};
use super::sampler::Sampler;
use super::shard::{Random, Shard, View, sparse};
use super::topics::Topics;

/// The coordinator's part of the model.
#[derive(Debug)]
pub struct Lda {
    /// Who has what.
    pub layout: Arc<Layout>,
    /// α, β and V.
    pub prior: Prior,
    /// How β falls to its value in the first sweeps.
    pub annealing: Annealing,
    /// What the rounds to come are for.
    pub aim: Aim,
    topics: usize,
    seed: u64,
    tokens: u64,
    lender: Lender<WordCounts>,
    /// A row of counts by topic for all words together, then one for each head word.
    shared: Arc<[u32]>,
    /// How the sweep is sampled.
    sampler: Sampler,
    /// Sweeps completed.
    sweeps: u64,
    /// The sweep's next round.
    turn: u64,
    measured: Measured,
    drift: Drift,
}

/// Counts that were put aside.
#[derive(Debug)]
pub struct Counted {
    lender: Lender<WordCounts>,
    shared: Arc<[u32]>,
}

/// What rounds are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Every token is sampled once in [`Lda::turns`] rounds.
    Sample,
    /// Likelihoods are summed over `workers` rounds.
    Measure,
}

/// Likelihoods of the state between sweeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
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

/// A round of one worker.
pub struct Task {
    /// The words that it is about; none if it is about all documents.
    loan: Option<Loan<WordCounts>>,
    shared: Arc<[u32]>,
    prior: Prior,
    what: What,
}

/// What is to be done with the words, or with the documents.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum What {
    /// Sample their tokens exactly.
    Sample(Random),
    /// Visit them to accept moves and to propose others.
    Visit {
        random: Random,
        /// A phase begins, its totals are told.
        first: bool,
        /// A phase ends, its changes are asked for.
        last: bool,
    },
    /// Sum likelihoods up.
    Measure { with_rows: bool },
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
            annealing: Annealing::default(),
            aim: Aim::Sample,
            sampler: Sampler::Exact,
            sweeps: 0,
            turn: 0,
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
        self.sweeps = sweeps;
    }

    /// Sweeps to come are sampled by `sampler`.
    pub fn sample_by(&mut self, sampler: Sampler, shards: &mut [Shard]) {
        assert_eq!(self.turn, 0, "a sweep ends as it began");
        if self.sampler == sampler {
            return;
        }
        self.sampler = sampler;
        match sampler {
            Sampler::Mh => shards.iter_mut().for_each(Shard::begin_moves),
            Sampler::Exact => {
                shards.iter_mut().for_each(Shard::end_moves);
                self.recount(shards);
            }
        }
    }

    /// How sweeps are sampled.
    pub fn sampler(&self) -> Sampler {
        self.sampler
    }

    /// How many rounds a sweep takes: one a block, and one for the documents if they are visited.
    pub fn turns(&self) -> u64 {
        self.layout.workers() as u64 + u64::from(self.sampler == Sampler::Mh)
    }

    /// Counts words anew, in the order in which a resumed run would.
    pub fn recount(&mut self, shards: &[Shard]) {
        let (blocks, shared) = count(&self.layout, shards, self.topics);
        assert_eq!(
            self.shared[..self.topics],
            shared[..self.topics],
            "counts follow the tokens"
        );
        self.lender = Lender::new(blocks);
        self.shared = shared.into();
    }

    /// How many sweeps were completed.
    pub fn sweeps(&self) -> u64 {
        self.sweeps
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

    /// Brings the counts home, to be looked at.
    pub fn recall(&self, executor: &Executor) -> Result<(), Error> {
        executor.recall(&self.lender)
    }

    /// The topics of words as they are, to be held still.
    pub fn held_still(&self) -> Topics {
        let mut rows = vec![Vec::new(); self.prior.words];
        self.for_each_word(|word, row| rows[word as usize] = row.to_vec());
        Topics::new(self.prior, self.totals(), &rows)
    }

    /// Has all counts as the tokens' topics say, until they are put back. Moves leave a block's
    /// counts as they were when each worker last had it.
    pub fn up_to_date(&mut self, shards: &[Shard]) -> Counted {
        let (blocks, shared) = count(&self.layout, shards, self.topics);
        let lender = std::mem::replace(&mut self.lender, Lender::new(blocks));
        let shared = std::mem::replace(&mut self.shared, shared.into());
        assert_eq!(
            self.shared[..self.topics],
            shared[..self.topics],
            "counts follow the tokens"
        );
        Counted { lender, shared }
    }

    /// Goes on from these counts.
    pub fn put_back(&mut self, counted: Counted) {
        (self.lender, self.shared) = (counted.lender, counted.shared);
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

    /// α and β that make what was measured more likely: a step towards the best.
    pub fn better_prior(&self, measured: &Measured) -> Prior {
        let Prior { alpha, beta, words } = self.prior;
        Prior {
            alpha: measured.documents.better_prior(alpha.into(), self.topics) as f32,
            beta: measured.words.better_prior(beta.into(), words) as f32,
            words,
        }
    }

    /// How far workers' totals were off at the ends of sub-rounds, since this was last asked.
    pub fn drift(&mut self) -> f64 {
        let Drift { sum, times } = std::mem::take(&mut self.drift);
        if times > 0 { sum / times as f64 } else { 0.0 }
    }

    fn what(&self, step: u64, worker: usize) -> What {
        let workers = self.layout.workers() as u64;
        let random = Random {
            seed: self.seed,
            number: (self.sweeps * (workers + 1) + step) * workers + worker as u64,
        };
        match (self.aim, self.sampler) {
            (Aim::Sample, Sampler::Exact) => What::Sample(random),
            (Aim::Sample, Sampler::Mh) => What::Visit {
                random,
                first: step == 0 || step == workers,
                last: step + 1 >= workers,
            },
            // Every document and every block once: the rows count in the first round.
            (Aim::Measure, _) => What::Measure {
                with_rows: step == 0,
            },
        }
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
        // Moves hold the totals still for a whole phase.
        let told = shares
            .iter()
            .any(|(changes, _)| changes[..self.topics].iter().any(|&c| c != 0));
        for (changes, _) in shares.iter().filter(|_| told) {
            let unseen = sums.iter().zip(changes);
            let unseen: u64 = unseen.map(|(all, &own)| all.abs_diff(i64::from(own))).sum();
            self.drift.sum += unseen as f64 / self.tokens.max(1) as f64;
            self.drift.times += 1;
        }
        debug_assert_eq!(sums.iter().sum::<i64>(), 0, "no token is lost or made");
        self.shared = shared.into();
    }
}

impl Remote for Lda {
    const NAME: &'static str = "lda";
}

impl Program for Lda {
    type Shard = Shard;
    type Task = Task;
    type Share = Share;

    fn schedule(&mut self, round: &mut Round) -> Plan<Task> {
        let workers = round.workers();
        let step = match self.aim {
            Aim::Sample => self.turn,
            Aim::Measure => round.number(),
        };
        let blocks: Vec<Option<usize>> = if step < workers as u64 {
            let rotation = Rotation::new(workers, workers);
            rotation.blocks(step).map(Some).collect()
        } else {
            vec![None; workers]
        };
        let prior = match self.aim {
            Aim::Sample => self.annealing.prior(self.prior, self.sweeps),
            Aim::Measure => self.prior,
        };
        let mut plan = Plan::new();
        for (worker, block) in blocks.into_iter().enumerate() {
            let task = Task {
                loan: block.map(|block| self.lender.lend(block)),
                shared: Arc::clone(&self.shared),
                prior,
                what: self.what(step, worker),
            };
            let cost = match block {
                Some(block) => self.layout.load(worker, block),
                None => self.layout.load_of(worker),
            };
            let assignment = plan.assign(worker, task).costing(cost as f64);
            if let Some(block) = block {
                assignment.writing(block..block + 1);
            }
        }
        plan
    }

    fn push(shard: &mut Shard, task: Task) -> Share {
        let Task {
            loan,
            shared,
            prior,
            what,
        } = task;
        match loan {
            Some(mut loan) => {
                let block = loan.block();
                on_words(shard, block, &mut loan.open(), &shared, prior, what)
            }
            None => on_documents(shard, &shared, prior, what),
        }
    }

    fn passport() -> Option<Passport<Self>> {
        Some(Passport::new())
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
            self.turn += 1;
            if self.turn == self.turns() {
                (self.sweeps, self.turn) = (self.sweeps + 1, 0);
            }
        }
        Moved {
            updates,
            ..Moved::default()
        }
    }
}

/// A round with a block of words.
fn on_words(
    shard: &mut Shard,
    block: usize,
    words: &mut WordCounts,
    told: &[u32],
    prior: Prior,
    what: What,
) -> Share {
    let mut shared = told.to_vec();
    let tokens = shard.cells[block].tokens() as u64;
    let view = View {
        block: words,
        shared: &mut shared,
        prior,
    };
    match what {
        What::Sample(random) => {
            shard.sample(view, block, random);
            let changes = differences(told, &shared);
            Share::Sampled { changes, tokens }
        }
        What::Visit {
            random,
            first,
            last,
        } => {
            shard.visit_words(view, block, random, first);
            let mut changes = differences(told, &shared);
            if last {
                shard.end_phase(&mut changes);
            }
            Share::Sampled { changes, tokens }
        }
        What::Measure { with_rows } => {
            let mut measured = Measured {
                predictive: shard.log_likelihood(view, block),
                ..Measured::default()
            };
            if with_rows {
                measured.documents = shard.census(prior);
                let growth = Growth::from(f64::from(prior.beta));
                measured.words.counts = Census::of(words.counts(), &growth);
            }
            Share::Measured(measured)
        }
    }
}

/// A round with all documents.
fn on_documents(shard: &mut Shard, told: &[u32], prior: Prior, what: What) -> Share {
    let mut changes = vec![0; told.len()];
    if let What::Visit { random, .. } = what {
        shard.visit_documents(prior, told, random);
        shard.end_phase(&mut changes);
    }
    Share::Sampled { changes, tokens: 0 }
}

fn differences(old: &[u32], new: &[u32]) -> Vec<i32> {
    let pairs = new.iter().zip(old);
    pairs
        .map(|(&new, &old)| new.wrapping_sub(old).cast_signed())
        .collect()
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

strads::travel_by_fields!(
    Measured { predictive, documents, words }
    Task { loan, shared, prior, what }
);
strads::travel_by_variants!(What {
    0 => Sample(random),
    1 => Visit { random, first, last },
    2 => Measure { with_rows },
});
strads::travel_by_variants!(Share {
    0 => Sampled { changes, tokens },
    1 => Measured(measured),
});
