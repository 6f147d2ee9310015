//! NPMI coherence: do a topic's words occur in the same documents?
//!
//! Documents without words are not counted: those that are held out stay in the corpus as such, and would make
//! every word look rarer than it is where topics were learnt.

use strads_datasets::Corpus;

/// The mean over topics of the mean normalised pointwise mutual information of their words, two
/// by two, over the documents of `corpus`: 1 if they always occur together, 0 if by chance, −1 if
/// never.
pub fn npmi(corpus: &Corpus, topics: &[Vec<(u32, u32)>]) -> f64 {
    let mut documents: Vec<Option<Vec<u32>>> = vec![None; corpus.word_kinds];
    for &(word, _) in topics.iter().flatten() {
        documents[word as usize] = Some(Vec::new());
    }
    for document in 0..corpus.documents() {
        for &word in corpus.document(document).0 {
            if let Some(list) = &mut documents[word as usize] {
                list.push(document as u32);
            }
        }
    }
    let filled = corpus.starts.windows(2).filter(|ends| ends[0] < ends[1]);
    let filled = filled.count() as f64;
    let share = |count: usize| count as f64 / filled;
    let list = |word: u32| documents[word as usize].as_deref().unwrap_or_default();
    let pair = |a: u32, b: u32| {
        let both = share(common(list(a), list(b)));
        let apart = share(list(a).len()) * share(list(b).len());
        match both {
            0.0 => -1.0,
            1.0 => 1.0,
            _ => (both / apart).ln() / -both.ln(),
        }
    };
    let coherences = topics.iter().filter(|topic| topic.len() > 1).map(|topic| {
        let pairs = topic.iter().enumerate();
        let pairs = pairs.flat_map(|(n, &(a, _))| topic[..n].iter().map(move |&(b, _)| (a, b)));
        mean(pairs.map(|(a, b)| pair(a, b)))
    });
    mean(coherences)
}

/// How many numbers two ascending lists have in common.
fn common(a: &[u32], b: &[u32]) -> usize {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short
        .iter()
        .filter(|number| long.binary_search(number).is_ok())
        .count()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    if count > 0 {
        sum / f64::from(count)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    //! Against the definition, by hand.

    use super::*;
    use crate::lda::tests::corpus;

    /// Two words that occur in half of four documents, together in one, occur together as often as by chance; a
    /// pair that never does counts −1, and documents without words change nothing.
    #[test]
    fn documents_without_words_do_not_count() {
        let (both, first, second, third) = (
            [(0, 1), (1, 1)],
            [(0, 1), (2, 1)],
            [(1, 1), (2, 1)],
            [(2, 1)],
        );
        let documents = [&both[..], &first, &second, &third];
        let npmi = |documents: &[&[(u32, u32)]], topic: &[(u32, u32)]| {
            npmi(&corpus(documents, 3), &[topic.to_vec()])
        };
        let pair = |a, b| npmi(&documents, &[(a, 1), (b, 1)]);
        assert!(pair(0, 1).abs() < 1e-12);
        // 1/4 together, 1/2 · 3/4 apart.
        let expected = ((1.0 / 4.0) / (3.0 / 8.0_f64)).ln() / 4.0_f64.ln();
        assert!((pair(0, 2) - expected).abs() < 1e-12);
        let with_empty: Vec<_> = documents.into_iter().chain([&[][..]; 6]).collect();
        let topic = [(0, 1), (1, 1), (2, 1)];
        assert_eq!(npmi(&with_empty, &topic), npmi(&documents, &topic));
        let apart = [&[(0, 1)][..], &[(1, 1)]];
        assert_eq!(npmi(&apart, &both), -1.0);
    }
}
