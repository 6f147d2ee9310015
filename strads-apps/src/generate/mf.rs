//! `strads gen mf`: ratings of low rank with noise.

use strads_datasets::generate::LowRank;
use strads_datasets::{Format, write_ratings};

use super::output::{Endings, Output};
use crate::failure::Failure;

const EXAMPLE: &str = "\
Example: a million ratings, and a model of them
  strads gen mf --ratings 1000000 --noise 0.5 --out ratings.txt
  strads mf ratings.txt --test-fraction 0.1 --out model";

const FORMATS: &[Endings] = &[(Format::Triples, &[".txt", ".triples", ".dat", ".data"])];

/// Ratings that users gave to items
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
pub struct Args {
    /// Users
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    users: usize,
    /// Items
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    items: usize,
    /// Ratings
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    ratings: usize,
    /// Rank of the noiseless ratings
    #[arg(long, value_name = "K", default_value_t = 16)]
    rank: usize,
    /// Mean of all ratings
    #[arg(
        long,
        value_name = "F",
        default_value_t = 3.5,
        allow_negative_numbers = true
    )]
    mean: f64,
    /// Deviation of the noiseless ratings
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    signal: f64,
    /// Deviation of the noise: no model can be expected to err less
    #[arg(long, value_name = "F", default_value_t = 0.5)]
    noise: f64,
    /// The user of rank k rates in proportion to k^-E
    #[arg(long, value_name = "E", default_value_t = 0.6)]
    user_exponent: f64,
    /// The item of rank k is rated in proportion to k^-E
    #[arg(long, value_name = "E", default_value_t = 0.8)]
    item_exponent: f64,
    #[command(flatten)]
    output: Output,
}

/// Generates and writes.
pub fn run(args: &Args) -> Result<(), Failure> {
    let format = args.output.format(FORMATS)?;
    let ratings = LowRank {
        users: args.users,
        items: args.items,
        ratings: args.ratings,
        rank: args.rank,
        mean: args.mean,
        signal: args.signal,
        noise: args.noise,
        user_exponent: args.user_exponent,
        item_exponent: args.item_exponent,
        seed: args.output.seed,
    };
    let ratings = ratings.generate()?;
    args.output
        .write(|mut into| write_ratings(&ratings, format, &mut into))
}
