//! Tests of the readers and writers through the public API.

mod corpora;
mod input;
mod libsvm;
mod matrix_market;
mod numpy;
mod ratings;
mod tables;

use crate::{Error, Format, Labelled, ReadOptions, Source, read_labelled};

/// Reads features from text that is called `a.<format>`.
fn features(format: Format, text: impl AsRef<[u8]>) -> Result<Labelled, Error> {
    let source = Source::memory(&format!("a.{format}"), text.as_ref());
    let options = ReadOptions {
        format: Some(format),
        threads: 2,
        ..ReadOptions::default()
    };
    read_labelled(&source, &options)
}

/// `text` with the byte at `at` replaced, and cut off at `cut`.
fn mutated(text: &[u8], at: usize, byte: u8, cut: usize) -> Vec<u8> {
    let mut bytes = text.to_vec();
    let length = bytes.len();
    bytes[at % length] = byte;
    bytes.truncate(length - cut % length);
    bytes
}
