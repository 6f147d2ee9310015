//! What the demo tells of each app: the commands, what to plot, and what was found.

use std::path::Path;

use serde_json::Value;

use super::found::{Recovered, done, number};
use crate::failure::Failure;

/// One app's part of the demo.
pub struct Story {
    /// A heading.
    pub title: &'static str,
    /// What this is about, in a sentence or two.
    pub about: &'static str,
    /// The commands for a seed, without the `strads` in front. All but `gen` train.
    pub commands: fn(u64) -> Vec<String>,
    /// The field of `progress` events to plot over their `seconds`.
    pub measure: &'static str,
    /// What that field is called on the axis.
    pub axis: &'static str,
    /// Where the measure would ideally end, and what that is called.
    pub ideal: Option<(f64, &'static str)>,
    /// What to say of the events and of the files in the directory.
    pub found: fn(&[Value], &Path) -> Result<Vec<String>, Failure>,
}

/// The deviation of the noise in the generated ratings.
const NOISE: f64 = 0.5;

/// All of them, in the order in which they are told.
pub const STORIES: &[Story] = &[LASSO, LOGISTIC, LDA, MF, MLR];

const LASSO: Story = Story {
    title: "lasso: which of 10,000 measurements matter?",
    about: "1,000 samples, and a target that 20 of 10,000 correlated features make. \
            40 penalties are solved, from the largest down; each fit ends when it can prove that no \
            other coefficients are better by more than a millionth.",
    commands: |seed| {
        vec![
            format!(
                "gen lasso --rows 1000 --columns 10000 --support 20 --noise 0.3 --seed {seed} \
                 --truth lasso-truth.txt --out lasso.npz"
            ),
            "lasso lasso.npz --path 40 --path-min-ratio 0.1 --out lasso-model".to_owned(),
        ]
    },
    measure: "nonzeros",
    axis: "features selected, as the penalty falls",
    ideal: Some((20.0, "features that matter")),
    found: |events, directory| {
        let recovered = Recovered::of(directory, "lasso-model", "lasso-truth.txt")?;
        Ok(vec![recovered.to_string(), certified(events)?])
    },
};

const LOGISTIC: Story = Story {
    title: "logistic: which variants raise the risk?",
    about: "2,000 people with and without a condition, and 2,000 genetic variants, of which 10 \
            matter and neighbours are inherited together.",
    commands: |seed| {
        vec![
            format!(
                "gen lasso --classes --design genotypes --rows 2000 --columns 2000 --support 10 \
                 --noise 0.3 --seed {seed} --truth logistic-truth.txt --out logistic.npz"
            ),
            "logistic logistic.npz --path 30 --path-min-ratio 0.2 --intercept --out logistic-model"
                .to_owned(),
        ]
    },
    measure: "nonzeros",
    axis: "features selected, as the penalty falls",
    ideal: Some((10.0, "features that matter")),
    found: |events, directory| {
        let recovered = Recovered::of(directory, "logistic-model", "logistic-truth.txt")?;
        Ok(vec![recovered.to_string(), certified(events)?])
    },
};

const LDA: Story = Story {
    title: "lda: what are 3,000 documents about?",
    about: "Documents of about 100 words, each about a few of 20 topics. The sampler sees the \
            words only, and finds topics under which they are less and less of a surprise.",
    commands: |seed| {
        vec![
            format!(
                "gen lda --documents 3000 --words 5000 --topics 20 --length 100 --seed {seed} \
                 --out docword.bow"
            ),
            format!(
                "lda docword.bow --topics 20 --sweeps 100 --every 5 --seed {seed} --out lda-model"
            ),
        ]
    },
    measure: "log_likelihood_per_token",
    axis: "log-likelihood of a word",
    ideal: None,
    found: |events, _| {
        let done = done(events)?;
        let likelihood = number(done, "log_likelihood_per_token")?;
        let speed = number(done, "tokens_per_second")? / 1e6;
        Ok(vec![
            format!(
                "a word is as hard to guess as one of {:.0}; of 5,000 equally likely ones without a model",
                (-likelihood).exp()
            ),
            format!("{speed:.1} million words sampled a second"),
        ])
    },
};

const MF: Story = Story {
    title: "mf: what will a user think of an item?",
    about: "Ratings of users and items are a product of 8 hidden factors each, plus noise. \
            A model that learnt all there is to learn errs by the noise alone.",
    commands: |seed| {
        vec![
            format!(
                "gen mf --ratings 1000000 --rank 8 --noise {NOISE} --seed {seed} --out ratings.txt"
            ),
            format!(
                "mf ratings.txt --rank 8 --epochs 30 --test-fraction 0.1 --seed {seed} \
                 --out mf-model"
            ),
        ]
    },
    measure: "test_rmse",
    axis: "error (RMSE) on ratings set aside",
    ideal: Some((NOISE, "the noise")),
    found: |events, _| {
        let done = done(events)?;
        let (test, train) = (number(done, "test_rmse")?, number(done, "train_rmse")?);
        let speed = number(done, "ratings_per_second")? / 1e6;
        Ok(vec![
            format!(
                "error {test:.3} on ratings never seen ({train:.3} on those learnt from); \
                 the noise alone is {NOISE}"
            ),
            format!("{speed:.1} million ratings a second"),
        ])
    },
};

const MLR: Story = Story {
    title: "mlr: which of 50 classes?",
    about: "20,000 examples of 200 features. Four workers have a part of them each, and tell each \
            other what they learn: pairs of vectors or sums, whichever is shorter.",
    commands: |seed| {
        vec![
            format!(
                "gen mlr --rows 20000 --columns 200 --classes 50 --seed {seed} --out classes.npz"
            ),
            format!(
                "mlr classes.npz --epochs 15 --batch 256 --workers 4 --seed {seed} --out mlr-model"
            ),
        ]
    },
    measure: "loss",
    axis: "loss on examples about to be learnt from",
    ideal: None,
    found: |events, _| {
        let done = done(events)?;
        let accuracy = 100.0 * number(done, "train_accuracy")?;
        let steps = number(done, "steps")? / number(done, "seconds_train")?;
        Ok(vec![
            format!("{accuracy:.1} % of the examples get their class, where guessing gets 2 %"),
            format!("{steps:.0} steps a second"),
        ])
    },
};

/// How good the fit is, and how long it took.
fn certified(events: &[Value]) -> Result<String, Failure> {
    let done = done(events)?;
    Ok(format!(
        "optimal to {:.0e} of the objective, proven, in {:.2} s",
        number(done, "relative_gap")?,
        number(done, "seconds_train")?
    ))
}

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
