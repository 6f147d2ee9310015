//! `strads gen mlr`: examples of several classes.

use strads_datasets::generate::Classes;
use strads_datasets::{Format, write_labelled};

use super::output::{Endings, Output};
use crate::failure::Failure;

const EXAMPLE: &str = "\
Example: 20,000 examples of ten classes, and a model of them
  strads gen mlr --rows 20000 --columns 500 --classes 10 --out classes.npz
  strads mlr classes.npz --workers 4 --out model";

const FORMATS: &[Endings] = &[
    (Format::Libsvm, &[".svm", ".libsvm"]),
    (Format::Npz, &[".npz"]),
    (Format::Csv, &[".csv"]),
    (Format::Tsv, &[".tsv"]),
];

/// Examples of several classes
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
pub struct Args {
    /// Examples
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    rows: usize,
    /// Features
    #[arg(long, value_name = "N", default_value_t = 200)]
    columns: usize,
    /// Classes
    #[arg(long, value_name = "K", default_value_t = 10)]
    classes: usize,
    /// Share of entries that are not zero
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    density: f64,
    /// How far a class's mean is from 0, in deviations of the noise around it
    #[arg(long, value_name = "F", default_value_t = 3.0)]
    separation: f64,
    #[command(flatten)]
    output: Output,
}

/// Generates and writes.
pub fn run(args: &Args) -> Result<(), Failure> {
    let format = args.output.format(FORMATS)?;
    let classes = Classes {
        rows: args.rows,
        columns: args.columns,
        classes: args.classes,
        density: args.density,
        separation: args.separation,
        seed: args.output.seed,
    };
    let data = classes.generate()?;
    args.output
        .write(|mut into| write_labelled(&data, format, &mut into))
}
