//! Every reader of features, picked by the first byte, gives a matrix or an error on any bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strads_datasets::{Format, ReadOptions, Source, read_labelled};

const FORMATS: [Option<Format>; 7] = [
    None,
    Some(Format::Libsvm),
    Some(Format::MatrixMarket),
    Some(Format::Csv),
    Some(Format::Tsv),
    Some(Format::Npy),
    Some(Format::Npz),
];

fuzz_target!(|bytes: &[u8]| {
    let Some((pick, content)) = bytes.split_first() else { return };
    let format = FORMATS[usize::from(*pick) % FORMATS.len()];
    // A made-up width within the limits may be large; that is for the caller to ask for.
    let options = ReadOptions { format, threads: 1, ..ReadOptions::default() };
    let source = Source::memory("fuzz", content);
    if let Ok(data) = read_labelled(&source, &options) {
        assert!(data.features.rows() > 0);
        if let Some(target) = data.target {
            assert_eq!(target.len(), data.features.rows());
            assert!(target.iter().all(|y| y.is_finite()));
        }
    }
});
