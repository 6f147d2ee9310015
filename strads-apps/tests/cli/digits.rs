//! `strads mlr` on real data: 1,797 handwritten digits of 8 × 8 pixels (UCI, "Optical Recognition of
//! Handwritten Digits", E. Alpaydin and C. Kaynak, CC BY 4.0), 1,200 to learn from.
//!
//! scikit-learn 1.9.1's LogisticRegression at the same penalty (C = 1/1.2, tol 1e-8) has an accuracy
//! of 0.9698 on the 597 others, with a standard error of 0.0070.

use crate::runner::Place;

const PEER: f64 = 0.9698;
const ERROR: f64 = 0.0070;

#[test]
fn digits_are_told_apart_as_well_as_by_scikit_learn() {
    let place = Place::new();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    for options in [
        "",
        "--workers 4 --update factors --topology halton",
        "--workers 4 --update full",
        "--workers 3 --solver sgd --rate 0.003 --staleness 2",
    ] {
        let train = format!(
            "mlr {data}/digits-train.svm.gz --lambda 1e-3 --epochs 300 {options} --quiet --out model"
        );
        place.strads(&train).fine();
        let ran = place
            .strads(&format!("eval model {data}/digits-test.svm.gz --json"))
            .fine();
        let accuracy = ran.events()[0]["accuracy"].as_f64().unwrap();
        assert!((accuracy - PEER).abs() <= ERROR, "{options}: {accuracy}");
    }
    let ran = place
        .strads(&format!("predict model {data}/digits-test.svm.gz"))
        .fine();
    let lines = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(lines.lines().count(), 597);
    assert!(lines.lines().all(|line| line.len() == 1));
}

/// Workers in processes of their own, over sockets, learn the same model to the bit as in one.
#[test]
fn processes_learn_what_threads_do() {
    let place = Place::new();
    place.strads("node --new-secret secret").fine();
    let data = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/digits-train.svm.gz"
    );
    let same = format!("mlr {data} --epochs 3 --topology halton --update factors --quiet");
    place
        .strads(&format!("{same} --workers 3 --out threads"))
        .fine();
    // Ports that were free a moment ago; a job does not begin before all its workers are there.
    let listeners: Vec<_> = (0..3)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let peers: Vec<_> = listeners
        .iter()
        .map(|socket| socket.local_addr().unwrap().to_string())
        .collect();
    let peers = peers.join(",");
    drop(listeners);
    std::thread::scope(|scope| {
        for me in 0..3 {
            let command =
                format!("{same} --peers {peers} --me {me} --secret-file secret --out peer-{me}");
            let place = &place;
            scope.spawn(move || place.strads(&command).fine());
        }
    });
    for me in 0..3 {
        let model = place.read(&format!("peer-{me}/model.npz"));
        assert_eq!(model, place.read("threads/model.npz"), "peer {me}");
    }
}

/// `inspect` knows a checkpoint, and `resume` goes on from it, with other options where told.
#[test]
fn a_checkpoint_is_gone_on_from() {
    let place = Place::new();
    let data = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/digits-train.svm.gz"
    );
    let train = |more: &str| format!("mlr {data} --solver sdca --tol 0 --quiet {more}");
    place
        .strads(&train("--epochs 6 --workers 2 --out whole"))
        .fine();
    place
        .strads(&train("--epochs 4 --workers 2 --checkpoint kept"))
        .fine();
    let found = place.strads("inspect kept --json").fine().events();
    assert_eq!(found[0]["what"], "a checkpoint of strads mlr");
    assert_eq!(found[0]["epochs"], 4);
    place.strads("resume kept --epochs 6 --out more").fine();
    assert_eq!(place.read("more/model.npz"), place.read("whole/model.npz"));
    place.strads("resume kept --epochs 9 --workers 3").fine();
    let other = place
        .strads(&train("--lambda 1 --checkpoint kept --resume"))
        .fails(2);
    assert!(other.stderr.contains("other options"), "{}", other.stderr);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let place = Place::new();
    place.write("x.svm", "1 1:1\n2 1:2\n1 1:1.5\n3 1:0\n");
    place.write("short", "too short");
    for wrong in [
        "--workers 2 --staleness 1",
        "--topology server --update factors",
        "--batch 0",
        "--epochs 0",
        "--lambda=-1",
        "--resume",
        "--checkpoint nowhere --resume",
        "--peers 127.0.0.1:1 --me 1 --secret-file short",
        "--peers 127.0.0.1:0 --me 0 --secret-file short",
        "--peers 127.0.0.1:1",
        "--secret-file short",
        "--topology server --checkpoint kept",
        "--workers 2 --on-loss continue",
        "--solver sdca --lambda 0",
        "--solver sdca --rate 1",
    ] {
        let ran = place.strads(&format!("mlr x.svm --quiet {wrong} --out model"));
        assert_eq!(ran.code, Some(2), "{wrong}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{wrong}: {}", ran.stderr);
    }
    place.write("huge.svm", "1 1:1e30\n2 1:2e30\n1 1:1.5e30\n3 1:0\n");
    let sgd = "mlr huge.svm --quiet --solver sgd --rate 1e9 --out model";
    for workers in [1, 2] {
        let ran = place.strads(&format!("{sgd} --workers {workers}")).fails(2);
        assert!(ran.stderr.contains("use a lower --rate"), "{}", ran.stderr);
    }
    place.write("same.svm", "1 1:1\n1 1:2\n");
    place.strads("mlr same.svm").fails(2);
    place.write("amounts.svm", "0.5 1:1\n1.5 1:2\n2.25 1:2\n7 1:3\n");
    place.strads("mlr amounts.svm").fails(2);
    assert!(!place.path("model").exists());
}
