//! `strads gen lasso`: regression problems whose answer is known.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use strads_datasets::generate::{self, Correlation, Problem, Regression, Response};
use strads_datasets::{Format, write_labelled, write_vector};

use super::output::{Endings, Output, write_file};
use crate::failure::Failure;

const EXAMPLE: &str = "\
Example: 2,000 features of which 20 matter, neighbours correlated by 0.9
  strads gen lasso --columns 2000 --support 20 --rho 0.9 --out data.svm";

const AFTER: &str = "\
The target is in the file for libsvm, csv, tsv and npz, and beside it, in FILE.y, for mtx and npy.";

const FORMATS: &[Endings] = &[
    (Format::Libsvm, &[".svm", ".libsvm", ".svmlight"]),
    (Format::MatrixMarket, &[".mtx", ".mm"]),
    (Format::Csv, &[".csv"]),
    (Format::Tsv, &[".tsv"]),
    (Format::Npz, &[".npz"]),
    (Format::Npy, &[".npy"]),
];

/// A regression or classification problem whose coefficients are known
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE, after_help = AFTER)]
pub struct Args {
    /// Samples
    #[arg(long, value_name = "N", default_value_t = 1000)]
    rows: usize,
    /// Features
    #[arg(long, value_name = "N", default_value_t = 2000)]
    columns: usize,
    /// Features that matter
    #[arg(long, value_name = "N", default_value_t = 20)]
    support: usize,
    /// Deviation of the noise, as a multiple of the noiseless target's
    #[arg(long, value_name = "F", default_value_t = 0.5)]
    noise: f64,
    /// The target is a class, 1 or -1
    #[arg(long)]
    classes: bool,
    /// How features look
    #[arg(long, value_enum, default_value_t = Design::Ar)]
    design: Design,
    /// ar, blocks: correlation of neighbours [default: 0.6]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    rho: Option<f64>,
    /// blocks, genotypes: neighbours in a block [default: 20]
    #[arg(long, value_name = "N")]
    block: Option<usize>,
    /// sparse: stored entries [default: one in a hundred]
    #[arg(long, value_name = "N")]
    nonzeros: Option<usize>,
    /// sparse: the column of rank k has entries in proportion to k^-E [default: 1]
    #[arg(long, value_name = "E")]
    exponent: Option<f64>,
    /// sparse: all stored entries are 1
    #[arg(long)]
    binary: bool,
    /// genotypes: how likely neighbours are inherited together [default: 0.9]
    #[arg(long, value_name = "P")]
    linkage: Option<f64>,
    /// Write the coefficients that made the target: lines of feature (from 0, as in a model) and value
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// How features look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Design {
    /// Normal and independent
    Independent,
    /// Normal; columns j and k correlate by rho^|j-k|
    Ar,
    /// Normal; columns of a block correlate by rho
    Blocks,
    /// Few entries, column sizes by a power law
    Sparse,
    /// 0, 1 or 2 copies of variants that are inherited together
    Genotypes,
}

impl Args {
    fn problem(&self) -> Result<Regression, Failure> {
        self.refuse_foreign()?;
        let rho = self.rho.unwrap_or(0.6);
        let block = self.block.unwrap_or(20);
        let dense = generate::Design::Dense;
        Ok(Regression {
            rows: self.rows,
            columns: self.columns,
            support: self.support,
            noise: self.noise,
            design: match self.design {
                Design::Independent => dense(Correlation::None),
                Design::Ar => dense(Correlation::Autoregressive { rho }),
                Design::Blocks => dense(Correlation::Blocks { size: block, rho }),
                Design::Sparse => generate::Design::Sparse {
                    nonzeros: self
                        .nonzeros
                        .unwrap_or(self.rows.saturating_mul(self.columns) / 100),
                    exponent: self.exponent.unwrap_or(1.0),
                    binary: self.binary,
                },
                Design::Genotypes => generate::Design::Genotypes {
                    block,
                    linkage: self.linkage.unwrap_or(0.9),
                },
            },
            response: match self.classes {
                true => Response::Classes,
                false => Response::Continuous,
            },
            seed: self.output.seed,
        })
    }

    /// An option that the design does not look at is a misunderstanding to clear up.
    fn refuse_foreign(&self) -> Result<(), Failure> {
        use Design::{Ar, Blocks, Genotypes, Sparse};
        let given: [(&str, bool, &[Design]); 6] = [
            ("--rho", self.rho.is_some(), &[Ar, Blocks]),
            ("--block", self.block.is_some(), &[Blocks, Genotypes]),
            ("--nonzeros", self.nonzeros.is_some(), &[Sparse]),
            ("--exponent", self.exponent.is_some(), &[Sparse]),
            ("--binary", self.binary, &[Sparse]),
            ("--linkage", self.linkage.is_some(), &[Genotypes]),
        ];
        let foreign =
            |(_, given, designs): &&(_, bool, &[Design])| *given && !designs.contains(&self.design);
        match given.iter().find(foreign) {
            None => Ok(()),
            Some((option, _, designs)) => {
                let designs: Vec<_> = designs.iter().map(|d| format!("{d:?}")).collect();
                Err(Failure::input(format!(
                    "{option} is for --design {}",
                    designs.join(" or ").to_lowercase()
                )))
            }
        }
    }
}

/// Generates and writes.
pub fn run(args: &Args) -> Result<(), Failure> {
    let format = args.output.format(FORMATS)?;
    let beside = matches!(format, Format::MatrixMarket | Format::Npy);
    if beside && args.output.to_stdout() {
        return Err(Failure::input(format!(
            "{format} has no place for the target, and standard output no file beside it\n\
             name a file, or use libsvm, csv, tsv or npz"
        )));
    }
    let Problem { data, coefficients } = args.problem()?.generate()?;
    let target = data.target.as_deref().unwrap_or_default();
    let mut aside = Vec::new();
    let written = (|| {
        if beside {
            let path = args.output.beside(".y");
            write_file(&path, |mut into| {
                write_vector(target, Format::Csv, &mut into)
            })?;
            aside.push(path);
        }
        if let Some(path) = &args.truth {
            write_file(path, |into| write_truth(&coefficients, into))?;
            aside.push(path.clone());
        }
        args.output
            .write(|mut into| write_labelled(&data, format, &mut into))
    })();
    if written.is_err() {
        remove(&aside);
    }
    written
}

fn write_truth(coefficients: &[(u32, f64)], into: &mut dyn Write) -> io::Result<()> {
    coefficients
        .iter()
        .try_for_each(|(column, value)| writeln!(into, "{column} {value}"))
}

/// What was written before something failed is of no use alone.
fn remove(files: &[impl AsRef<Path>]) {
    for file in files {
        // The first error is the one to report.
        let _ = fs::remove_file(file);
    }
}
