//! Running the command in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A directory that a test has to itself.
pub struct Place(TempDir);

/// What a command did.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts a file there.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The names of all that is there.
    pub fn names(&self) -> Vec<String> {
        names(self.0.path())
    }

    /// Runs `strads` with arguments that are separated by blanks.
    pub fn strads(&self, arguments: &str) -> Ran {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(env!("CARGO_BIN_EXE_strads"))
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        Ran {
            code: status.code(),
            stdout,
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Asserts success.
    pub fn fine(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts failure with `code` and one message of at most three lines on standard error.
    pub fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        let lines = self.stderr.trim_end().lines().count();
        assert!((1..=3).contains(&lines), "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Standard output, each line of which has to be a JSON object with an event's name.
    pub fn events(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.stdout).unwrap();
        let event = |line: &str| {
            let event: Value = serde_json::from_str(line).expect(line);
            assert!(event["event"].is_string(), "{line}");
            event
        };
        text.lines().map(event).collect()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}
