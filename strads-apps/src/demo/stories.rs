//! What the demo tells of each app: the commands, what to plot, and what was found.

use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;

/// One app's part of the demo.
pub struct Story {
    /// A heading.
    pub title: &'static str,
    /// What this is about, in a sentence or two.
    pub about: &'static str,
    /// The commands for a seed, without the `strads` in front. All but `gen` are followed by JSON.
    pub commands: fn(u64) -> Vec<String>,
    /// The field of `progress` events to plot over their `seconds`.
    pub measure: &'static str,
    /// What that field is called on the axis.
    pub axis: &'static str,
    /// Whether the measure spans orders of magnitude.
    pub logarithmic: bool,
    /// Where the measure would ideally end, and what that is called.
    pub ideal: Option<(f64, &'static str)>,
    /// What to say of the events and of the files in the directory.
    pub found: fn(&[Value], &Path) -> Result<Vec<String>, Failure>,
}

/// The deviation of the noise in the generated ratings.
const NOISE: f64 = 0.5;

/// All of them, in the order in which they are told.
pub const STORIES: &[Story] = &[MF];

const MF: Story = Story {
    title: "mf: what will a user think of an item?",
    about: "Ratings of users and items are a product of 16 hidden factors each, plus noise. \
            A model that learnt all there is to learn errs by the noise alone.",
    commands: |seed| {
        vec![
            format!("gen mf --seed {seed} --ratings 500000 --noise {NOISE} --out ratings.txt"),
            format!(
                "mf ratings.txt --rank 16 --epochs 30 --test-fraction 0.1 --seed {seed} --out mf-model"
            ),
        ]
    },
    measure: "test_rmse",
    axis: "error (RMSE) on ratings set aside",
    logarithmic: false,
    ideal: Some((NOISE, "the noise")),
    found: |events, _| {
        let done = done(events)?;
        let (test, train) = (number(done, "test_rmse")?, number(done, "train_rmse")?);
        let speed = number(done, "ratings_per_second")? / 1e6;
        Ok(vec![
            format!(
                "error {test:.3} on ratings never seen ({train:.3} on those learnt from); the noise alone is {NOISE}"
            ),
            format!("{speed:.1} million ratings a second"),
        ])
    },
};

impl Story {
    /// The measure over seconds, as the events tell it.
    pub fn curve(&self, events: &[Value]) -> Vec<(f64, f64)> {
        let progress = events.iter().filter(|event| event["event"] == "progress");
        let point =
            |event: &Value| Some((event["seconds"].as_f64()?, event[self.measure].as_f64()?));
        progress.filter_map(point).collect()
    }

    /// One event in a line.
    pub fn progress_line(&self, event: &Value) -> String {
        match (event["seconds"].as_f64(), event[self.measure].as_f64()) {
            (Some(seconds), Some(value)) => {
                format!("  {seconds:.1} s: {} {value:.5}", self.measure)
            }
            _ => "  reading".to_owned(),
        }
    }
}

fn done(events: &[Value]) -> Result<&Value, Failure> {
    let last = events.iter().rfind(|event| event["event"] == "done");
    last.ok_or_else(|| Failure::world("the command ended without saying what it found"))
}

fn number(event: &Value, field: &str) -> Result<f64, Failure> {
    let value = event[field].as_f64();
    value.ok_or_else(|| Failure::world(format!("the command did not say its {field}")))
}
