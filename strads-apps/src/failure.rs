//! Why the command ends with something else than success, and with which exit code.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use crate::archive::Unreadable;
use crate::cli::nearest;

/// A failure as a person sees it: one message of at most three lines (what, where, what to do).
#[derive(Debug)]
pub enum Failure {
    /// Wrong use or wrong input: exit code 2.
    Input(String),
    /// The world fails (disk, network, another process): exit code 3.
    World(String),
    /// A node is gone, with what it had: exit code 3, unless one goes on without it.
    Lost {
        /// The node, as the hostfile names it.
        node: String,
        /// What is known of it.
        message: String,
    },
}

impl Failure {
    /// Wrong use or input, with what to do about it.
    pub fn input(message: impl fmt::Display) -> Self {
        Self::Input(message.to_string())
    }

    /// The world fails.
    pub fn world(message: impl fmt::Display) -> Self {
        Self::World(message.to_string())
    }

    /// The exit code that says so.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) => 2,
            Self::World(_) | Self::Lost { .. } => 3,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(message) | Self::World(message) | Self::Lost { message, .. } => {
                f.write_str(message)
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<strads::Error> for Failure {
    fn from(error: strads::Error) -> Self {
        let message = error.to_string();
        match error {
            strads::Error::Lost { node, .. } => Self::Lost { node, message },
            _ => Self::World(message),
        }
    }
}

impl From<strads_datasets::Error> for Failure {
    fn from(error: strads_datasets::Error) -> Self {
        match &error.kind {
            strads_datasets::Kind::Io { error: said, .. } => match said.kind() {
                ErrorKind::NotFound => Self::Input(missing(Path::new(&error.name))),
                _ => Self::world(error),
            },
            _ => Self::input(error),
        }
    }
}

/// What to say where a person named a file that is not there.
pub fn missing(path: &Path) -> String {
    let what = format!("{}: there is no such file", path.display());
    match nearest::file(path) {
        Some(meant) => format!("{what}\ndid you mean {}?", meant.display()),
        None => format!("{what}\ncheck the name; it is looked for from the current directory"),
    }
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        Self::input(error)
    }
}
