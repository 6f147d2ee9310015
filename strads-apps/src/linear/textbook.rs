//! The Lasso as a textbook has it, made parallel: every worker minimises over one coordinate, all
//! of them from the same residual.
//!
//! Not how [`super::program`] trains; it is the smallest program on which the scheduler's
//! ingredients can be switched on and off one by one ([`Rule`]), to see what each is worth. With
//! all of them off it is Shotgun: random coordinates in parallel, and steps damped or not.

use std::sync::Arc;

use strads::policy::{Pairwise, Priority};
use strads::{Freshness, Moved, Plan, Program, Round, Shares};

use super::design::{Column, Design};
use super::kernel::vectorised;

/// η as a share of the mean of recent changes²: columns that rested are looked at again, the less
/// often the more others still move.
const REST: f64 = 1e-3;

/// What is left of an urgency when a column comes back without having moved. One that was just
/// minimised over does not move until its neighbours have; forgetting it at once would make it
/// as rare as one that never moves.
const LASTING: f64 = 0.5;

/// An urgency above that of any step: every column is visited before one is visited again.
const UNSEEN: f64 = 1e6;

/// How many answers of the dependency check are kept: all pairs of a few thousand columns.
const REMEMBERED: usize = 1 << 22;

/// How columns are chosen, and how far they move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Draw in proportion to (last change)² + η, where a change is forgotten by halves; otherwise all columns are equally likely.
    pub priority: bool,
    /// Columns that correlate by this much never move in the same round.
    pub check: Option<f64>,
    /// The part of the minimising step that is taken.
    pub damping: f64,
}

/// What to minimise: ‖y − Xβ‖² / 2n + λ ‖β‖₁.
#[derive(Clone, Debug)]
pub struct Problem {
    design: Arc<Design>,
    /// ‖x‖² of every column.
    squares: Arc<Vec<f64>>,
    target: Vec<f64>,
    lambda: f64,
}

/// The program; see the module.
#[derive(Debug)]
pub struct Textbook {
    problem: Problem,
    rule: Rule,
    beta: Vec<f64>,
    residual: Arc<Vec<f64>>,
    priority: Priority,
    check: Pairwise,
    /// The running mean of changes².
    recent: f64,
    /// Of each column the last change², halved with every return that brought less.
    lasting: Vec<f64>,
    updates: u64,
    goal: f64,
    gap_every: u64,
    relative_gap: f64,
}

/// One coordinate to minimise over.
#[derive(Debug)]
pub struct Step {
    column: usize,
    /// As of dispatch, like the residual.
    beta: f64,
    residual: Arc<Vec<f64>>,
    lambda: f64,
    damping: f64,
}

impl Problem {
    /// With λ as a share of the one from which on everything is zero.
    pub fn new(design: Design, target: Vec<f64>, lambda_ratio: f64) -> Self {
        let squares = (0..design.columns()).map(|j| design.column(j).sums().1);
        let mut problem = Self {
            squares: Arc::new(squares.collect()),
            design: Arc::new(design),
            target,
            lambda: 0.0,
        };
        problem.lambda = lambda_ratio * problem.steepest(&problem.target) / problem.rows();
        problem
    }

    /// λ.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// The objective of the model that explains nothing.
    pub fn null(&self) -> f64 {
        square(&self.target) / (2.0 * self.rows())
    }

    /// `workers` shards: all see all columns, as threads of one machine do.
    pub fn shards(&self, workers: usize) -> Vec<Problem> {
        vec![self.clone(); workers]
    }

    fn rows(&self) -> f64 {
        self.design.rows() as f64
    }

    fn objective(&self, beta: &[f64], residual: &[f64]) -> f64 {
        let absolute: f64 = beta.iter().map(|b| b.abs()).sum();
        square(residual) / (2.0 * self.rows()) + self.lambda * absolute
    }

    /// The duality gap, at the residual scaled until it is feasible for the dual.
    fn gap(&self, beta: &[f64], residual: &[f64]) -> f64 {
        let scale = (self.lambda * self.rows() / self.steepest(residual)).min(1.0);
        let missed: f64 = (self.target.iter().zip(residual))
            .map(|(y, r)| (y - scale * r).powi(2))
            .sum();
        let dual = self.null() - missed / (2.0 * self.rows());
        self.objective(beta, residual) - dual
    }

    /// ‖Xᵀr‖∞.
    fn steepest(&self, r: &[f64]) -> f64 {
        (0..self.design.columns())
            .map(|j| dot(self.design.column(j), r).abs())
            .fold(0.0, f64::max)
    }

    fn correlation(&self, j: usize, k: usize) -> f64 {
        let mut dense = vec![0.0; self.design.rows()];
        self.design.column(k).add_scaled(1.0, &mut dense);
        dot(self.design.column(j), &dense) / (self.squares[j] * self.squares[k]).sqrt()
    }
}

impl Textbook {
    /// Starts from zero; ends when the duality gap, looked at every `gap_every` updates, is at
    /// most `goal` as a share of the null model's objective, or when the objective is a thousand
    /// times that: it diverged.
    pub fn new(problem: Problem, rule: Rule, goal: f64, gap_every: u64) -> Self {
        let columns = problem.design.columns();
        Self {
            beta: vec![0.0; columns],
            residual: Arc::new(problem.target.clone()),
            priority: Priority::new(columns, UNSEEN, 0.0),
            check: Pairwise::new(rule.check.unwrap_or(f64::INFINITY), REMEMBERED),
            recent: 0.0,
            lasting: vec![0.0; columns],
            updates: 0,
            goal,
            gap_every,
            relative_gap: f64::INFINITY,
            problem,
            rule,
        }
    }

    /// The objective.
    pub fn objective(&self) -> f64 {
        self.problem.objective(&self.beta, &self.residual)
    }

    /// The coefficients.
    pub fn beta(&self) -> &[f64] {
        &self.beta
    }

    /// True if the last look found the goal reached.
    pub fn converged(&self) -> bool {
        self.relative_gap <= self.goal
    }

    /// How many pairs of columns were asked about, and how many correlations that cost.
    pub fn checks(&self) -> (u64, u64) {
        (self.check.asked(), self.check.computed())
    }

    /// The urgency with which column `j` comes back.
    fn urgency(&mut self, j: usize, change: f64) -> f64 {
        if !self.rule.priority {
            return UNSEEN;
        }
        let square = change * change;
        self.recent += (square - self.recent) / self.beta.len() as f64;
        self.lasting[j] = square.max(LASTING * self.lasting[j]);
        // A model at rest still has to be drawn from.
        (self.lasting[j] + REST * self.recent).clamp(f64::MIN_POSITIVE, UNSEEN)
    }

    fn look(&mut self, updated: u64) {
        let due = self.updates / self.gap_every < (self.updates + updated) / self.gap_every;
        self.updates += updated;
        if due {
            let gap = self.problem.gap(&self.beta, &self.residual);
            self.relative_gap = gap / self.problem.null();
        }
    }
}

impl Program for Textbook {
    type Shard = Problem;
    type Task = Step;
    type Share = (usize, f64);

    fn schedule(&mut self, round: &mut Round) -> Plan<Step> {
        let (problem, check, rule) = (&self.problem, &mut self.check, self.rule);
        let fits = |j: usize, chosen: &[usize]| {
            rule.check.is_none() || check.fits(j, chosen, |j, k| problem.correlation(j, k))
        };
        let mut random = round.random("columns");
        let columns = self.priority.take(round.workers(), &mut random, fits);
        let mut plan = Plan::new();
        plan.asked(round.workers());
        for (worker, column) in columns.into_iter().enumerate() {
            let step = Step {
                column,
                beta: 0.0,
                residual: Arc::default(),
                lambda: problem.lambda,
                damping: rule.damping,
            };
            plan.assign(worker, step).writing(column..column + 1);
        }
        plan
    }

    fn refresh(&mut self, step: &mut Step) -> Freshness {
        step.beta = self.beta[step.column];
        step.residual = Arc::clone(&self.residual);
        Freshness::Fresh
    }

    fn push(problem: &mut Problem, step: Step) -> (usize, f64) {
        let square = problem.squares[step.column];
        if square == 0.0 {
            return (step.column, 0.0);
        }
        let column = problem.design.column(step.column);
        let pull = dot(column, &step.residual) + square * step.beta;
        let threshold = step.lambda * problem.rows();
        let least = pull.signum() * (pull.abs() - threshold).max(0.0) / square;
        (step.column, step.damping * (least - step.beta))
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        for step in shares.unsent {
            self.priority.give_back(step.column, UNSEEN);
        }
        let mut moved = Moved::default();
        for done in shares.done {
            let (j, change) = done.share;
            let residual = Arc::make_mut(&mut self.residual);
            self.problem.design.column(j).add_scaled(-change, residual);
            self.beta[j] += change;
            let urgency = self.urgency(j, change);
            self.priority.give_back(j, urgency);
            moved.updates += 1;
            moved.change = moved.change.max(change.abs());
        }
        self.look(moved.updates);
        let objective = self.objective();
        let diverged = objective.is_nan() || objective >= 1e3 * self.problem.null();
        moved.objective = Some(objective);
        moved.finished = diverged || self.converged();
        moved
    }
}

fn square(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum()
}

fn dot(column: Column<'_>, r: &[f64]) -> f64 {
    vectorised(
        #[inline(always)]
        || column.dot(r),
    )
}
