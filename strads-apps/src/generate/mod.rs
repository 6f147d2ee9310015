//! `strads gen`: data to try things on, the same bytes for the same options on every machine.
//!
//! The generators are those of `strads_datasets`; here are their options, and where the result goes
//! ([`output`]).

mod lasso;
mod lda;
mod mf;
mod mlr;
mod output;

use crate::failure::Failure;

const EXAMPLE: &str = "\
Example: a regression problem, and a model of it
  strads gen lasso --rows 1000 --columns 2000 --seed 7 --out data.svm
  strads lasso data.svm --lambda-ratio 0.1 --out model";

/// Generate data to try things on
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Kind {
    Lasso(lasso::Args),
    Lda(lda::Args),
    Mf(mf::Args),
    Mlr(mlr::Args),
}

/// Generates what `args` describe.
pub fn run(args: &Args) -> Result<(), Failure> {
    match &args.kind {
        Kind::Lasso(args) => lasso::run(args),
        Kind::Lda(args) => lda::run(args),
        Kind::Mf(args) => mf::run(args),
        Kind::Mlr(args) => mlr::run(args),
    }
}
