//! `strads cluster check`: what works between the hosts of a hostfile, and what to do about the rest.
//!
//! It launches nodes as a job does, so that what it finds is what a job would meet; then each node is
//! asked about its host and about its link to every other one. Links are measured in rounds in which
//! no host takes part twice, so that they do not disturb each other more than they have to.

pub mod answer;
mod ask;
mod question;
mod table;

use std::path::PathBuf;

use strads_common::hostfile::Hostfile;

use super::job::Purpose;
use super::{Options, handed, launch};
use crate::console::Console;
use crate::failure::Failure;
use ask::{Found, Pair};

/// What to type.
pub const EXAMPLE: &str = "\
Example: two hosts that ssh knows; or those that Slurm gives
  printf 'node01\\nnode02\\n' > hosts.txt
  strads cluster check --hostfile hosts.txt
  srun -N 4 strads node -- cluster check";

/// Look at the hosts of a hostfile: can a job run there, and how fast are their links?
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
pub struct Args {
    #[command(flatten)]
    options: Options,
    /// Print events as JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// Checks, and fails if something does not work.
pub fn run(args: &Args) -> Result<(), Failure> {
    let path: &PathBuf = args.options.hostfile.as_ref().ok_or_else(|| {
        Failure::input("which hosts? Give --hostfile FILE, with one host to a line")
    })?;
    let mut console = Console::new(args.json, false);
    let (nodes, labels, outcomes) = if path.as_os_str() == "-" {
        launch::handed(handed::take()?)
    } else {
        let hostfile = Hostfile::read(path).map_err(Failure::input)?;
        console.progress(|| format!("starting {} nodes", hostfile.hosts.len()));
        let (nodes, outcomes) = launch::attempt(&hostfile, &args.options, Purpose::Check)?;
        (nodes, hostfile.labels(), outcomes)
    };
    let hosts: Vec<Found> = ask::hosts(&labels, nodes.members(), &outcomes)?;
    let pairs: Vec<Pair> = ask::pairs(nodes.members(), &hosts, |done, all| {
        console.progress(|| format!("measuring links: {done} of {all}"));
    })?;
    drop(nodes);
    console.clear();
    table::show(&mut console, &hosts, &pairs);
    let hosts_failed = hosts.iter().filter(|host| host.facts.is_err()).count();
    let links_failed = pairs.iter().filter(|pair| pair.link.is_err()).count();
    console.event(
        "done",
        serde_json::json!({ "hosts_failed": hosts_failed, "links_failed": links_failed }),
    );
    if hosts_failed + links_failed == 0 {
        return Ok(());
    }
    Err(Failure::world(format!(
        "{hosts_failed} of {} hosts and {links_failed} of {} links do not work; see above",
        hosts.len(),
        pairs.len()
    )))
}
