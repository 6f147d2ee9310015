//! From the book to a run over two hosts: its five commands work as they stand there, and whatever
//! goes wrong on the way is told in at most three lines that say what to do.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use strads_tests::binary::strads;
use strads_tests::hosts::Hosts;
use strads_tests::running::{Ended, PATIENCE, Running};

/// Two hosts and a front where `strads` and `ssh` are at hand, as for somebody who has them.
struct Front {
    hosts: Hosts,
    programs: PathBuf,
}

impl Front {
    fn new() -> Option<Front> {
        let hosts = Hosts::start(2)?;
        let programs = hosts.path("bin");
        fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(strads(), programs.join("strads")).unwrap();
        let front = Front { hosts, programs };
        // Somebody's own ~/.ssh/config would do the same.
        front.program(
            "bin/ssh",
            &format!("exec /usr/bin/{} \"$@\"", front.hosts.ssh()),
        );
        Some(front)
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.hosts.write(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What a line typed at the front does.
    fn types(&self, line: &str) -> Ended {
        let path = std::env::var("PATH").unwrap();
        let mut shell: Command = self.hosts.in_front("sh");
        shell
            .args(["-e", "-c", line])
            .current_dir(self.hosts.path(""));
        shell.env("PATH", format!("{}:{path}", self.programs.display()));
        Running::start(shell).end(PATIENCE)
    }

    /// A training that cannot be: what is said, asserted to be short and to have `words` in it.
    fn is_told(&self, hostfile: &str, options: &str, words: &[&str]) {
        self.hosts.write("hosts.txt", hostfile);
        let line =
            format!("strads lasso data.npz --lambda-ratio 0.1 --hostfile hosts.txt {options}");
        let told = self.types(&line);
        println!("{hostfile:?} {options}\n{}", told.stderr);
        assert!(matches!(told.status.code(), Some(2 | 3)), "{told:?}");
        let lines = told.stderr.lines().count();
        assert!((1..=3).contains(&lines), "{}", told.stderr);
        assert!(told.stderr.starts_with("strads: "), "{}", told.stderr);
        for word in words {
            assert!(
                told.stderr.contains(word),
                "{word:?} is not in {}",
                told.stderr
            );
        }
        self.hosts.nothing_is_left();
    }
}

/// The commands of the book's five, but the first: what it installs is here.
fn commands() -> Vec<String> {
    let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/cluster.md");
    let book = fs::read_to_string(book).unwrap();
    let (_, five) = book.split_once("## Two hosts in five commands").unwrap();
    let (_, block) = five.split_once("```bash\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let commands: Vec<String> = block.lines().map(str::to_owned).collect();
    assert_eq!(commands.len(), 5);
    assert!(commands[0].starts_with("cargo install"));
    commands[1..].to_vec()
}

#[test]
fn five_commands_lead_to_a_run_over_two_hosts() {
    let Some(front) = Front::new() else { return };
    for command in commands() {
        let ended = front.types(&command).fine();
        if command.contains("check") {
            assert!(ended.stdout.contains("node02"), "{ended:?}");
        }
    }
    assert!(front.hosts.path("model/model.npz").exists());
    front.hosts.nothing_is_left();
}

#[test]
fn what_goes_wrong_on_the_way_says_what_to_do() {
    let Some(front) = Front::new() else { return };
    front
        .types("strads gen lasso --rows 60 --columns 40 --support 3 --seed 1 --out data.npz")
        .fine();
    let program = format!("--node-program {}", strads().display());

    front.is_told(
        "node01\nnode03\n",
        &program,
        &["node03", "resolve", "into the hostfile"],
    );
    front.is_told("node01 slot=2\n", "", &["hosts.txt:1", "slots=N"]);
    front.is_told("", "", &["hosts.txt", "node01 slots=4"]);
    // No ssh server.
    front.is_told(
        "node01\n10.77.0.1\n",
        &program,
        &["10.77.0.1", "ssh server", "ssh 10.77.0.1 true"],
    );
    // The program is not there, or is another one.
    front.is_told(
        "node01\n",
        "--node-program /nowhere/strads",
        &["node01", "--node-program"],
    );
    let ready = r#"{"ready":{"address":"10.77.0.11:7000","workers":1,"version":"0.0.9"}}"#;
    let other = front.program("other", &format!("echo '{ready}'; cat > /dev/null"));
    let other = format!("--node-program {}", other.display());
    front.is_told("node01\n", &other, &["node01", "0.0.9", "Install version"]);
    // A node that should run already, and does not; one without its secret.
    front.is_told("node01:7000\n", "", &["node01", "--secret-file"]);
    front.is_told(
        "10.77.0.11:7000\n",
        "--secret-file nowhere",
        &["nowhere", "--new-secret"],
    );
    front.types("strads node --new-secret secret").fine();
    front.is_told(
        "10.77.0.11:7000\n",
        "--secret-file secret",
        &["10.77.0.11:7000", "strads node"],
    );
    // Every port but that of ssh is blocked.
    front.hosts.block(2);
    front.is_told(
        "node01\nnode02\n",
        &program,
        &["node02", "firewall", "id ip port"],
    );
    // No key.
    let authorized = fs::read(front.hosts.path("authorized")).unwrap();
    fs::write(front.hosts.path("authorized"), "").unwrap();
    front.is_told("node01\n", &program, &["node01", "ssh-copy-id node01"]);
    fs::write(front.hosts.path("authorized"), authorized).unwrap();
    // A host whose key nobody has looked at.
    front.hosts.write("known_hosts", "");
    front.is_told("node01\n", &program, &["node01", "ssh node01 true"]);
}
