//! The options of `strads mlr`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueHint;
use strads_datasets::Format;

use crate::cli::number::{not_negative, positive, within};
use crate::cluster::place::Place;
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
    #[arg(long, value_name = "L", default_value_t = 1e-4, value_parser = not_negative)]
    pub lambda: f64,
    /// How steps are made of gradients
    #[arg(long, value_enum, default_value_t = Solver::Adagrad)]
    pub solver: Solver,
    /// The learning rate [default: adagrad 0.05; sgd 2 / mean ‖x‖², falling with the root of epochs]
    #[arg(long, value_name = "R", value_parser = positive)]
    pub rate: Option<f64>,
    /// sdca: stop when the duality gap is at most this share of what guessing costs
    #[arg(long, value_name = "TOL", default_value_t = 1e-4, value_parser = not_negative)]
    pub tol: f64,
    /// Workers, each with a replica of the model [default: 1, or with --hostfile one a host]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// What workers send each other
    #[arg(long, value_enum, default_value_t = Update::Auto)]
    pub update: Update,
    /// Who sends to whom
    #[arg(long, value_enum, default_value_t = Shape::Auto)]
    pub topology: Shape,
    /// Clocks that a worker may be ahead of what it has received; 0 is bulk synchronous
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub staleness: u64,
    /// Epochs between checkpoints
    #[arg(long, value_name = "N", default_value_t = 5, requires = "checkpoint", value_parser = clap::value_parser!(u64).range(1..))]
    pub checkpoint_every: u64,
    /// Workers that are processes of their own.
    #[command(flatten)]
    pub by_hand: ByHand,
    /// What all apps have.
    #[command(flatten)]
    pub common: Common,
}

/// Workers that were started one by one, without a launcher and without a coordinator. The job ends
/// with none of them but those that it needs.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options of workers that are started by hand")]
pub struct ByHand {
    /// Where each worker listens, in their order, separated by commas: the same command on each
    /// host, but for --me
    #[arg(long, value_name = "ADDRESS,…", value_delimiter = ',', requires_all = ["me", "secret_file"], conflicts_with_all = ["workers", "hostfile"])]
    pub peers: Vec<SocketAddr>,
    /// Which of the peers this process is, from 0
    #[arg(long, value_name = "I", requires = "peers")]
    pub me: Option<u32>,
    /// Seconds without a connection after which a worker counts as lost
    #[arg(long, value_name = "S", default_value_t = 10.0, requires = "peers", value_parser = positive)]
    pub patience: f64,
    /// What the others do when a worker is lost
    #[arg(long, value_enum, default_value_t = Loss::Stop, requires = "peers")]
    pub on_loss: Loss,
}

/// How steps are made of gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Solver {
    /// A rate for each weight, which falls as the weight has moved
    Adagrad,
    /// One rate for all
    Sgd,
    /// No rate: ascent of the dual, which proves how far the minimum is at most; λ is on the bias too
    Sdca,
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
    pub fn workers(&self) -> usize {
        match self.by_hand.peers.len() {
            0 => self.workers.map_or(1, usize::from),
            peers => peers,
        }
    }

    /// The same, with a worker on each of the hosts of `place` if nobody says how many.
    pub fn on(&self, place: &Place) -> Self {
        Self {
            workers: self.workers.or_else(|| place.elsewhere(place.hosts)),
            ..self.clone()
        }
    }

    /// Which of the workers this process is, where it is one of them.
    pub fn me(&self) -> Option<usize> {
        let is_one = !self.by_hand.peers.is_empty();
        self.by_hand.me.filter(|_| is_one).map(|me| me as usize)
    }

    /// Refuses what cannot be meant.
    pub fn check(&self) -> Result<(), Failure> {
        let server = self.topology == Shape::Server;
        let is_shared = self.workers() > 1 || self.common.cluster.hostfile.is_some();
        let refuse = |wrong, message| match wrong {
            true => Err(Failure::input(message)),
            false => Ok(()),
        };
        refuse(
            self.staleness > 0 && self.solver == Solver::Adagrad && is_shared,
            "--staleness: a step of adagrad depends on the order of gradients, so replicas would part\n\
             use --solver sgd, or --staleness 0",
        )?;
        refuse(
            server && matches!(self.update, Update::Sparse | Update::Factors),
            "--topology server: a server's table takes and gives whole rows\nuse --update full or auto",
        )?;
        let is_dual = self.solver == Solver::Sdca;
        refuse(
            is_dual && self.lambda == 0.0,
            "--solver sdca: the dual is that of a penalised loss\nuse --lambda above 0, or another --solver",
        )?;
        refuse(
            is_dual && self.rate.is_some(),
            "--rate: sdca has none; its steps are as long as the dual says",
        )?;
        refuse(
            is_dual && self.me().is_some(),
            "--solver sdca: the gap is summed by a coordinator, and peers have none\n\
             use --workers or --hostfile instead of --peers",
        )?;
        refuse(
            server && self.me().is_some(),
            "--topology server: none of the peers keeps the table\n\
             use --workers or --hostfile instead of --peers, or another topology",
        )?;
        refuse(
            server && self.common.checkpoint.is_some(),
            "--checkpoint: what the server remembers cannot be kept\nuse another --topology",
        )?;
        refuse(
            self.me().is_some_and(|me| me >= self.workers()),
            "--me: there are not so many peers; they count from 0",
        )
    }
}

strads::travel_by_variants!(Solver { 0 => Adagrad, 1 => Sgd, 2 => Sdca });
strads::travel_by_variants!(Update { 0 => Auto, 1 => Full, 2 => Sparse, 3 => Factors });
strads::travel_by_variants!(Shape { 0 => Auto, 1 => Mesh, 2 => Halton, 3 => Ring, 4 => Server });

fn growth(text: &str) -> Result<f64, String> {
    within(text, |value| (1.0..=16.0).contains(&value), "from 1 to 16")
}
