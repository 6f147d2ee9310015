//! Documents as bags of words.

/// Documents, each a list of distinct words with how often they occur.
///
/// Document `d` has the entries `starts[d]..starts[d + 1]` of `words` and `counts`; its words
/// ascend and its counts are positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// Where each document starts, and at last where the last one ends.
    pub starts: Vec<usize>,
    /// Word numbers, counted from 0.
    pub words: Vec<u32>,
    /// How often the word occurs in the document.
    pub counts: Vec<u32>,
    /// The number of different words: every word number is below it.
    pub word_kinds: usize,
    /// The words themselves, if known: `word_kinds` many.
    pub vocabulary: Option<Vec<String>>,
}

impl Corpus {
    /// The number of documents.
    pub fn documents(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of words in all documents, repetitions included.
    pub fn tokens(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }

    /// The distinct words of document `d` and how often each occurs.
    pub fn document(&self, d: usize) -> (&[u32], &[u32]) {
        let range = self.starts[d]..self.starts[d + 1];
        (&self.words[range.clone()], &self.counts[range])
    }
}
