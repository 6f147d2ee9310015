//! One document a line, words separated by blanks.
//!
//! Words are numbered in the order in which they first occur. An empty line is an empty document.

use crate::corpus::Corpus;
use crate::error::{Error, Kind};
use crate::lines::Lines;
use crate::options::ReadOptions;
use crate::text::{Flaw, Text};
use crate::vocabulary;
use std::collections::HashMap;
use std::io::{self, Write};

/// Reads documents. With a vocabulary told, words that it does not have are left out.
pub(crate) fn read(lines: Lines, options: &ReadOptions) -> Result<Corpus, Error> {
    let name = lines.name().to_owned();
    let told = options
        .vocabulary
        .as_ref()
        .map(vocabulary::read)
        .transpose()?;
    let mut words = Words {
        open: told.is_none(),
        ..Words::default()
    };
    for word in told.unwrap_or_default() {
        words.add(word);
    }
    let mut corpus = Corpus {
        starts: vec![0],
        words: Vec::new(),
        counts: Vec::new(),
        word_kinds: 0,
        vocabulary: None,
    };
    lines.parse(options.threads, parse, |part: &mut Part| {
        append(part, &mut words, &mut corpus)
    })?;
    corpus.word_kinds = words.names.len();
    corpus.vocabulary = Some(words.names);
    corpus.checked().map_err(|kind| Error::whole(name, kind))
}

/// The words met so far and their numbers.
#[derive(Default)]
struct Words {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
    /// Whether new words are taken in.
    open: bool,
}

impl Words {
    fn add(&mut self, word: String) -> u32 {
        let number = self.names.len() as u32;
        self.names.push(word.clone());
        self.numbers.insert(word, number);
        number
    }

    /// The number of a word, or none if it is left out.
    fn number(&mut self, word: &str) -> Result<Option<u32>, Kind> {
        if let Some(&number) = self.numbers.get(word) {
            return Ok(Some(number));
        }
        if self.names.len() == u32::MAX as usize {
            let (what, limit) = ("the number of words", u64::from(u32::MAX));
            let found = format!("more than {limit}");
            return Err(Kind::TooLarge {
                what,
                found,
                limit,
                advice: "",
            });
        }
        Ok(self.open.then(|| self.add(word.to_owned())))
    }
}

/// The documents of one piece of text, with words numbered by themselves.
#[derive(Default)]
struct Part {
    numbers: HashMap<String, u32>,
    /// The words in the order of their numbers here.
    names: Vec<String>,
    /// The words of each document, one after another, with repetitions.
    tokens: Vec<u32>,
    /// Where each document ends in them.
    ends: Vec<usize>,
}

fn parse(text: Text<'_>, part: &mut Part) -> Result<(), Flaw> {
    *part = Part::default();
    let mut start = 0;
    while start < text.end {
        let end = text.line_end(start);
        let line = std::str::from_utf8(&text.bytes[start..end])
            .map_err(|error| Flaw::expected(text, start + error.valid_up_to(), "text in UTF-8"))?;
        for word in line.split_ascii_whitespace() {
            let number = match part.numbers.get(word) {
                Some(&number) => number,
                None => {
                    let number = part.names.len() as u32;
                    part.names.push(word.to_owned());
                    part.numbers.insert(word.to_owned(), number);
                    number
                }
            };
            part.tokens.push(number);
        }
        part.ends.push(part.tokens.len());
        start = end + 1;
    }
    Ok(())
}

fn append(part: &mut Part, words: &mut Words, corpus: &mut Corpus) -> Result<(), Kind> {
    let numbers: Result<Vec<_>, _> = part.names.iter().map(|name| words.number(name)).collect();
    let numbers = numbers?;
    let mut start = 0;
    let mut document = Vec::new();
    for &end in &part.ends {
        document.clear();
        document.extend(
            part.tokens[start..end]
                .iter()
                .filter_map(|&word| numbers[word as usize]),
        );
        document.sort_unstable();
        for same in document.chunk_by(|a, b| a == b) {
            corpus.words.push(same[0]);
            corpus.counts.push(same.len() as u32);
        }
        corpus.starts.push(corpus.words.len());
        start = end;
    }
    Ok(())
}

/// Writes one document a line, each word as often as it occurs; without a vocabulary, its number.
pub(crate) fn write(corpus: &Corpus, into: &mut impl Write) -> io::Result<()> {
    for d in 0..corpus.documents() {
        let (words, counts) = corpus.document(d);
        let mut separator = "";
        for (&word, &count) in words.iter().zip(counts) {
            for _ in 0..count {
                match &corpus.vocabulary {
                    Some(names) => write!(into, "{separator}{}", names[word as usize])?,
                    None => write!(into, "{separator}{word}")?,
                }
                separator = " ";
            }
        }
        writeln!(into)?;
    }
    Ok(())
}
