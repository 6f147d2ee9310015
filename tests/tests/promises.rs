//! What README, docs and CI promise each other, so that none of them can lie alone.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn text(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The README's two commands are the ones: CI runs the second as it is written there.
#[test]
fn ci_runs_the_readmes_test_command() {
    let readme = text("README.md");
    let (_, after) = readme
        .split_once("```sh\n")
        .expect("the README has commands");
    let (block, _) = after.split_once("```").unwrap();
    let commands: Vec<_> = block
        .lines()
        .map(|line| line.split('#').next().unwrap().trim())
        .filter(|line| line.starts_with("cargo "))
        .collect();
    assert_eq!(
        commands,
        ["cargo run --release -- demo", "cargo test --workspace"]
    );
    let ci = text(".ci/run");
    assert!(
        ci.lines()
            .any(|line| line.trim() == format!("stage {}", commands[1])),
        "{ci}"
    );
}

/// Every page in the book's summary exists, and every page is in the summary.
#[test]
fn the_summary_lists_the_pages_that_exist() {
    let summary = text("docs/src/SUMMARY.md");
    let mut listed: Vec<_> = summary
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap().to_owned())
        .collect();
    listed.push("SUMMARY.md".to_owned());
    listed.sort();
    let mut present: Vec<_> = fs::read_dir(root().join("docs/src"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .collect();
    present.sort();
    assert_eq!(listed, present);
}
