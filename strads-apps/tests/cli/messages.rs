//! Every failure that a test can reach is one message of at most three lines (which `fails`
//! asserts): what, where, and what to do; and it leaves nothing half written.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::runner::Place;

/// Data of every kind, and a model of each app.
fn place() -> Place {
    let place = Place::new();
    for command in [
        "gen lasso --rows 40 --columns 30 --support 3 --out x.svm",
        "gen lda --documents 20 --words 50 --topics 3 --length 30 --out docword.bow",
        "gen mf --users 50 --items 40 --ratings 200 --out ratings.txt",
        "lasso x.svm --lambda-ratio 0.1 --out linear",
        "lda docword.bow --topics 3 --sweeps 2 --out topics --checkpoint lda-state",
        "mf ratings.txt --rank 2 --epochs 2 --out factors --checkpoint mf-state",
    ] {
        place.strads(command).fine();
    }
    place
}

/// Wrong use of every command that there is.
#[test]
fn wrong_use_and_wrong_input_are_told_in_three_lines() {
    let place = place();
    place.write("bad.svm", "1 1:2\nzwei 1:3\n");
    place.write("short.bow", "3\n4\n5\n1 1 1\n");
    place.write("words.txt", "one two\nthree\n");
    place.write("empty", "");
    place.write("one.svm", "1 1:1\n1 2:1\n");
    place.write("notes.npz", "PK\u{3}\u{4}nothing");
    for wrong in [
        "lasso x.svm",
        "lasso x.svm --lambda 1 --lambda-ratio 0.1",
        "lasso x.svm --lambda zero",
        "lasso x.svm --lambda 1 --threads 0",
        "lasso x.svm --lambda 1 --tol 0",
        "lasso x.svm --lambda 1 --no-such-option",
        "lasso x.svm --lambda 1 --format libsvn",
        "lasso x.svm --lambda 1 --target absent.txt",
        "lasso bad.svm --lambda 1",
        "lasso empty --lambda 1",
        "lasso words.txt --lambda 1",
        "lasso notes.npz --lambda 1",
        "lasso linear/model.npz --lambda 1",
        "lasso x.svm --lambda 1 --log loud",
        "lasso x.svm --lambda 1 --report linear",
        "logistic x.svm --lambda 1",
        "logistic one.svm --lambda 1",
        "lda docword.bow",
        "lda docword.bow --topics 0",
        "lda docword.bow --topics 3 --alpha 0",
        "lda docword.bow --topics 3 --min-documents 99",
        "lda docword.bow --topics 3 --sweeps 1 --resume",
        "lda docword.bow --topics 4 --checkpoint lda-state --resume",
        "lda docword.bow --topics 3 --checkpoint nowhere --resume",
        "lda short.bow --topics 3",
        "lda empty --topics 3",
        "mf",
        "mf ratings.txt --rank 0",
        "mf ratings.txt --test-fraction 2",
        "mf ratings.txt --lambda=-1",
        "mf ratings.txt --patience 3",
        "mf ratings.txt --rank 3 --checkpoint mf-state --resume",
        "mf ratings.txt --checkpoint nowhere --resume",
        "mf words.txt",
        "mf empty",
        "mf recommend factors --user nobody",
        "mf recommend factors",
        "mf recommend linear --user 1",
        "mf score factors absent.txt",
        "predict linear words.txt",
        "predict topics x.svm",
        "predict",
        "eval linear docword.bow",
        "eval linear",
        "inspect",
        "inspect absent.svm",
        "inspect empty",
        "gen",
        "gen lasso",
        "gen lasso --rows many --out y.svm",
        "bosen",
        "bosen bench --row-length 0",
        "completions fishy",
        "nonsense",
    ] {
        let before = place.names();
        let ran = place.strads(wrong);
        if matches!(wrong, "gen" | "bosen") {
            // Help, as there is nothing to be wrong about yet.
            assert_eq!(ran.code, Some(2), "{wrong}");
            continue;
        }
        let stderr = ran.stderr.clone();
        assert_eq!(ran.code, Some(2), "{wrong}: {stderr}");
        let lines: Vec<&str> = stderr.trim_end().lines().collect();
        assert!(
            lines.len() <= 3 && stderr.starts_with("strads: "),
            "{wrong}: {stderr}"
        );
        assert!(!stderr.contains("panicked"), "{wrong}: {stderr}");
        assert!(
            lines.iter().all(|line| line.chars().count() < 300),
            "{wrong}: {stderr}"
        );
        assert_eq!(place.names(), before, "{wrong}");
    }
}

/// A file that is not there is met with the one that was meant.
#[test]
fn a_typo_in_a_name_is_met_with_the_right_one() {
    let place = place();
    for (wrong, right) in [
        ("lasso y.svm --lambda 1", "x.svm"),
        ("lda docwrd.bow --topics 3", "docword.bow"),
        ("mf raitings.txt", "ratings.txt"),
        ("mf ratings.txt --test rating.txt", "ratings.txt"),
        ("predict linaer x.svm", "linear"),
        ("eval linear xx.svm", "x.svm"),
        ("mf recommend factor --user 1", "factors"),
        ("inspect topic", "topics"),
        ("lasso x.svm --lambda 1 --format libsvn", "libsvm"),
    ] {
        let ran = place.strads(wrong).fails(2);
        assert!(ran.stderr.contains(right), "{wrong}: {}", ran.stderr);
    }
}

/// What the world does not allow is its fault, told by name, before any work where it can be.
#[test]
fn a_world_that_fails_is_told_by_name() {
    let place = place();
    for (wrong, says) in [
        (
            "lasso x.svm --lambda-ratio 0.1 --out x.svm/model",
            "x.svm/model",
        ),
        (
            "lasso x.svm --lambda-ratio 0.1 --report nowhere/run.html",
            "nowhere",
        ),
        (
            "lda docword.bow --topics 3 --sweeps 1 --out x.svm/model",
            "x.svm/model",
        ),
        (
            "lda docword.bow --topics 3 --sweeps 1 --checkpoint x.svm/c",
            "x.svm/c",
        ),
        (
            "mf ratings.txt --rank 2 --epochs 1 --out x.svm/model",
            "x.svm/model",
        ),
        ("gen mf --ratings 10 --out nowhere/r.txt", "nowhere"),
        ("predict linear x.svm --out nowhere/p.txt", "nowhere"),
        ("man --out x.svm/man", "x.svm/man"),
    ] {
        let before = place.names();
        let ran = place.strads(wrong).fails(3);
        assert!(ran.stderr.contains(says), "{wrong}: {}", ran.stderr);
        assert_eq!(place.names(), before, "{wrong}");
    }
}

/// A file whose last bytes are missing, or changed, is refused by name.
#[test]
fn damaged_models_are_refused_by_name() {
    let place = place();
    for (file, command) in [
        ("linear/model.npz", "eval linear x.svm"),
        ("factors/model.npz", "mf recommend factors --user 1"),
        ("topics/model.npz", "inspect topics"),
    ] {
        let whole = place.read(file);
        place.write(file, &whole[..whole.len() / 2]);
        let ran = place.strads(command).fails(2);
        assert!(ran.stderr.contains(file), "{command}: {}", ran.stderr);
    }
}

/// Ctrl-C ends a training with exit code 130, and no file is there in part.
#[cfg(unix)]
#[test]
fn an_interrupted_command_leaves_nothing_half_written() {
    let place = place();
    let before = place.names();
    let commands = [
        "mf ratings.txt --rank 2 --epochs 100000000 --json --out new --report run.html",
        "gen lasso --rows 100000 --columns 2000 --out huge.svm",
    ];
    for command in commands {
        let mut child = Command::new(env!("CARGO_BIN_EXE_strads"))
            .args(command.split(' '))
            .current_dir(place.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It is at work when it has said something, or begun a file.
        let deadline = Instant::now() + Duration::from_secs(60);
        if command.starts_with("mf") {
            let mut byte = [0];
            std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
        } else {
            while !place.path("huge.svm.partial").exists() && Instant::now() < deadline {
                std::thread::yield_now();
            }
        }
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .unwrap()
                .success()
        );
        // Its output has to be taken, or it would wait for that.
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(130), "{command}");
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(
            stderr.contains("interrupted") && !stderr.contains("panicked"),
            "{stderr}"
        );
        assert_eq!(place.names(), before, "{command}");
    }
}

/// Whoever read its standard error is gone: an interrupted command ends all the same.
#[test]
fn an_interrupted_command_that_nobody_listens_to_ends() {
    let place = place();
    let mut child = Command::new(env!("CARGO_BIN_EXE_strads"))
        .args(["mf", "ratings.txt", "--rank", "2", "--json"])
        .args(["--epochs", "100000000"])
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    std::io::Read::read_exact(&mut stdout, &mut [0]).unwrap();
    drop(child.stderr.take());
    let pid = child.id().to_string();
    let struck = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(struck.success());
    std::io::copy(&mut stdout, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
