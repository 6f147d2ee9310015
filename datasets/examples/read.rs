//! Reads a file and says how large it is, how long it took, and how much memory.
//!
//! `cargo run --release -p strads-datasets --example read -- FILE [THREADS]`

use std::time::Instant;
use strads_datasets::{Error, ReadOptions, Source, read_labelled};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "-".to_owned());
    let mut options = ReadOptions::default();
    if let Some(threads) = arguments.next().and_then(|threads| threads.parse().ok()) {
        options.threads = threads;
    }
    let before = peak_memory();
    let start = Instant::now();
    let data = read_labelled(&Source::from(path.as_str()), &options)?;
    let seconds = start.elapsed().as_secs_f64();
    let bytes = (data.features.bytes() + data.target.map_or(0, |target| target.len() * 8)) as f64;
    println!(
        "{} x {}, {} entries: {seconds:.3} s, {:.1} MB, peak {:.3} of it",
        data.features.rows(),
        data.features.columns(),
        data.features.nonzeros(),
        bytes / 1e6,
        (peak_memory() - before) / bytes,
    );
    Ok(())
}

/// The most memory that this process has had so far, in bytes; 0 where the system does not say.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) * 1024.0
}
