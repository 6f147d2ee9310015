//! Every reader of documents, picked by the first byte, gives a valid corpus or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strads_datasets::{Format, ReadOptions, Source, read_corpus};

const FORMATS: [Option<Format>; 4] =
    [None, Some(Format::BagOfWords), Some(Format::LdaC), Some(Format::Lines)];

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, content)) = bytes.split_first() else { return };
    let format = FORMATS[usize::from(*pick) % FORMATS.len()];
    let options = ReadOptions { format, threads: 1, ..ReadOptions::default() };
    if let Ok(corpus) = read_corpus(&Source::memory("fuzz", content), &options) {
        for d in 0..corpus.documents() {
            let (words, counts) = corpus.document(d);
            assert!(words.is_sorted_by(|a, b| a < b) && counts.iter().all(|&count| count > 0));
            assert!(words.iter().all(|&word| (word as usize) < corpus.word_kinds));
        }
    }
});
