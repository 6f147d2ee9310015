//! Sparse regression (Lasso, elastic net; squared or logistic loss) as a scheduled program.
//!
//! A *scan* lets every worker look at its columns for those that violate the optimality conditions
//! most: the next working set. Rounds on the working set follow: *sweeps* of coordinate descent,
//! its columns divided among the workers as long as blocks that move at the same time do not undo
//! each other's work; where sweeps creep, steps of the whole support at once ([`super::face`]); and
//! a *look* after each of them, until the set's own duality gap is small. The next scan yields the
//! gap over all columns, which is what ends the work at one λ and begins the next.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;
use strads::cluster::{Passport, Remote};
use strads::{Moved, Plan, Program, Round, Shares};

use super::design::{Design, Moments, Scaling};
use super::direct::Joining;
use super::face::{Face, Stride};
use super::factor::Factor;
use super::grid::Grid;
use super::loss::Loss;
use super::message::{Share, Task, Worker};
use super::moving::{products, sum};
use super::newton::Predictions;
use super::penalty::Penalty;
use super::portions::Portions;
use super::scan::{Found, Part};
use super::target::{Beginning, Target};
use super::trail::Trail;

/// What to fit.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The λ to solve for.
    pub grid: Grid,
    /// The share of the penalty that is on absolute values: 1 is the Lasso.
    pub l1_ratio: f64,
    /// What is minimised, beside the penalty.
    pub loss: Loss,
    /// Fit an intercept, which is not penalised.
    pub intercept: bool,
    /// See columns divided by their standard deviations.
    pub standardise: bool,
    /// A λ is solved when the duality gap is at most this share of the null model's objective.
    pub tolerance: f64,
}

impl Settings {
    /// How columns are seen. With the squared loss centring them is what an intercept amounts to.
    pub(super) fn scaling(&self) -> Scaling {
        Scaling {
            centre: self.intercept && self.loss == Loss::Squared,
            scale: self.standardise,
        }
    }
}

/// The solution at one λ.
#[derive(Clone, Debug)]
pub struct Solution {
    /// λ.
    pub lambda: f64,
    /// The non-zero coefficients by column, ascending, for the features as they were given.
    pub coefficients: Vec<(u32, f64)>,
    /// The intercept; zero if none was asked for.
    pub intercept: f64,
    /// Where it stands.
    pub standing: Standing,
}

/// Where the work at one λ stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Standing {
    /// λ.
    pub lambda: f64,
    /// The objective.
    pub primal: f64,
    /// The duality gap, certified over all columns.
    pub gap: f64,
    /// The gap as a share of the null model's objective.
    pub relative_gap: f64,
    /// How many coefficients are not zero.
    pub nonzeros: usize,
    /// Coordinates that were minimised over, each for itself or all of a step, since training began.
    pub updates: u64,
}

/// The program; see the module.
#[derive(Debug)]
pub struct SparseRegression {
    pub(super) settings: Settings,
    pub(super) design: Arc<Design>,
    pub(super) target: Target,
    pub(super) moments: Arc<Moments>,
    pub(super) lambdas: Vec<f64>,
    /// The λ that is being solved.
    pub(super) at: usize,
    pub(super) penalty: Penalty,
    pub(super) beta: Vec<f64>,
    /// The columns with non-zero coefficients, ascending.
    pub(super) support: Vec<u32>,
    /// The loss's downhill direction at the present coefficients.
    pub(super) residual: Arc<Vec<f64>>,
    /// For the logistic loss, whose residual does not say how sure a prediction is.
    pub(super) predictions: Option<Arc<Predictions>>,
    pub(super) anchors: Vec<Arc<Vec<f64>>>,
    pub(super) working: Portions,
    /// Stored entries of a working set whose descent costs about as much as a scan.
    pub(super) affordable: usize,
    /// How many workers there are.
    pub(super) workers: usize,
    /// Sweeps divide the working set: so far blocks did not undo each other's work.
    pub(super) divided: bool,
    /// The last sweep moved nearly as much at its end as at its beginning.
    pub(super) creeps: bool,
    /// Iterations of the next face step.
    pub(super) reach: usize,
    /// Rounds on this working set that are left.
    pub(super) patience: usize,
    /// The gap on the working set at which to look at all columns again.
    pub(super) goal: f64,
    pub(super) next: Next,
    pub(super) found: Found,
    pub(super) standing: Standing,
    /// How many scans in a row found the objective where it was.
    pub(super) stalled: usize,
    pub(super) solutions: Vec<Solution>,
    pub(super) trail: Trail,
    /// Of the columns that direct steps move.
    pub(super) factor: Factor,
    /// The working set's |correlations| with the present residual, if the last round was a look.
    pub(super) looked: Arc<Vec<(u32, f64)>>,
    /// At this λ direct steps have not failed.
    pub(super) direct: bool,
}

/// What kind of round comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// All columns for the first time.
    Survey,
    /// All columns.
    Scan,
    /// Coordinate descent on the working set.
    Sweep,
    /// The gap on the working set.
    Look,
    /// The working set by Newton's method.
    Newton,
    /// On a face: the image of the direction.
    Lead(Face),
    /// On a face: the image's products with the support.
    Follow(Face),
    /// Towards a direct step: the products of columns that the factor lacks.
    Join(Joining),
    /// On a face: the image of what keeps coefficients from changing their sign.
    Clip(Stride),
}

/// Passes over a working set that a descent takes, roughly.
pub(super) const EPOCHS_PER_SCAN: usize = 16;

impl SparseRegression {
    /// A program for `target` on `design`. For the logistic loss the target is labels 0 and 1.
    pub fn new(design: Arc<Design>, target: &[f64], settings: Settings) -> Self {
        let start = Beginning::of(target, &settings);
        let affordable = (0..design.columns())
            .map(|j| design.stored(j))
            .sum::<usize>()
            / EPOCHS_PER_SCAN;
        let residual = Arc::new(start.residual);
        Self {
            beta: vec![0.0; design.columns()],
            moments: Arc::default(),
            lambdas: Vec::new(),
            at: 0,
            penalty: Penalty { l1: 0.0, l2: 0.0 },
            support: Vec::new(),
            anchors: vec![Arc::clone(&residual)],
            residual,
            predictions: start.predictions.map(Arc::new),
            working: Portions::default(),
            affordable,
            workers: 0,
            divided: true,
            creeps: false,
            reach: 0,
            patience: 0,
            goal: 0.0,
            next: Next::Survey,
            found: Found::default(),
            standing: Standing::default(),
            stalled: 0,
            solutions: Vec::new(),
            trail: Trail::default(),
            factor: Factor::default(),
            looked: Arc::default(),
            direct: true,
            target: start.target,
            settings,
            design,
        }
    }

    /// One worker's shard each, for the program's design.
    pub fn workers(&self, count: usize) -> Vec<Worker> {
        let parts = Part::divide(&self.design, count);
        let worker = |part| Worker {
            design: Arc::clone(&self.design),
            part,
        };
        parts.into_iter().map(worker).collect()
    }

    /// Where the work stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The λ that were solved so far, in the order of the grid.
    pub fn solutions(&self) -> &[Solution] {
        &self.solutions
    }
}

impl Remote for SparseRegression {
    const NAME: &'static str = "sparse regression";
}

impl Program for SparseRegression {
    type Shard = Worker;
    type Task = Task;
    type Share = Share;

    fn schedule(&mut self, round: &mut Round) -> Plan<Task> {
        let workers = round.workers();
        match &self.next {
            Next::Survey => {
                self.workers = workers;
                self.plan_survey(workers)
            }
            Next::Scan => self.plan_scan(workers),
            Next::Sweep => self.plan_sweep(),
            Next::Look => self.plan_products(&self.working, &self.residual),
            Next::Newton => self.plan_newton(),
            Next::Lead(face) => self.plan_sum(&face.columns, face.direction()),
            Next::Follow(face) => self.plan_products(&face.columns, face.image()),
            Next::Join(joining) => self.plan_gram(&joining.entrants),
            Next::Clip(stride) => self.plan_sum(&stride.columns, &stride.corrections()),
        }
    }

    fn push(worker: &mut Worker, task: Task) -> Share {
        worker.work(task)
    }

    fn variables(task: &Task) -> Vec<Range<usize>> {
        match task {
            Task::Sweep { block, .. } | Task::Newton { block, .. } => {
                let columns = block.columns.iter().map(|&j| j as usize);
                columns.map(|j| j..j + 1).collect()
            }
            Task::Survey { .. }
            | Task::Scan(_)
            | Task::Project { .. }
            | Task::Gram { .. }
            | Task::Combine { .. } => Vec::new(),
        }
    }

    fn passport() -> Option<Passport<Self>> {
        Some(Passport::new())
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        let before = self.standing.updates;
        if !shares.done.is_empty() {
            self.next = match std::mem::replace(&mut self.next, Next::Scan) {
                Next::Survey => self.begin(shares),
                Next::Scan => self.look(shares),
                Next::Sweep => self.commit(shares),
                Next::Look => self.judge(&products(shares)),
                Next::Newton => self.step(shares),
                Next::Lead(face) => Next::Follow(face.lead(sum(shares))),
                Next::Follow(face) => self.follow(face, &products(shares)),
                Next::Join(joining) => self.join(joining, &products(shares)),
                Next::Clip(stride) => self.clip(stride, &sum(shares)),
            };
        }
        Moved {
            updates: self.standing.updates - before,
            change: 0.0,
            objective: (self.standing.primal > 0.0).then_some(self.standing.primal),
            finished: !self.lambdas.is_empty() && self.at == self.lambdas.len(),
        }
    }
}
