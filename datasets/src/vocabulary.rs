//! The words of a corpus, one a line.

use crate::corpus::Corpus;
use crate::error::{Error, Kind, Place, quote};
use crate::input::Input;
use crate::source::Source;
use std::io::{self, Write};

/// The corpus with the vocabulary that `source` has.
///
/// A vocabulary may be longer than the highest word that occurs, unless the corpus came with a
/// count: that is `word_kinds` then, and both have to agree.
pub(crate) fn attach(corpus: Corpus, source: &Source) -> Result<Corpus, Error> {
    let words = read(source)?;
    let (expected, found) = (corpus.word_kinds as u64, words.len() as u64);
    if expected != found {
        let what = "the number of words in the vocabulary";
        return Err(Error::whole(
            source.to_string(),
            Kind::Mismatch {
                what,
                expected,
                found,
            },
        ));
    }
    Ok(Corpus {
        vocabulary: Some(words),
        ..corpus
    })
}

/// All words of a file.
pub(crate) fn read(source: &Source) -> Result<Vec<String>, Error> {
    let mut input = Input::open(source, None)?;
    let mut bytes = Vec::new();
    input.read_into(&mut bytes, usize::MAX)?;
    let text = bytes.trim_ascii_end();
    if text.is_empty() {
        return Err(Error::whole(input.name(), Kind::Empty { what: "words" }));
    }
    let word = |(line, word): (usize, &[u8])| match std::str::from_utf8(word.trim_ascii()) {
        Ok(word) => Ok(word.to_owned()),
        Err(_) => {
            let kind = Kind::Unexpected {
                expected: "a word in UTF-8",
                found: quote(word),
            };
            Err(Error::at(input.name(), Place::Line(line as u64 + 1), kind))
        }
    };
    text.split(|&byte| byte == b'\n')
        .enumerate()
        .map(word)
        .collect()
}

/// Writes one word a line.
pub(crate) fn write(words: &[String], into: &mut impl Write) -> io::Result<()> {
    words.iter().try_for_each(|word| writeln!(into, "{word}"))
}
