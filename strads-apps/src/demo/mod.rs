//! `strads demo`: every app on data made on the spot, and a report of what it found.
//!
//! The demo has no way of its own into the apps: it runs the commands that it prints ([`child`]), on
//! the command line's contract, so whatever it shows can be repeated by hand. What is run and what
//! to make of it is a list ([`stories`]); adding an app is adding a story.

mod child;
mod found;
mod report;
mod stories;

use std::fs;
use std::path::PathBuf;

use crate::console::Console;
use crate::failure::Failure;
use crate::files::completely;
use stories::{STORIES, Story};

const EXAMPLE: &str = "\
Example: half a minute, then open strads-demo/report.html
  strads demo";

/// Train every app on data made on the spot, and leave a report
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
pub struct Args {
    /// Keep data, models and the report in this directory
    #[arg(long, value_name = "DIR", default_value = "strads-demo")]
    out: PathBuf,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

/// A story that has been played.
struct Played {
    story: &'static Story,
    /// The commands, as a person types them.
    commands: Vec<String>,
    /// The measure over time.
    curve: Vec<(f64, f64)>,
    /// What was found, a sentence each.
    found: Vec<String>,
    /// The name of the run's own report.
    report: String,
}

/// Plays all stories and writes the report.
pub fn run(args: &Args) -> Result<(), Failure> {
    let world = |error| Failure::world(format!("{}: {error}", args.out.display()));
    fs::create_dir_all(&args.out).map_err(world)?;
    let mut console = Console::new(false, false);
    let mut played = Vec::new();
    for (number, story) in STORIES.iter().enumerate() {
        console.say(format_args!(
            "{}/{} {}",
            number + 1,
            STORIES.len(),
            story.title
        ));
        played.push(play(args, story, &mut console)?);
        console.say("");
    }
    let report = args.out.join("report.html");
    completely(&report, |into| report::write(&played, into)).map_err(world)?;
    console.say(format_args!("The report: {}", report.display()));
    Ok(())
}

fn play(args: &Args, story: &'static Story, console: &mut Console) -> Result<Played, Failure> {
    let mut commands = Vec::new();
    let mut events = Vec::new();
    let app = story.title.split(':').next().unwrap_or(story.title);
    let report = format!("{app}-report.html");
    for mut command in (story.commands)(args.seed) {
        let trains = !command.starts_with("gen ");
        if trains {
            command = format!("{command} --report {report}");
        }
        console.say(format_args!("  $ strads {command}"));
        if trains {
            let extra = args.threads.map(|threads| format!(" --threads {threads}"));
            let line = format!("{command}{} --json", extra.unwrap_or_default());
            events = child::follow(&line, &args.out, |event| {
                console.progress(|| story.progress_line(event));
            })?;
        } else {
            child::follow(&command, &args.out, |_| ())?;
        }
        commands.push(format!("strads {command}"));
    }
    let curve = story.curve(&events);
    let found = (story.found)(&events, &args.out)?;
    for line in &found {
        console.say(format_args!("  {line}"));
    }
    Ok(Played {
        story,
        commands,
        curve,
        found,
        report,
    })
}
