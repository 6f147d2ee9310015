//! The apps over real hosts: with as many workers as threads, a model is the same to the last byte; a
//! node that is killed ends the job everywhere, with the host's name.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use strads_tests::binary::strads;
use strads_tests::hosts::{ENDINGS, Hosts};
use strads_tests::running::{PATIENCE, Running, until};

const HOSTS: usize = 4;

/// Runs `strads` here, as one process.
fn here(hosts: &Hosts, arguments: &str) {
    let mut command = Command::new(strads());
    command.args(arguments.split_whitespace());
    command.current_dir(hosts.path(""));
    Running::start(command).end(PATIENCE).fine();
}

/// Trains with `arguments` here and on the hosts, and compares.
fn same_model(make: &str, train: &str) {
    let Some(hosts) = Hosts::start(HOSTS) else {
        return;
    };
    here(&hosts, make);
    here(&hosts, &format!("{train} --threads {HOSTS} --out here"));
    let hostfile = hosts.hostfile("slots=1");
    let options = "--out there --report run.html";
    let there = hosts.strads(&format!("{train} {options}"), &hostfile);
    Running::start(there).end(PATIENCE).fine();
    hosts.nothing_is_left();
    // The report knows what went from whom to whom.
    let report = fs::read_to_string(hosts.path("run.html")).unwrap();
    assert!(report.contains("Bytes by link") && report.contains("coordinator → node04"));
    let model = |directory: &str| fs::read(hosts.path(directory).join("model.npz")).unwrap();
    assert!(model("here") == model("there"), "the models differ");
}

#[test]
fn lasso() {
    same_model(
        "gen lasso --rows 600 --columns 400 --support 10 --seed 1 --out data.npz",
        "lasso data.npz --lambda-ratio 0.1",
    );
}

#[test]
fn lda() {
    same_model(
        "gen lda --documents 300 --words 400 --topics 5 --seed 1 --out docword.bow",
        "lda docword.bow --topics 5 --sweeps 10 --seed 1",
    );
}

#[test]
fn mf() {
    same_model(
        "gen mf --ratings 20000 --rank 4 --seed 1 --out ratings.txt",
        "mf ratings.txt --rank 4 --epochs 5 --seed 1",
    );
}

#[test]
fn mlr() {
    let make = "gen mlr --rows 400 --columns 30 --classes 7 --seed 1 --out data.npz";
    let train = "mlr data.npz --epochs 4 --batch 32 --seed 1 --workers 4";
    same_model(make, &format!("{train} --update factors --topology halton"));
    same_model(make, &format!("{train} --update full --solver sgd"));
}

#[test]
fn a_node_is_killed() {
    let Some(hosts) = Hosts::start(2) else { return };
    here(
        &hosts,
        "gen lda --documents 2000 --words 3000 --topics 10 --seed 1 --out docword.bow",
    );
    let hostfile = hosts.hostfile("slots=1");
    let train = "lda docword.bow --topics 10 --sweeps 1000000 --json";
    let mut job = Running::start(hosts.strads(train, &hostfile));
    until("a node", PATIENCE, || {
        !hosts.processes_of(2, "node --inner").is_empty()
    });
    job.until_it_says("progress");
    let node = hosts.processes_of(2, "node --inner")[0];
    kill_process(Pid::from_raw(node).unwrap(), Signal::KILL).unwrap();
    let ended = job.end(ENDINGS).fails(3);
    assert!(ended.stderr.contains("node02"), "{ended:?}");
    hosts.nothing_is_left();
}
