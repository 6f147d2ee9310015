//! Ctrl-C: the command ends with exit code 130 and leaves nothing behind that is half written.
//!
//! A file that is under way is removed. A group of files that belong together (a model) is finished
//! first, which takes as long as writing them; after a second Ctrl-C they are not waited for.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::standard::to_standard_error;

/// The exit code that says so.
pub const EXIT_CODE: i32 = 130;

/// Files under way, and how many groups of files are.
struct UnderWay {
    files: Vec<PathBuf>,
    groups: usize,
}

static UNDER_WAY: Mutex<UnderWay> = Mutex::new(UnderWay {
    files: Vec::new(),
    groups: 0,
});
static GROUP_ENDED: Condvar = Condvar::new();
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A file that is removed if the command is interrupted while this lives.
#[derive(Debug)]
pub struct Partial(PathBuf);

/// Files that belong together: an interruption waits while this lives.
#[derive(Debug)]
pub struct Together(());

/// What has to end before the command does.
type Farewell = Box<dyn FnOnce() + Send>;
static FAREWELL: Mutex<Option<Farewell>> = Mutex::new(None);

/// Has `farewell` called before an interrupted command ends, or nothing any more.
pub fn first(farewell: Option<Farewell>) {
    *FAREWELL.lock().unwrap_or_else(PoisonError::into_inner) = farewell;
}

/// Ends the command as the module says when it is interrupted or told to terminate.
pub fn watch() {
    let watching = ctrlc::set_handler(|| {
        // The second time, nothing is waited for: the handler may be doing so already.
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(EXIT_CODE);
        }
        std::thread::spawn(end);
    });
    if let Err(error) = watching {
        tracing::warn!(%error, "Ctrl-C will end the command without cleaning up");
    }
}

/// Does not return if the command has been interrupted: what happens from then on is of its ending.
pub fn has_the_last_word() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

fn end() {
    let farewell = FAREWELL
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(farewell) = farewell {
        farewell();
    }
    let mut under_way = lock();
    while under_way.groups > 0 {
        under_way = GROUP_ENDED
            .wait(under_way)
            .unwrap_or_else(PoisonError::into_inner);
    }
    for file in &under_way.files {
        // It may be there or not yet; nothing more can be done about it.
        let _ = std::fs::remove_file(file);
    }
    let line = match std::io::stderr().is_terminal() {
        true => "\r\x1b[2K",
        false => "",
    };
    to_standard_error(format_args!("{line}strads: interrupted\n"));
    // With the lock held: no file is begun any more.
    std::process::exit(EXIT_CODE);
}

impl Partial {
    /// The file at `path` is under way.
    pub fn new(path: &Path) -> Self {
        lock().files.push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        lock().files.retain(|path| *path != self.0);
    }
}

impl Together {
    /// Files that belong together are under way.
    pub fn new() -> Self {
        lock().groups += 1;
        Self(())
    }
}

impl Default for Together {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        lock().groups -= 1;
        GROUP_ENDED.notify_all();
    }
}

/// A thread that panicked leaves the lists as they are: they are whole at every moment.
fn lock() -> MutexGuard<'static, UnderWay> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}
