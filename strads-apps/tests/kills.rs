//! Nodes are killed, the command is killed, and the result is still the undisturbed one, bit by bit.
//!
//! `STRADS_KILLS=100 cargo test --release -p strads-apps --test kills` is the soak.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::RngExt;
use strads_common::random::stream;

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn strads(place: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strads"));
    command.args(words.split(' ')).current_dir(place);
    command
}

fn fine(place: &Path, words: &str) {
    let ran = strads(place, words).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{words}: {said}");
}

/// A node and its line of a hostfile.
fn node(place: &Path) -> (Process, String) {
    let words = "node --listen 127.0.0.1:0 --secret-file secret --workers 2";
    let mut command = strads(place, words);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    (Process(child), line)
}

fn model(place: &Path, name: &str) -> Vec<u8> {
    fs::read(place.join(name).join("model.npz")).unwrap()
}

#[test]
fn whoever_is_killed_topics_are_the_undisturbed_ones() {
    whoever_is_killed(
        "gen lda --documents 60 --words 80 --topics 4 --length 30 --seed 3 --out corpus.bow",
        "lda corpus.bow --topics 4 --sweeps 60 --every 2 --workers 4 --quiet",
    );
}

/// Its workers wait for each other, whichever of them is lost, and wherever the others move.
#[test]
fn whoever_is_killed_classes_are_the_undisturbed_ones() {
    whoever_is_killed(
        "gen mlr --rows 2000 --columns 40 --classes 6 --seed 3 --out examples.npz",
        "mlr examples.npz --epochs 200 --solver sdca --tol 0 --topology halton --workers 4 --quiet",
    );
}

/// Trains as `job` says on what `make` makes: undisturbed, and with somebody killed.
fn whoever_is_killed(make: &str, job: &str) {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    fine(place, make);
    fine(place, "node --new-secret secret");
    fine(place, &format!("{job} --checkpoint calm --out whole"));
    let kills: u64 = std::env::var("STRADS_KILLS").map_or(4, |kills| kills.parse().unwrap());
    for kill in 0..kills {
        let mut random = stream(kill, "kills", 0);
        let (mut first, one) = node(place);
        let (_second, other) = node(place);
        fs::write(place.join("hosts"), one + &other).unwrap();
        let kept = format!("kept{kill}");
        let words = format!(
            "{job} --checkpoint {kept} --out found{kill} --hostfile hosts --secret-file secret"
        );
        let mut running = Process(
            strads(place, &words)
                .stdout(Stdio::null())
                .stderr(fs::File::create(place.join("said")).unwrap())
                .spawn()
                .unwrap(),
        );
        // A node that is lost before the job begins is an error: strikes from the first checkpoint
        // on. When, is left to chance and to the machine: no moment may matter.
        while !place.join(&kept).exists() && running.0.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(random.random_range(0..600)));
        if kill % 2 == 0 {
            let _ = first.0.kill();
            let ended = running.0.wait().unwrap();
            let said = fs::read_to_string(place.join("said")).unwrap();
            assert!(ended.success(), "kill {kill}: {said}");
        } else {
            let _ = running.0.kill();
            let _ = running.0.wait();
            // Nothing may have been kept yet; then it begins anew.
            let again = match strads(place, &format!("inspect {kept}"))
                .output()
                .unwrap()
                .status
            {
                kept if kept.success() => format!("{words} --resume"),
                _ => words,
            };
            fine(place, &again);
        }
        assert_eq!(
            model(place, &format!("found{kill}")),
            model(place, "whole"),
            "kill {kill}"
        );
    }
}
