//! The options of `strads mlr`.

use std::net::SocketAddr;
use std::path::PathBuf;

use bosen::broadcast::OnLoss;
use bosen::consistency::Consistency;
use clap::ValueHint;
use strads_datasets::Format;

use crate::failure::Failure;
use crate::options::Common;

const EXAMPLE: &str = "\
Example: a model of ten classes, by four workers that send each other factors
  strads gen mlr --rows 20000 --columns 500 --classes 10 --out train.npz
  strads mlr train.npz --epochs 10 --workers 4 --out model
  strads eval model train.npz";

/// Multi-class logistic regression: which of several classes?
#[derive(Clone, Debug, clap::Args)]
#[command(before_help = EXAMPLE)]
pub struct Args {
    /// Features: libsvm, Matrix Market, CSV, TSV, .npy or .npz; may be compressed; - is standard input
    #[arg(value_name = "X", value_hint = ValueHint::FilePath)]
    pub features: PathBuf,
    /// Classes as numbers, one a row, if they are not in X; for a table the name or number of its column
    #[arg(long, value_name = "FILE|COLUMN")]
    pub target: Option<String>,
    /// The format of X [default: detected]
    #[arg(long, value_name = "NAME")]
    pub format: Option<Format>,
    /// Passes over the examples
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub epochs: u64,
    /// Examples in a step, over all workers
    #[arg(long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Multiply the batch by this after every epoch
    #[arg(long, value_name = "F", default_value_t = 1.0, value_parser = growth)]
    pub batch_growth: f64,
    /// λ: the strength of the penalty on squared weights; scikit-learn's C is 1/(λ × examples)
    #[arg(long, value_name = "L", default_value_t = 1e-4, value_parser = non_negative)]
    pub lambda: f64,
    /// How steps are made of gradients
    #[arg(long, value_enum, default_value_t = Solver::Adagrad)]
    pub solver: Solver,
    /// The learning rate [default: adagrad 0.05; sgd 2 / mean ‖x‖², falling with the root of epochs]
    #[arg(long, value_name = "R", value_parser = positive)]
    pub rate: Option<f64>,
    /// Workers in this process, each with a replica of the model
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub workers: u32,
    /// What workers send each other
    #[arg(long, value_enum, default_value_t = Update::Auto)]
    pub update: Update,
    /// Who sends to whom
    #[arg(long, value_enum, default_value_t = Shape::Auto)]
    pub topology: Shape,
    /// Clocks that a worker may be ahead of what it has received; 0 is bulk synchronous
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub staleness: u64,
    /// What the others do when a worker is lost
    #[arg(long, value_enum, default_value_t = Loss::Stop)]
    pub on_loss: Loss,
    /// Workers in other processes: where each of them listens, in their order, separated by commas
    #[arg(long, value_name = "ADDRESS,…", value_delimiter = ',', requires_all = ["me", "secret"], conflicts_with = "workers")]
    pub peers: Vec<SocketAddr>,
    /// Which of the peers this process is, from 0
    #[arg(long, value_name = "I", requires = "peers")]
    pub me: Option<u32>,
    /// A file with the job's secret, at least 32 bytes that no stranger knows
    #[arg(long, value_name = "FILE", requires = "peers")]
    pub secret: Option<PathBuf>,
    /// Seconds without a connection after which a worker counts as lost
    #[arg(long, value_name = "S", default_value_t = 10.0, requires = "peers", value_parser = positive)]
    pub patience: f64,
    /// Epochs between checkpoints
    #[arg(long, value_name = "N", default_value_t = 5, requires = "checkpoint", value_parser = clap::value_parser!(u64).range(1..))]
    pub checkpoint_every: u64,
    /// What all apps have.
    #[command(flatten)]
    pub common: Common,
}

/// How steps are made of gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Solver {
    /// A rate for each weight, which falls as the weight has moved
    Adagrad,
    /// One rate for all
    Sgd,
}

/// What workers send each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Update {
    /// Whatever is the least, decided anew when the batch changes
    Auto,
    /// The whole matrix
    Full,
    /// The rows of the matrix that the batch touches
    Sparse,
    /// A pair of vectors for each example
    Factors,
}

/// Who sends to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    /// Whatever is the least
    Auto,
    /// Everybody to everybody
    Mesh,
    /// Each to about log P others, who relay
    Halton,
    /// Each to the next; sums of full matrices go round
    Ring,
    /// Everybody to a server that keeps the matrix
    Server,
}

/// What the others do when a worker is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Loss {
    /// Stop with an error that names it
    Stop,
    /// Go on without it, if they are a majority
    Continue,
}

impl Args {
    /// How many workers there are.
    pub fn workers(&self) -> u32 {
        match self.peers.len() {
            0 => self.workers,
            peers => peers as u32,
        }
    }

    /// How far apart workers may be.
    pub fn consistency(&self) -> Consistency {
        match self.staleness {
            0 => Consistency::Bsp,
            staleness => Consistency::Ssp { staleness },
        }
    }

    /// What becomes of the others when one is lost.
    pub fn on_loss(&self) -> OnLoss {
        match self.on_loss {
            Loss::Stop => OnLoss::Stop,
            Loss::Continue => OnLoss::Continue,
        }
    }

    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<(), Failure> {
        let server = self.topology == Shape::Server;
        let refuse = |wrong, message| match wrong {
            true => Err(Failure::input(message)),
            false => Ok(()),
        };
        refuse(
            self.staleness > 0 && self.solver == Solver::Adagrad && self.workers() > 1,
            "--staleness: a step of adagrad depends on the order of gradients, so replicas would part\n\
             use --solver sgd, or --staleness 0",
        )?;
        refuse(
            server && matches!(self.update, Update::Sparse | Update::Factors),
            "--topology server: a server's table takes and gives whole rows\nuse --update full or auto",
        )?;
        refuse(
            server && !self.peers.is_empty(),
            "--topology server: the server is in this process, so its workers are too\n\
             use --workers instead of --peers, or another topology",
        )?;
        refuse(
            server && self.on_loss == Loss::Continue,
            "--on-loss continue is for workers that talk to each other\nuse --topology mesh or halton",
        )?;
        refuse(
            self.me.is_some_and(|me| me as usize >= self.peers.len()),
            "--me: there are not so many peers; they count from 0",
        )
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a number above 0".to_owned()),
    }
}

fn non_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a number that is not negative".to_owned()),
    }
}

fn growth(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (1.0..=16.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 1 to 16".to_owned()),
    }
}
