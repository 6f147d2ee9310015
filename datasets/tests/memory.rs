//! Reading holds a matrix once: its peak memory is at most 1.3 times the matrix, and a few megabytes
//! of text that is being parsed. Each file is read by a process of its own, since the system counts
//! the peak by process: this test runs itself.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use strads_datasets::generate::{Correlation, Design, Regression};
use strads_datasets::{Format, ReadOptions, Source, read_labelled, write_labelled};

const BUFFERS: usize = 8 << 20;
const READ: &str = "STRADS_TEST_READ";
const THREADS: &str = "STRADS_TEST_THREADS";

#[test]
fn the_peak_is_at_most_1_3_times_the_matrix() {
    if let Some(path) = std::env::var_os(READ) {
        return read(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let sparse = Design::Sparse {
        nonzeros: 4_000_000,
        exponent: 0.9,
        binary: false,
    };
    let sparse = Regression {
        rows: 5_000,
        columns: 50_000,
        design: sparse,
        ..Regression::default()
    };
    let dense = Design::Dense(Correlation::None);
    let dense = Regression {
        rows: 1_500,
        columns: 3_000,
        design: dense,
        ..Regression::default()
    };
    let cases = [
        (&sparse, Format::Libsvm),
        (&sparse, Format::MatrixMarket),
        (&sparse, Format::Npz),
        (&dense, Format::Csv),
        (&dense, Format::Npy),
    ];
    for (options, format) in cases {
        let path = folder.path().join(format!("a.{format}"));
        let mut file = BufWriter::new(File::create(&path).unwrap());
        write_labelled(&options.generate().unwrap().data, format, &mut file).unwrap();
        file.flush().unwrap();
        for threads in ["1", "2"] {
            let child = Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "the_peak_is_at_most_1_3_times_the_matrix",
                    "--nocapture",
                ])
                .env(READ, &path)
                .env(THREADS, threads)
                .output()
                .unwrap();
            print!("{}", String::from_utf8_lossy(&child.stdout));
            assert!(
                child.status.success(),
                "{}",
                String::from_utf8_lossy(&child.stderr)
            );
        }
    }
}

/// What the process does that reads one file.
fn read(path: &Path) {
    let threads = std::env::var(THREADS).unwrap().parse().unwrap();
    let options = ReadOptions {
        threads,
        ..ReadOptions::default()
    };
    let before = memory("VmHWM:");
    let data = read_labelled(&Source::from(path), &options).unwrap();
    let (peak, matrix) = (memory("VmHWM:") - before, data.features.bytes());
    let ratio = peak as f64 / matrix as f64;
    println!(
        "{}, {threads} threads: {matrix} bytes, peak {ratio:.2} of it",
        path.display()
    );
    assert!(peak <= matrix / 10 * 13 + BUFFERS, "{ratio}");
}

fn memory(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .parse::<usize>()
        .unwrap()
        * 1024
}
