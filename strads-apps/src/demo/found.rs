//! Reading what a command found: its last event, and a linear model beside the truth.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::archive::Archive;
use crate::failure::Failure;

/// The event that ends a command's output.
pub fn done(events: &[Value]) -> Result<&Value, Failure> {
    let last = events.iter().rfind(|event| event["event"] == "done");
    last.ok_or_else(|| Failure::world("the command ended without saying what it found"))
}

/// A number of an event.
pub fn number(event: &Value, field: &str) -> Result<f64, Failure> {
    let value = event[field].as_f64();
    value.ok_or_else(|| Failure::world(format!("the command did not say its {field}")))
}

/// What a sparse model selected, against the coefficients that made the data.
pub struct Recovered {
    selected: usize,
    features: usize,
    /// Features that matter, and how many of them were selected.
    matter: usize,
    hit: usize,
    /// The share of the true coefficients' squares that the selected ones have.
    strength: f64,
}

impl Recovered {
    /// Compares the model in `directory`/`model` with the file `truth` beside it.
    pub fn of(directory: &Path, model: &str, truth: &str) -> Result<Self, Failure> {
        let mut archive = Archive::open(&directory.join(model).join("model.npz"))?;
        let coefficients = archive.numbers("coef")?;
        let truth = read_truth(&directory.join(truth))?;
        let selected = |column: usize| coefficients.get(column).is_some_and(|&b| b != 0.0);
        let hit = truth.iter().filter(|(column, _)| selected(**column));
        let squares: f64 = truth.values().map(|b| b * b).sum();
        Ok(Self {
            selected: coefficients.iter().filter(|&&b| b != 0.0).count(),
            features: coefficients.len(),
            matter: truth.len(),
            hit: hit.clone().count(),
            strength: hit.map(|(_, b)| b * b).sum::<f64>() / squares,
        })
    }
}

impl fmt::Display for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} features selected; {} of the {} that matter are among them, \
             and with them {:.1} % of the effect",
            self.selected,
            self.features,
            self.hit,
            self.matter,
            100.0 * self.strength
        )
    }
}

/// Features and coefficients, as `strads gen lasso --truth` writes them.
fn read_truth(path: &Path) -> Result<BTreeMap<usize, f64>, Failure> {
    let wrong = |reason: &dyn fmt::Display| Failure::world(format!("{}: {reason}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let entry = |line: &str| {
        let (column, value) = line.split_once(' ')?;
        Some((column.parse().ok()?, value.parse().ok()?))
    };
    text.lines()
        .map(|line| entry(line).ok_or_else(|| wrong(&"expected a feature and a coefficient")))
        .collect()
}
