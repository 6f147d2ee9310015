//! `--config FILE.toml`: options from a file, for every command.
//!
//! The file has options by their long names, for the command that is run: `seed = 7`. What is only
//! for one command is under its name: `[lasso]`, `[gen.lda]`. The options are put on the command
//! line, where it does not say them itself and says nothing that excludes them: so a file means
//! exactly what the same words on the command line would.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

use super::settings::name;
use super::{named, nearest};
use crate::failure::{Failure, missing};

/// A command line with what a file adds to it.
#[derive(Debug, Default)]
pub struct Told {
    /// The words for clap.
    pub words: Vec<OsString>,
    /// The options that a file has added, by name.
    pub by_file: BTreeSet<String>,
    /// The command line as a person typed it.
    pub line: String,
    /// True if the options are to be printed.
    pub print: bool,
}

/// What a command line says by itself.
struct Said {
    /// Options by name.
    options: BTreeSet<String>,
    /// True if an input is named.
    inputs: bool,
    /// The file of options.
    file: Option<String>,
}

/// `words`, beginning with the program's name, and the options of the file that they name.
pub fn told(root: &Command, words: Vec<OsString>) -> Result<Told, Failure> {
    let text: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let quoted = text.iter().skip(1).map(|word| quoted(word));
    let mut told = Told {
        line: std::iter::once("strads".to_owned())
            .chain(quoted)
            .collect::<Vec<_>>()
            .join(" "),
        print: text.iter().any(|word| word == "--print-config"),
        ..Told::default()
    };
    let first = text
        .iter()
        .position(|word| root.find_subcommand(word).is_some());
    let first = first.unwrap_or(text.len());
    let (command, path) = named(root, text[first..].iter().map(String::as_str));
    let mut own = text[1.min(first)..first].to_vec();
    own.extend_from_slice(&text[first + path.len()..]);
    let said = Said::by(command, &own);
    told.words = words;
    let Some(file) = said.file.clone() else {
        return Ok(told);
    };
    let table = read(Path::new(&file))?;
    let end = text
        .iter()
        .position(|word| word == "--")
        .unwrap_or(text.len());
    let mut added = Vec::new();
    for (key, value) in options(root, &path, &table, &file)? {
        let arg = find(command, &key).ok_or_else(|| unknown(command, &path, &file, &key))?;
        if said.excludes(command, arg) {
            continue;
        }
        let of_option = as_words(arg, value).ok_or_else(|| {
            Failure::input(format!(
                "{file}: {key} is neither text, a number, true nor a list of such"
            ))
        })?;
        if !of_option.is_empty() {
            told.by_file.insert(name(arg));
        }
        added.extend(of_option.into_iter().map(OsString::from));
    }
    told.words.splice(end..end, added);
    Ok(told)
}

fn read(path: &Path) -> Result<Table, Failure> {
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Input(missing(path)),
        _ => Failure::world(format!("{}: {error}", path.display())),
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        let what = error.message().replace('\n', ", ");
        Failure::input(format!(
            "{}, line {line}: {what}\noptions are lines such as: seed = 7",
            path.display()
        ))
    })
}

/// What `table` has for the command at `path`; what is nearer to it comes first.
fn options<'a>(
    root: &Command,
    path: &[&str],
    table: &'a Table,
    file: &str,
) -> Result<Vec<(String, &'a Value)>, Failure> {
    let (mut found, mut command, mut section) = (Vec::new(), root, table);
    for depth in 0..=path.len() {
        let mut inner = None;
        for (key, value) in section {
            match value {
                Value::Table(table) if command.find_subcommand(key).is_some() => {
                    if path.get(depth) == Some(&key.as_str()) {
                        inner = Some(table);
                    }
                }
                Value::Table(_) => {
                    let known = command.get_subcommands().map(Command::get_name);
                    let meant = nearest::word(key, known)
                        .map_or(String::new(), |name| format!("\ndid you mean [{name}]?"));
                    return Err(Failure::input(format!(
                        "{file}: there is no command {key}{meant}"
                    )));
                }
                _ => found.push((key.replace('_', "-"), value)),
            }
        }
        match (
            inner,
            path.get(depth)
                .and_then(|name| command.find_subcommand(name)),
        ) {
            (Some(table), Some(next)) => (section, command) = (table, next),
            _ => break,
        }
    }
    found.reverse();
    let mut seen = BTreeSet::new();
    found.retain(|(key, _)| seen.insert(key.clone()));
    found.reverse();
    Ok(found)
}

/// The option of this name, or the input.
fn find<'a>(command: &'a Command, key: &str) -> Option<&'a Arg> {
    let called = |arg: &&Arg| name(arg).replace('_', "-") == key;
    command.get_arguments().find(called)
}

fn unknown(command: &Command, path: &[&str], file: &str, key: &str) -> Failure {
    let known = command.get_arguments().map(name);
    let meant = match nearest::word(key, known) {
        Some(name) => format!("did you mean {name}?"),
        None => "what is for another command belongs under its name, such as [lasso]".to_owned(),
    };
    Failure::input(format!(
        "{file}: strads {} has no option {key}\n{meant}",
        path.join(" ")
    ))
}

/// The words that say on a command line that `arg` is `value`.
fn as_words(arg: &Arg, value: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(is) => Some(is.to_string()),
        _ => None,
    };
    let values = match value {
        Value::Array(values) => values.iter().map(word).collect::<Option<Vec<_>>>()?,
        one => vec![word(one)?],
    };
    let Some(long) = arg.get_long() else {
        return Some(values);
    };
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return match value {
            Value::Boolean(true) => Some(vec![format!("--{long}")]),
            Value::Boolean(false) => Some(Vec::new()),
            _ => None,
        };
    }
    Some(vec![format!("--{long}={}", values.join(","))])
}

impl Said {
    /// What `words`, those behind the command's name, say.
    fn by(command: &Command, words: &[String]) -> Self {
        let mut said = Said {
            options: BTreeSet::new(),
            inputs: false,
            file: None,
        };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let (option, mut value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (word, None),
            };
            let Some(arg) = named_by(command, option) else {
                said.inputs |= !word.starts_with("--");
                continue;
            };
            if value.is_none() && arg.get_action().takes_values() {
                value = words.next();
            }
            if arg.get_id() == "config" {
                said.file = value.map(str::to_owned);
            }
            said.options.insert(name(arg));
        }
        said
    }

    /// True if a file has nothing to say on `arg` any more.
    fn excludes(&self, command: &Command, arg: &Arg) -> bool {
        if arg.get_long().is_none() {
            return self.inputs;
        }
        let said = |other: &Arg| self.options.contains(&name(other));
        let id = arg.get_id();
        let mut groups = command
            .get_groups()
            .filter(|group| group.get_args().any(|member| member == id));
        let others = |group: &clap::ArgGroup| {
            let mut members = group
                .get_args()
                .filter_map(|id| command.get_arguments().find(|arg| arg.get_id() == id));
            members.any(said)
        };
        let conflicts = |a: &Arg, b: &Arg| {
            command
                .get_arg_conflicts_with(a)
                .iter()
                .any(|other| other.get_id() == b.get_id())
        };
        // A struct of options is a group too, all of whose members may be given.
        said(arg)
            || groups.any(|group| !group.clone().is_multiple() && others(group))
            || command
                .get_arguments()
                .any(|other| said(other) && (conflicts(arg, other) || conflicts(other, arg)))
    }
}

/// The option that a word such as `--seed` or `-k` names.
fn named_by<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let long = word.strip_prefix("--").filter(|name| !name.is_empty());
    let short = word
        .strip_prefix('-')
        .filter(|name| name.chars().count() == 1);
    command.get_arguments().find(|arg| {
        long.is_some() && arg.get_long() == long
            || short.is_some() && arg.get_short().map(String::from).as_deref() == short
    })
}

/// `word` as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// `command` with nothing required: to say what its options are, they need not be there.
pub fn relaxed(command: Command) -> Command {
    let groups: Vec<_> = command
        .get_groups()
        .map(|group| group.get_id().clone())
        .collect();
    let inner: Vec<_> = command
        .get_subcommands()
        .map(|inner| inner.get_name().to_owned())
        .collect();
    let mut command = command.mut_args(|arg| arg.required(false));
    for group in groups {
        command = command.mut_group(group, |group| group.required(false));
    }
    for name in inner {
        command = command.mut_subcommand(name, relaxed);
    }
    command
}
