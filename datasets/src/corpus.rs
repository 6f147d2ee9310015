//! Documents as bags of words.

use crate::error::Kind;

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

    /// The same with the words of each document in ascending order. Refused: a word that is listed
    /// twice in a document, no documents, no words.
    pub(crate) fn checked(mut self) -> Result<Self, Kind> {
        if self.documents() == 0 {
            return Err(Kind::Empty { what: "documents" });
        }
        if self.words.is_empty() {
            return Err(Kind::Empty { what: "words" });
        }
        for d in 0..self.documents() {
            let range = self.starts[d]..self.starts[d + 1];
            let (words, counts) = (&mut self.words[range.clone()], &mut self.counts[range]);
            sort(words, counts).map_err(|word| Kind::Duplicate {
                row: d as u64 + 1,
                at_column: u64::from(word) + 1,
            })?;
        }
        Ok(self)
    }
}

/// Sorts a document by word, if it is not; the word that is there twice, if any.
fn sort(words: &mut [u32], counts: &mut [u32]) -> Result<(), u32> {
    if words.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    let mut entries: Vec<_> = words.iter().copied().zip(counts.iter().copied()).collect();
    entries.sort_unstable();
    if let Some(twice) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(twice[0].0);
    }
    for (at, (word, count)) in entries.into_iter().enumerate() {
        words[at] = word;
        counts[at] = count;
    }
    Ok(())
}
