//! UCI bag of words: `docword` (three counts, then `document word count` lines) and `vocab`.
//!
//! Documents and words count from 1. Documents come in ascending order, as in every file that the
//! collection has; a document without words is empty.

use crate::corpus::Corpus;
use crate::error::{Error, Kind, quote};
use crate::lines::Lines;
use crate::number::{PADDING, integer};
use crate::options::ReadOptions;
use crate::shape::proven;
use crate::source::Source;
use crate::text::{Flaw, Text, ends_word, skip_blanks};
use crate::vocabulary;
use std::io::{self, Write};

/// Reads documents, and the vocabulary where one is told or lies beside the file.
pub(crate) fn read(
    mut lines: Lines,
    source: &Source,
    options: &ReadOptions,
) -> Result<Corpus, Error> {
    let name = lines.name().to_owned();
    let promised = Promised {
        documents: read_count(&mut lines, "the number of documents")?,
        words: read_count(&mut lines, "the number of words")?,
        entries: read_count(&mut lines, "the number of entries")?,
    };
    let mut documents = Documents::default();
    lines.parse(
        options.threads,
        |text, entries| parse(text, promised, entries),
        |entries: &mut Entries| documents.append(entries),
    )?;
    let whole = |kind| Error::whole(&name, kind);
    let corpus = documents.finish(promised).map_err(whole)?;
    match options.vocabulary.clone().or_else(|| beside(source)) {
        Some(vocabulary) => vocabulary::attach(corpus, &vocabulary),
        None => Ok(corpus),
    }
}

#[derive(Clone, Copy)]
struct Promised {
    documents: u64,
    words: u64,
    entries: u64,
}

fn read_count(lines: &mut Lines, what: &'static str) -> Result<u64, Error> {
    let line = lines.next_line()?.unwrap_or_default();
    let padded = [line.trim_ascii(), b"\n", &[0; PADDING]].concat();
    let limit = u64::from(u32::MAX);
    match integer(&padded, 0) {
        Some((count, end))
            if padded[end] == b'\n' && (count <= limit || what.ends_with("entries")) =>
        {
            Ok(count)
        }
        Some((count, end)) if padded[end] == b'\n' => {
            let found = count.to_string();
            Err(lines.error(
                0,
                Kind::TooLarge {
                    what,
                    found,
                    limit,
                    advice: "",
                },
            ))
        }
        _ => Err(lines.error(
            0,
            Kind::Unexpected {
                expected: what,
                found: quote(&line),
            },
        )),
    }
}

/// The entries of one piece of text; documents and words count from 0.
#[derive(Default)]
struct Entries {
    documents: Vec<u32>,
    words: Vec<u32>,
    counts: Vec<u32>,
}

fn parse(text: Text<'_>, promised: Promised, entries: &mut Entries) -> Result<(), Flaw> {
    entries.documents.clear();
    entries.words.clear();
    entries.counts.clear();
    let mut at = 0;
    while at < text.end {
        let start = skip_blanks(text.bytes, at);
        if text.bytes[start] != b'\n' {
            let (document, end) = within(
                text,
                start,
                promised.documents,
                "a document from 1 to their number",
            )?;
            if entries
                .documents
                .last()
                .is_some_and(|&before| document - 1 < before)
            {
                return Err(Flaw::expected(text, start, "documents in ascending order"));
            }
            let at_word = skip_blanks(text.bytes, end);
            let (word, end) = within(
                text,
                at_word,
                promised.words,
                "a word from 1 to their number",
            )?;
            let at_count = skip_blanks(text.bytes, end);
            let (count, end) = within(text, at_count, u64::from(u32::MAX), "a count from 1 on")?;
            entries.documents.push(document - 1);
            entries.words.push(word - 1);
            entries.counts.push(count);
            at = skip_blanks(text.bytes, end);
            if text.bytes[at] != b'\n' {
                return Err(Flaw::expected(text, at, "the end of the line"));
            }
        }
        at = text.line_end(start) + 1;
    }
    Ok(())
}

/// A number from 1 to `most`.
#[inline]
fn within(
    text: Text<'_>,
    at: usize,
    most: u64,
    expected: &'static str,
) -> Result<(u32, usize), Flaw> {
    match integer(text.bytes, at) {
        Some((found, end)) if (1..=most).contains(&found) && ends_word(text.bytes[end]) => {
            Ok((found as u32, end))
        }
        _ => Err(Flaw::expected(text, at, expected)),
    }
}

/// The documents so far.
#[derive(Default)]
struct Documents {
    /// Where each document up to the current one starts.
    starts: Vec<usize>,
    words: Vec<u32>,
    counts: Vec<u32>,
}

impl Documents {
    fn append(&mut self, entries: &Entries) -> Result<(), Kind> {
        for ((&document, &word), &count) in entries
            .documents
            .iter()
            .zip(&entries.words)
            .zip(&entries.counts)
        {
            let document = document as usize;
            if document + 1 < self.starts.len() {
                let found = (document + 1).to_string();
                return Err(Kind::Unexpected {
                    expected: "documents in ascending order",
                    found,
                });
            }
            if document + 1 > self.starts.len() {
                proven("the document's number", document, self.words.len())?;
                self.starts.resize(document + 1, self.words.len());
            }
            self.words.push(word);
            self.counts.push(count);
        }
        Ok(())
    }

    fn finish(mut self, promised: Promised) -> Result<Corpus, Kind> {
        let entries = self.words.len();
        let (expected, found) = (promised.entries, entries as u64);
        if expected != found {
            return Err(Kind::Mismatch {
                what: "the number of entries",
                expected,
                found,
            });
        }
        let documents = proven(
            "the number of documents",
            promised.documents as usize,
            entries,
        )?;
        let word_kinds = proven("the number of words", promised.words as usize, entries)?;
        self.starts.resize(documents + 1, entries);
        let Self {
            starts,
            words,
            counts,
        } = self;
        Corpus {
            starts,
            words,
            counts,
            word_kinds,
            vocabulary: None,
        }
        .checked()
    }
}

/// `vocab.enron.txt` beside `docword.enron.txt`, compressed or not.
fn beside(source: &Source) -> Option<Source> {
    let Source::File(path) = source else {
        return None;
    };
    let name = path.file_name()?.to_str()?.replace("docword", "vocab");
    let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let candidates = [
        name.clone(),
        plain.to_owned(),
        format!("{plain}.gz"),
        format!("{plain}.zst"),
    ];
    let paths = candidates.into_iter().map(|name| path.with_file_name(name));
    paths
        .into_iter()
        .find(|found| found != path && found.is_file())
        .map(Source::File)
}

/// Writes `docword`; the vocabulary is a file of its own.
pub(crate) fn write(corpus: &Corpus, into: &mut impl Write) -> io::Result<()> {
    writeln!(
        into,
        "{}\n{}\n{}",
        corpus.documents(),
        corpus.word_kinds,
        corpus.words.len()
    )?;
    for d in 0..corpus.documents() {
        let (words, counts) = corpus.document(d);
        for (word, count) in words.iter().zip(counts) {
            writeln!(into, "{} {} {count}", d + 1, u64::from(*word) + 1)?;
        }
    }
    Ok(())
}
