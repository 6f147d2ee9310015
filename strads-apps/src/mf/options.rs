//! The options of `strads mf`.

use std::path::PathBuf;

use super::recommend::{Recommend, Score};
use super::sgd::{Order, Schedule};
use crate::cli::number::within;
use crate::cluster::place::Place;
use crate::options::Common;

/// Factorise ratings: predict what users will think of items
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    /// What to do with a model instead of training one
    #[command(subcommand)]
    pub action: Option<Action>,
    /// Ratings: lines of user, item and rating, separated by blanks, commas, tabs or `::`
    #[arg(required = true)]
    pub ratings: Option<PathBuf>,
    /// Factors of each user and item
    #[arg(long, value_name = "K", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub rank: u32,
    /// Passes over the ratings
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub epochs: u64,
    /// Measure on these ratings, which are not learnt from
    #[arg(long, value_name = "FILE")]
    pub test: Option<PathBuf>,
    /// Set this part of the ratings aside to measure on
    #[arg(long, value_name = "F", conflicts_with = "test", value_parser = fraction)]
    pub test_fraction: Option<f64>,
    /// Stop early: set this part of the ratings aside, and keep the model that is best on it
    #[arg(long, value_name = "F", value_parser = fraction)]
    pub validation: Option<f64>,
    /// Epochs without a better validation error before stopping
    #[arg(long, value_name = "N", default_value_t = 2, requires = "validation")]
    pub patience: u64,
    /// λ: a rating costs e² + λ(‖p‖² + ‖q‖²), with ratings scaled to deviation 1
    #[arg(long, value_name = "L", default_value_t = 0.03, value_parser = non_negative)]
    pub lambda: f32,
    /// How to solve
    #[arg(long, value_enum, default_value_t = Method::Sgd)]
    pub solver: Method,
    /// sgd: the first learning rate
    #[arg(long, value_name = "R", default_value_t = 0.05, value_parser = non_negative)]
    pub rate: f32,
    /// sgd: how rates fall
    #[arg(long, value_enum, default_value_t = Schedule::Adaptive)]
    pub schedule: Schedule,
    /// sgd: who works on which block when
    #[arg(long, value_enum, default_value_t = Order::Rotating)]
    pub order: Order,
    /// Workers, which decide on the order of steps and so on the bits of the result [default: 8,
    /// or as many as threads]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1..))]
    pub workers: Option<u16>,
    /// No biases of users and items
    #[arg(long)]
    pub no_bias: bool,
    /// Keep all factors at or above 0 (and so without biases and mean)
    #[arg(long)]
    pub non_negative: bool,
    /// Epochs between checkpoints
    #[arg(long, value_name = "N", default_value_t = 5, requires = "checkpoint", value_parser = clap::value_parser!(u64).range(1..))]
    pub checkpoint_every: u64,
    /// What all apps have.
    #[command(flatten)]
    pub common: Common,
}

/// What a model is used for.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Action {
    /// Print the items that a user would rate highest
    #[command(before_help = "\
Example: five items that user 17 has not rated
  strads mf recommend model --user 17 --except ratings.txt --top 5")]
    Recommend(Recommend),
    /// Print the ratings of pairs of user and item
    #[command(before_help = "\
Example: what would these users think of these items?
  strads mf score model pairs.txt")]
    Score(Score),
}

/// How to solve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// Stochastic gradient descent
    Sgd,
    /// Coordinate descent, a factor at a time (CCD++)
    Ccd,
}

impl Args {
    /// How many workers there are.
    pub fn workers(&self) -> usize {
        let usual = self.common.threads().max(8);
        self.workers.map_or(usual, usize::from)
    }

    /// The same, with as many workers as `place` has seats if nobody says how many.
    pub fn on(&self, place: &Place) -> Self {
        Self {
            workers: self
                .workers
                .or_else(|| place.elsewhere(place.workers.max(8))),
            ..self.clone()
        }
    }

    /// Whether there are biases.
    pub fn biases(&self) -> bool {
        !self.no_bias && !self.non_negative
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    within(text, |value| value > 0.0 && value < 1.0, "between 0 and 1")
}

fn non_negative(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("expected a finite number that is not negative".to_owned()),
    }
}
