//! `strads predict` and `strads eval` for models of several classes.

use std::io::Write;
use std::path::Path;

use bosen::factors::Rows;
use serde::Serialize;
use strads_datasets::{Labelled, ReadOptions, Source, read_labelled, read_vector};

use super::examples::{Examples, known};
use super::kernel::{scores, softmax};
use super::model::{Model, file};
use crate::archive::Archive;
use crate::console::Console;
use crate::failure::Failure;
use crate::files::completely;
use crate::linear::{Eval, Predict};
use crate::standard::to_standard_output;

/// Examples that are looked at together.
const PART: usize = 1024;

/// How good a model is on examples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// Examples.
    pub rows: usize,
    /// The share whose class is the likeliest one.
    pub accuracy: f64,
    /// The mean of −log of the probability of their class.
    pub log_loss: f64,
}

/// Whether the model at `path` is one of several classes.
pub fn is_model(path: &Path) -> bool {
    Archive::open(&file(path)).is_ok_and(|archive| archive.has("weights"))
}

/// Writes the likeliest class of each row.
pub fn predict(args: &Predict) -> Result<(), Failure> {
    let model = Model::read(&args.applied.model)?;
    let data = read(&model, &args.applied.features)?;
    let rows = data.features.rows();
    let examples = Examples::new(&data.features, vec![0; rows]);
    let mut likeliest = Vec::with_capacity(rows);
    each_row(&examples, &model.weights, model.classes.len(), |_, row| {
        likeliest.push(model.classes[greatest(row)]);
    });
    let list = |into: &mut dyn Write| {
        let mut classes = likeliest.iter();
        classes.try_for_each(|class| writeln!(into, "{class}"))
    };
    let failed = |error: std::io::Error| Failure::world(format!("writing predictions: {error}"));
    match &args.out {
        Some(path) => completely(path, |file| list(file)).map_err(failed),
        None => to_standard_output(list).map_err(failed),
    }
}

/// Measures the model on examples whose classes are known.
pub fn eval(args: &Eval) -> Result<(), Failure> {
    let mut console = Console::new(args.json, false);
    let model = Model::read(&args.applied.model)?;
    let data = read(&model, &args.applied.features)?;
    let told = match &args.target {
        Some(path) => Some(read_vector(
            &Source::from(path.as_path()),
            &ReadOptions::default(),
        )?),
        None => data.target.clone(),
    };
    let target = told.filter(|target| target.len() == data.features.rows()).ok_or_else(|| {
        Failure::input(format!(
            "{}: needs one class for each of its {} rows\ngive --target a file with one number a row",
            args.applied.features.display(),
            data.features.rows()
        ))
    })?;
    let examples = known(&data, &model.classes, &target)?;
    let measures = measure(&examples, &model.weights, model.classes.len());
    console.say(format_args!(
        "{} rows: accuracy {:.4}, log loss {:.6}",
        measures.rows, measures.accuracy, measures.log_loss
    ));
    console.event("done", measures);
    Ok(())
}

/// Measures `weights` on `examples`.
pub fn measure(examples: &Examples, weights: &[f32], classes: usize) -> Measures {
    let (mut right, mut loss) = (0, 0.0);
    each_row(examples, weights, classes, |at, row| {
        let label = examples.labels[at] as usize;
        right += usize::from(greatest(row) == label);
        loss -= f64::from(row[label].max(f32::MIN_POSITIVE)).ln();
    });
    let rows = examples.len();
    Measures {
        rows,
        accuracy: right as f64 / rows as f64,
        log_loss: loss / rows as f64,
    }
}

/// Calls `look` with the number and the probabilities of each example.
fn each_row(
    examples: &Examples,
    weights: &[f32],
    classes: usize,
    mut look: impl FnMut(usize, &[f32]),
) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let all: Vec<usize> = (0..examples.len()).collect();
    for part in all.chunks(PART) {
        let v: Rows<'_> = examples.gather(part);
        let mut probabilities = scores(&v, weights, examples.rows, classes, threads);
        softmax(&mut probabilities, classes);
        for (&at, row) in part.iter().zip(probabilities.chunks_exact(classes)) {
            look(at, row);
        }
    }
}

/// The place of the greatest entry, the first of equals.
fn greatest(row: &[f32]) -> usize {
    let entries = row.iter().enumerate();
    entries.fold(0, |best, (at, p)| if *p > row[best] { at } else { best })
}

/// Features as many as the model has: a sparse file whose last ones are empty is narrower.
fn read(model: &Model, path: &Path) -> Result<Labelled, Failure> {
    let options = ReadOptions {
        columns: Some(model.features()),
        ..ReadOptions::default()
    };
    Ok(read_labelled(&Source::from(path), &options)?)
}
