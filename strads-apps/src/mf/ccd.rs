//! Coordinate descent (CCD++) as a program over the same blocks: one factor of the rank at a time.
//!
//! The cells hold residuals. For one factor, with u and v its column for users and items, the
//! residual without it is r̂ = r + u·v, and in turn
//!
//! v_i = Σ r̂ u / (λ n_i + Σ u²),  u_u = Σ r̂ v / (λ n_u + Σ v²)
//!
//! over the ratings of the item or user, n of them. Strips stay with their workers: a round
//! sends v to all, each worker solves for its users' u, and returns its part of the items' two sums;
//! `pull` adds them in worker order. Biases are two more factors, with one side fixed at 1.

use std::sync::Arc;

use strads::cluster::{Passport, Remote};
use strads::{Lender, Loan, Moved, Plan, Program, Round, Shares};

use super::blocks::{Blocks, Set, Strip};
use super::measure::Errors;

/// What is being solved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Factor {
    /// The items' biases: u is 1.
    ItemBias,
    /// The users' biases: v is 1.
    UserBias,
    /// Entry d of all rows.
    Entry(usize),
}

/// What happens to the factor in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Put it back into the residuals; the items' sums for the old u.
    Open,
    /// Solve for u; the items' sums for the new one.
    Solve,
    /// Take it out of the residuals.
    Close,
}

/// The settings of the solver.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// λ, a rating.
    pub lambda: f32,
    /// Solve for biases too.
    pub biases: bool,
    /// Entries are kept at or above 0.
    pub non_negative: bool,
}

/// The program. A run of [`Ccd::rounds`] rounds is an epoch: every factor once.
#[derive(Debug)]
pub struct Ccd<'a> {
    blocks: &'a Blocks,
    settings: Coordinates,
    /// Ratings of each item, by block.
    counts: Vec<Vec<f32>>,
    /// The items' column of the factor at hand, by block.
    column: Arc<Vec<Vec<f32>>>,
    pending: Option<(Factor, Phase)>,
    errors: Errors,
}

/// The part of a round that a worker does on its strip.
#[derive(Debug)]
pub struct Part {
    strip: Loan<Strip>,
    factor: Factor,
    phase: Phase,
    column: Arc<Vec<Vec<f32>>>,
    settings: Coordinates,
}

/// A strip's part of Σ r̂ u and Σ u², by block and item.
#[derive(Debug, Default)]
pub struct Sums {
    blocks: Vec<Vec<(f32, f32)>>,
    errors: Errors,
}

impl<'a> Ccd<'a> {
    /// Turns the ratings of `blocks` into residuals.
    pub fn new(blocks: &'a Blocks, settings: Coordinates) -> Self {
        let counts = count_items(blocks);
        let errors = subtract_model(blocks);
        Self {
            blocks,
            settings,
            column: Arc::new(counts.iter().map(|c| vec![0.0; c.len()]).collect()),
            counts,
            pending: None,
            errors,
        }
    }

    /// What it works on.
    pub fn blocks(&self) -> &'a Blocks {
        self.blocks
    }

    /// How many rounds an epoch has.
    pub fn rounds(&self) -> u64 {
        3 * self.factors() as u64
    }

    /// The errors on the ratings, as of the last epoch.
    pub fn errors(&self) -> Errors {
        self.errors
    }

    fn factors(&self) -> usize {
        self.blocks.rank() + if self.settings.biases { 2 } else { 0 }
    }

    /// The factor and phase of a round of an epoch.
    fn turn(&self, round: u64) -> (Factor, Phase) {
        let phase = [Phase::Open, Phase::Solve, Phase::Close][(round % 3) as usize];
        let at = (round / 3) as usize % self.factors();
        let factor = match (self.settings.biases, at) {
            (true, 0) => Factor::ItemBias,
            (true, 1) => Factor::UserBias,
            (true, at) => Factor::Entry(at - 2),
            (false, at) => Factor::Entry(at),
        };
        (factor, phase)
    }

    /// Solves for v from the sums of all strips.
    fn solve_items(&mut self, factor: Factor, shares: &[Sums]) -> f64 {
        if factor == Factor::UserBias {
            return 0.0;
        }
        let column = Arc::make_mut(&mut self.column);
        let mut change = 0.0_f32;
        for (block, column) in column.iter_mut().enumerate() {
            for (item, v) in column.iter_mut().enumerate() {
                let (mut along, mut square) = (0.0, 0.0);
                for share in shares {
                    along += share.blocks[block][item].0;
                    square += share.blocks[block][item].1;
                }
                let regular = self.settings.lambda * self.counts[block][item];
                let new = solve(along, square + regular, factor, self.settings);
                change = change.max((new - *v).abs());
                *v = new;
            }
        }
        f64::from(change)
    }
}

impl Remote for Ccd<'_> {
    const NAME: &'static str = "mf ccd";
}

impl Program for Ccd<'_> {
    /// Nothing stays with a worker: its strip is on loan to its task, the same one every round.
    type Shard = ();
    type Task = Part;
    type Share = Sums;

    fn schedule(&mut self, round: &mut Round) -> Plan<Part> {
        let (factor, phase) = self.turn(round.number());
        self.pending = Some((factor, phase));
        if phase == Phase::Open {
            self.column = Arc::new(column(&self.blocks.items, factor));
        }
        Plan::one_each((0..self.blocks.strips.len()).map(|strip| Part {
            strip: self.blocks.strips.lend(strip),
            factor,
            phase,
            column: Arc::clone(&self.column),
            settings: self.settings,
        }))
    }

    fn push(_: &mut (), mut part: Part) -> Sums {
        let mut strip = part.strip.open();
        match part.phase {
            Phase::Open => {
                shift(&mut strip, part.factor, &part.column, 1.0);
                sum_items(&mut strip, part.factor, &part.column)
            }
            Phase::Solve => {
                solve_users(&mut strip, part.factor, &part.column, part.settings);
                sum_items(&mut strip, part.factor, &part.column)
            }
            Phase::Close => Sums {
                blocks: Vec::new(),
                errors: shift(&mut strip, part.factor, &part.column, -1.0),
            },
        }
    }

    fn passport() -> Option<Passport<Self>> {
        Some(Passport::new())
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        let shares: Vec<Sums> = shares.into_values().collect();
        let Some((factor, phase)) = self.pending.take() else {
            return Moved::default();
        };
        if phase == Phase::Close {
            write_column(&self.blocks.items, factor, &self.column);
            self.errors = Errors::default();
            shares.iter().for_each(|share| self.errors += share.errors);
            return Moved::default();
        }
        Moved {
            updates: self.counts.iter().map(Vec::len).sum::<usize>() as u64,
            change: self.solve_items(factor, &shares),
            ..Moved::default()
        }
    }
}

fn solve(along: f32, square: f32, factor: Factor, settings: Coordinates) -> f32 {
    let at = if square > 0.0 { along / square } else { 0.0 };
    match factor {
        Factor::Entry(_) if settings.non_negative => at.max(0.0),
        _ => at,
    }
}

/// The strip's users' column of `factor`.
fn users(strip: &Strip, factor: Factor) -> Vec<f32> {
    let rows = &strip.users;
    (0..rows.len())
        .map(|at| match factor {
            Factor::ItemBias => 1.0,
            Factor::UserBias => rows.aside(at).bias,
            Factor::Entry(d) => rows.row(at)[d],
        })
        .collect()
}

/// Adds `sign` times the factor to the residuals; the errors that they then stand for.
fn shift(strip: &mut Strip, factor: Factor, column: &[Vec<f32>], sign: f32) -> Errors {
    let u = users(strip, factor);
    let mut errors = Errors::default();
    for (cell, v) in strip.cells[Set::Train as usize].iter_mut().zip(column) {
        for (run, items, residuals) in cell.runs_mut() {
            let u = sign * u[run.user as usize];
            let (mut squared, mut absolute) = (0.0, 0.0);
            for (residual, &item) in residuals.iter_mut().zip(items) {
                *residual += u * v[usize::from(item)];
                squared += *residual * *residual;
                absolute += residual.abs();
            }
            errors += Errors {
                count: u64::from(run.len),
                squared: f64::from(squared),
                absolute: f64::from(absolute),
            };
        }
    }
    errors
}

fn sum_items(strip: &mut Strip, factor: Factor, column: &[Vec<f32>]) -> Sums {
    let u = users(strip, factor);
    let mut blocks = Vec::with_capacity(column.len());
    for (cell, v) in strip.cells[Set::Train as usize].iter().zip(column) {
        let mut sums = vec![(0.0, 0.0); v.len()];
        for (run, items, residuals) in cell.runs() {
            let u = u[run.user as usize];
            let square = u * u;
            for (residual, &item) in residuals.iter().zip(items) {
                let sum = &mut sums[usize::from(item)];
                sum.0 += u * residual;
                sum.1 += square;
            }
        }
        blocks.push(sums);
    }
    Sums {
        blocks,
        errors: Errors::default(),
    }
}

fn solve_users(strip: &mut Strip, factor: Factor, column: &[Vec<f32>], settings: Coordinates) {
    if factor == Factor::ItemBias {
        return;
    }
    let mut sums = vec![(0.0_f32, 0.0_f32); strip.users.len()];
    for (cell, v) in strip.cells[Set::Train as usize].iter().zip(column) {
        for (run, items, residuals) in cell.runs() {
            let (mut along, mut square) = (0.0, settings.lambda * run.len as f32);
            for (residual, &item) in residuals.iter().zip(items) {
                let v = v[usize::from(item)];
                along += v * residual;
                square += v * v;
            }
            let sum = &mut sums[run.user as usize];
            sum.0 += along;
            sum.1 += square;
        }
    }
    for (at, (along, square)) in sums.into_iter().enumerate() {
        let u = solve(along, square, factor, settings);
        match factor {
            Factor::Entry(d) => strip.users.row_mut(at)[d] = u,
            Factor::UserBias | Factor::ItemBias => strip.users.aside_mut(at).bias = u,
        }
    }
}

/// The items' column of `factor`, by block.
fn column(items: &Lender<super::rows::Rows>, factor: Factor) -> Vec<Vec<f32>> {
    let block = |block| {
        items.with(block, |rows| {
            let entry = |at| match factor {
                Factor::ItemBias => rows.aside(at).bias,
                Factor::UserBias => 1.0,
                Factor::Entry(d) => rows.row(at)[d],
            };
            (0..rows.len()).map(entry).collect()
        })
    };
    (0..items.len()).map(block).collect()
}

fn write_column(items: &Lender<super::rows::Rows>, factor: Factor, column: &[Vec<f32>]) {
    for (block, column) in column.iter().enumerate() {
        items.with(block, |rows| {
            for (at, &v) in column.iter().enumerate() {
                match factor {
                    Factor::ItemBias => rows.aside_mut(at).bias = v,
                    Factor::UserBias => {}
                    Factor::Entry(d) => rows.row_mut(at)[d] = v,
                }
            }
        });
    }
}

fn count_items(blocks: &Blocks) -> Vec<Vec<f32>> {
    let sizes = blocks.grid.items.sizes();
    let mut counts: Vec<Vec<f32>> = sizes.iter().map(|&n| vec![0.0; n]).collect();
    for strip in 0..blocks.strips.len() {
        blocks.strips.with(strip, |strip| {
            for (cell, counts) in strip.cells[Set::Train as usize].iter().zip(&mut counts) {
                for (_, items, _) in cell.runs() {
                    items
                        .iter()
                        .for_each(|&item| counts[usize::from(item)] += 1.0);
                }
            }
        });
    }
    counts
}

/// Takes what the factors already explain out of the ratings; the errors that are left.
fn subtract_model(blocks: &Blocks) -> Errors {
    let mut errors = Errors::default();
    let entries = (0..blocks.rank()).map(Factor::Entry);
    for factor in entries.chain([Factor::ItemBias, Factor::UserBias]) {
        let v = column(&blocks.items, factor);
        errors = Errors::default();
        for strip in 0..blocks.strips.len() {
            errors += blocks
                .strips
                .with(strip, |strip| shift(strip, factor, &v, -1.0));
        }
    }
    errors
}

strads::travel_by_variants!(Factor { 0 => ItemBias, 1 => UserBias, 2 => Entry(entry) });
strads::travel_by_variants!(Phase { 0 => Open, 1 => Solve, 2 => Close });
strads::travel_by_fields!(
    Coordinates { lambda, biases, non_negative }
    Part { strip, factor, phase, column, settings }
    Sums { blocks, errors }
);
