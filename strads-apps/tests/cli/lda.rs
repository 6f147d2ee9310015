//! `strads lda` as people use it, and misuse it: a clear message and code 2, or the sensible result.

use std::collections::HashMap;

use serde_json::Value;

use crate::runner::{Place, Ran};

/// Three documents in the format of the UCI, the second one empty.
const SMALL: &str = "3\n4\n5\n1 1 2\n1 2 1\n1 3 1\n3 3 2\n3 4 1\n";

fn small() -> Place {
    let place = Place::new();
    place.write("small.bow", SMALL);
    place
}

fn last(ran: &Ran) -> Value {
    ran.events().pop().unwrap()
}

/// Empty documents are no obstacle, and keep their row.
#[test]
fn empty_documents_stay() {
    let place = small();
    for sampler in ["exact", "mh", "auto"] {
        let ran = place
            .strads(&format!(
                "lda small.bow -k 2 --sweeps 5 --sampler {sampler} --workers 3 --out model --json"
            ))
            .fine();
        assert_eq!(last(&ran)["event"], "done");
        let found = place
            .strads("lda infer model small.bow --out found --json")
            .fine();
        assert_eq!(found.events()[0]["tokens_unknown"], 0);
        let lines = String::from_utf8(place.read("found/documents.txt")).unwrap();
        assert_eq!(lines.lines().nth(1), Some("2\t"));
    }
}

/// More topics than tokens: said, and done.
#[test]
fn more_topics_than_tokens() {
    let place = small();
    for (topics, sampler) in [(50, "exact"), (50, "mh"), (5000, "mh"), (5000, "auto")] {
        let ran = place
            .strads(&format!(
                "lda small.bow -k {topics} --sweeps 3 --sampler {sampler} --json"
            ))
            .fine();
        assert!(
            ran.stderr.contains("more topics than tokens"),
            "{}",
            ran.stderr
        );
        let value = last(&ran)["log_likelihood_per_token"].as_f64().unwrap();
        assert!(value.is_finite() && value < 0.0);
    }
}

/// What makes no sense is refused, with what to do.
#[test]
fn nonsense_is_refused() {
    let place = small();
    place.write("zero.bow", "1\n2\n2\n1 1 0\n1 2 1\n");
    place.write("empty.bow", "2\n3\n0\n");
    place.write("beyond.bow", "1\n2\n1\n1 3 1\n");
    place.write("three.txt", "a\nb\nc\n");
    for arguments in [
        "lda small.bow -k 2 --alpha 0",
        "lda small.bow -k 2 --alpha -1",
        "lda small.bow -k 2 --alpha nan",
        "lda small.bow -k 2 --beta 0",
        "lda small.bow -k 0",
        "lda empty.bow -k 2",
        "lda zero.bow -k 2",
        "lda beyond.bow -k 2",
        "lda small.bow -k 2 --vocabulary three.txt",
        "lda small.bow -k 2 --heldout 1.5",
        "lda small.bow -k 2 --sampler fast",
        "lda infer three.txt small.bow",
    ] {
        let ran = place.strads(arguments);
        assert_eq!(ran.code, Some(2), "{arguments}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains("panicked") && !ran.stderr.is_empty(),
            "{arguments}"
        );
    }
    assert_eq!(place.names().len(), 5, "nothing is left behind");
}

/// Unknown words are counted and left out; a corpus of nothing else is refused.
#[test]
fn words_out_of_the_vocabulary() {
    let place = Place::new();
    place.write(
        "old.txt",
        "red green blue\nred red green\nfish bird fish\nbird fish bird\n",
    );
    place.write("new.txt", "red green violet\nfish whale bird\n");
    place.write("alien.txt", "ein zwei drei\n");
    place
        .strads("lda old.txt -k 2 --sweeps 50 --out model")
        .fine();
    let ran = place
        .strads("lda infer model new.txt --json --perplexity")
        .fine();
    let events = ran.events();
    assert_eq!(events[0]["tokens_unknown"], 2);
    assert!(last(&ran)["heldout_perplexity"].as_f64().unwrap() > 1.0);
    place.strads("lda infer model alien.txt").fails(2);
    place
        .strads("lda old.txt -k 2 --heldout alien.txt")
        .fails(2);
}

/// Topics of new documents are those of the old ones that are like them.
#[test]
fn new_documents_get_the_topics_of_their_kind() {
    let place = Place::new();
    let red = "red green blue yellow red blue\n";
    let fish = "fish bird cat dog fish dog\n";
    place.write("old.txt", format!("{}{}", red.repeat(20), fish.repeat(20)));
    place.write("new.txt", format!("{red}{fish}green yellow\n"));
    place
        .strads("lda old.txt -k 2 --alpha 0.1 --sweeps 100 --out model")
        .fine();
    let ran = place.strads("lda infer model new.txt").fine();
    let text = String::from_utf8(ran.stdout).unwrap();
    let first: Vec<&str> = text
        .lines()
        .map(|line| line.split(['\t', ':']).nth(1).unwrap())
        .collect();
    assert_eq!(first[0], first[2]);
    assert_ne!(first[0], first[1]);
}

/// Events have what scripts rely on; held-out documents are measured each time; a resumed run ends where
/// the other did, whatever samples.
#[test]
fn events_heldout_and_resuming() {
    let place = Place::new();
    place
        .strads("gen lda --documents 300 --words 200 --topics 5 --length 40 --out d.bow")
        .fine();
    for sampler in ["exact", "mh"] {
        let options = format!(
            "lda d.bow -k 5 --every 10 --heldout 0.2 --workers 2 --json --sampler {sampler}"
        );
        let whole = place
            .strads(&format!("{options} --sweeps 40 --checkpoint a{sampler}"))
            .fine();
        place
            .strads(&format!("{options} --sweeps 20 --checkpoint b{sampler}"))
            .fine();
        let resumed = place
            .strads(&format!(
                "{options} --sweeps 40 --checkpoint b{sampler} --resume"
            ))
            .fine();
        let measure = |ran: &Ran| {
            let done = last(ran);
            let field = |name: &str| done[name].as_f64().expect(name);
            for name in [
                "seconds_read",
                "seconds_train",
                "seconds_write",
                "tokens_per_second",
                "npmi",
            ] {
                field(name);
            }
            HashMap::from(
                ["log_likelihood_per_token", "heldout_perplexity"]
                    .map(|name| (name, field(name).to_bits())),
            )
        };
        assert_eq!(measure(&whole), measure(&resumed), "{sampler}");
        let seen: Vec<f64> = whole
            .events()
            .iter()
            .filter(|event| event["event"] == "progress")
            .map(|event| event["heldout_perplexity"].as_f64().unwrap())
            .collect();
        assert_eq!(seen.len(), 4);
        assert!(seen[3] < 200.0, "{sampler}: {seen:?} with 200 words");
    }
}
