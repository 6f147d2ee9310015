//! The Lasso as a scheduled program.
//!
//! Rounds alternate between two kinds. A *scan* lets every worker look at its columns for those
//! that violate the optimality conditions most: the next working set. A *descent* minimises over
//! the working set; its columns are divided among the workers as long as blocks that move at the
//! same time do not undo each other's work, and go to one worker otherwise. A scan also yields the
//! duality gap, which is what ends the work at one λ and begins the next.

use std::sync::Arc;

use strads::policy::Blocks;
use strads::{Moved, Plan, Program, Round, Shares};

use super::descent::{Block, Descended, Effort, Residual, View, descend, squared_gap};
use super::design::{Design, Moments, Scaling};
use super::grid::Grid;
use super::penalty::Penalty;
use super::scan::{ANCHORS, Found, Look, Part};

/// What to fit.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The λ to solve for.
    pub grid: Grid,
    /// The share of the penalty that is on absolute values: 1 is the Lasso.
    pub l1_ratio: f64,
    /// How columns are seen.
    pub scaling: Scaling,
    /// A λ is solved when the duality gap is at most this share of the null model's objective.
    pub tolerance: f64,
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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
    /// Minimisations over one coordinate, since training began.
    pub updates: u64,
}

/// The program; see the module.
#[derive(Debug)]
pub struct Lasso {
    settings: Settings,
    design: Arc<Design>,
    target: Target,
    moments: Arc<Moments>,
    lambdas: Vec<f64>,
    /// The λ that is being solved.
    at: usize,
    penalty: Penalty,
    beta: Vec<f64>,
    /// The columns with non-zero coefficients, ascending.
    support: Vec<u32>,
    residual: Arc<Vec<f64>>,
    anchors: Vec<Arc<Vec<f64>>>,
    working: Vec<u32>,
    /// Stored entries of a working set whose descent costs about as much as a scan.
    affordable: usize,
    /// How often the working set was divided; at `SHARED_ROUNDS` it goes to one worker.
    shared_rounds: usize,
    /// The gap on the working set at which to look at all columns again.
    goal: f64,
    next: Next,
    found: Found,
    standing: Standing,
    solutions: Vec<Solution>,
}

/// What is to be explained.
#[derive(Debug)]
struct Target {
    /// Centred if columns are.
    values: Vec<f64>,
    mean: f64,
    /// ‖values‖² / 2n: the objective of the model that explains nothing.
    null: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Survey,
    Descend,
    Scan,
}

/// What a worker keeps.
#[derive(Debug)]
pub struct Worker {
    design: Arc<Design>,
    part: Part,
}

/// What goes out.
#[derive(Debug)]
pub enum Task {
    /// Look at your columns for the first time.
    Survey {
        /// The centred target.
        residual: Arc<Vec<f64>>,
        /// How columns are seen.
        scaling: Scaling,
        /// How many of the most correlated to report.
        wanted: usize,
    },
    /// Look for columns that violate the optimality conditions.
    Scan(Look),
    /// Minimise over a block.
    Descend {
        /// The block.
        block: Block,
        /// The residual to start from.
        residual: Arc<Vec<f64>>,
        /// How columns are seen.
        moments: Arc<Moments>,
        /// The penalty.
        penalty: Penalty,
        /// When to stop.
        effort: Effort,
    },
}

/// What comes back.
#[derive(Debug)]
pub enum Share {
    /// Of a survey.
    Surveyed(Vec<std::ops::Range<usize>>, Moments, Found),
    /// Of a scan.
    Found(Found),
    /// Of a descent: the block's new coefficients, and the residual if only this block had moved.
    Descended(Block, Vec<f64>, Descended),
}

/// The smallest working set.
const SMALLEST: usize = 64;
/// Work on a block below which handing it over costs more than it saves, in stored entries.
const WORTH_SHARING: usize = 100_000;
/// Epochs over the support before blocks are combined.
const SHARED_EPOCHS: usize = 4;
/// How often a working set is divided before one worker finishes it.
const SHARED_ROUNDS: usize = 6;
/// Passes over a working set that a descent takes, roughly.
const EPOCHS_PER_SCAN: usize = 16;

impl Lasso {
    /// A program for `target` on `design`.
    pub fn new(design: Arc<Design>, target: &[f64], settings: Settings) -> Self {
        let rows = target.len() as f64;
        let mean = if settings.scaling.centre {
            target.iter().sum::<f64>() / rows
        } else {
            0.0
        };
        let values: Vec<f64> = target.iter().map(|y| y - mean).collect();
        let null = 0.5 * values.iter().map(|y| y * y).sum::<f64>() / rows;
        let residual = Arc::new(values.clone());
        Self {
            beta: vec![0.0; design.columns()],
            moments: Arc::default(),
            lambdas: Vec::new(),
            at: 0,
            penalty: Penalty { l1: 0.0, l2: 0.0 },
            support: Vec::new(),
            anchors: vec![Arc::clone(&residual)],
            residual,
            working: Vec::new(),
            affordable: (0..design.columns())
                .map(|j| design.stored(j))
                .sum::<usize>()
                / EPOCHS_PER_SCAN,
            shared_rounds: 0,
            goal: 0.0,
            next: Next::Survey,
            found: Found::default(),
            standing: Standing::default(),
            solutions: Vec::new(),
            target: Target { values, mean, null },
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

    fn view(&self) -> View<'_> {
        View {
            design: &self.design,
            moments: &self.moments,
            penalty: self.penalty,
        }
    }
}

impl Program for Lasso {
    type Shard = Worker;
    type Task = Task;
    type Share = Share;

    fn schedule(&mut self, round: &mut Round) -> Plan<Task> {
        match self.next {
            Next::Survey => self.plan_survey(round.workers()),
            Next::Scan => self.plan_scan(round.workers()),
            Next::Descend => self.plan_descent(round.workers()),
        }
    }

    fn push(worker: &mut Worker, task: Task) -> Share {
        let design = &worker.design;
        match task {
            Task::Survey {
                residual,
                scaling,
                wanted,
            } => {
                let (moments, found) = worker.part.survey(design, &residual, scaling, wanted);
                Share::Surveyed(worker.part.chunks.clone(), moments, found)
            }
            Task::Scan(look) => Share::Found(worker.part.scan(design, &look)),
            Task::Descend {
                mut block,
                residual,
                moments,
                penalty,
                effort,
            } => {
                let view = View {
                    design,
                    moments: &moments,
                    penalty,
                };
                let mut r = Residual {
                    parts: residual.to_vec(),
                    offset: 0.0,
                };
                let descended = descend(view, &mut block, &mut r, effort);
                Share::Descended(block, r.parts, descended)
            }
        }
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        let before = self.standing.updates;
        match self.next {
            _ if shares.done.is_empty() => {}
            Next::Survey => self.begin(shares),
            Next::Scan => self.look(shares),
            Next::Descend => self.commit(shares),
        }
        Moved {
            updates: self.standing.updates - before,
            change: 0.0,
            objective: (self.standing.primal > 0.0).then_some(self.standing.primal),
            finished: !self.lambdas.is_empty() && self.at == self.lambdas.len(),
        }
    }
}

impl Lasso {
    fn plan_survey(&self, workers: usize) -> Plan<Task> {
        Plan::one_each((0..workers).map(|_| Task::Survey {
            residual: Arc::clone(&self.residual),
            scaling: self.settings.scaling,
            wanted: self.wanted(),
        }))
    }

    fn plan_scan(&mut self, workers: usize) -> Plan<Task> {
        let afresh = self.anchors.len() == ANCHORS;
        if afresh {
            self.anchors.clear();
        }
        self.anchors.push(Arc::clone(&self.residual));
        let distances = self
            .anchors
            .iter()
            .map(|anchor| distance(anchor, &self.residual))
            .collect();
        let pull = |&j: &u32| (j, self.penalty.l2 * self.beta[j as usize]);
        let look = Look {
            moments: Arc::clone(&self.moments),
            residual: Arc::clone(&self.residual),
            distances,
            afresh,
            threshold: self.threshold(),
            wanted: self.wanted(),
            pulled: Arc::new(self.support.iter().map(pull).collect()),
        };
        Plan::one_each((0..workers).map(|_| Task::Scan(look.clone())))
    }

    fn plan_descent(&mut self, workers: usize) -> Plan<Task> {
        let stored = |&j: &u32| self.design.stored(j as usize) as u64;
        let cost: u64 = self.working.iter().map(stored).sum();
        let shared =
            workers > 1 && self.shared_rounds < SHARED_ROUNDS && cost as usize > WORTH_SHARING;
        let (count, effort) = if shared {
            (workers, Effort::Epochs(SHARED_EPOCHS))
        } else {
            (1, Effort::Gap(self.goal))
        };
        let blocks = Blocks::balanced(self.working.iter().copied(), count, stored);
        let mut plan = Plan::new();
        for (worker, (mut columns, load)) in blocks.blocks.into_iter().zip(blocks.loads).enumerate()
        {
            columns.sort_unstable();
            let beta = columns.iter().map(|&j| self.beta[j as usize]).collect();
            let entries = columns.len();
            let task = Task::Descend {
                block: Block { columns, beta },
                residual: Arc::clone(&self.residual),
                moments: Arc::clone(&self.moments),
                penalty: self.penalty,
                effort,
            };
            plan.assign(worker, task)
                .costing(load as f64)
                .holding(entries);
        }
        plan
    }

    /// After the survey: the grid is known, and the first λ begins.
    fn begin(&mut self, shares: Shares<Self>) {
        let columns = self.design.columns();
        let mut moments = Moments {
            square: vec![0.0; columns],
            shift: vec![0.0; columns],
            factor: vec![0.0; columns],
        };
        let mut found = Found::default();
        for share in shares.into_values() {
            let Share::Surveyed(chunks, part, part_found) = share else {
                unreachable!("a survey was planned")
            };
            for (at, j) in chunks.into_iter().flatten().enumerate() {
                moments.square[j] = part.square[at];
                moments.shift[j] = part.shift[at];
                moments.factor[j] = part.factor[at];
            }
            found = found.merge(part_found, self.wanted());
        }
        self.moments = Arc::new(moments);
        self.lambdas = self
            .settings
            .grid
            .lambdas(found.worst / self.settings.l1_ratio);
        self.found = found;
        self.enter();
    }

    /// Takes up the current λ, or the first after it that the present coefficients do not solve.
    fn enter(&mut self) {
        while let Some(&lambda) = self.lambdas.get(self.at) {
            self.penalty = Penalty::elastic_net(lambda, self.settings.l1_ratio);
            self.assess();
            if self.standing.gap > self.tolerated() {
                self.choose();
                return;
            }
            self.solve();
        }
    }

    /// The primal value and the certified gap, from the last scan's worst correlation.
    fn assess(&mut self) {
        let rows = self.target.values.len() as f64;
        let (mut own, mut cross) = (0.0, 0.0);
        for (r, y) in self.residual.iter().zip(&self.target.values) {
            own += r * r;
            cross += r * y;
        }
        let beta = self.support.iter().map(|&j| self.beta[j as usize]);
        let primal = 0.5 * own / rows + self.penalty.value(beta.clone());
        let gap = squared_gap(
            own / rows,
            cross / rows,
            self.found.worst,
            beta,
            self.penalty,
        );
        self.standing = Standing {
            lambda: self.lambdas[self.at],
            primal,
            gap,
            relative_gap: if self.target.null > 0.0 {
                gap / self.target.null
            } else {
                0.0
            },
            nonzeros: self.support.len(),
            updates: self.standing.updates,
        };
    }

    /// The next working set: the support and the worst violators.
    fn choose(&mut self) {
        self.working = self.support.clone();
        let mut fresh = self
            .found
            .violators
            .iter()
            .map(|&(j, _)| j)
            .filter(|&j| self.beta[j as usize] == 0.0);
        self.working
            .extend(fresh.by_ref().take(self.support.len().max(SMALLEST)));
        let stored = |j: u32| self.design.stored(j as usize);
        let mut load: usize = self.working.iter().map(|&j| stored(j)).sum();
        self.working.extend(fresh.take_while(|&j| {
            load += stored(j);
            load <= self.affordable
        }));
        self.working.sort_unstable();
        self.shared_rounds = 0;
        let certain = 0.3 * self.tolerated();
        self.goal = (GOAL * self.standing.gap).max(certain);
        self.next = Next::Descend;
    }

    /// Commits the blocks that moved. Each was best for itself; together they may be too much.
    fn commit(&mut self, shares: Shares<Self>) {
        let mut moves = Vec::new();
        let mut worst: f64 = 0.0;
        for share in shares.into_values() {
            let Share::Descended(block, residual, done) = share else {
                unreachable!("a descent was planned")
            };
            self.standing.updates += done.updates;
            worst = worst.max(done.worst_before);
            moves.push((block, residual));
        }
        if let [(block, residual)] = &mut moves[..] {
            self.residual = Arc::new(std::mem::take(residual));
            let block = std::mem::replace(
                block,
                Block {
                    columns: Vec::new(),
                    beta: Vec::new(),
                },
            );
            self.place(&block, 1.0);
            self.next = Next::Scan;
        } else {
            self.combine(&moves, worst);
        }
        self.support = self
            .working
            .iter()
            .copied()
            .filter(|&j| self.beta[j as usize] != 0.0)
            .collect();
    }

    /// Adds up the moves of several blocks, or half of each if their sum gains too little: by
    /// convexity half of each is never worse than standing still.
    fn combine(&mut self, moves: &[(Block, Vec<f64>)], worst: f64) {
        let before = self.objective(&self.residual);
        let gap_before = self.working_gap(worst);
        self.shared_rounds += 1;
        let old: Vec<f64> = self
            .working
            .iter()
            .map(|&j| self.beta[j as usize])
            .collect();
        let start = Arc::clone(&self.residual);

        let mut promised = 0.0;
        for (block, residual) in moves {
            self.place(block, 1.0);
            promised += before - self.objective(residual);
            self.working
                .iter()
                .zip(&old)
                .for_each(|(&j, &b)| self.beta[j as usize] = b);
        }
        for length in [1.0, 1.0 / moves.len() as f64] {
            let mut together = start.to_vec();
            for (block, residual) in moves {
                for ((sum, new), old) in together.iter_mut().zip(residual).zip(start.iter()) {
                    *sum += length * (new - old);
                }
                self.place(block, length);
            }
            let gained = before - self.objective(&together);
            self.residual = Arc::new(together);
            if gained >= 0.7 * promised {
                break;
            }
            self.shared_rounds = SHARED_ROUNDS;
            if length == 1.0 {
                self.working
                    .iter()
                    .zip(&old)
                    .for_each(|(&j, &b)| self.beta[j as usize] = b);
            }
        }
        if gap_before <= self.goal {
            self.next = Next::Scan;
        }
    }

    /// Moves a block's coefficients by `length` of the way to where its worker left them.
    fn place(&mut self, block: &Block, length: f64) {
        for (&j, &new) in block.columns.iter().zip(&block.beta) {
            let beta = &mut self.beta[j as usize];
            *beta = if length == 1.0 {
                new
            } else {
                *beta + length * (new - *beta)
            };
        }
    }

    fn objective(&self, residual: &[f64]) -> f64 {
        let square: f64 = residual.iter().map(|r| r * r).sum();
        let beta = self.working.iter().map(|&j| self.beta[j as usize]);
        0.5 * square / self.target.values.len() as f64 + self.penalty.value(beta)
    }

    /// The duality gap of the problem restricted to the working set.
    fn working_gap(&self, worst: f64) -> f64 {
        let rows = self.target.values.len() as f64;
        let (mut own, mut cross) = (0.0, 0.0);
        for (r, y) in self.residual.iter().zip(&self.target.values) {
            own += r * r;
            cross += r * y;
        }
        let beta = self.working.iter().map(|&j| self.beta[j as usize]);
        squared_gap(own / rows, cross / rows, worst, beta, self.penalty)
    }

    /// After a scan: the gap says whether this λ is solved.
    fn look(&mut self, shares: Shares<Self>) {
        let wanted = self.wanted();
        self.found = Found {
            worst: self.penalty.l1.min(self.threshold()),
            ..Found::default()
        };
        for share in shares.into_values() {
            let Share::Found(found) = share else {
                unreachable!("a scan was planned")
            };
            self.found = std::mem::take(&mut self.found).merge(found, wanted);
        }
        self.assess();
        if self.standing.gap <= self.tolerated() {
            self.solve();
            self.enter();
        } else {
            self.choose();
        }
    }

    /// Records the solution at the current λ and moves on to the next.
    fn solve(&mut self) {
        let factor = |&j: &u32| (j, self.beta[j as usize] * self.moments.factor[j as usize]);
        let shift = |&j: &u32| self.beta[j as usize] * self.moments.shift[j as usize];
        self.solutions.push(Solution {
            lambda: self.lambdas[self.at],
            coefficients: self.support.iter().map(factor).collect(),
            intercept: self.target.mean - self.support.iter().map(shift).sum::<f64>(),
            standing: self.standing,
        });
        self.at += 1;
    }

    fn tolerated(&self) -> f64 {
        self.settings.tolerance * self.target.null
    }

    /// How many violators a scan reports: as many as the next working set could take.
    fn wanted(&self) -> usize {
        let mean = (self.affordable * EPOCHS_PER_SCAN / self.design.columns()).max(1);
        (2 * self.support.len()).max(SMALLEST) + self.affordable / mean
    }

    /// Below this a column is of no interest: it satisfies the optimality conditions here, and by
    /// the sequential strong rule it is not expected in the support at the next λ.
    fn threshold(&self) -> f64 {
        let strong = |&next: &f64| self.settings.l1_ratio * (2.0 * next - self.lambdas[self.at]);
        let ahead = self.lambdas.get(self.at + 1).map_or(f64::INFINITY, strong);
        ahead.max(0.0).min(self.penalty.l1)
    }
}

/// How far below the certified gap the working set is solved before all columns are looked at.
const GOAL: f64 = 0.1;

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b) * (a - b))
        .sum::<f64>()
        .sqrt()
}
