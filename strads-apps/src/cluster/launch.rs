//! Starting nodes, following them, and ending them.
//!
//! What the launcher makes of what happens is [`watch`], without processes or clocks. Here are the
//! processes: for each host an ssh client (or, on this host, a node) with a thread for each of its
//! streams, and one thread that takes all events. It lives as long as [`Nodes`] does, and ends all
//! nodes with it; on a signal that ends this process it does so first. If this process is killed,
//! its ends of the streams close, which nodes understand.

mod host;
mod plan;
pub mod watch;

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use strads_common::hostfile::Hostfile;
use strads_common::members::{Member, Members};

use super::Options;
use super::awake::Awake;
use super::job::{HEARTBEAT, Purpose, Ready, VERSION};
use crate::cli::interrupt;
use crate::failure::Failure;
use crate::standard::to_standard_error;
use host::{Attached, Order};
use plan::{Planned, Start};
use watch::{Act, Loss, Watch};

/// How long nodes may take to end by themselves once they are told to.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long they may take to be dead after that.
const BURIAL: Duration = Duration::from_secs(2);
/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(200);
/// Hosts whose troubles are told in one message.
const TOLD: usize = 3;

/// The nodes of a job. They end when this is dropped.
#[derive(Debug)]
pub struct Nodes {
    members: Members,
    lost: Lost,
    _launcher: Option<Launcher>,
}

/// Which nodes have been lost.
type Lost = Arc<Mutex<Vec<String>>>;

impl Nodes {
    /// Nodes that are there already, and are somebody else's to end.
    pub fn of(members: Members) -> Nodes {
        Nodes {
            members,
            lost: Lost::default(),
            _launcher: None,
        }
    }

    /// Who they are.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The nodes that have been lost so far, in the order in which that happened.
    pub fn lost(&self) -> Vec<String> {
        let lost = self.lost.lock();
        lost.expect("nothing panics while it holds the list")
            .clone()
    }
}

/// What has become of a node that was to be: ready, or what it failed of and what to do about it.
pub type Outcome = Result<Ready, String>;

/// Nodes that are there already, as if they had just been started.
pub fn handed(members: Members) -> (Nodes, Vec<String>, Vec<Outcome>) {
    let ready = |node: &Member| {
        Ok(Ready {
            address: node.address,
            workers: node.workers,
            version: VERSION.to_owned(),
        })
    };
    let labels = members.nodes.iter().map(|node| node.name.clone()).collect();
    let outcomes = members.nodes.iter().map(ready).collect();
    (Nodes::of(members), labels, outcomes)
}

/// Starts a node for each host, all at once, and waits until they are ready.
pub fn start(hostfile: &Hostfile, options: &Options, purpose: Purpose) -> Result<Nodes, Failure> {
    let (nodes, outcomes) = attempt(hostfile, options, purpose)?;
    let labels = hostfile.labels();
    let failed: Vec<String> = labels
        .iter()
        .zip(outcomes)
        .filter_map(|(label, outcome)| Some(format!("{label}: {}", outcome.err()?)))
        .collect();
    if failed.is_empty() {
        return Ok(nodes);
    }
    let more = match failed.len() {
        0..=TOLD => String::new(),
        all => format!("\nand {} more hosts", all - TOLD),
    };
    let told = failed[..failed.len().min(TOLD)].join("\n");
    Err(Failure::world(format!("{told}{more}")))
}

/// Starts a node for each host, all at once, and waits until each is ready or lost. The members
/// are those that are ready.
pub fn attempt(
    hostfile: &Hostfile,
    options: &Options,
    purpose: Purpose,
) -> Result<(Nodes, Vec<Outcome>), Failure> {
    let plan = Planned::new(hostfile, options, purpose)?;
    if plan
        .starts
        .iter()
        .all(|start| matches!(start, Start::Runs(_)))
    {
        let outcomes: Vec<Outcome> = plan.running().collect();
        return Ok((Nodes::of(plan.members(&outcomes)), outcomes));
    }
    let lost = Lost::default();
    let (happens, events) = channel();
    let (settled, outcomes) = channel();
    let mut following = Following::begin(plan.clone(), &happens, lost.clone(), settled);
    let thread = thread::Builder::new()
        .name("launcher".into())
        .spawn(move || following.follow(&events))
        .map_err(Failure::world)?;
    let launcher = Launcher {
        happens,
        thread: Some(thread),
    };
    launcher.goes_first();
    let outcomes: Vec<Outcome> = outcomes
        .recv()
        .map_err(|_| Failure::world("the launcher has failed"))?;
    let nodes = Nodes {
        members: plan.members(&outcomes),
        lost,
        _launcher: Some(launcher),
    };
    Ok((nodes, outcomes))
}

/// What the launcher's thread takes.
pub enum Happening {
    /// Something happens at the host of this rank.
    At(usize, watch::Event),
    /// The job is over, or this process is to end; who says so may wait for the nodes' end.
    Stop(Option<Sender<()>>),
}

/// The thread that follows the nodes; it ends them when this is dropped.
#[derive(Debug)]
struct Launcher {
    happens: Sender<Happening>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Launcher {
    fn drop(&mut self) {
        // Nodes that an interruption has ended are no failure to tell of or to recover from.
        interrupt::has_the_last_word();
        // The thread is gone only if it has panicked, which has been reported.
        let _ = self.happens.send(Happening::Stop(None));
        let _ = self.thread.take().map(JoinHandle::join);
        interrupt::first(None);
    }
}

impl Launcher {
    /// If this process is interrupted, nodes end before it does.
    fn goes_first(&self) {
        let happens = self.happens.clone();
        interrupt::first(Some(Box::new(move || {
            let (ended, end) = channel();
            to_standard_error(format_args!("ending all nodes\n"));
            if happens.send(Happening::Stop(Some(ended))).is_ok() {
                // It answers in that time or is gone.
                let _ = end.recv_timeout(FAREWELL + BURIAL);
            }
        })));
    }
}

/// What the launcher's thread has.
struct Following {
    plan: Planned,
    watch: Watch,
    /// What is attached, by rank, until it has ended.
    attached: Vec<Option<Attached>>,
    losses: Vec<Option<Loss>>,
    /// By which nodes are silent.
    clock: Awake,
    lost: Lost,
    settled: Option<Sender<Vec<Outcome>>>,
}

impl Following {
    /// Starts what is to be attached.
    fn begin(
        plan: Planned,
        happens: &Sender<Happening>,
        lost: Lost,
        settled: Sender<Vec<Outcome>>,
    ) -> Following {
        let ranks = plan.starts.len();
        let mut following = Following {
            watch: Watch::new(ranks, plan.system.clone()),
            attached: (0..ranks).map(|_| None).collect(),
            losses: vec![None; ranks],
            clock: Awake::new(HEARTBEAT),
            plan,
            lost,
            settled: Some(settled),
        };
        for rank in 0..ranks {
            following.attach(rank, happens);
        }
        following
    }

    fn attach(&mut self, rank: usize, happens: &Sender<Happening>) {
        let happen = |event| drop(happens.send(Happening::At(rank, event)));
        let command = match &self.plan.starts[rank] {
            Start::Runs(ready) => {
                return happen(watch::Event::Said(super::job::Said::Ready(ready.clone())));
            }
            Start::Local => super::ssh::local(),
            Start::Ssh => Ok(self.plan.ssh(rank)),
        };
        match command.and_then(|command| Attached::start(command, rank, happens)) {
            Ok(attached) => {
                if matches!(self.plan.starts[rank], Start::Local) {
                    // Nothing needs to be brought there first.
                    attached.order(Order::Job(self.plan.jobs[rank].line()));
                }
                self.attached[rank] = Some(attached);
            }
            Err(error) => {
                happen(watch::Event::Noise(format!(
                    "cannot run {}: {error}",
                    self.plan.client()
                )));
                happen(watch::Event::Closed);
            }
        }
    }

    /// Takes events until the job is over, and ends what is left of it.
    fn follow(&mut self, events: &Receiver<Happening>) {
        loop {
            let acts = match events.recv_timeout(TICK) {
                Ok(Happening::At(rank, event)) => self.take(rank, event),
                Ok(Happening::Stop(waiting)) => {
                    self.end(events);
                    // Dropped when all have ended: that is the answer.
                    return drop(waiting);
                }
                Err(RecvTimeoutError::Disconnected) => return self.end(events),
                Err(RecvTimeoutError::Timeout) => self.watch.tick(self.clock.passed()),
            };
            acts.into_iter().for_each(|act| self.carry_out(act));
        }
    }

    fn take(&mut self, rank: usize, event: watch::Event) -> Vec<Act> {
        if event == watch::Event::Closed {
            self.attached[rank] = None;
        }
        self.watch.on(rank, event, self.clock.passed())
    }

    fn carry_out(&mut self, act: Act) {
        match act {
            Act::SendProgram(rank) => {
                let order = self.plan.program().map(Order::Program);
                if let (Some(attached), Some(order)) = (&self.attached[rank], order) {
                    attached.order(order);
                }
            }
            Act::SendJob(rank) => {
                if let Some(attached) = &self.attached[rank] {
                    attached.order(Order::Job(self.plan.jobs[rank].line()));
                }
            }
            Act::Show(rank, line) => self.show(rank, &line),
            Act::Lose(rank, loss) => self.lose(rank, loss),
            Act::Settled => self.settle(),
        }
    }

    /// Shows a line of a node, after what may stand on this line of the terminal.
    fn show(&self, rank: usize, line: &str) {
        let clear = if std::io::stderr().is_terminal() {
            "\r\x1b[2K"
        } else {
            ""
        };
        let host = &self.plan.labels[rank];
        to_standard_error(format_args!("{clear}{host}| {line}\n"));
    }

    fn lose(&mut self, rank: usize, loss: Loss) {
        if let Some(attached) = &mut self.attached[rank] {
            attached.dismiss();
            attached.kill();
        }
        if self.settled.is_none() {
            self.show(rank, &loss.to_string());
            let lost = self.lost.lock();
            lost.expect("nothing panics while it holds the list")
                .push(self.plan.labels[rank].clone());
        }
        self.losses[rank] = Some(loss);
    }

    fn settle(&mut self) {
        let outcome = |rank: usize| match (self.watch.ready(rank), &self.losses[rank]) {
            (Some(ready), _) => Ok(ready.clone()),
            (None, Some(loss)) => Err(self.plan.explain(rank, loss)),
            (None, None) => Err("it ended at once".to_owned()),
        };
        let outcomes = (0..self.losses.len()).map(outcome).collect();
        if let Some(settled) = self.settled.take() {
            // Nobody waits any more if this process is ending.
            let _ = settled.send(outcomes);
        }
    }

    /// Ends all nodes: asks them to, waits, and kills what is left on this host.
    fn end(&mut self, events: &Receiver<Happening>) {
        for attached in self.attached.iter_mut().flatten() {
            attached.dismiss();
        }
        self.wait_for_ends(events, FAREWELL);
        for attached in self.attached.iter().flatten() {
            attached.kill();
        }
        self.wait_for_ends(events, BURIAL);
    }

    fn wait_for_ends(&mut self, events: &Receiver<Happening>, patience: Duration) {
        let until = Instant::now() + patience;
        while self.attached.iter().any(Option::is_some) {
            let left = until.saturating_duration_since(Instant::now());
            match events.recv_timeout(left) {
                Ok(Happening::At(rank, watch::Event::Closed)) => self.attached[rank] = None,
                // Last words are shown.
                Ok(Happening::At(rank, event)) => {
                    for act in self.watch.on(rank, event, self.clock.passed()) {
                        if let Act::Show(rank, line) = act {
                            self.show(rank, &line);
                        }
                    }
                }
                Ok(Happening::Stop(_)) => {}
                Err(_) => return,
            }
        }
    }
}
