//! What holds for the whole program: counts are conserved, the sampler has the posterior as its
//! limit, executors agree to the last bit, topics are found, a resumed run ends where the
//! uninterrupted one does. That it is fast, these tests do not say.

use std::collections::HashMap;

use rand::RngExt;
use strads::cluster::pack;
use strads::{Executor, Run, Stop, Verdict};
use strads_common::random::stream;
use strads_datasets::Corpus;
use strads_datasets::generate::Documents;

mod agreement;
mod held_still;

use super::annealing::Annealing;
use super::checkpoint;
use super::counts::DocumentCounts;
use super::exact::{Desk, Prior};
use super::gamma::ln_gamma;
use super::program::{self, Lda, Measured};
use super::sampler::Sampler;
use super::shard::Shard;
use crate::checkpoint::Keeper;
use crate::console::Console;

pub(super) fn corpus(documents: &[&[(u32, u32)]], word_kinds: usize) -> Corpus {
    let mut corpus = Corpus {
        starts: vec![0],
        words: Vec::new(),
        counts: Vec::new(),
        word_kinds,
        vocabulary: None,
    };
    for document in documents {
        corpus.words.extend(document.iter().map(|entry| entry.0));
        corpus.counts.extend(document.iter().map(|entry| entry.1));
        corpus.starts.push(corpus.words.len());
    }
    corpus
}

/// Documents of one or two of `topics` topics, each with its own words, and one word everywhere
/// that makes a quarter of all tokens.
fn generated(documents: usize, topics: usize, seed: u64) -> Corpus {
    const OWN: u32 = 12;
    let mut random = stream(seed, "test corpus", 0);
    let bags: Vec<Vec<(u32, u32)>> = (0..documents)
        .map(|_| {
            let pair: [u32; 2] = std::array::from_fn(|_| random.random_range(0..topics as u32));
            let mut bag = HashMap::from([(0u32, 20u32)]);
            for _ in 0..60 {
                let topic = pair[usize::from(random.random_bool(0.3))];
                let rank = (random.random::<f32>().powi(2) * OWN as f32) as u32;
                *bag.entry(1 + topic * OWN + rank).or_default() += 1;
            }
            let mut bag: Vec<_> = bag.into_iter().collect();
            bag.sort_unstable();
            bag
        })
        .collect();
    let bags: Vec<&[(u32, u32)]> = bags.iter().map(Vec::as_slice).collect();
    corpus(&bags, 1 + topics * OWN as usize)
}

fn prior(corpus: &Corpus, alpha: f32, beta: f32) -> Prior {
    Prior {
        alpha,
        beta,
        words: corpus.word_kinds,
    }
}

fn sweep(executor: &Executor, lda: &mut Lda, shards: &mut [Shard], sweeps: u64) {
    let rounds = Stop::after_rounds(sweeps * lda.turns());
    Run::new().until(rounds).on(executor, lda, shards).unwrap();
}

fn measure(lda: &mut Lda, shards: &mut [Shard]) -> Measured {
    let rounds = Stop::after_rounds(lda.measure());
    let run = Run::new().until(rounds);
    run.on(&Executor::Inline, lda, shards).unwrap();
    lda.measured()
}

fn words(lda: &Lda) -> Vec<(u32, Vec<(u32, u32)>)> {
    let mut words = Vec::new();
    lda.for_each_word(|word, row| words.push((word, row.to_vec())));
    words.sort_unstable();
    words
}

/// Tokens that the words' rows count.
fn tokens(lda: &Lda) -> u64 {
    let mut tokens = 0;
    lda.for_each_word(|_, row| {
        tokens += row.iter().map(|&(_, count)| u64::from(count)).sum::<u64>()
    });
    tokens
}

/// Totals, word rows and document rows are after each sweep what the tokens' topics say; those of moves
/// once they are brought up to date. Also across changes of the sampler.
#[test]
fn counts_are_conserved() {
    let corpus = generated(120, 6, 1);
    for workers in [1, 2, 5] {
        let prior = prior(&corpus, 0.5, 0.1);
        let (mut lda, mut shards) = program::prepare(&corpus, workers, prior, 6, 3, None);
        assert_eq!(
            lda.layout.heads.len(),
            usize::from(workers == 5),
            "one word is one token in four"
        );
        use Sampler::{Exact, Mh};
        for sampler in [Exact, Mh, Mh, Exact, Exact, Mh, Exact] {
            lda.sample_by(sampler, &mut shards);
            sweep(&Executor::Inline, &mut lda, &mut shards, 1);
            let mut counted = vec![0; 6];
            for (worker, shard) in shards.iter_mut().enumerate() {
                shard.show_topics();
                shard.topics(&corpus, &lda.layout, worker, |_, topic| {
                    counted[topic as usize] += 1
                });
            }
            assert_eq!(lda.totals(), counted, "{sampler:?}");
            if sampler == Mh {
                shards.iter_mut().for_each(Shard::recount);
                let late = lda.up_to_date(&shards);
                assert_eq!(tokens(&lda), corpus.tokens());
                lda.put_back(late);
                assert_eq!(tokens(&lda), corpus.tokens());
                shards.iter_mut().for_each(Shard::hide_topics);
                continue;
            }
            let before = words(&lda);
            let rows: Vec<Vec<_>> = shards.iter().map(sorted_rows).collect();
            lda.recount(&shards);
            shards.iter_mut().for_each(Shard::recount);
            assert_eq!(words(&lda), before);
            assert_eq!(shards.iter().map(sorted_rows).collect::<Vec<_>>(), rows);
        }
    }
}

/// More than 1,024 topics are packed otherwise, and head words have dense rows.
#[test]
fn many_topics_are_conserved_too() {
    let corpus = generated(40, 6, 1);
    let prior = prior(&corpus, 0.01, 0.1);
    let (mut lda, mut shards) = program::prepare(&corpus, 5, prior, 3000, 3, None);
    lda.sample_by(Sampler::Mh, &mut shards);
    sweep(&Executor::Inline, &mut lda, &mut shards, 3);
    lda.sample_by(Sampler::Exact, &mut shards);
    sweep(&Executor::Inline, &mut lda, &mut shards, 1);
    let before = words(&lda);
    lda.recount(&shards);
    assert_eq!(words(&lda), before);
}

fn sorted_rows(shard: &Shard) -> Vec<Vec<(u32, u32)>> {
    let row = |document| {
        let mut row: Vec<_> = shard.rows.row(document).collect();
        row.sort_unstable();
        row
    };
    (0..shard.lengths.len()).map(row).collect()
}

/// Half the L1 distance between the sampler's frequencies of all 2^7 states of a tiny corpus, and their posterior
/// probabilities by enumeration. One worker: several see each other's totals late, by design.
fn distance_from_posterior(dense: bool, together: bool) -> f64 {
    let corpus = corpus(&[&[(0, 2), (1, 1)], &[(1, 2), (2, 1)], &[(0, 1)]], 3);
    let (topics, alpha, beta) = (2, 0.6, 0.4);
    let states = 1 << corpus.tokens();
    let mut expected: Vec<f64> = (0..states)
        .map(|state| joint(&corpus, state, alpha, beta).exp())
        .collect();
    let total: f64 = expected.iter().sum();
    expected.iter_mut().for_each(|p| *p /= total);

    let prior = prior(&corpus, alpha as f32, beta as f32);
    let (mut lda, mut shards) = program::prepare(&corpus, 1, prior, topics, 5, None);
    shards[0].rows = DocumentCounts::new(&shards[0].lengths, topics, dense);
    shards[0].desk = Desk::new(topics, dense);
    if together {
        shards[0].desk.many = 1;
    }
    shards[0].recount();
    let (samples, mut seen) = (200_000, vec![0u32; states]);
    for _ in 0..samples {
        sweep(&Executor::Inline, &mut lda, &mut shards, 1);
        let mut state = 0;
        shards[0].topics(&corpus, &lda.layout, 0, |token, topic| {
            state |= (topic as usize) << token
        });
        seen[state] += 1;
    }
    let gaps = expected.iter().zip(&seen);
    let gaps = gaps.map(|(p, &n)| (p - f64::from(n) / f64::from(samples)).abs());
    gaps.sum::<f64>() / 2.0
}

/// 128 states sampled 200,000 times are about 0.01 away by chance.
#[test]
fn the_exact_sampler_has_the_posterior_as_its_limit() {
    for (dense, together) in [(true, true), (true, false), (false, false)] {
        let distance = distance_from_posterior(dense, together);
        let how = format!("dense rows: {dense}, several tokens at a time: {together}");
        assert!(distance < 0.02, "{how}, distance {distance}");
    }
}

/// Replicas lose no token in a merge, and learn. (They learn less than the scheduled program the
/// more of them there are and the rarer they merge: `docs/src/lda.md` has the table.)
#[test]
fn replicas_conserve_tokens() {
    let corpus = generated(120, 6, 1);
    let prior = prior(&corpus, 0.5, 0.1);
    let (lda, mut shards) = program::prepare(&corpus, 4, prior, 6, 3, None);
    let mut replicas = program::replicas(&lda, &shards, 2);
    let mut seen = Vec::new();
    Run::new()
        .until(Stop::after_rounds(6))
        .observed(
            &Executor::Inline,
            &mut replicas,
            &mut shards,
            |replicas, _| {
                let totals: u32 = replicas.counts().shared[..6].iter().sum();
                assert_eq!(u64::from(totals), corpus.tokens());
                seen.push(replicas.measured());
                Verdict::Continue
            },
        )
        .unwrap();
    assert_eq!(seen[5].0, 10);
    assert!(seen[5].1 > seen[0].1);
}

/// log p(words, topics) of the state whose bits are the tokens' topics.
fn joint(corpus: &Corpus, state: usize, alpha: f64, beta: f64) -> f64 {
    let mut words = vec![[0.0; 2]; corpus.word_kinds];
    let mut totals = [0.0; 2];
    let (mut token, mut log) = (0, 0.0);
    for document in 0..corpus.documents() {
        let mut row = [0.0; 2];
        let (kinds, counts) = corpus.document(document);
        for (&word, &count) in kinds.iter().zip(counts) {
            for _ in 0..count {
                let topic = state >> token & 1;
                token += 1;
                row[topic] += 1.0;
                words[word as usize][topic] += 1.0;
                totals[topic] += 1.0;
            }
        }
        log += row.iter().map(|n| ln_gamma(n + alpha)).sum::<f64>();
    }
    log += words
        .iter()
        .flatten()
        .map(|n| ln_gamma(n + beta))
        .sum::<f64>();
    log - totals
        .iter()
        .map(|n| ln_gamma(n + beta * corpus.word_kinds as f64))
        .sum::<f64>()
}

/// The same workers and seed give the same topics, inline and on any number of threads.
#[test]
fn executors_agree() {
    let corpus = generated(80, 5, 2);
    let train = |executor: Executor| {
        let prior = prior(&corpus, 0.3, 0.05);
        let (mut lda, mut shards) = program::prepare(&corpus, 4, prior, 5, 9, None);
        sweep(&executor, &mut lda, &mut shards, 3);
        lda.sample_by(Sampler::Mh, &mut shards);
        sweep(&executor, &mut lda, &mut shards, 3);
        shards.iter_mut().for_each(Shard::show_topics);
        let cells = shards.into_iter().flat_map(|shard| shard.cells);
        cells.map(|cell| cell.topics).collect::<Vec<_>>()
    };
    let inline = train(Executor::Inline);
    assert_eq!(inline, train(Executor::Threads(1)));
    assert_eq!(inline, train(Executor::Threads(3)));
}

/// Each true topic of a generated corpus is found: the topic nearest to it has the same words.
/// The word that all share is left out of the comparison. There are a few topics more than true
/// ones, because two true ones that begin as one rarely part.
#[test]
fn topics_are_recovered() {
    recovers(Sampler::Exact, 150);
    recovers(Sampler::Mh, 400);
}

fn recovers(sampler: Sampler, sweeps: u64) {
    let topics = 10;
    let corpus = generated(600, topics, 4);
    let prior = prior(&corpus, 0.2, 0.05);
    let (mut lda, mut shards) = program::prepare(&corpus, 4, prior, topics + 5, 1, None);
    lda.sample_by(sampler, &mut shards);
    sweep(&Executor::Inline, &mut lda, &mut shards, sweeps);
    lda.sample_by(Sampler::Exact, &mut shards);
    let nearest = nearest(&lda, &corpus, topics);
    assert!(
        nearest.iter().filter(|&&cosine| cosine >= 0.9).count() >= 9,
        "{nearest:?}"
    );
}

/// How near each true topic's nearest one is: a cosine.
fn nearest(lda: &Lda, corpus: &Corpus, topics: usize) -> Vec<f64> {
    let mut found = vec![vec![0.0; corpus.word_kinds]; lda.topics()];
    lda.for_each_word(|word, row| {
        for &(topic, count) in row.iter().filter(|_| word > 0) {
            found[topic as usize][word as usize] = f64::from(count);
        }
    });
    let truth = |topic: usize| {
        let mut words = vec![0.0; corpus.word_kinds];
        for rank in 0..12 {
            // A square of an even draw is below r with probability √r.
            words[1 + topic * 12 + rank] = ((rank + 1) as f64).sqrt() - (rank as f64).sqrt();
        }
        words
    };
    let nearest = |topic| {
        found
            .iter()
            .map(|f| cosine(f, &truth(topic)))
            .fold(0.0, f64::max)
    };
    (0..topics).map(nearest).collect()
}

/// From the same start, a run whose first sweeps were annealed is much likelier after as many: without,
/// topics that began as one are still together.
#[test]
fn annealing_parts_topics() {
    let generator = Documents {
        documents: 1000,
        words: 1000,
        topics: 30,
        alpha: 0.05,
        beta: 0.05,
        zipf: 0.0,
        length: 60.0,
        seed: 3,
    };
    let corpus = generator.generate().unwrap();
    let prior = prior(&corpus, 0.2, 0.01);
    let after = |annealed: u64| {
        let (mut lda, mut shards) = program::prepare(&corpus, 2, prior, 30, 1, None);
        lda.annealing = Annealing::new(corpus.tokens(), corpus.word_kinds, 30, annealed);
        sweep(&Executor::Inline, &mut lda, &mut shards, 60);
        measure(&mut lda, &mut shards).predictive / corpus.tokens() as f64
    };
    let (with, without) = (after(40), after(0));
    assert!(with > without + 0.05, "{with} {without}");
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-300)
}

/// A run that went on from a checkpoint ends with the same topics as one that was not
/// interrupted; a damaged checkpoint is refused.
#[test]
fn resuming_changes_nothing() {
    let corpus = generated(60, 4, 7);
    let directory = tempfile::tempdir().unwrap();
    let prior = prior(&corpus, 0.3, 0.05);
    let (mut lda, mut shards) = program::prepare(&corpus, 3, prior, 4, 11, None);
    sweep(&Executor::Inline, &mut lda, &mut shards, 4);
    let mut keeper = Keeper::new(directory.path(), "lda", "job");
    let parts = checkpoint::parts(&corpus, &lda, &shards);
    let mut console = Console::new(false, true);
    keeper.keep(lda.sweeps(), parts, &mut console).unwrap();
    keeper.finish(&mut console).unwrap();
    shards.iter_mut().for_each(Shard::recount);
    lda.recount(&shards);

    let state = checkpoint::state(&keeper.resume().unwrap(), corpus.tokens(), 4).unwrap();
    let (mut again, mut again_shards) =
        program::prepare(&corpus, 3, prior, 4, 11, Some(&state.topics));
    again.resume_after(state.sweeps);
    sweep(&Executor::Inline, &mut lda, &mut shards, 4);
    sweep(&Executor::Inline, &mut again, &mut again_shards, 4);
    assert_eq!(words(&lda), words(&again));

    let path = directory.path().join("step-4/topics");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let refused = keeper.resume().unwrap_err().to_string();
    assert!(
        refused.contains("step-4") && refused.contains("topics"),
        "{refused}"
    );
}

/// Fitted while sampling, α and β come to those that the corpus was generated with.
#[test]
fn priors_are_recovered() {
    let (alpha, beta) = (0.3, 0.1);
    let generator = Documents {
        documents: 300,
        words: 100,
        topics: 8,
        alpha,
        beta,
        zipf: 0.0,
        length: 80.0,
        seed: 2,
    };
    let corpus = generator.generate().unwrap();
    let start = prior(&corpus, 50.0 / 8.0, 0.01);
    let (mut lda, mut shards) = program::prepare(&corpus, 2, start, 8, 1, None);
    lda.annealing = Annealing::new(corpus.tokens(), corpus.word_kinds, 8, 40);
    sweep(&Executor::Inline, &mut lda, &mut shards, 40);
    for _ in 0..60 {
        sweep(&Executor::Inline, &mut lda, &mut shards, 4);
        let measured = measure(&mut lda, &mut shards);
        lda.prior = lda.better_prior(&measured);
    }
    let off = |found: f32, truth: f64| (f64::from(found) / truth - 1.0).abs();
    assert!(
        off(lda.prior.alpha, alpha) < 0.2 && off(lda.prior.beta, beta) < 0.2,
        "{:?}",
        lda.prior
    );
}

/// Beside counts a token takes 8 bytes under exact sampling, 12 under moves, 16 if topics are many.
#[test]
fn a_token_takes_at_most_sixteen_bytes() {
    let corpus = generated(200, 6, 1);
    let prior = prior(&corpus, 0.1, 0.1);
    for (sampler, topics, expected) in [
        (Sampler::Exact, 100, 8),
        (Sampler::Exact, 3000, 8),
        (Sampler::Mh, 100, 12),
        (Sampler::Mh, 3000, 16),
    ] {
        let (mut lda, mut shards) = program::prepare(&corpus, 2, prior, topics, 3, None);
        lda.sample_by(sampler, &mut shards);
        let each = |shard: &Shard| pack(&shard.cells).len() + pack(&shard.moves).len();
        let all: usize = shards.iter().map(each).sum();
        // Where words begin, totals, and the lengths of what was packed.
        let beside = 4 * (2 * corpus.word_kinds + 2 * topics) + 400;
        let tokens = corpus.tokens() as usize;
        assert!(
            (expected * tokens..expected * tokens + beside).contains(&all),
            "{sampler:?}, {topics} topics: {all} bytes for {tokens} tokens"
        );
    }
}

/// Sixteen workers have about the same to do in every sub-round, though words follow Zipf's law
/// and the most frequent one alone outweighs a block.
#[test]
fn work_is_even_under_a_power_law() {
    let mut random = stream(3, "zipf", 0);
    let documents: Vec<Vec<(u32, u32)>> = (0..4000)
        .map(|_| {
            let mut bag = HashMap::new();
            for _ in 0..100 {
                // Rank r with probability close to 1 / (r ln 5000).
                let rank = (5000f64.powf(random.random::<f64>()) as u32).min(4999);
                *bag.entry(rank).or_insert(0) += 1;
            }
            let mut bag: Vec<_> = bag.into_iter().collect();
            bag.sort_unstable();
            bag
        })
        .collect();
    let documents: Vec<&[(u32, u32)]> = documents.iter().map(Vec::as_slice).collect();
    let layout = super::layout::Layout::new(&corpus(&documents, 5000), 16);
    assert!(!layout.heads.is_empty());
    for step in 0..16 {
        let loads: Vec<usize> = (0..16).map(|w| layout.load(w, (w + step) % 16)).collect();
        let mean = loads.iter().sum::<usize>() as f64 / 16.0;
        let most = *loads.iter().max().unwrap() as f64;
        assert!(most / mean < 1.15, "step {step}: {}", most / mean);
    }
}
