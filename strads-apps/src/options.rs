//! Options that all training commands share.

use std::path::PathBuf;

use strads::Executor;

use crate::checkpoint;
use crate::cluster;
use crate::cluster::place::Place;
use crate::cluster::roster::Roster;
use crate::console::Console;
use crate::failure::Failure;
use crate::report::{Report, Settings};

/// The options that every app has.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Write the model into this directory
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print events as JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
    /// Write a report of the run: one HTML file with figures, which needs no network
    #[arg(long, value_name = "FILE.html", value_hint = clap::ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Keep checkpoints in this directory: what `strads resume` goes on from
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// Go on from the newest checkpoint
    #[arg(long, requires = "checkpoint")]
    pub resume: bool,
    /// What to do when a node is lost: go on from the newest checkpoint with those that are left,
    /// or stop [default: restart with --checkpoint, stop without]
    #[arg(long, value_name = "WHAT", value_enum, requires = "hostfile")]
    pub on_failure: Option<OnFailure>,
    /// The nodes on them, once they are started.
    #[arg(skip)]
    pub roster: Roster,
    /// Other hosts to run on.
    #[command(flatten)]
    pub cluster: cluster::Options,
    /// All options as they were told, for the report.
    #[arg(skip)]
    pub settings: Settings,
}

/// What the loss of a node leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnFailure {
    /// Go on from the newest checkpoint, with the nodes that are left
    Restart,
    /// Stop, with exit code 3
    Stop,
}

impl Common {
    /// How many threads to use.
    pub fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(all, usize::from)
    }

    /// Refuses now what could only be written at the end: better than after an hour.
    pub fn check(&self) -> Result<(), Failure> {
        self.check_checkpoint()?;
        let Some(report) = &self.report else {
            return Ok(());
        };
        let directory = report
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        match directory {
            Some(directory) if !directory.is_dir() => Err(Failure::world(format!(
                "{}: the report cannot be written there\nthere is no directory {}: make it first",
                report.display(),
                directory.display()
            ))),
            _ if report.is_dir() => Err(Failure::input(format!(
                "{}: is a directory\nname a file for the report, such as run.html",
                report.display()
            ))),
            _ => Ok(()),
        }
    }

    /// A training that begins does not mix its checkpoints with those of another.
    fn check_checkpoint(&self) -> Result<(), Failure> {
        let directory = self.checkpoint.as_ref().filter(|_| !self.resume);
        let Some(directory) = directory.filter(|kept| checkpoint::newest_manifest(kept).is_some())
        else {
            return Ok(());
        };
        let shown = directory.display();
        Err(Failure::input(format!(
            "{shown}: has checkpoints already\n\
             go on from them: strads resume {shown}; or give this training a directory of its own"
        )))
    }

    /// The threads of this process, for what is not worth sending away.
    pub fn executor(&self) -> Executor {
        Executor::Threads(self.threads())
    }

    /// Refuses other hosts, for what does not run there.
    pub fn stays_here(&self) -> Result<(), Failure> {
        match &self.cluster.hostfile {
            None => Ok(()),
            Some(_) => Err(Failure::input(
                "--hostfile: this command runs on one host only\n\
                 lasso, logistic, lda, mf and mlr run on many",
            )),
        }
    }

    /// Where programs run: here, or on the hosts that were named.
    pub fn place(&self) -> Result<Place, Failure> {
        Place::new(&self.cluster, &self.roster, self.threads())
    }

    /// Where the app says what it does.
    pub fn console(&self) -> Console {
        let report = |path: &PathBuf| Report::new(path, self.settings.clone(), self.threads());
        Console::new(self.json, self.quiet).reporting(self.report.as_ref().map(report))
    }
}
