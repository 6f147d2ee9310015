//! Documents that a model was not learnt from: their topics are the right ones, their probability is that
//! of the definition, and neither depends on who computes it.

use std::sync::Arc;

use strads::Executor;
use strads_common::random::stream;

use super::corpus;
use crate::lda::exact::Prior;
use crate::lda::folding::{Document, fold_in};
use crate::lda::heldout::{Heldout, Names, set_aside, tokens};
use crate::lda::topics::{Mixture, Topics};

/// Two topics of two words each, and a word of both.
fn topics() -> Topics {
    let prior = Prior {
        alpha: 0.5,
        beta: 0.1,
        words: 5,
    };
    let rows = [
        vec![(0, 40)],
        vec![(0, 20)],
        vec![(1, 30)],
        vec![(1, 30)],
        vec![(0, 20), (1, 20)],
    ];
    Topics::new(prior, &[80, 80], &rows)
}

/// p(w | mixture) is Σ_k θ_k φ_kw, and over all words it is 1.
#[test]
fn probabilities_are_those_of_the_definition() {
    let (topics, mixture) = (
        topics(),
        Mixture {
            counts: vec![(0, 3.0), (1, 1.0)],
            tokens: 4,
        },
    );
    let mut fold = topics.fold();
    let mut probability = |word| topics.log_likelihood(&[word], &mixture, &mut fold).exp();
    let theta = [3.5 / 5.0, 1.5 / 5.0];
    let phi = |count: f64| (count + 0.1) / 80.5;
    let expected = theta[0] * phi(20.0) + theta[1] * phi(20.0);
    assert!((probability(4) - expected).abs() < 1e-6);
    let all: f64 = (0..5).map(probability).sum();
    assert!((all - 1.0).abs() < 1e-6, "{all}");
}

/// The mean counts of a document of two tokens are those of the posterior by enumeration.
#[test]
fn a_mixture_is_the_posterior_mean() {
    let topics = topics();
    let words = [0, 4];
    let phi = [[40.1, 0.1], [20.1, 20.1]];
    let weight = |a: usize, b: usize| {
        // α(α + [a = b]) for the topics, φ for the words.
        let second = 0.5 + f64::from(u8::from(a == b));
        0.5 * second * phi[0][a] * phi[1][b]
    };
    let pairs = [(0, 0), (0, 1), (1, 0), (1, 1)];
    let all: f64 = pairs.iter().map(|&(a, b)| weight(a, b)).sum();
    let first = |&(a, b): &(usize, usize)| weight(a, b) * (2 - a - b) as f64;
    let expected: f64 = pairs.iter().map(first).sum::<f64>() / all;
    let mut fold = topics.fold();
    let runs = 2000;
    let mean = (0..runs)
        .map(|run| {
            let mixture = topics.mixture(&words, &mut fold, &mut stream(run, "test", 0));
            let first = mixture.counts.iter().find(|entry| entry.0 == 0);
            f64::from(first.map_or(0.0, |entry| entry.1))
        })
        .sum::<f64>()
        / runs as f64;
    assert!((mean - expected).abs() < 0.01, "{mean} {expected}");
}

/// As many workers as one likes find the same.
#[test]
fn folding_does_not_depend_on_workers() {
    let documents: Vec<Document> = (0..7)
        .map(|d| Document {
            seen: vec![d % 5, 4, (d + 1) % 5],
            hidden: vec![d % 5],
        })
        .chain([Document::default()])
        .collect();
    let topics = Arc::new(topics());
    let one = fold_in(&topics, &documents, 3, &Executor::Inline, 1).unwrap();
    let three = fold_in(&topics, &documents, 3, &Executor::Threads(2), 3).unwrap();
    assert_eq!(one, three);
    assert_eq!(one[7].mixture, Mixture::default());
    assert!(
        fold_in(&topics, &[], 3, &Executor::Inline, 2)
            .unwrap()
            .is_empty()
    );
}

/// What is set aside is not in the rest, and nothing is lost; documents keep their numbers.
#[test]
fn a_share_is_set_aside() {
    let documents: Vec<Vec<(u32, u32)>> = (0..20).map(|d| vec![(d, 3), (20, d + 1)]).collect();
    let documents: Vec<&[(u32, u32)]> = documents.iter().map(Vec::as_slice).collect();
    let whole = corpus(&documents, 21);
    let (rest, heldout) = set_aside(whole.clone(), 0.25, 7);
    assert_eq!(rest.documents(), 20);
    let gone: Vec<usize> = (0..20).filter(|&d| rest.document(d).0.is_empty()).collect();
    assert_eq!(gone.len(), 5);
    let lost: u64 = gone.iter().map(|&d| tokens(&whole, d).len() as u64).sum();
    assert_eq!(rest.tokens() + lost, whole.tokens());
    assert!(heldout.hidden() as u64 >= lost / 2);
    let seen = (0..20).filter(|d| !gone.contains(d));
    assert!(seen.clone().all(|d| rest.document(d) == whole.document(d)));
}

/// A model predicts documents of its own kind better than evenly drawn words.
#[test]
fn perplexity_tells_documents_from_noise() {
    let topics = Arc::new(topics());
    let of = |documents: Vec<Vec<u32>>| {
        let heldout = Heldout::new(documents.into_iter(), 1);
        heldout
            .perplexity(&topics, 1, &Executor::Inline, 1)
            .unwrap()
    };
    let own = of(vec![[0, 1, 4, 0].repeat(10), [2, 3, 4, 3].repeat(10)]);
    let noise = of(vec![[0, 1, 2, 3, 4].repeat(8); 2]);
    assert!(own < 4.0 && own < noise - 0.5, "{own} {noise}");
}

/// Words go by name where there are names, by number where there are none; others are counted.
#[test]
fn words_are_translated() {
    let mut other = corpus(&[&[(0, 2), (1, 1)], &[(2, 4)]], 3);
    let (documents, unknown) = Names::new(None, 2).translate(&other);
    assert_eq!((documents, unknown), (vec![vec![0, 0, 1], vec![]], 4));
    other.vocabulary = Some(["b", "c", "a"].map(str::to_owned).to_vec());
    let names = Names::new(Some(&["a".to_owned(), "b".to_owned()]), 2);
    let (documents, unknown) = names.translate(&other);
    assert_eq!(
        (documents, unknown),
        (vec![vec![1, 1], vec![0, 0, 0, 0]], 1)
    );
}
