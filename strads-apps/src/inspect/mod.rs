//! `strads inspect`: what is in a model, a data file or a checkpoint.
//!
//! A file says what it is by its content: a model and a checkpoint have arrays of known names
//! ([`model`]); anything else is read as training would read it ([`data`]).

mod data;
mod model;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::checkpoint;
use crate::console::Console;
use crate::failure::{Failure, missing};

const EXAMPLE: &str = "\
Example: a model, the data that it was made from, a directory of checkpoints
  strads inspect model data.svm checkpoints";

/// Say what is in models, data files and checkpoints
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
pub struct Args {
    /// Models (their directory, or model.npz), data files, checkpoints
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to read data, where it cannot be told from the file
    #[arg(long = "as", value_name = "KIND", value_enum)]
    kind: Option<data::Kind>,
    /// Print one JSON object a path
    #[arg(long)]
    json: bool,
}

/// What was found in a file: what it is, and its properties in order.
pub struct Found {
    what: String,
    properties: Vec<(String, Value)>,
}

impl Found {
    /// A file that is a `what`, of which nothing else is known yet.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            properties: Vec::new(),
        }
    }

    /// Adds a property.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.properties.push((name.to_owned(), value.into()));
        self
    }
}

/// Says what is at each path.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut console = Console::new(args.json, false);
    for path in &args.paths {
        let (file, found) = find(path, args.kind, &mut console)?;
        say(&mut console, &file, found);
    }
    Ok(())
}

fn find(
    path: &Path,
    kind: Option<data::Kind>,
    console: &mut Console,
) -> Result<(PathBuf, Found), Failure> {
    let file = inside(path)?;
    let known = match kind {
        Some(_) => None,
        None => model::find(&file)?,
    };
    let found = match known {
        Some(found) => found,
        None => data::find(&file, kind, console)?,
    };
    let bytes = fs::metadata(&file).map_or(0, |data| data.len());
    Ok((file, found.with("bytes", bytes)))
}

/// The file that is meant by a path: itself, or what training leaves in a directory.
fn inside(path: &Path) -> Result<PathBuf, Failure> {
    if path == Path::new("-") {
        return Ok(path.to_owned());
    }
    if !path.exists() {
        return Err(Failure::Input(missing(path)));
    }
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let model = path.join("model.npz");
    if model.exists() {
        return Ok(model);
    }
    checkpoint::newest_manifest(path).ok_or_else(|| {
        Failure::input(format!(
            "{}: a directory with neither a model nor a checkpoint in it\n\
             name a directory that --out or --checkpoint named in training",
            path.display()
        ))
    })
}

fn say(console: &mut Console, file: &Path, found: Found) {
    console.say(format_args!("{}: {}", file.display(), found.what));
    for (name, value) in &found.properties {
        let shown = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        console.say(format_args!("  {:<22}{shown}", name.replace('_', " ")));
    }
    let mut fields = Map::new();
    fields.insert("path".to_owned(), file.display().to_string().into());
    fields.insert("what".to_owned(), found.what.into());
    fields.extend(found.properties);
    console.event("inspected", fields);
}
