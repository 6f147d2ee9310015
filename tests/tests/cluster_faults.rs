//! Whatever is struck in the middle of a training over four hosts, the result is that of a run
//! which nobody disturbed, to the last byte, or there is one error that says how to get it; and no
//! process or file is left.
//!
//! Links are so slow that a training goes on for a while after it has shown that it has begun.
//! Node and launcher are killed, a link is cut, a disk is full, a checkpoint is damaged, Ctrl-C is
//! pressed. `cargo test -p strads-tests --test cluster_faults -- --nocapture` says how soon each
//! fault was noticed, and how soon training went on.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use strads_tests::binary::strads;
use strads_tests::hosts::{ENDINGS, Hosts};
use strads_tests::running::{Ended, PATIENCE, Running};

const HOSTS: usize = 4;
/// What a host may send once there is nothing more to strike.
const FAST: u32 = 1000;
const PROGRESS: &str = "\"event\":\"progress\"";

/// A training: how its data are made, and what is trained.
struct Job {
    data: &'static str,
    train: &'static str,
    /// What a host may send, in Mbit/s: so little that there is time to strike.
    megabits: u32,
    /// After so much progress it is under way, and far from its end.
    under_way: usize,
}

const LASSO: Job = Job {
    data: "gen lasso --rows 600 --columns 400 --support 10 --seed 1 --out data.npz",
    train: "lasso data.npz --path 40 --checkpoint-seconds 0",
    megabits: 1,
    under_way: 6,
};
const LDA: Job = Job {
    data: "gen lda --documents 300 --words 400 --topics 5 --seed 1 --out docword.bow",
    train: "lda docword.bow --topics 5 --sweeps 60 --every 2 --seed 1",
    megabits: 5,
    under_way: 5,
};
const MF: Job = Job {
    data: "gen mf --ratings 20000 --rank 4 --seed 1 --out ratings.txt",
    train: "mf ratings.txt --rank 4 --epochs 40 --seed 1 --checkpoint-every 2",
    megabits: 5,
    under_way: 8,
};

/// Four hosts behind slow links, the data, and the result of a run that nobody disturbs.
fn prepared(job: &Job) -> Option<Hosts> {
    let hosts = Hosts::start(HOSTS)?;
    let here = |arguments: &str| {
        let mut command = Command::new(strads());
        command.args(arguments.split_whitespace());
        command.current_dir(hosts.path(""));
        Running::start(command).end(PATIENCE).fine();
    };
    here(job.data);
    let train = job.train;
    here(&format!(
        "{train} --threads {HOSTS} --checkpoint calm --out calm-model --quiet"
    ));
    limit(&hosts, job.megabits);
    Some(hosts)
}

/// Limits what each host sends.
fn limit(hosts: &Hosts, megabits: u32) {
    (1..=HOSTS).for_each(|host| hosts.limit(host, megabits));
}

/// The training on all hosts, under way.
fn training(hosts: &Hosts, job: &Job, options: &str) -> Running {
    let hostfile = hosts.hostfile("slots=1");
    let train = format!(
        "{} --json --out model --checkpoint kept {options}",
        job.train
    );
    let mut command = hosts.strads(&train, &hostfile);
    // Hosts share their files here: nothing needs to be copied.
    command.arg("--node-program").arg(strads());
    let mut running = Running::start(command);
    running.until_it_has_said(PROGRESS, job.under_way);
    running
}

/// `strads resume kept`, until it ends.
fn resumed(hosts: &Hosts, options: &str) -> Ended {
    let mut command = hosts.in_front(strads());
    command.args(["resume", "kept"]);
    command.args(options.split_whitespace());
    command.current_dir(hosts.path(""));
    Running::start(command).end(PATIENCE)
}

/// Asserts that the model is the undisturbed one, and that nothing is left beside models and
/// checkpoints.
fn undisturbed(hosts: &Hosts) {
    let model = |directory: &str| fs::read(hosts.path(directory).join("model.npz")).unwrap();
    assert!(model("calm-model") == model("model"), "the models differ");
    assert_eq!(partial(&hosts.path("")), Vec::<String>::new());
    hosts.nothing_is_left();
}

/// Files and directories that were being written.
fn partial(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains("partial") || name.contains(".tmp") {
            found.push(name);
        } else if path.is_dir() {
            found.extend(partial(&path));
        }
    }
    found
}

fn kill(hosts: &Hosts, host: usize, process: &str) {
    let pid = hosts.processes_of(host, process)[0];
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

/// Strikes node03 of a training with checkpoints, or more than that; the others have to end it.
fn the_others_go_on(job: &Job, what: &str, strike: impl FnOnce(&Hosts)) {
    let Some(hosts) = prepared(job) else { return };
    let mut running = training(&hosts, job, "");
    strike(&hosts);
    let struck = Instant::now();
    running.until_it_says("going on with the others, from kept/step-");
    let noticed = seconds(struck);
    running.until_it_has_said("\"event\":\"start\"", 2);
    println!(
        "{what}: noticed after {noticed:.2} s, going on after {:.2} s",
        seconds(struck)
    );
    limit(&hosts, FAST);
    let ended = running.end(PATIENCE).fine();
    // Who notices first says so in its own words: the job, or the one that watches its nodes.
    let mut about = ended.stderr.lines().filter(|line| line.contains("node03"));
    let told = ["is lost", "no sign of life"];
    assert!(
        about.any(|line| told.iter().any(|told| line.contains(told))),
        "{ended:?}"
    );
    // ssh behind a cut link ends by itself; whatever else runs there the host has ended.
    hosts.nothing_is_left_of("strads");
    (1..=HOSTS).for_each(|host| hosts.mend(host));
    hosts.nothing_is_left_after(struck.elapsed());
    undisturbed(&hosts);
}

#[test]
fn a_node_is_killed() {
    the_others_go_on(&LDA, "a node is killed", |hosts| kill(hosts, 3, "--inner"));
}

#[test]
fn the_process_that_watches_a_node_is_killed() {
    the_others_go_on(&LASSO, "its vigil is killed", |hosts| {
        kill(hosts, 3, "--launched");
    });
}

#[test]
fn a_link_is_cut() {
    the_others_go_on(&LDA, "a link is cut", |hosts| hosts.cut(3));
}

/// Of two hosts at once.
#[test]
fn links_are_cut() {
    the_others_go_on(&MF, "two links are cut", |hosts| {
        hosts.cut(3);
        hosts.cut(4);
    });
}

/// Of all hosts but one: no host is missed for longer because others are.
#[test]
fn all_links_but_one_are_cut() {
    the_others_go_on(&MF, "three links are cut", |hosts| {
        (2..=HOSTS).for_each(|host| hosts.cut(host));
    });
}

/// The job stops where it is told to, and can be resumed even if the newest checkpoint is damaged.
#[test]
fn a_node_is_killed_and_a_checkpoint_damaged() {
    let Some(hosts) = prepared(&MF) else { return };
    let running = training(&hosts, &MF, "--on-failure stop");
    kill(&hosts, 2, "--inner");
    let ended = running.end(ENDINGS).fails(3);
    assert!(ended.stderr.contains("node02 is lost"), "{ended:?}");
    assert!(ended.stderr.contains("strads resume kept"), "{ended:?}");
    hosts.nothing_is_left();

    let newest = newest(&hosts);
    let part = newest.join("items");
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&part, bytes).unwrap();
    limit(&hosts, FAST);
    let ended = resumed(&hosts, "").fine();
    let named = newest.file_name().unwrap().to_str().unwrap();
    assert!(
        ended
            .stderr
            .contains(&format!("kept/{named}: items is damaged"))
            && ended.stderr.contains("going on from kept/step-"),
        "{ended:?}"
    );
    undisturbed(&hosts);
}

/// The newest checkpoint.
fn newest(hosts: &Hosts) -> std::path::PathBuf {
    let kept = fs::read_dir(hosts.path("kept")).unwrap();
    let kept = kept.map(|entry| entry.unwrap().path());
    let step = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.strip_prefix("step-").unwrap().parse::<u64>().unwrap()
    };
    kept.max_by_key(step).unwrap()
}

/// The launcher is killed, then interrupted, each time in the middle; half as many hosts end the job.
#[test]
fn the_launcher_is_killed_and_interrupted() {
    let Some(hosts) = prepared(&LDA) else { return };
    training(&hosts, &LDA, "").signal(Signal::KILL);
    hosts.nothing_is_left();

    let hostfile = hosts.hostfile("slots=1");
    let mut command = hosts.in_front(strads());
    command.args(["resume", "kept", "--hostfile"]).arg(hostfile);
    command.current_dir(hosts.path(""));
    let mut running = Running::start(command);
    running.until_it_has_said(PROGRESS, 3);
    running.signal(Signal::INT);
    let ended = running.end(ENDINGS);
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    hosts.nothing_is_left();
    assert_eq!(partial(&hosts.path("")), Vec::<String>::new());

    limit(&hosts, FAST);
    hosts.write("fewer.txt", "node01 slots=2\nnode02 slots=2\n");
    resumed(&hosts, "--hostfile fewer.txt").fine();
    undisturbed(&hosts);
}

/// There is room for two checkpoints and not for a third beside them: one error, what was kept is
/// whole, and with more room the job goes on.
#[test]
fn the_disk_of_checkpoints_is_full() {
    let Some(mut hosts) = prepared(&LDA) else {
        return;
    };
    let of_one = size(&hosts.path("calm").join("step-60"));
    let kept = hosts.path("kept");
    hosts.small_disk(&kept, of_one * 5 / 2);
    let hostfile = hosts.hostfile("slots=1");
    let train = format!("{} --out model --checkpoint kept", LDA.train);
    let mut command = hosts.strads(&train, &hostfile);
    command.arg("--node-program").arg(strads());
    let ended = Running::start(command).end(PATIENCE).fails(3);
    assert!(
        ended.stderr.contains("kept: cannot keep a checkpoint"),
        "{ended:?}"
    );
    assert_eq!(partial(&kept), Vec::<String>::new());
    hosts.nothing_is_left();
    assert!(!hosts.path("model").exists());

    hosts.resize_disk(&kept, of_one * 4);
    limit(&hosts, FAST);
    resumed(&hosts, "").fine();
    undisturbed(&hosts);
}

fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap();
    entries
        .map(|entry| {
            entry
                .unwrap()
                .metadata()
                .unwrap()
                .len()
                .next_multiple_of(4096)
        })
        .sum()
}
