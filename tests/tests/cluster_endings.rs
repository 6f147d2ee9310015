//! However a job ends, it ends everywhere: interrupted, its terminal closed, its launcher killed, a
//! node killed, a link silently cut, a disk full. Within ten seconds no process of it is left on any
//! host, and what is said names the host and what happened.
//!
//! The job is a check over links so slow that it takes longer than any of this.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use strads_tests::binary::strads;
use strads_tests::hosts::{ENDINGS, Hosts};
use strads_tests::running::{PATIENCE, Running, until};

/// A job under way on all of `count` hosts.
fn under_way(hosts: &Hosts, count: usize, options: &str) -> Running {
    for host in 1..=count {
        hosts.limit(host, 1);
    }
    let hostfile = hosts.hostfile("slots=1");
    let job = Running::start(hosts.strads(&format!("cluster check {options}"), &hostfile));
    // Nobody connects to a node before all are ready.
    until("a connection to a node", PATIENCE, || {
        (1..=count).any(|host| hosts.is_connected(host))
    });
    job
}

fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn interrupted_or_hung_up() {
    let Some(hosts) = Hosts::start(2) else { return };
    for signal in [Signal::INT, Signal::HUP, Signal::TERM] {
        let job = under_way(&hosts, 2, "");
        job.signal(signal);
        let ended = job.end(ENDINGS);
        assert_eq!(ended.status.code(), Some(130), "{ended:?}");
        hosts.nothing_is_left();
    }
}

#[test]
fn the_launcher_is_killed() {
    let Some(hosts) = Hosts::start(2) else { return };
    let job = under_way(&hosts, 2, "");
    job.signal(Signal::KILL);
    hosts.nothing_is_left();
}

/// The launcher is killed behind a link that is cut: nobody can tell the node.
#[test]
fn the_launcher_is_killed_and_the_link_is_cut() {
    let Some(hosts) = Hosts::start(2) else { return };
    let job = under_way(&hosts, 2, "");
    hosts.cut(1);
    job.signal(Signal::KILL);
    hosts.nothing_is_left_of("strads");
}

#[test]
fn a_node_is_killed() {
    let Some(hosts) = Hosts::start(2) else { return };
    for (process, told) in [("--inner", "killed by signal 9"), ("--launched", "")] {
        let job = under_way(&hosts, 2, "");
        kill(hosts.processes_of(2, process)[0]);
        let ended = job.end(PATIENCE).fails(3);
        let lines = ended.stderr.lines();
        let mut about = lines.filter(|line| line.starts_with("node02| "));
        assert!(about.any(|line| line.contains(told)), "{ended:?}");
        hosts.nothing_is_left();
    }
}

#[test]
fn a_link_is_cut() {
    let Some(hosts) = Hosts::start(2) else { return };
    let job = under_way(&hosts, 2, "");
    hosts.cut(2);
    // The host that is cut off ends what runs there by itself.
    until("an end behind the cut", ENDINGS, || {
        hosts.processes_of(2, "strads").is_empty()
    });
    let ended = job.end(PATIENCE).fails(3);
    assert!(
        ended.stderr.contains("node02| no sign of life"),
        "{ended:?}"
    );
    hosts.nothing_is_left_of("strads");
}

#[test]
fn a_disk_is_full() {
    let Some(mut hosts) = Hosts::start(2) else {
        return;
    };
    let cache = hosts.cache(2);
    hosts.small_disk(&cache, 1 << 20);
    let hostfile = hosts.hostfile("");
    let ended = Running::start(hosts.strads("cluster check", &hostfile)).end(PATIENCE);
    let ended = ended.fails(3);
    assert!(ended.stdout.contains("Make room"), "{ended:?}");
    let kept = fs::read_dir(hosts.cache(2).join("strads")).unwrap();
    assert_eq!(kept.count(), 0, "nothing in part is kept");
    hosts.nothing_is_left();
}

/// The secret of a job that runs is in no command line, no environment, and no file of the job.
#[test]
fn the_secret_is_nowhere_to_be_read() {
    let Some(hosts) = Hosts::start(2) else { return };
    let file = hosts.path("secret");
    let mut create = Command::new(strads());
    let created = create.args(["node", "--new-secret"]).arg(&file).status();
    assert!(created.unwrap().success());
    let secret = fs::read_to_string(&file).unwrap();
    let secret = secret.trim();
    let job = under_way(&hosts, 2, &format!("--secret-file {}", file.display()));
    let mut seen = 0;
    for host in 1..=2 {
        for pid in hosts.processes(host) {
            for what in ["cmdline", "environ"] {
                let bytes = fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes);
                assert!(!text.contains(secret), "{what} of {text}");
                seen += 1;
            }
        }
        assert!(!is_in_a_file(&hosts.cache(host), secret));
    }
    assert!(seen > 8, "{seen}");
    job.signal(Signal::INT);
    let ended = job.end(ENDINGS);
    assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret));
    hosts.nothing_is_left();
}

fn is_in_a_file(directory: &Path, word: &str) -> bool {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut entries = entries.filter(|path| !path.is_symlink());
    entries.any(|path| {
        if path.is_dir() {
            return is_in_a_file(&path, word);
        }
        let bytes = fs::read(path).unwrap();
        bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    })
}
