//! What opening holds up: compression is found by content and damage to it is named, byte order
//! marks are understood, and progress adds up.

use crate::{Error, Kind, Labelled, Progress, ReadOptions, Source, read_labelled};
use proptest::prelude::*;
use std::io::Write;
use std::sync::Arc;

fn read(name: &str, bytes: &[u8]) -> Result<Labelled, Error> {
    read_labelled(&Source::memory(name, bytes), &ReadOptions::default())
}

fn text() -> String {
    (1..5000)
        .map(|k| format!("{k} 1:{k} {}:0.5\n", k + 1))
        .collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

#[test]
fn compression_is_found_by_content() {
    let text = text();
    let plain = read("a.svm", text.as_bytes()).unwrap();
    // Several gzip members or zstd frames are one stream.
    let (first, second) = text.split_at(text.len() / 2);
    for bytes in [
        gzip(&text),
        zstd(&text),
        [gzip(first), gzip(second)].concat(),
        [zstd(first), zstd(second)].concat(),
    ] {
        assert_eq!(read("a.svm", &bytes).unwrap(), plain);
    }
}

#[test]
fn a_compressed_array_is_read() {
    let mut bytes = Vec::new();
    let data = read("a.svm", text().as_bytes()).unwrap();
    crate::write_labelled(&data, crate::Format::Npz, &mut bytes).unwrap();
    assert_eq!(
        read("a.npz.zst", &zstd::encode_all(&bytes[..], 1).unwrap()).unwrap(),
        data
    );
}

#[test]
fn a_stream_cut_short_is_named() {
    for (bytes, name) in [
        (gzip(&text()), "gzip stream"),
        (zstd(&text()), "zstd stream"),
    ] {
        for cut in [1, 4, bytes.len() / 2, bytes.len() - 10] {
            let error = read("a.svm", &bytes[..bytes.len() - cut]).unwrap_err();
            assert!(
                matches!(error.kind, Kind::Truncated { what } if what == name),
                "{cut} {error}"
            );
        }
    }
}

#[test]
fn what_cannot_be_opened_or_told_is_named() {
    let missing = read_labelled(&"no/such/file.svm".into(), &ReadOptions::default()).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("no/such/file.svm: cannot open: "),
        "{missing}"
    );
    let folder = read_labelled(&"/".into(), &ReadOptions::default()).unwrap_err();
    assert!(matches!(folder.kind, Kind::Io { .. }), "{folder}");
    let rubbish = read("a", b"\x7fELF\x02\x01\x01").unwrap_err().to_string();
    assert!(
        rubbish.starts_with("a: cannot tell the format") && rubbish.contains("\\x7fELF"),
        "{rubbish}"
    );
    assert!(matches!(
        read("a", b"").unwrap_err().kind,
        Kind::Empty { .. }
    ));
    let wide = read("a.csv", b"\xff\xfe1\x00,\x002\x00\n\0").unwrap_err();
    assert!(matches!(wide.kind, Kind::Unsupported { .. }));
}

#[test]
fn progress_adds_up_to_the_size() {
    let bytes = gzip(&text());
    let progress = Arc::new(Progress::default());
    let options = ReadOptions {
        progress: Some(progress.clone()),
        ..ReadOptions::default()
    };
    read_labelled(&Source::memory("a.svm", bytes.clone()), &options).unwrap();
    assert_eq!(
        (progress.read(), progress.total()),
        (bytes.len() as u64, Some(bytes.len() as u64))
    );
}

proptest! {
    #[test]
    fn no_damage_panics(at: usize, byte: u8, cut in 0usize..100, gz: bool) {
        let text = "1 1:2 3:4\n-1 2:0.5\n".repeat(20);
        let bytes = if gz { gzip(&text) } else { zstd(&text) };
        let _ = read("a.svm", &super::mutated(&bytes, at, byte, cut));
    }
}
