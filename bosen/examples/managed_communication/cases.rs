//! The cases, and running them one after the other.

use crate::network::Network;
use crate::report::{self, Ran};
use crate::{Outcome, worker};
use bosen::comm::{Budget, Order};
use bosen::filter::{Filters, ValueCode};
use bosen::spec::TableSpec;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};
use strads_common::auth::Secret;

/// What all cases have in common.
#[derive(clap::Args, Clone)]
pub struct Settings {
    /// Workers
    #[arg(long, default_value_t = 4)]
    pub workers: u32,
    /// Mbit/s of each link in each direction
    #[arg(long, default_value_t = 20.0)]
    pub mbit: f64,
    /// Of which managed communication may use this much
    #[arg(long, default_value_t = 0.9)]
    pub share: f64,
    /// Seconds a case
    #[arg(long, default_value_t = 24.0)]
    pub seconds: f64,
    /// Ratings that a worker learns from in a second, at most
    #[arg(long, default_value_t = 50_000.0)]
    pub ratings_per_second: f64,
    /// Rounds by which a read may lag
    #[arg(long, default_value_t = 1)]
    pub staleness: u64,
    /// η
    #[arg(long, default_value_t = 0.15)]
    pub rate: f32,
    /// The seed of data and first factors
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What is run.
#[derive(clap::Args, Clone)]
pub struct Experiment {
    #[command(flatten)]
    settings: Settings,
    /// Clocks a pass of the unmanaged cases, beside one
    #[arg(long, value_delimiter = ',', default_value = "4")]
    more_clocks: Vec<usize>,
}

/// One case.
#[derive(clap::Args, Clone, Debug)]
pub struct Case {
    /// Clocks in a pass over a worker's ratings
    #[arg(long, default_value_t = 1)]
    pub clocks: usize,
    /// What goes first; without one, communication is not managed
    #[arg(long)]
    pub order: Option<String>,
    /// Stops after half of the time
    #[arg(long)]
    pub half_time: bool,
    /// Values travel as 16-bit numbers
    #[arg(long)]
    pub half: bool,
}

impl Case {
    /// What the case is called.
    pub fn name(&self) -> String {
        let filter = if self.half { ", f16" } else { "" };
        match &self.order {
            None => format!("unmanaged, clocks {}", self.clocks),
            Some(order) if self.half_time => format!("managed, {order}{filter}, half the time"),
            Some(order) => format!("managed, {order}{filter}"),
        }
    }

    fn args(&self) -> Vec<String> {
        let mut args = vec!["--clocks".into(), self.clocks.to_string()];
        args.extend(
            self.order
                .iter()
                .flat_map(|order| ["--order".into(), order.clone()]),
        );
        args.extend(self.half.then(|| "--half".into()));
        args.extend(self.half_time.then(|| "--half-time".into()));
        args
    }
}

impl Case {
    /// How long the case runs.
    pub fn seconds(&self, settings: &Settings) -> f64 {
        settings.seconds * if self.half_time { 0.5 } else { 1.0 }
    }
}

impl Settings {
    fn args(&self) -> Vec<String> {
        let pairs = [
            ("--workers", self.workers.to_string()),
            ("--mbit", self.mbit.to_string()),
            ("--share", self.share.to_string()),
            ("--seconds", self.seconds.to_string()),
            ("--ratings-per-second", self.ratings_per_second.to_string()),
            ("--staleness", self.staleness.to_string()),
            ("--rate", self.rate.to_string()),
            ("--seed", self.seed.to_string()),
        ];
        pairs
            .into_iter()
            .flat_map(|(name, value)| [name.into(), value])
            .collect()
    }

    /// Bytes a second that managed communication may use of a link.
    pub fn budget_bytes(&self) -> f64 {
        self.mbit * self.share * 1e6 / 8.0
    }
}

/// The table that a case uses.
pub fn table(case: &Case, settings: &Settings) -> TableSpec {
    let filters = match case.half {
        true => Filters::default().values(ValueCode::Half),
        false => Filters::default(),
    };
    worker::factors(settings.staleness).filters(filters.packed_keys())
}

/// The budget of each connection and direction, if the case is managed.
pub fn budget(case: &Case, settings: &Settings) -> Option<Budget> {
    let order = match case.order.as_deref()? {
        "relative" => Order::Relative,
        "fifo" => Order::Fifo,
        "random" => Order::Random {
            seed: settings.seed,
        },
        "fixed" => Order::Fixed,
        _ => Order::Absolute,
    };
    Some(Budget::new(settings.budget_bytes() as u64).order(order))
}

/// The job's secret, from standard input.
pub fn read_secret() -> Outcome<Secret> {
    let mut bytes = [0; 32];
    std::io::Read::read_exact(&mut std::io::stdin(), &mut bytes)?;
    Ok(Secret::from_bytes(bytes))
}

fn all(experiment: &Experiment) -> Vec<Case> {
    let plain = Case {
        clocks: 1,
        order: None,
        half: false,
        half_time: false,
    };
    let orders = ["absolute", "relative", "fifo", "random", "fixed"];
    let more = experiment.more_clocks.iter().map(|&clocks| Case {
        clocks,
        ..plain.clone()
    });
    let managed = orders.map(|order| Case {
        order: Some(order.into()),
        ..plain.clone()
    });
    let half = Case {
        half: true,
        ..managed[0].clone()
    };
    let half_time = Case {
        half_time: true,
        ..managed[0].clone()
    };
    let unmanaged = std::iter::once(plain.clone()).chain(more);
    unmanaged
        .chain([half_time])
        .chain(managed)
        .chain([half])
        .collect()
}

/// Runs the cases whose names contain one of `only`, if that names any, and writes what came of them to `out`.
pub fn run(experiment: &Experiment, only: &[String], out: &Path) -> Outcome<()> {
    let settings = &experiment.settings;
    std::fs::create_dir_all(out)?;
    let mut ran = Vec::new();
    let named = |case: &Case| only.iter().any(|only| case.name().contains(only));
    for case in all(experiment)
        .into_iter()
        .filter(|case| only.is_empty() || named(case))
    {
        let network = Network::new(settings.workers, settings.mbit)?;
        let result = run_case(&network, &case, settings)?;
        println!("{}", result.line());
        ran.push(result);
    }
    report::write(&ran, settings, out)
}

/// Children that end with the case, whatever becomes of it.
struct Children(Vec<Child>);

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn run_case(network: &Network, case: &Case, settings: &Settings) -> Outcome<Ran> {
    let secret = Secret::generate()?;
    let mut children = Children(Vec::new());
    let common = [case.args(), settings.args()].concat();
    let mut start = |mut command: Command| -> Outcome<BufReader<std::process::ChildStdout>> {
        let mut child = command.args(&common).spawn()?;
        let mut stdin = child.stdin.take().expect("the child's input is piped");
        let stdout = child.stdout.take().expect("the child's output is piped");
        children.0.push(child);
        stdin.write_all(secret.bytes())?;
        Ok(BufReader::new(stdout))
    };
    let mut server = network.here(&network.server())?;
    server.arg("server");
    let mut readers = vec![start(server)?];
    let mut listens = String::new();
    readers[0].read_line(&mut listens)?;
    for worker in 0..settings.workers {
        let mut command = network.here(&network.worker(worker))?;
        command.arg("worker").arg(worker.to_string());
        readers.push(start(command)?);
    }
    let mut said = vec![Vec::new(); readers.len()];
    let (done, ended) = channel();
    for (which, reader) in readers.into_iter().enumerate() {
        let done = done.clone();
        thread::spawn(move || done.send((which, lines(reader))));
    }
    let deadline = Instant::now() + Duration::from_secs_f64(3.0 * settings.seconds + 60.0);
    for _ in 0..said.len() {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((which, lines)) = ended.recv_timeout(left) else {
            return Err(format!("{}: not finished in time", case.name()).into());
        };
        said[which] = lines;
    }
    for mut child in std::mem::take(&mut children.0) {
        if !child.wait()?.success() {
            return Err(format!("{}: a process failed", case.name()).into());
        }
    }
    Ran::new(case, settings, &said)
}

/// What a child says until it ends.
fn lines(reader: impl BufRead) -> Vec<Value> {
    let lines = reader.lines().map_while(Result::ok);
    lines
        .filter_map(|line| serde_json::from_str(&line).ok())
        .collect()
}
