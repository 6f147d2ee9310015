//! What surrounds every command: the file of options, help and complaints, logs, interruption.
//!
//! Nothing here knows a command by name: it works on clap's description of whatever commands there
//! are, so that a new one has all of it from the start.

pub mod complaint;
pub mod config;
pub mod interrupt;
pub mod log;
pub mod nearest;
pub mod number;
pub mod resume;
pub mod settings;
pub mod shell;

use clap::{ArgMatches, Command};

/// The command that `words` name, as far as they name any, and its name from the program down.
pub fn named<'a>(
    root: &'a Command,
    words: impl Iterator<Item = &'a str>,
) -> (&'a Command, Vec<&'a str>) {
    let (mut command, mut path) = (root, Vec::new());
    for word in words {
        match command.find_subcommand(word) {
            Some(found) => {
                command = found;
                path.push(found.get_name());
            }
            None => break,
        }
    }
    (command, path)
}

/// The innermost command's matches, and its name from the program down.
pub fn innermost(matches: &ArgMatches) -> (&ArgMatches, Vec<&str>) {
    let (mut matches, mut path) = (matches, Vec::new());
    while let Some((name, inner)) = matches.subcommand() {
        path.push(name);
        matches = inner;
    }
    (matches, path)
}
