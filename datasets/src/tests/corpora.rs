//! What the readers of documents hold up: the same corpus from every format, errors with line and
//! column, and no panic on any bytes.

use super::mutated;
use crate::{Corpus, Error, Format, Kind, ReadOptions, Source};
use crate::{read_corpus, write_corpus, write_vocabulary};
use proptest::prelude::*;

fn read_with(
    format: Format,
    text: impl AsRef<[u8]>,
    vocabulary: Option<&str>,
) -> Result<Corpus, Error> {
    let vocabulary = vocabulary.map(|words| Source::memory("vocab", words.as_bytes()));
    let options = ReadOptions {
        format: Some(format),
        threads: 2,
        vocabulary,
        ..ReadOptions::default()
    };
    read_corpus(
        &Source::memory(&format!("a.{format}"), text.as_ref()),
        &options,
    )
}

fn read(format: Format, text: impl AsRef<[u8]>) -> Result<Corpus, Error> {
    read_with(format, text, None)
}

/// Two documents with an empty one between them.
fn expected(vocabulary: Option<&[&str]>) -> Corpus {
    Corpus {
        starts: vec![0, 2, 2, 3],
        words: vec![0, 2, 1],
        counts: vec![1, 3, 2],
        word_kinds: 3,
        vocabulary: vocabulary.map(|words| words.iter().map(|&word| word.to_owned()).collect()),
    }
}

#[test]
fn every_format_gives_the_same_corpus() {
    let bow = "3\n3\n3\n1 3 3\n1 1 1\n\n3 2 2\n";
    assert_eq!(read(Format::BagOfWords, bow).unwrap(), expected(None));
    let ldac = "2 2:3 0:1\n0\n1 1:2\r\n";
    assert_eq!(read(Format::LdaC, ldac).unwrap(), expected(None));
    let words = expected(Some(&["x", "y", "z"]));
    let with = |format, text: &str| read_with(format, text, Some("x\ny\nz\n")).unwrap();
    assert_eq!(with(Format::BagOfWords, bow), words);
    assert_eq!(with(Format::LdaC, ldac), words);
    assert_eq!(with(Format::Lines, "z x z new z\n\n y\ty"), words);
    let lines = read(Format::Lines, "x z z z\n\n y y\n").unwrap();
    assert_eq!(lines.vocabulary.as_deref().unwrap(), ["x", "z", "y"]);
    assert_eq!(
        (lines.tokens(), lines.document(2)),
        (6, (&[2][..], &[2][..]))
    );
}

#[test]
fn errors_say_where_and_what() {
    let is = |format, text: &str, expected: &str| {
        assert_eq!(read(format, text).unwrap_err().to_string(), expected);
    };
    let bow = Format::BagOfWords;
    is(
        bow,
        "1\nx\n1\n",
        "a.bow, line 2, column 1: expected the number of words, found \"x\"",
    );
    is(
        bow,
        "1\n1\n1\n2 1 1\n",
        "a.bow, line 4, column 1: expected a document from 1 to their number, found \"2\"",
    );
    is(
        bow,
        "1\n1\n1\n1 2 1\n",
        "a.bow, line 4, column 3: expected a word from 1 to their number, found \"2\"",
    );
    is(
        bow,
        "1\n1\n1\n1 1 0\n",
        "a.bow, line 4, column 5: expected a count from 1 on, found \"0\"",
    );
    is(
        bow,
        "2\n1\n2\n2 1 1\n1 1 1\n",
        "a.bow, line 5, column 1: expected documents in ascending order, found \"1\"",
    );
    is(
        bow,
        "1\n1\n2\n1 1 1\n",
        "a.bow: the number of entries: expected 2, found 1",
    );
    is(
        bow,
        "1\n1\n2\n1 1 1\n1 1 1\n",
        "a.bow: the entry in row 1, column 1 is given twice",
    );
    let ldac = Format::LdaC;
    is(
        ldac,
        "1 0:1\n2 0:1\n",
        "a.ldac, line 2, column 1: the number of distinct words in the line: expected 2, found 1",
    );
    is(
        ldac,
        "1 0:x\n",
        "a.ldac, line 1, column 5: expected a count from 1 on, found \"x\"",
    );
    is(
        ldac,
        "1 1099511627776:1\n",
        "a.ldac, line 1, column 3: the word's number is 1099511627776, and the largest supported is 4294967294",
    );
    is(ldac, "", "a.ldac: no documents in the input");
    is(Format::Lines, "\n\n", "a.lines: no words in the input");
    assert!(matches!(
        read(Format::Lines, b"ab\n c\xff\n").unwrap_err().kind,
        Kind::Unexpected { .. }
    ));
    let short = read_with(bow, "1\n2\n1\n1 1 1\n", Some("x\n"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        short,
        "vocab: the number of words in the vocabulary: expected 2, found 1"
    );
}

#[test]
fn promises_reserve_nothing() {
    let huge = "4000000000\n4000000000\n1152921504606846976\n4000000000 1 1\n";
    assert!(matches!(
        read(Format::BagOfWords, huge).unwrap_err().kind,
        Kind::TooLarge { .. }
    ));
    let documents = "4000000000\n4\n1\n1 1 1\n";
    assert!(matches!(
        read(Format::BagOfWords, documents).unwrap_err().kind,
        Kind::TooLarge { .. }
    ));
    assert!(matches!(
        read(Format::LdaC, "1 4000000000:1\n").unwrap_err().kind,
        Kind::TooLarge { .. }
    ));
}

#[test]
fn a_vocabulary_beside_the_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docword.tiny.txt");
    std::fs::write(&path, "3\n3\n3\n1 3 3\n1 1 1\n3 2 2\n").unwrap();
    let mut words = Vec::new();
    write_vocabulary(
        &["x".to_owned(), "y".to_owned(), "z".to_owned()],
        &mut words,
    )
    .unwrap();
    std::fs::write(folder.path().join("vocab.tiny.txt"), words).unwrap();
    let corpus = read_corpus(&path.as_path().into(), &ReadOptions::default()).unwrap();
    assert_eq!(corpus, expected(Some(&["x", "y", "z"])));
}

proptest! {
    #[test]
    fn what_is_written_is_read(documents in prop::collection::vec(prop::collection::btree_map(0u32..300, 1u32..9, 0..20), 1..30)) {
        let mut corpus = Corpus { starts: vec![0], words: vec![], counts: vec![], word_kinds: 300, vocabulary: None };
        for document in documents.iter().chain([&[(299, 1)].into()]) {
            corpus.words.extend(document.keys());
            corpus.counts.extend(document.values());
            corpus.starts.push(corpus.words.len());
        }
        for format in [Format::BagOfWords, Format::LdaC, Format::Lines] {
            let mut text = Vec::new();
            write_corpus(&corpus, format, &mut text).unwrap();
            let read = read(format, text).unwrap();
            prop_assert_eq!(&read.starts, &corpus.starts);
            prop_assert_eq!(read.tokens(), corpus.tokens());
            if format != Format::Lines {
                prop_assert_eq!(&read, &corpus);
            }
        }
    }

    #[test]
    fn no_mutation_panics(at: usize, byte: u8, cut in 0usize..20, text in "[0-9: \r\n]{0,60}") {
        let _ = read(Format::BagOfWords, mutated(b"3\n3\n3\n1 3 3\n1 1 1\n3 2 2\n", at, byte, cut));
        let _ = read(Format::LdaC, mutated(b"2 2:3 0:1\n0\n1 1:2\r\n", at, byte, cut));
        let _ = read(Format::Lines, mutated("a b c\nä ö a\n\nx".as_bytes(), at, byte, cut));
        let _ = read(Format::BagOfWords, &text);
        let _ = read(Format::LdaC, &text);
    }
}
