//! A command that runs while a test does something to it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take that has no stated time of its own.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often a test looks.
pub const POLL: Duration = Duration::from_millis(20);

/// A process and what it has said so far.
pub struct Running {
    child: Child,
    stdout: Said,
    stderr: Said,
    readers: Vec<JoinHandle<()>>,
}

type Said = Arc<Mutex<String>>;

/// What became of it.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it wrote.
    pub stdout: String,
    /// All that it complained of.
    pub stderr: String,
}

/// Waits until `what` holds; panics with `name` if that takes longer than `within`.
pub fn until(name: &str, within: Duration, mut what: impl FnMut() -> bool) {
    let late = Instant::now() + within;
    while !what() {
        assert!(Instant::now() < late, "{name}: not within {within:?}");
        thread::sleep(POLL);
    }
}

impl Running {
    /// Starts `command`.
    pub fn start(mut command: Command) -> Running {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (Said::default(), Said::default());
        let readers = vec![
            gather(child.stdout.take().unwrap(), stdout.clone()),
            gather(child.stderr.take().unwrap(), stderr.clone()),
        ];
        Running {
            child,
            stdout,
            stderr,
            readers,
        }
    }

    /// Waits until its output or its complaints have `word` in them.
    pub fn until_it_says(&mut self, word: &str) {
        self.until_it_has_said(word, 1);
    }

    /// Waits until its output or its complaints have `word` in them so many times.
    pub fn until_it_has_said(&mut self, word: &str, times: usize) {
        let late = Instant::now() + PATIENCE;
        loop {
            let says = |said: &Said| said.lock().unwrap().matches(word).count() >= times;
            if says(&self.stdout) || says(&self.stderr) {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < late,
                "no {word:?}: {ended:?}\n{}\n{}",
                self.stdout.lock().unwrap(),
                self.stderr.lock().unwrap()
            );
            thread::sleep(POLL);
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended, which may not take longer than `within`.
    pub fn end(mut self, within: Duration) -> Ended {
        let late = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() >= late {
                let stderr = self.stderr.lock().unwrap().clone();
                panic!("has not ended within {within:?}:\n{stderr}");
            }
            thread::sleep(POLL);
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        Ended {
            status,
            stdout: self.stdout.lock().unwrap().clone(),
            stderr: self.stderr.lock().unwrap().clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, unless the test is failing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Asserts success.
    pub fn fine(self) -> Ended {
        assert!(self.status.success(), "{self:?}");
        self
    }

    /// Asserts failure with `code`, and an explanation.
    pub fn fails(self, code: i32) -> Ended {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        assert!(self.stderr.contains("strads: "), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }
}

fn gather(from: impl Read + Send + 'static, into: Said) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            into.lock().unwrap().push_str(&text);
            line.clear();
        }
    })
}
