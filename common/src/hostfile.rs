//! Hostfiles: which hosts a job runs on, one to a line, in the forms that people have already.
//!
//! ```text
//! node01                    # started over ssh, a worker for each core
//! me@node02 slots=8         # as this user, with eight workers; max-slots=N is accepted
//! node03:8                  # the same: up to 1023 it is a number of slots,
//! node04:7000 slots=2       # and from 1024 on the port of a node that runs already
//! node[05-16] slots=4       # twelve hosts
//! [2001:db8::7]:8           # an IPv6 address takes brackets where something follows
//! 0 10.0.0.1 9999           # Petuum's `id ip port`: started over ssh, listens on that port
//! ```
//!
//! A line is a node: a host that is named twice gets two. Nodes are numbered as they stand there, in
//! Petuum's form by id. A bad line is an error with the file, the line, and what was expected; a
//! name never begins with a dash, so that nothing in a hostfile is taken for an option.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::hostrange::{self, RangeError};

/// The largest number after a host's name that is a number of slots; larger ones are ports.
pub const MOST_SLOTS: u16 = 1023;

/// The hosts of a job, at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hostfile {
    /// In the order of their ranks.
    pub hosts: Vec<Host>,
}

/// One node to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Who to be there, if not who ssh says.
    pub user: Option<String>,
    /// A name or an address, as ssh takes it.
    pub name: String,
    /// How many workers it has; without it, one for each core, and one on a node that runs already.
    pub slots: Option<u16>,
    /// How its node comes about.
    pub start: Start,
}

/// How a node comes about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// It is started, and listens on this port or on any that is free.
    Launch {
        /// The port, if it matters.
        port: Option<u16>,
    },
    /// It runs already and listens on this port.
    Running {
        /// The port.
        port: u16,
    },
}

impl Host {
    /// Whether the host is this one, by a name that every host has for itself.
    pub fn is_local(&self) -> bool {
        matches!(self.name.as_str(), "localhost" | "127.0.0.1" | "::1")
    }

    /// What ssh is told to connect to.
    pub fn destination(&self) -> String {
        match &self.user {
            Some(user) => format!("{user}@{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What is wrong with a hostfile, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {kind}", path.display(), Line(*line))]
pub struct HostfileError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; 0 if it is not about a line.
    pub line: usize,
    /// What is wrong.
    pub kind: Kind,
}

/// What is wrong with a line or a file.
#[derive(Debug, thiserror::Error)]
pub enum Kind {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file has no hosts in it.
    #[error("names no host; expected a line such as \"node01 slots=4\"")]
    Empty,
    /// Not a name that a host can have.
    #[error(
        "{0:?} is no host's name; expected letters, digits, dots and dashes, as in node01.example.org"
    )]
    Name(String),
    /// Not a name that a user can have.
    #[error("{0:?} is no user's name; expected a form such as me@node01")]
    User(String),
    /// What follows the colon is neither a number of slots nor a port.
    #[error(
        "{0:?} after the colon; expected slots (1 to {MOST_SLOTS}) or the port of a node that runs already (1024 to 65535)"
    )]
    Number(String),
    /// An option that is not known.
    #[error("{0:?}; expected slots=N after the host, and nothing else")]
    Option(String),
    /// The value of an option.
    #[error("{0:?}; expected a number of slots from 1 to 65535")]
    Slots(String),
    /// Slots are given twice.
    #[error("slots are given twice")]
    TwoSlots,
    /// Brackets in a name.
    #[error("{0}")]
    Range(#[from] RangeError),
    /// Petuum's form, with something else in its place.
    #[error("expected Petuum's form \"id ip port\", with a port from 1 to 65535")]
    Petuum,
    /// Petuum's form beside others.
    #[error("either all lines have Petuum's form \"id ip port\" or none; line {0} differs")]
    Mixed(usize),
    /// Two lines of Petuum's form have the same id.
    #[error("the id {0} has been given before")]
    TwoIds(u32),
    /// Two nodes at the same port of the same host.
    #[error("{0}:{1} has been named before; two nodes cannot listen there")]
    TwoNodes(String, u16),
    /// More hosts than any job has.
    #[error("names more than {} hosts", hostrange::MOST_HOSTS)]
    TooMany,
}

struct Line(usize);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            line => write!(f, ":{line}"),
        }
    }
}

impl Hostfile {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Hostfile, HostfileError> {
        let text = std::fs::read_to_string(path).map_err(|error| HostfileError {
            path: path.to_owned(),
            line: 0,
            kind: Kind::Io(error),
        })?;
        Hostfile::parse(&text, path)
    }

    /// Reads `text`, which is the content of `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Hostfile, HostfileError> {
        let mut hosts = Collected::default();
        let at = |line, kind| HostfileError {
            path: path.to_owned(),
            line,
            kind,
        };
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default().trim();
            if !content.is_empty() {
                hosts.add(line, content).map_err(|kind| at(line, kind))?;
            }
        }
        hosts.finish().map_err(|kind| at(0, kind))
    }
}

impl Hostfile {
    /// What people call the nodes, by rank: the name, with a number where a host has several.
    pub fn labels(&self) -> Vec<String> {
        let mut all: BTreeMap<&str, usize> = BTreeMap::new();
        for host in &self.hosts {
            *all.entry(&host.name).or_default() += 1;
        }
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut labels = Vec::with_capacity(self.hosts.len());
        for Host { name, .. } in &self.hosts {
            let number = seen.entry(name).or_default();
            *number += 1;
            labels.push(match all[name.as_str()] {
                1 => name.clone(),
                _ => format!("{name}#{number}"),
            });
        }
        labels
    }
}

/// What has been read so far: hosts by id or place, and which form the first line has.
#[derive(Default)]
struct Collected {
    hosts: BTreeMap<u32, Host>,
    form: Option<(bool, usize)>,
    listening: BTreeMap<(String, u16), usize>,
}

impl Collected {
    fn add(&mut self, line: usize, content: &str) -> Result<(), Kind> {
        let words: Vec<&str> = content.split_whitespace().collect();
        let petuum = words.len() > 1
            && words[..2].iter().all(|word| !word.contains('='))
            && words[0].bytes().all(|byte| byte.is_ascii_digit());
        let (form, first) = *self.form.get_or_insert((petuum, line));
        if form != petuum {
            return Err(Kind::Mixed(first));
        }
        if petuum {
            let (id, host) = petuum_line(&words)?;
            if self.hosts.contains_key(&id) {
                return Err(Kind::TwoIds(id));
            }
            return self.insert(line, id, host);
        }
        for host in plain_line(&words)? {
            if self.hosts.len() >= hostrange::MOST_HOSTS {
                return Err(Kind::TooMany);
            }
            self.insert(line, self.hosts.len() as u32, host)?;
        }
        Ok(())
    }

    fn insert(&mut self, line: usize, id: u32, host: Host) -> Result<(), Kind> {
        if let Start::Running { port } | Start::Launch { port: Some(port) } = host.start {
            let place = (host.name.clone(), port);
            if self.listening.insert(place, line).is_some() {
                return Err(Kind::TwoNodes(host.name, port));
            }
        }
        self.hosts.insert(id, host);
        Ok(())
    }

    fn finish(self) -> Result<Hostfile, Kind> {
        if self.hosts.is_empty() {
            return Err(Kind::Empty);
        }
        let hosts = self.hosts.into_values().collect();
        Ok(Hostfile { hosts })
    }
}

/// `id ip port`.
fn petuum_line(words: &[&str]) -> Result<(u32, Host), Kind> {
    let [id, name, port] = words else {
        return Err(Kind::Petuum);
    };
    let id = id.parse().map_err(|_| Kind::Petuum)?;
    let port = port
        .parse()
        .ok()
        .filter(|&port| port > 0)
        .ok_or(Kind::Petuum)?;
    let host = Host {
        user: None,
        name: name_of(name)?,
        slots: None,
        start: Start::Launch { port: Some(port) },
    };
    Ok((id, host))
}

/// `[user@]host[:N] [slots=N] [max-slots=N]`.
fn plain_line(words: &[&str]) -> Result<Vec<Host>, Kind> {
    let (user, place) = match words[0].rsplit_once('@') {
        Some((user, place)) => (Some(user_name(user)?), place),
        None => (None, words[0]),
    };
    let (pattern, number) = split_number(place)?;
    let (mut slots, start) = match number {
        Some(slots) if slots <= MOST_SLOTS => (Some(slots), Start::Launch { port: None }),
        Some(port) => (None, Start::Running { port }),
        None => (None, Start::Launch { port: None }),
    };
    for option in &words[1..] {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let wrong = || Kind::Slots((*option).to_owned());
        let number = value.parse().ok().filter(|&number: &u16| number > 0);
        match name {
            "slots" if slots.is_some() => return Err(Kind::TwoSlots),
            "slots" => slots = Some(number.ok_or_else(wrong)?),
            // How far a scheduler may overload the host; nothing here does.
            "max-slots" | "max_slots" => drop(number.ok_or_else(wrong)?),
            _ => return Err(Kind::Option((*option).to_owned())),
        }
    }
    let host = |name| Host {
        user: user.clone(),
        name,
        slots,
        start,
    };
    Ok(names_of(pattern)?.into_iter().map(host).collect())
}

/// A host's name or pattern, and the number after its colon.
fn split_number(place: &str) -> Result<(&str, Option<u16>), Kind> {
    // An IPv6 address has colons of its own, and takes brackets where a number follows.
    let bare = place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'));
    let (pattern, number) = match bare {
        Some((address, "")) => (address, None),
        Some((address, rest)) if rest.starts_with(':') => (address, Some(&rest[1..])),
        _ if place.matches(':').count() > 1 => (place, None),
        _ => match place.split_once(':') {
            Some((name, number)) => (name, Some(number)),
            None => (place, None),
        },
    };
    let Some(number) = number else {
        return Ok((pattern, None));
    };
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse() {
        Ok(parsed) if parsed > 0 && digits => Ok((pattern, Some(parsed))),
        _ => Err(Kind::Number(number.to_owned())),
    }
}

fn names_of(pattern: &str) -> Result<Vec<String>, Kind> {
    let names = hostrange::expand(pattern)?;
    names.iter().map(|name| name_of(name)).collect()
}

fn name_of(name: &str) -> Result<String, Kind> {
    let address = name.parse::<std::net::IpAddr>().is_ok();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let named = !name.is_empty() && !name.starts_with(['-', '.']) && name.bytes().all(plain);
    if address || named {
        Ok(name.to_owned())
    } else {
        Err(Kind::Name(name.to_owned()))
    }
}

fn user_name(user: &str) -> Result<String, Kind> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+\\".contains(&byte);
    if !user.is_empty() && !user.starts_with('-') && user.bytes().all(plain) {
        Ok(user.to_owned())
    } else {
        Err(Kind::User(user.to_owned()))
    }
}

#[cfg(test)]
mod tests;
