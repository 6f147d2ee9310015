//! Holds up: the example that the guide walks through is in the guide, word for word, its three
//! functions are at most forty lines, and what the guide says it prints is what it prints.

use std::path::Path;
use std::process::Command;

const GUIDE: &str = include_str!("../../docs/src/write-your-own.md");
const EXAMPLE: &str = include_str!("../examples/nonnegative.rs");

/// The guide quotes the example in pieces; together they are all of it, in order.
#[test]
fn the_guide_quotes_the_example() {
    let quoted: Vec<&str> = fenced("```rust\n").collect();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(&quoted.join("\n")), words(EXAMPLE));
}

#[test]
fn the_three_functions_have_at_most_forty_lines() {
    let code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let body = EXAMPLE.split("impl Program").nth(1).unwrap();
    let body = body.split("fn main").next().unwrap();
    assert!(body.lines().filter(code).count() <= 40);
}

/// `cargo test` builds examples before it runs tests; where only this one is asked for
/// (`--test guide`), build them first.
#[test]
fn the_example_prints_what_the_guide_says() {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let example = profile
        .join("examples")
        .join(format!("nonnegative{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&example)
        .output()
        .expect("`cargo build -p strads --examples` has built it");
    assert!(output.status.success());
    let said = fenced("```text\n").next().unwrap().trim();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), said);
}

fn fenced(opening: &str) -> impl Iterator<Item = &'static str> {
    GUIDE
        .split(opening)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
}
