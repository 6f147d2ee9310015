//! What all workers of a training agree on: plain data, from which each derives the same steps.

use std::ops::Range;

use bosen::broadcast::OnLoss;
use bosen::consistency::Consistency;
use bosen::topology::Topology;
use bosen::topology::cost::Shape as Matrix;

use super::args::{Args, Loss, Shape, Solver, Update};
use super::batches::Batches;
use super::examples::Examples;

/// The terms of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Examples of all workers.
    pub examples: usize,
    /// Rows of the matrix: features and the bias.
    pub rows: usize,
    /// Its columns.
    pub classes: usize,
    /// The share of an example's entries that are stored.
    pub density: f64,
    /// Workers, wherever they are.
    pub workers: usize,
    /// Examples in a step, over all workers.
    pub batch: u32,
    /// What they are multiplied by after every epoch.
    pub growth: f64,
    /// The penalty.
    pub lambda: f64,
    /// How steps are made.
    pub solver: Solver,
    /// The first rate.
    pub rate: f64,
    /// What may be sent.
    pub update: Update,
    /// Over what.
    pub shape: Shape,
    /// How many clocks workers may be apart.
    pub staleness: u64,
    /// Those who are left go on without a worker that is lost.
    pub goes_on: bool,
    /// The epochs to come; those before are done.
    pub epochs: Range<u64>,
    /// Decides on the order of examples.
    pub seed: u64,
}

strads::travel_by_fields!(Terms {
    examples,
    rows,
    classes,
    density,
    workers,
    batch,
    growth,
    lambda,
    solver,
    rate,
    update,
    shape,
    staleness,
    goes_on,
    epochs,
    seed,
});

impl Terms {
    /// The terms that `args` set for `examples` of so many classes.
    pub fn new(args: &Args, examples: &Examples, classes: usize, epochs: Range<u64>) -> Self {
        Self {
            examples: examples.len(),
            rows: examples.rows,
            classes,
            density: examples.density(),
            workers: args.workers(),
            batch: args.batch,
            growth: args.batch_growth,
            lambda: args.lambda,
            solver: args.solver,
            rate: first_rate(args, examples),
            update: args.update,
            shape: args.topology,
            staleness: args.staleness,
            goes_on: args.by_hand.on_loss == Loss::Continue,
            epochs,
            seed: args.common.seed,
        }
    }

    /// Who looks at which examples when.
    pub fn batches(&self) -> Batches {
        Batches::new(
            self.examples,
            self.workers,
            self.batch,
            self.growth,
            self.seed,
        )
    }

    /// The rate of an epoch.
    pub fn rate_of(&self, epoch: u64) -> f64 {
        match self.solver {
            Solver::Adagrad => self.rate,
            Solver::Sgd => self.rate / ((1 + epoch) as f64).sqrt(),
            // What ascent makes is added as it is.
            Solver::Sdca => -1.0,
        }
    }

    /// Whether weights have rates of their own.
    pub fn adapts(&self) -> bool {
        self.solver == Solver::Adagrad
    }

    /// Whether the dual is what steps are made for.
    pub fn is_dual(&self) -> bool {
        self.solver == Solver::Sdca
    }

    /// Entries of the matrix.
    pub fn entries(&self) -> usize {
        self.rows * self.classes
    }

    /// The matrix as the rule of bytes sees it; its batch differs from step to step.
    pub fn matrix(&self) -> Matrix {
        Matrix {
            rows: self.rows,
            columns: self.classes,
            workers: self.workers,
            batch: 1,
            density: self.density,
        }
    }

    /// Who talks to whom in broadcasts.
    pub fn topology(&self) -> Topology {
        match self.shape {
            Shape::Auto | Shape::Server => self.matrix().broadcast(),
            Shape::Mesh => Topology::Mesh,
            Shape::Halton => Topology::Halton,
            Shape::Ring => Topology::Ring,
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
        match self.goes_on {
            true => OnLoss::Continue,
            false => OnLoss::Stop,
        }
    }
}

/// The rate that was asked for, or one that suits the examples.
fn first_rate(args: &Args, examples: &Examples) -> f64 {
    // The loss bends by at most ‖x‖²/2 on average, so that this is half of what is safe.
    let usual = match args.solver {
        Solver::Adagrad => 0.05,
        Solver::Sdca => 1.0,
        Solver::Sgd => 2.0 / examples.mean_square().max(f64::MIN_POSITIVE),
    };
    args.rate.unwrap_or(usual)
}
