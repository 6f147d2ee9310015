//! What surrounds the apps: inspecting files, completions, man pages, logs, help at once.

use crate::runner::Place;

/// Every kind of file is told by its content, with the numbers that it was made with.
#[test]
fn inspect_tells_what_a_file_is() {
    let place = Place::new();
    for command in [
        "gen lasso --rows 40 --columns 30 --support 3 --out x.svm",
        "gen lasso --rows 40 --columns 30 --support 3 --out x.npz",
        "gen lda --documents 20 --words 50 --topics 3 --length 30 --out docword.bow",
        "gen mf --users 50 --items 40 --ratings 200 --out ratings.txt",
        "lasso x.svm --path 4 --out linear",
        "lda docword.bow --topics 3 --sweeps 2 --out topics --checkpoint lda-state",
        "mf ratings.txt --rank 2 --epochs 2 --out factors --checkpoint mf-state",
    ] {
        place.strads(command).fine();
    }
    for (path, what, field, value) in [
        ("x.svm", "features", "rows", 40),
        ("x.npz", "features", "features", 30),
        ("docword.bow", "documents", "documents", 20),
        ("ratings.txt", "ratings", "ratings", 200),
        ("linear", "a model of strads lasso", "lambdas", 4),
        (
            "linear/model.npz",
            "a model of strads lasso",
            "features",
            30,
        ),
        ("topics", "a model of strads lda", "topics", 3),
        ("factors", "a model of strads mf", "rank", 2),
        ("lda-state", "a checkpoint of strads lda", "sweeps", 2),
        ("mf-state", "a checkpoint of strads mf", "epochs", 2),
    ] {
        let events = place
            .strads(&format!("inspect {path} --json"))
            .fine()
            .events();
        assert_eq!(events.len(), 1, "{path}");
        assert_eq!(events[0]["what"], what, "{path}");
        assert_eq!(events[0][field], value, "{path}: {}", events[0]);
    }
    let ran = place.strads("inspect x.svm linear").fine();
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(text.contains("x.svm: features") && text.contains("a model of strads lasso"));
}

/// Completions and man pages know every command.
#[test]
fn shells_and_manuals_know_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.strads(&format!("completions {shell}")).fine().stdout;
        let script = String::from_utf8(script).unwrap();
        assert!(
            script.contains("lambda-ratio") && script.contains("inspect"),
            "{shell}"
        );
    }
    place.strads("man --out man").fine();
    for page in [
        "strads",
        "strads-lasso",
        "strads-gen-lda",
        "strads-mf-recommend",
        "strads-bosen-bench",
    ] {
        let page = String::from_utf8(place.read(&format!("man/{page}.1"))).unwrap();
        assert!(page.contains(".TH") && page.contains("Example"), "{page}");
    }
    let first = String::from_utf8(place.strads("man").fine().stdout).unwrap();
    assert!(first.contains("lasso"));
}

/// Logs are on standard error, as many as asked for, by option or by environment.
#[test]
fn logs_are_on_standard_error() {
    let place = Place::new();
    place
        .strads("gen mf --users 50 --items 40 --ratings 200 --out r.txt")
        .fine();
    let quiet = place.strads("mf r.txt --rank 2 --epochs 1 --json").fine();
    assert!(quiet.stderr.is_empty(), "{}", quiet.stderr);
    let told = place
        .strads("mf r.txt --rank 2 --epochs 1 --json --log info --out m")
        .fine();
    assert!(
        told.stderr.contains("read") && told.stderr.contains("r.txt"),
        "{}",
        told.stderr
    );
    assert!(!told.events().is_empty());
}

/// Progress is for terminals: in a pipe, standard error stays empty.
#[test]
fn a_pipe_gets_no_progress() {
    let place = Place::new();
    place
        .strads("gen lasso --rows 40 --columns 30 --support 3 --out x.svm")
        .fine();
    let ran = place.strads("lasso x.svm --path 5").fine();
    assert!(ran.stderr.is_empty(), "{}", ran.stderr);
}
