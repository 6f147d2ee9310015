//! Files that are whole or absent, and reading with progress.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use strads_datasets::Progress;

use crate::cli::interrupt::{Partial, Together};
use crate::console::Console;

/// Writes to a neighbour of `path`, flushes to the disk, and renames.
pub fn completely(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let _removed_by_interrupt = Partial::new(&partial);
    let written = (|| {
        let mut file = BufWriter::new(File::create(&partial)?);
        write(&mut file)?;
        file.into_inner()?.sync_all()?;
        fs::rename(&partial, path)
    })();
    if written.is_ok() {
        tracing::info!(file = %path.display(), "written");
    } else {
        // The first error is the one to report.
        let _ = fs::remove_file(&partial);
    }
    written
}

/// Writes files that belong together: an interruption waits until all of them are there.
pub fn together<T>(write: impl FnOnce() -> T) -> T {
    let _waited_for = Together::new();
    write()
}

/// Shows how far `read` is while it reads `name`.
pub fn watched<T: Send>(
    console: &mut Console,
    name: &Path,
    read: impl FnOnce(Arc<Progress>) -> T + Send,
) -> T {
    let progress = Arc::new(Progress::default());
    let began = Instant::now();
    let (done, watch) = channel::<()>();
    std::thread::scope(|scope| {
        let seen = Arc::clone(&progress);
        let reader = scope.spawn(move || {
            // Dropped at the end, however reading ends: that is what stops the watch.
            let _done = done;
            read(progress)
        });
        while watch.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            console.progress(|| line(name, &seen, began.elapsed().as_secs_f64()));
        }
        console.clear();
        let bytes = seen.read();
        let seconds = began.elapsed().as_secs_f64();
        tracing::info!(file = %name.display(), bytes, seconds, "read");
        reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn line(name: &Path, progress: &Progress, seconds: f64) -> String {
    let read = progress.read() as f64;
    let speed = read / seconds.max(1e-3);
    let left = match progress.total() {
        Some(total) if read > 0.0 => {
            let left = (total as f64 - read).max(0.0) / speed;
            format!(
                ", {:.0} % read, {left:.0} s left",
                100.0 * read / total as f64
            )
        }
        _ => String::new(),
    };
    format!("reading {}: {:.0} MB/s{left}", name.display(), speed / 1e6)
}
