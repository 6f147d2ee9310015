//! A node is killed, or the command itself, at any moment; what is left of the job, or the command
//! resumed, ends with the model of a run that nobody disturbed, to the last byte.
//!
//! `STRADS_KILLS=100 cargo test --release -p strads-apps --test kills -- --nocapture` is the soak.
//! Apps and victims take turns; when one is struck is drawn, from as long as a run over the nodes
//! takes here.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::RngExt;
use strads_common::random::stream;

/// How data are made and a model is trained from them.
struct Job {
    data: &'static str,
    train: &'static str,
}

const JOBS: [Job; 4] = [
    Job {
        data: "gen lda --documents 60 --words 80 --topics 4 --length 30 --seed 3 --out corpus.bow",
        train: "lda corpus.bow --topics 4 --sweeps 60 --every 2 --quiet",
    },
    Job {
        data: "gen mf --ratings 2000 --users 150 --items 60 --rank 3 --seed 4 --out ratings.txt",
        train: "mf ratings.txt --rank 4 --epochs 60 --checkpoint-every 2 --quiet",
    },
    Job {
        data: "gen lasso --rows 150 --columns 300 --support 12 --seed 5 --out features.npz",
        train: "lasso features.npz --path 80 --path-min-ratio 0.001 --checkpoint-seconds 0 --quiet",
    },
    Job {
        data: "gen mlr --rows 2000 --columns 40 --classes 6 --seed 6 --out examples.npz",
        train: "mlr examples.npz --epochs 200 --solver sdca --tol 0 --topology halton --workers 4 --quiet",
    },
];
/// Of all jobs; two nodes with two each, or as many threads.
const WORKERS: usize = 4;
/// How many kills there are if nobody says.
const USUAL: u64 = 8;

/// A process that ends with the test.
struct Process(Child);

impl Process {
    fn kill(&mut self) {
        // It may have ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where the soak takes place.
struct Place(tempfile::TempDir);

impl Place {
    fn strads(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strads"));
        command.args(words.split(' ')).current_dir(self.0.path());
        command
    }

    fn fine(&self, words: &str) {
        let ran = self.strads(words).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{words}: {said}");
    }

    /// A node and its line of a hostfile.
    fn node(&self) -> (Process, String) {
        let words = format!(
            "node --listen 127.0.0.1:0 --secret-file secret --workers {}",
            WORKERS / 2
        );
        let mut command = self.strads(&words);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        (Process(child), line)
    }

    fn model(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name).join("model.npz")).unwrap()
    }
}

/// A training over two nodes, up to its first checkpoint: before that, a lost node is an error.
struct Training<'a> {
    place: &'a Place,
    words: String,
    command: Process,
    nodes: [Process; 2],
}

impl<'a> Training<'a> {
    fn begin(place: &'a Place, job: &Job, name: &str) -> Self {
        let ((first, one), (second, other)) = (place.node(), place.node());
        let root = place.0.path();
        fs::write(root.join(format!("hosts{name}")), one + &other).unwrap();
        let words = format!(
            "{} --out model{name} --checkpoint kept{name} --hostfile hosts{name} --secret-file secret",
            job.train
        );
        let mut command = place.strads(&words);
        let said = fs::File::create(root.join("said")).unwrap();
        let command = command.stdout(Stdio::null()).stderr(said);
        let mut training = Training {
            place,
            words,
            command: Process(command.spawn().unwrap()),
            nodes: [first, second],
        };
        while !root.join(format!("kept{name}")).exists() && training.command.runs() {
            sleep(Duration::from_millis(1));
        }
        training
    }

    fn end(&mut self) -> ExitStatus {
        self.command.0.wait().unwrap()
    }

    fn said(&self) -> String {
        fs::read_to_string(self.place.0.path().join("said")).unwrap()
    }

    /// Goes on after the command was killed; nothing may have been kept yet.
    fn resume(&self, name: &str) {
        let inspected = self.place.strads(&format!("inspect kept{name}")).output();
        let more = if inspected.unwrap().status.success() {
            " --resume"
        } else {
            ""
        };
        self.place.fine(&format!("{}{more}", self.words));
    }
}

#[test]
fn whoever_is_killed_the_result_is_the_undisturbed_one() {
    let place = Place(tempfile::tempdir().unwrap());
    place.fine("node --new-secret secret");
    // How long a run goes on after its first checkpoint, by job.
    let lengths: Vec<Duration> = (0..)
        .zip(&JOBS)
        .map(|(at, job)| {
            let Job { data, train } = job;
            place.fine(data);
            place.fine(&format!(
                "{train} --threads {WORKERS} --checkpoint calm{at} --out whole{at}"
            ));
            let name = format!("over-nodes{at}");
            let mut training = Training::begin(&place, job, &name);
            let began = Instant::now();
            assert!(training.end().success(), "{train}: {}", training.said());
            assert_eq!(
                place.model(&format!("model{name}")),
                place.model(&format!("whole{at}"))
            );
            began.elapsed()
        })
        .collect();

    let kills = std::env::var("STRADS_KILLS").map_or(USUAL, |kills| kills.parse().unwrap());
    let (mut nodes, mut commands, mut late) = (0, 0, 0);
    for kill in 0..kills {
        let (at, name) = (kill as usize % JOBS.len(), kill.to_string());
        let moment = stream(kill, "kills", 0).random_range(0.0..1.0);
        let mut training = Training::begin(&place, &JOBS[at], &name);
        sleep(lengths[at].mul_f64(moment));
        late += u64::from(!training.command.runs());
        if (kill / JOBS.len() as u64).is_multiple_of(2) {
            nodes += 1;
            let victim = kill as usize / 2 % 2;
            training.nodes[victim].kill();
            let ended = training.end();
            assert!(ended.success(), "kill {kill}: {}", training.said());
        } else {
            commands += 1;
            training.command.kill();
            training.resume(&name);
        }
        let found = place.model(&format!("model{name}"));
        assert!(found == place.model(&format!("whole{at}")), "kill {kill}");
    }
    println!(
        "{nodes} nodes and {commands} commands were killed, {late} of them after the end of the job"
    );
}
