//! The model as it is written: counts for programs, top words for people.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use strads_datasets::{Corpus, npz};

use super::program::Lda;
use super::shard::Shard;
use crate::files::completely;

/// How many words describe a topic.
const TOP: usize = 10;

/// The words that describe a topic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Topic {
    /// Its number.
    pub topic: usize,
    /// How many tokens it has.
    pub tokens: u32,
    /// Its most frequent words (numbers where the corpus names none), with their counts.
    pub words: Vec<(String, u32)>,
}

/// Most frequent words by topic, as numbers and counts, the most frequent first.
pub fn top_words(lda: &Lda) -> Vec<Vec<(u32, u32)>> {
    let mut top: Vec<Vec<(u32, u32)>> = vec![Vec::with_capacity(TOP + 1); lda.topics()];
    lda.for_each_word(|word, row| {
        for &(topic, count) in row {
            let best = &mut top[topic as usize];
            // Equal counts in the order of word numbers, whatever block a word is in.
            let at = best.partition_point(|&(w, c)| c > count || c == count && w < word);
            if at < TOP {
                best.insert(at, (word, count));
                best.truncate(TOP);
            }
        }
    });
    top
}

/// The topics with their words by name.
pub fn topics(lda: &Lda, corpus: &Corpus) -> Vec<Topic> {
    let name = |word: u32| match &corpus.vocabulary {
        Some(words) => words[word as usize].clone(),
        None => word.to_string(),
    };
    let tops = top_words(lda).into_iter().zip(lda.totals()).enumerate();
    tops.map(|(topic, (top, &tokens))| Topic {
        topic,
        tokens,
        words: top
            .into_iter()
            .map(|(word, count)| (name(word), count))
            .collect(),
    })
    .collect()
}

/// Writes `model.npz`, `topics.txt`, `topics.json` and, if words have names, `vocabulary.txt` into
/// `directory`.
pub fn write(directory: &Path, lda: &Lda, shards: &[Shard], corpus: &Corpus) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    completely(&directory.join("model.npz"), |file| {
        let mut arrays = npz::Writer::new(file);
        word_rows(lda).write(&mut arrays, "topic_word", lda.topics(), corpus.word_kinds)?;
        let documents = document_rows(lda, shards, corpus.documents());
        documents.write(&mut arrays, "doc_topic", corpus.documents(), lda.topics())?;
        arrays.scalar("alpha", f64::from(lda.prior.alpha))?;
        arrays.scalar("beta", f64::from(lda.prior.beta))?;
        arrays.finish().map(drop)
    })?;
    if let Some(words) = &corpus.vocabulary {
        completely(&directory.join("vocabulary.txt"), |file| {
            words.iter().try_for_each(|word| writeln!(file, "{word}"))
        })?;
    }
    let topics = topics(lda, corpus);
    completely(&directory.join("topics.txt"), |file| {
        for Topic {
            topic,
            tokens,
            words,
        } in &topics
        {
            let words: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
            writeln!(file, "{topic}\t{tokens}\t{}", words.join(" "))?;
        }
        Ok(())
    })?;
    completely(&directory.join("topics.json"), |file| {
        Ok(serde_json::to_writer(file, &topics)?)
    })
}

/// Rows of (column, count), in order.
struct SparseRows(Vec<Vec<(u32, u32)>>);

impl SparseRows {
    fn write<W: Write>(
        &self,
        arrays: &mut npz::Writer<W>,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> io::Result<()> {
        let entries = || self.0.iter().flatten();
        let data: Vec<i32> = entries().map(|&(_, count)| count.cast_signed()).collect();
        let indices: Vec<i32> = entries().map(|&(column, _)| column.cast_signed()).collect();
        let mut indptr = vec![0i64];
        let mut end = 0;
        for row in &self.0 {
            end += row.len() as i64;
            indptr.push(end);
        }
        arrays.array(&format!("{name}_data"), &[data.len()], &data)?;
        arrays.array(&format!("{name}_indices"), &[indices.len()], &indices)?;
        arrays.array(&format!("{name}_indptr"), &[indptr.len()], &indptr)?;
        arrays.array(
            &format!("{name}_shape"),
            &[2],
            &[rows as i64, columns as i64],
        )
    }
}

/// A row a topic, over words.
fn word_rows(lda: &Lda) -> SparseRows {
    let mut rows = vec![Vec::new(); lda.topics()];
    lda.for_each_word(|word, row| {
        for &(topic, count) in row {
            rows[topic as usize].push((word, count));
        }
    });
    rows.iter_mut().for_each(|row| row.sort_unstable());
    SparseRows(rows)
}

/// A row a document, over topics.
fn document_rows(lda: &Lda, shards: &[Shard], documents: usize) -> SparseRows {
    let mut rows = vec![Vec::new(); documents];
    for (numbers, shard) in lda.layout.documents.iter().zip(shards) {
        for (document, &number) in numbers.iter().enumerate() {
            let row = &mut rows[number as usize];
            row.extend(shard.rows.row(document));
            row.sort_unstable();
        }
    }
    SparseRows(rows)
}
