//! What a launch is going to do: for each host how its node comes about, and what it is told.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::Command;

use strads_common::auth::Secret;
use strads_common::hostfile::{self, Host, Hostfile};
use strads_common::members::{Member, Members};

use super::Outcome;
use super::watch::{Loss, own_words};
use crate::cluster::check::answer::own_system;
use crate::cluster::job::{Job, Purpose, Ready, VERSION};
use crate::cluster::ssh::{self, Brought, Program};
use crate::cluster::{Options, secret_file};
use crate::failure::Failure;

/// How a node comes about.
#[derive(Clone, Debug)]
pub enum Start {
    /// Over ssh.
    Ssh,
    /// As a process on this host.
    Local,
    /// It is there already.
    Runs(Ready),
}

/// A launch before it happens.
#[derive(Clone)]
pub struct Planned {
    /// By rank: how nodes come about.
    pub starts: Vec<Start>,
    /// By rank: what they are told.
    pub jobs: Vec<Job>,
    /// What the hosts must be, if this program is copied there.
    pub system: Option<String>,
    /// By rank: what people call them.
    pub labels: Vec<String>,
    hosts: Vec<Host>,
    secret: Secret,
    ssh: String,
    brought: Option<Brought>,
}

impl Planned {
    /// What is to be done for these hosts.
    pub fn new(
        hostfile: &Hostfile,
        options: &Options,
        purpose: Purpose,
    ) -> Result<Planned, Failure> {
        let hosts = hostfile.hosts.clone();
        let secret = secret(&hosts, options)?;
        refuse_mixtures(&hosts)?;
        let starts: Result<Vec<Start>, Failure> = hosts.iter().map(start_of).collect();
        let starts = starts?;
        let job = |host: &Host| {
            let mut job = Job::new(&secret, addresses(host), purpose);
            job.workers = host.slots.map(usize::from);
            if let hostfile::Start::Launch { port: Some(port) } = host.start {
                job.port = port;
            }
            job
        };
        let remote = starts.iter().any(|start| matches!(start, Start::Ssh));
        let brought = match &options.node_program {
            _ if !remote => None,
            Some(path) => Some(Brought::There(path.clone())),
            None => Some(Brought::Copy(Program::own().map_err(Failure::world)?)),
        };
        let copies = matches!(brought, Some(Brought::Copy(_)));
        Ok(Planned {
            jobs: hosts.iter().map(job).collect(),
            system: copies.then(own_system),
            labels: hostfile.labels(),
            starts,
            hosts,
            secret,
            ssh: options.ssh.clone(),
            brought,
        })
    }

    /// The command that starts the node of this rank.
    pub fn ssh(&self, rank: usize) -> Command {
        let brought = self.brought.as_ref();
        ssh::remote(
            &self.ssh,
            &self.hosts[rank],
            brought.expect("a launch over ssh knows what runs there"),
        )
    }

    /// What runs on this host to reach others.
    pub fn client(&self) -> &str {
        self.ssh.split_whitespace().next().unwrap_or("ssh")
    }

    /// The program that is copied, if it is.
    pub fn program(&self) -> Option<PathBuf> {
        match &self.brought {
            Some(Brought::Copy(program)) => Some(program.path.clone()),
            _ => None,
        }
    }

    /// How a node was lost before it was ready, and what to do about it.
    pub fn explain(&self, rank: usize, loss: &Loss) -> String {
        let host = &self.hosts[rank];
        let advice = match (loss, &self.starts[rank]) {
            (Loss::NotStarted(said), Start::Ssh) if own_words(said).is_none() => {
                ssh::advice(host, self.brought.as_ref(), said)
            }
            (Loss::System(_), _) => {
                format!("Build strads on {} and give --node-program PATH", host.name)
            }
            (Loss::Version(_), _) => {
                format!("Install version {VERSION} there, or leave --node-program out.")
            }
            _ => return loss.to_string(),
        };
        format!("{loss}\n{advice}")
    }

    /// The outcomes of a launch in which every node is there already.
    pub fn running(&self) -> impl Iterator<Item = Outcome> {
        self.starts.iter().map(|start| match start {
            Start::Runs(ready) => Ok(ready.clone()),
            Start::Ssh | Start::Local => Err("it has not been started".to_owned()),
        })
    }

    /// Those who are ready.
    pub fn members(&self, outcomes: &[Outcome]) -> Members {
        let member = |(rank, outcome): (usize, &Outcome)| {
            let ready = outcome.as_ref().ok()?;
            Some(Member {
                name: self.labels[rank].clone(),
                address: ready.address,
                workers: ready.workers,
            })
        };
        Members {
            nodes: outcomes.iter().enumerate().filter_map(member).collect(),
            secret: self.secret.clone(),
        }
    }
}

/// The job's secret: a new one, unless nodes run that have one.
fn secret(hosts: &[Host], options: &Options) -> Result<Secret, Failure> {
    let runs = |host: &&Host| matches!(host.start, hostfile::Start::Running { .. });
    let secret = match (&options.secret_file, hosts.iter().find(runs)) {
        (Some(path), _) => secret_file::read(path)?,
        (None, None) => Secret::generate().map_err(Failure::world)?,
        (None, Some(host)) => {
            return Err(Failure::input(format!(
                "{} has a port in the hostfile, so its node runs already: \
                 give its secret by --secret-file FILE",
                host.name
            )));
        }
    };
    Ok(if options.no_tls {
        secret.in_clear()
    } else {
        secret
    })
}

/// Other hosts cannot reach this one by a name that each has for itself.
fn refuse_mixtures(hosts: &[Host]) -> Result<(), Failure> {
    let local = hosts.iter().find(|host| host.is_local());
    match (local, hosts.iter().all(Host::is_local)) {
        (Some(host), false) => Err(Failure::input(format!(
            "the hostfile names {} beside other hosts, which cannot reach it by that name\n\
             Write the name or address by which they know it.",
            host.name
        ))),
        _ => Ok(()),
    }
}

fn start_of(host: &Host) -> Result<Start, Failure> {
    match host.start {
        hostfile::Start::Running { port } => {
            let address = resolved(&host.name, port).into_iter().next();
            let address = address.ok_or_else(|| {
                Failure::input(format!(
                    "{}: no such host; write a name that this machine can resolve, or an address",
                    host.name
                ))
            })?;
            Ok(Start::Runs(Ready {
                address,
                workers: host.slots.map_or(1, usize::from),
                version: VERSION.to_owned(),
            }))
        }
        hostfile::Start::Launch { .. } if host.is_local() => Ok(Start::Local),
        hostfile::Start::Launch { .. } => Ok(Start::Ssh),
    }
}

/// Where a host's node may listen. A name that stands for loopback here does so only here.
fn addresses(host: &Host) -> Vec<IpAddr> {
    let all = resolved(&host.name, 0).into_iter().map(|found| found.ip());
    all.filter(|address| host.is_local() || !address.is_loopback())
        .collect()
}

fn resolved(name: &str, port: u16) -> Vec<SocketAddr> {
    let found = (name, port).to_socket_addrs();
    // A name that only ssh knows, by its configuration, is none here.
    found.map(Iterator::collect).unwrap_or_default()
}
