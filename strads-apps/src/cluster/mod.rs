//! From one machine to many: which hosts take part, how their nodes come about, and how they end.
//!
//! A job has a launcher, which is the app itself, and a node on each host. [`Options`] are what a
//! command is told; [`launch::start`] makes nodes run and returns [`launch::Nodes`]: who they are
//! ([`strads_common::members::Members`]) and, until it is dropped, the right to have them.

pub mod awake;
pub mod check;
pub mod handed;
pub mod job;
pub mod launch;
pub mod node;
pub mod place;
pub mod recovery;
pub mod roster;
pub mod secret_file;
mod ssh;
pub mod talk;

use std::path::PathBuf;

use strads_common::hostfile::Hostfile;

use crate::failure::Failure;
use launch::Nodes;

/// Where else than here a command runs.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster options")]
pub struct Options {
    /// Run on the hosts that this file names, one to a line: `host`, `user@host slots=4`,
    /// `node[01-16]`
    #[arg(long, value_name = "FILE")]
    pub hostfile: Option<PathBuf>,
    /// The secret of nodes that run already (`host:port` in the hostfile)
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// Run this program on the hosts, instead of copying this one there when it is absent
    #[arg(long, value_name = "PROGRAM", requires = "hostfile")]
    pub node_program: Option<String>,
    /// The ssh client with its options, separated by blanks
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "ssh",
        requires = "hostfile"
    )]
    pub ssh: String,
    /// Do not seal the links between hosts: whoever is on the network can read along
    #[arg(long, requires = "hostfile")]
    pub no_tls: bool,
}

impl Options {
    /// Starts the nodes that the command was told of; none if it was told of none.
    pub fn start(&self) -> Result<Option<Nodes>, Failure> {
        let Some(path) = &self.hostfile else {
            return match &self.secret_file {
                None => Ok(None),
                Some(_) => Err(Failure::input(
                    "--secret-file goes with --hostfile: it is the secret of nodes that run already",
                )),
            };
        };
        if path.as_os_str() == "-" {
            return Ok(Some(Nodes::of(handed::take()?)));
        }
        let hostfile = Hostfile::read(path).map_err(Failure::input)?;
        launch::start(&hostfile, self, job::Purpose::Train).map(Some)
    }
}
