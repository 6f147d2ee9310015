//! Every command in the README and in the book works as it is written: those behind a `$` in
//! `console` blocks, and those that begin with `strads` in `sh` blocks. A page has a directory of
//! its own, in which its commands run one after the other. Those in `bash` blocks need hosts that
//! are not here. (That what they print is what the page says, people check: it has times in it.)

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::runner::Place;

/// The commands of a page that can be run anywhere.
fn commands(page: &str) -> Vec<&str> {
    let (mut found, mut fence) = (Vec::new(), None);
    for line in page.lines() {
        fence = match (line.strip_prefix("```"), fence) {
            (Some(_), Some(_)) => None,
            (Some(kind), None) => Some(kind),
            (None, fence) => fence,
        };
        match fence {
            Some("console") => found.extend(line.strip_prefix("$ ")),
            Some("sh") if line.starts_with("strads ") => found.push(line),
            _ => {}
        }
    }
    found
}

/// Runs the commands of a page as a shell would, with `strads` at hand. A line may end with a
/// failure if it says so itself (`echo "exit code $?"`).
fn run(page: &Path) -> usize {
    let text = std::fs::read_to_string(page).unwrap();
    let (place, commands) = (Place::new(), commands(&text));
    let binary = Path::new(env!("CARGO_BIN_EXE_strads")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    for command in &commands {
        let output = Command::new("sh")
            .args(["-e", "-c", command])
            .current_dir(place.path(""))
            .env("PATH", &path)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let failed = !output.status.success() && !command.contains("; echo");
        assert!(!failed, "{}: {command}: {stderr}", page.display());
        assert!(
            !stderr.contains("panicked"),
            "{}: {command}: {stderr}",
            page.display()
        );
    }
    commands.len()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_readmes_commands_work_verbatim() {
    assert!(run(&root().join("README.md")) >= 8);
}

#[test]
fn the_books_commands_work_verbatim() {
    let pages = std::fs::read_dir(root().join("docs/src")).unwrap();
    let pages = pages.map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|is| is == "md"));
    let mut pages: Vec<PathBuf> = pages.collect();
    pages.sort();
    let run: usize = pages.iter().map(|page| run(page)).sum();
    assert!(run >= 40, "{run} commands found");
}

/// Every page is in the book's summary, and everything that a page leads to is there.
#[test]
fn the_book_is_whole() {
    let pages = root().join("docs/src");
    let summary = std::fs::read_to_string(pages.join("SUMMARY.md")).unwrap();
    for entry in std::fs::read_dir(&pages).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".md") {
            continue;
        }
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("({name})")),
            "{name}"
        );
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") {
                assert!(pages.join(file).exists(), "{name} leads to {file}");
            }
        }
    }
}
