//! The contract with scripts: exit codes, suggestions, and nothing but JSON under `--json`.

use crate::runner::Place;

/// Success is 0, wrong use and wrong input are 2, a world that fails is 3.
#[test]
fn exit_codes_tell_whose_fault_it_is() {
    let place = Place::new();
    place.strads("--version").fine();
    place
        .strads("gen mf --users 50 --items 40 --ratings 200 --out r.txt")
        .fine();
    place.write("bad.txt", "1 1 3.5\n1 2 oops\n");
    place.strads("mf bad.txt").fails(2);
    place.strads("mf absent.txt").fails(2);
    place.strads("gen mf --out absent/r.txt").fails(3);
    place
        .strads("mf r.txt --rank 2 --epochs 1 --out r.txt/model")
        .fails(3);
}

/// An option, command or value that does not exist is wrong use, and the right one is named.
#[test]
fn typos_are_met_with_the_right_word() {
    let place = Place::new();
    for (wrong, right) in [
        ("laso data.svm", "lasso"),
        ("gen mf --raitings 10 --out r.txt", "--ratings"),
        ("gen lasso --design sprase --out x.svm", "sparse"),
        ("lasso x.svm --lambda-ration 0.1", "--lambda-ratio"),
    ] {
        let ran = place.strads(wrong);
        assert_eq!(ran.code, Some(2), "{wrong}");
        assert!(ran.stderr.contains(right), "{wrong}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{wrong}");
    }
    assert!(place.names().is_empty());
}

/// Under `--json` standard output is events only: a start, progress in time order, a done.
#[test]
fn json_is_the_only_thing_on_standard_output() {
    let place = Place::new();
    place
        .strads("gen mf --users 50 --items 40 --ratings 200 --out r.txt")
        .fine();
    place
        .strads("gen lasso --rows 40 --columns 30 --support 3 --out x.svm")
        .fine();
    for command in [
        "mf r.txt --rank 2 --epochs 3 --json",
        "lasso x.svm --path 5 --json",
    ] {
        let events = place.strads(command).fine().events();
        let name = |at: usize| events[at]["event"].as_str().unwrap();
        assert_eq!(
            (name(0), name(events.len() - 1)),
            ("start", "done"),
            "{command}"
        );
        let middle = &events[1..events.len() - 1];
        assert!(middle.len() >= 3 && middle.iter().all(|event| event["event"] == "progress"));
        let seconds: Vec<_> = middle
            .iter()
            .map(|event| event["seconds"].as_f64().unwrap())
            .collect();
        assert!(seconds.is_sorted(), "{command}: {seconds:?}");
        for field in ["seconds_read", "seconds_train", "seconds_write"] {
            assert!(
                events[events.len() - 1][field].is_f64(),
                "{command}: {field}"
            );
        }
    }
}

/// A failing command prints no event that looks like success.
#[test]
fn a_failure_prints_no_done() {
    let place = Place::new();
    place.write("bad.txt", "1 1 3.5\n1 2 oops\n");
    let ran = place.strads("mf bad.txt --json").fails(2);
    assert!(ran.events().iter().all(|event| event["event"] != "done"));
}

/// Every command's help shows an example before its options.
#[test]
fn help_shows_an_example_first() {
    let place = Place::new();
    for command in [
        "",
        "lasso",
        "logistic",
        "lda",
        "mf",
        "predict",
        "eval",
        "inspect",
        "gen",
        "gen lasso",
        "gen lda",
        "gen mf",
        "gen mlr",
        "mlr",
        "demo",
        "bosen",
        "bosen bench",
        "completions",
        "man",
        "node",
        "cluster",
        "cluster check",
    ] {
        let ran = place.strads(&format!("{command} --help")).fine();
        let help = String::from_utf8(ran.stdout).unwrap();
        assert!(help.starts_with("Example: "), "{command}: {help}");
    }
}
