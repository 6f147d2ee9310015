//! LDA-C: `distinct word:count …`, one document a line, words counted from 0.

use crate::corpus::Corpus;
use crate::error::{Error, Kind};
use crate::lines::Lines;
use crate::number::integer;
use crate::options::ReadOptions;
use crate::shape::proven;
use crate::text::{Flaw, Text, ends_word, skip_blanks};
use crate::vocabulary;
use std::io::{self, Write};

/// Reads documents, and the vocabulary where one is told.
pub(crate) fn read(lines: Lines, options: &ReadOptions) -> Result<Corpus, Error> {
    let name = lines.name().to_owned();
    let words = options
        .vocabulary
        .as_ref()
        .map(vocabulary::read)
        .transpose()?;
    let limit = words
        .as_ref()
        .map_or(u64::from(u32::MAX) - 1, |words| words.len() as u64 - 1);
    let mut corpus = Corpus {
        starts: vec![0],
        words: Vec::new(),
        counts: Vec::new(),
        word_kinds: words.as_ref().map_or(0, Vec::len),
        vocabulary: words,
    };
    let mut met = 0;
    lines.parse(
        options.threads,
        |text, part| parse(text, limit, part),
        |part: &mut Part| {
            let before = corpus.words.len();
            corpus
                .starts
                .extend(part.ends.iter().map(|end| before + end));
            corpus.words.extend_from_slice(&part.words);
            corpus.counts.extend_from_slice(&part.counts);
            met = met.max(
                part.words
                    .iter()
                    .map(|&word| word as usize + 1)
                    .max()
                    .unwrap_or(0),
            );
            Ok(())
        },
    )?;
    let whole = |kind| Error::whole(&name, kind);
    if corpus.vocabulary.is_none() {
        corpus.word_kinds =
            proven("the number of words", met, corpus.words.len()).map_err(whole)?;
    }
    corpus.checked().map_err(whole)
}

/// The documents of one piece of text.
#[derive(Default)]
struct Part {
    /// Where each document ends.
    ends: Vec<usize>,
    words: Vec<u32>,
    counts: Vec<u32>,
}

fn parse(text: Text<'_>, limit: u64, part: &mut Part) -> Result<(), Flaw> {
    part.ends.clear();
    part.words.clear();
    part.counts.clear();
    let mut at = 0;
    while at < text.end {
        let start = skip_blanks(text.bytes, at);
        if text.bytes[start] != b'\n' {
            parse_document(text, start, limit, part)?;
            part.ends.push(part.words.len());
        }
        at = text.line_end(start) + 1;
    }
    Ok(())
}

fn parse_document(text: Text<'_>, start: usize, limit: u64, part: &mut Part) -> Result<(), Flaw> {
    let bytes = text.bytes;
    let (promised, mut at) = integer(bytes, start)
        .filter(|&(_, end)| ends_word(bytes[end]))
        .ok_or_else(|| Flaw::expected(text, start, "the number of distinct words"))?;
    let mut found = 0;
    loop {
        at = skip_blanks(bytes, at);
        if bytes[at] == b'\n' {
            break;
        }
        let (word, colon) = integer(bytes, at)
            .filter(|&(_, end)| bytes[end] == b':')
            .ok_or_else(|| Flaw::expected(text, at, "word:count"))?;
        if word > limit {
            let what = "the word's number";
            let found = word.to_string();
            return Err(Flaw::new(
                at,
                Kind::TooLarge {
                    what,
                    found,
                    limit,
                    advice: "",
                },
            ));
        }
        let (count, end) = integer(bytes, colon + 1)
            .filter(|&(count, end)| {
                (1..=u64::from(u32::MAX)).contains(&count) && ends_word(bytes[end])
            })
            .ok_or_else(|| Flaw::expected(text, colon + 1, "a count from 1 on"))?;
        part.words.push(word as u32);
        part.counts.push(count as u32);
        found += 1;
        at = end;
    }
    if found == promised {
        return Ok(());
    }
    let what = "the number of distinct words in the line";
    Err(Flaw::new(
        start,
        Kind::Mismatch {
            what,
            expected: promised,
            found,
        },
    ))
}

/// Writes one document a line.
pub(crate) fn write(corpus: &Corpus, into: &mut impl Write) -> io::Result<()> {
    for d in 0..corpus.documents() {
        let (words, counts) = corpus.document(d);
        write!(into, "{}", words.len())?;
        for (word, count) in words.iter().zip(counts) {
            write!(into, " {word}:{count}")?;
        }
        writeln!(into)?;
    }
    Ok(())
}
