//! What a launcher makes of what it hears: which nodes are coming, ready or lost, and what to do.
//!
//! Nodes are numbered by rank, time is since the launch. Each event leads to acts, in order; nothing
//! else happens, so a launch can be told again from its events. A node is lost once: by its own
//! words, by the end of its connection, or by silence.

use std::fmt;
use std::time::Duration;

use crate::cluster::job::{Exit, Ready, SILENCE, Said, VERSION};

/// How long a host may say nothing before its node is ready.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How much of what a host said before its node was ready is kept.
const KEPT_LINES: usize = 20;

/// What happens at a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Its node speaks, or who prepares it.
    Said(Said),
    /// Something else speaks: ssh, a shell.
    Noise(String),
    /// It takes what it is sent.
    Progress,
    /// The connection has ended.
    Closed,
}

/// What the launcher does about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Sends the program to this host.
    SendProgram(usize),
    /// Tells this node its job.
    SendJob(usize),
    /// Shows a line from this host.
    Show(usize, String),
    /// This node is lost.
    Lose(usize, Loss),
    /// Every node is ready, or lost before it was.
    Settled,
}

/// How a node was lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Loss {
    /// It never was ready; what the host said instead.
    NotStarted(String),
    /// It said nothing for too long.
    Silent(Duration),
    /// Its connection ended without a word.
    Cut,
    /// It ended.
    Ended(Exit),
    /// It is a host of another kind, which the program is not for.
    System(String),
    /// It is of another version.
    Version(String),
}

/// The nodes of a launch.
#[derive(Debug)]
pub struct Watch {
    nodes: Vec<Node>,
    /// What this host is, if the program goes from here to there.
    system: Option<String>,
    settled: bool,
}

#[derive(Debug)]
struct Node {
    stage: Stage,
    heard: Duration,
    noise: Vec<String>,
    /// How it ended before it was ready.
    failed: Option<Exit>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    Coming,
    Ready(Ready),
    /// It has said how it ended; its connection is still there.
    Ended(Exit),
    Gone,
}

impl Watch {
    /// Nodes that are about to come; `system` is what their hosts must be.
    pub fn new(nodes: usize, system: Option<String>) -> Watch {
        let node = || Node {
            stage: Stage::Coming,
            heard: Duration::ZERO,
            noise: Vec::new(),
            failed: None,
        };
        Watch {
            nodes: (0..nodes).map(|_| node()).collect(),
            system,
            settled: false,
        }
    }

    /// What a node said when it was ready, as long as it is there.
    pub fn ready(&self, rank: usize) -> Option<&Ready> {
        match &self.nodes[rank].stage {
            Stage::Ready(ready) => Some(ready),
            _ => None,
        }
    }

    /// Something happens at a host.
    pub fn on(&mut self, rank: usize, event: Event, now: Duration) -> Vec<Act> {
        if self.nodes[rank].stage == Stage::Gone {
            return Vec::new();
        }
        self.nodes[rank].heard = now;
        let mut acts = match event {
            Event::Said(said) => self.said(rank, said),
            Event::Noise(line) => self.noise(rank, line),
            Event::Progress => Vec::new(),
            Event::Closed => self.closed(rank),
        };
        self.settle(&mut acts);
        acts
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        for rank in 0..self.nodes.len() {
            let silent = now.saturating_sub(self.nodes[rank].heard);
            match &self.nodes[rank].stage {
                Stage::Coming if silent >= PATIENCE => {
                    let said = self.nodes[rank].noise.join("\n");
                    let said = if said.is_empty() {
                        format!("no answer for {} s", PATIENCE.as_secs())
                    } else {
                        said
                    };
                    acts.extend(self.lose(rank, Loss::NotStarted(said)));
                }
                Stage::Ready(_) if silent >= SILENCE => {
                    acts.extend(self.lose(rank, Loss::Silent(silent)));
                }
                Stage::Ended(_) if silent >= SILENCE => acts.extend(self.closed(rank)),
                _ => {}
            }
        }
        self.settle(&mut acts);
        acts
    }

    fn said(&mut self, rank: usize, said: Said) -> Vec<Act> {
        match said {
            Said::System(theirs) => match &self.system {
                Some(own) if *own != theirs => self.lose(rank, Loss::System(theirs)),
                _ => Vec::new(),
            },
            Said::Send => vec![Act::SendProgram(rank)],
            Said::Run => vec![Act::SendJob(rank)],
            Said::Ready(ready) if ready.version != VERSION => {
                self.lose(rank, Loss::Version(ready.version))
            }
            Said::Ready(ready) => {
                let node = &mut self.nodes[rank];
                node.stage = Stage::Ready(ready);
                let noise = std::mem::take(&mut node.noise);
                let show = |line| Act::Show(rank, line);
                noise.into_iter().map(show).collect()
            }
            Said::Alive => Vec::new(),
            Said::Out(line) | Said::Err(line) => self.noise(rank, line),
            Said::Exit(exit) => {
                let node = &mut self.nodes[rank];
                if node.stage == Stage::Coming {
                    // Why is what it said before, if anything, which may be on its way yet.
                    node.failed = Some(exit);
                    return Vec::new();
                }
                node.stage = Stage::Ended(exit);
                Vec::new()
            }
        }
    }

    fn noise(&mut self, rank: usize, line: String) -> Vec<Act> {
        let node = &mut self.nodes[rank];
        if node.stage != Stage::Coming {
            return vec![Act::Show(rank, line)];
        }
        if node.noise.len() < KEPT_LINES {
            node.noise.push(line);
        }
        Vec::new()
    }

    fn closed(&mut self, rank: usize) -> Vec<Act> {
        let node = &self.nodes[rank];
        let loss = match node.stage {
            Stage::Coming => match node.failed {
                Some(exit) if node.noise.is_empty() => Loss::Ended(exit),
                _ => Loss::NotStarted(node.noise.join("\n")),
            },
            Stage::Ready(_) => Loss::Cut,
            Stage::Ended(Exit::Code(0)) => {
                self.nodes[rank].stage = Stage::Gone;
                return Vec::new();
            }
            Stage::Ended(exit) => Loss::Ended(exit),
            Stage::Gone => return Vec::new(),
        };
        self.lose(rank, loss)
    }

    fn lose(&mut self, rank: usize, loss: Loss) -> Vec<Act> {
        self.nodes[rank].stage = Stage::Gone;
        vec![Act::Lose(rank, loss)]
    }

    fn settle(&mut self, acts: &mut Vec<Act>) {
        let coming = self.nodes.iter().any(|node| node.stage == Stage::Coming);
        if !coming && !self.settled {
            self.settled = true;
            acts.push(Act::Settled);
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loss::NotStarted(said) if said.is_empty() => {
                f.write_str("no node was started, and nothing said why")
            }
            Loss::NotStarted(said) => f.write_str(reason(said)),
            Loss::Silent(silent) => {
                write!(f, "no sign of life for {:.0} s", silent.as_secs_f64())
            }
            Loss::Cut => f.write_str("the connection ended without a word"),
            Loss::Ended(exit) => write!(f, "its node {exit}"),
            Loss::System(system) => write!(f, "is a {system}, which this program is not for"),
            Loss::Version(version) => {
                write!(f, "has strads {version}, and here is {VERSION}")
            }
        }
    }
}

/// The reason in what a host said: what a node says of itself, or else the last line; those before
/// it are greetings and warnings.
fn reason(said: &str) -> &str {
    if let Some(own) = own_words(said) {
        return own.trim_end();
    }
    let mut lines = said.lines().map(str::trim);
    let last = lines.rfind(|line| !line.is_empty());
    last.unwrap_or("no node was started")
}

/// What a node says of itself: why it fails and what to do about it, from a line that begins as
/// errors of `strads` do.
pub fn own_words(said: &str) -> Option<&str> {
    const OWN: &str = "strads: ";
    let begins = said.find(&format!("\n{OWN}")).map(|at| at + 1);
    let begins = said.starts_with(OWN).then_some(0).or(begins)?;
    Some(&said[begins + OWN.len()..])
}

#[cfg(test)]
mod tests {
    //! A launch is told by its events: each node is ready or lost once, silence is noticed, and what
    //! a host says that is no node is kept for the error.
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ready() -> Event {
        Event::Said(Said::Ready(Ready {
            address: "10.0.0.1:7000".parse().unwrap(),
            workers: 2,
            version: VERSION.into(),
        }))
    }

    fn said(said: Said) -> Event {
        Event::Said(said)
    }

    #[test]
    fn a_node_is_sent_what_it_lacks_and_then_its_job() {
        let mut watch = Watch::new(1, Some("Linux x86_64".into()));
        let mut on = |event| watch.on(0, event, SECOND);
        assert_eq!(on(said(Said::System("Linux x86_64".into()))), []);
        assert_eq!(on(Event::Noise("welcome".into())), []);
        assert_eq!(on(said(Said::Send)), [Act::SendProgram(0)]);
        assert_eq!(on(said(Said::Run)), [Act::SendJob(0)]);
        assert_eq!(on(ready()), [Act::Show(0, "welcome".into()), Act::Settled]);
        assert_eq!(on(said(Said::Out("x".into()))), [Act::Show(0, "x".into())]);
        assert_eq!(on(said(Said::Exit(Exit::Signal(9)))), []);
        let lost = Act::Lose(0, Loss::Ended(Exit::Signal(9)));
        assert_eq!(on(Event::Closed), [lost]);
        assert_eq!(on(Event::Closed), [], "lost once");
    }

    #[test]
    fn an_orderly_end_is_no_loss() {
        let mut watch = Watch::new(1, None);
        watch.on(0, ready(), SECOND);
        watch.on(0, said(Said::Exit(Exit::Code(0))), SECOND);
        assert_eq!(watch.on(0, Event::Closed, SECOND), []);
    }

    #[test]
    fn a_host_that_cannot_says_why() {
        let mut watch = Watch::new(2, None);
        watch.on(0, Event::Noise("ssh: Connection refused".into()), SECOND);
        let why = Loss::NotStarted("ssh: Connection refused".into());
        assert_eq!(watch.on(0, Event::Closed, SECOND), [Act::Lose(0, why)]);
        assert_eq!(watch.on(1, ready(), SECOND), [Act::Settled]);
    }

    #[test]
    fn a_node_that_ends_before_it_is_ready_and_says_nothing_says_how() {
        let mut watch = Watch::new(1, None);
        let killed = Exit::Signal(9);
        assert_eq!(watch.on(0, said(Said::Exit(killed)), SECOND), []);
        let lost = Act::Lose(0, Loss::Ended(killed));
        let acts = watch.on(0, Event::Closed, SECOND);
        assert_eq!(acts, [lost, Act::Settled]);
    }

    #[test]
    fn only_a_nodes_own_words_are_taken_for_its_reason() {
        let told = |said: &str| Loss::NotStarted(said.into()).to_string();
        assert_eq!(
            told("welcome\nstrads: no port\nchoose another\n"),
            "no port\nchoose another"
        );
        assert_eq!(told("strads: no port"), "no port");
        let shell = "sh: 1: exec: /opt/strads: not found";
        assert_eq!(told(&format!("welcome\n{shell}\n")), shell);
    }

    #[test]
    fn another_kind_of_host_or_version_is_told_at_once() {
        let mut watch = Watch::new(2, Some("Linux x86_64".into()));
        let system = "Linux aarch64".to_owned();
        let acts = watch.on(0, said(Said::System(system.clone())), SECOND);
        assert_eq!(acts, [Act::Lose(0, Loss::System(system))]);
        let other = Ready {
            address: "10.0.0.1:7000".parse().unwrap(),
            workers: 2,
            version: "0.0.0".into(),
        };
        let acts = watch.on(1, said(Said::Ready(other)), SECOND);
        let lost = Act::Lose(1, Loss::Version("0.0.0".into()));
        assert_eq!(acts, [lost, Act::Settled]);
    }

    #[test]
    fn silence_is_a_loss_sooner_once_a_node_is_ready() {
        let mut watch = Watch::new(2, None);
        watch.on(0, ready(), SECOND);
        let silent = Act::Lose(0, Loss::Silent(SILENCE));
        assert_eq!(watch.tick(SECOND), []);
        assert_eq!(watch.tick(SECOND + SILENCE), [silent]);
        watch.on(1, Event::Progress, 10 * SECOND);
        assert_eq!(watch.tick(PATIENCE), []);
        let acts = watch.tick(PATIENCE + 10 * SECOND);
        assert!(matches!(
            &acts[..],
            [Act::Lose(1, Loss::NotStarted(_)), Act::Settled]
        ));
    }
}
