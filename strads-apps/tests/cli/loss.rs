//! A worker's process that is killed in the middle of a training: the others go on and end with one
//! model, or stop and name it, as they were told. Nobody hangs.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::runner::Place;

const WORKERS: usize = 4;

/// Starts all workers, kills the last one when an epoch is over, and returns the others.
fn with_one_killed(place: &Place, on_loss: &str) -> Vec<Child> {
    place.strads("node --new-secret secret").fine();
    let listeners: Vec<_> = (0..WORKERS)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let peers: Vec<_> = listeners
        .iter()
        .map(|socket| socket.local_addr().unwrap().to_string())
        .collect();
    drop(listeners);
    let data = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/digits-train.svm.gz"
    );
    let start = |me: usize| {
        let line = format!(
            "mlr {data} --epochs 400 --update factors --topology halton --peers {} --me {me} --secret-file secret \
             --patience 1 --on-loss {on_loss} --json --quiet --out model-{me}",
            peers.join(",")
        );
        Command::new(env!("CARGO_BIN_EXE_strads"))
            .args(line.split_whitespace())
            .current_dir(place.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut children: Vec<Child> = (0..WORKERS).map(start).collect();
    let mut lines = BufReader::new(children[0].stdout.take().unwrap()).lines();
    let progress = lines.find(|line| line.as_ref().unwrap().contains("progress"));
    assert!(progress.is_some(), "{}", complaint(&mut children[0]));
    // What it goes on to say is read by nobody, and must not hold it up.
    std::thread::spawn(move || lines.for_each(drop));
    let mut killed = children.pop().unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    children
}

fn complaint(child: &mut Child) -> String {
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
fn survivors_end_with_one_model() {
    let place = Place::new();
    for (me, mut child) in with_one_killed(&place, "continue").into_iter().enumerate() {
        let said = complaint(&mut child);
        assert!(child.wait().unwrap().success(), "worker {me}: {said}");
    }
    for me in 1..WORKERS - 1 {
        assert!(place.read(&format!("model-{me}/model.npz")) == place.read("model-0/model.npz"));
    }
}

#[test]
fn survivors_stop_and_name_the_lost_one() {
    let place = Place::new();
    for (me, mut child) in with_one_killed(&place, "stop").into_iter().enumerate() {
        let said = complaint(&mut child);
        assert_eq!(child.wait().unwrap().code(), Some(3), "worker {me}: {said}");
        assert!(said.contains("worker 3 is lost"), "worker {me}: {said}");
        assert!(!place.path(&format!("model-{me}")).exists());
    }
}
