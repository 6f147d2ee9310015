//! Stochastic gradient descent as a program: cells are worked through by whoever holds their strip
//! and their block.
//!
//! Both are on loan to the task, so a worker touches plain memory that nobody else has. In
//! rotating order strip w stays with worker w and blocks move on every round: which steps follow
//! which is fixed, hence the result, to the last bit. In free order a round offers all
//! cells, and a free worker takes the first one whose strip and block are free: one that is slow
//! holds one strip and one block, and the others go round it.

use strads::cluster::{Passport, Remote};
use strads::policy::Rotation;
use strads::{Loan, Moved, Plan, Program, Round, Shares};

use super::blocks::{Blocks, Set, Strip};
use super::descend::{Step, descend};
use super::measure::Errors;
use super::rows::Rows;

/// Who works on which cell when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// Blocks rotate past workers. The result does not depend on timing.
    Rotating,
    /// Whoever is free takes a cell that is free. A slow worker does not hold up others, and the
    /// result depends on who was fast.
    Free,
}

/// How rates fall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Schedule {
    /// Each row's own, by how far it has come (AdaGrad).
    Adaptive,
    /// One rate for all, by 1/√(1 + epoch).
    Decay,
    /// One rate for all and for ever.
    Constant,
}

/// What steps are made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// The first rate.
    pub rate: f32,
    /// The rate of biases as a multiple of that of factors; 0 for no biases.
    pub bias_rate: f32,
    /// λ, a rating.
    pub lambda: f32,
    /// How rates fall.
    pub schedule: Schedule,
    /// Entries are kept at or above 0.
    pub non_negative: bool,
}

/// The program. A run of [`Sgd::rounds`] rounds is an epoch.
#[derive(Debug)]
pub struct Sgd<'a> {
    blocks: &'a Blocks,
    order: Order,
    descent: Descent,
    step: Step,
    errors: Errors,
}

/// One cell to work on.
#[derive(Debug)]
pub struct Visit {
    strip: Loan<Strip>,
    items: Loan<Rows>,
    step: Step,
}

impl<'a> Sgd<'a> {
    /// Steps on the ratings of `blocks`.
    pub fn new(blocks: &'a Blocks, order: Order, descent: Descent) -> Self {
        let step = Step {
            rate: descent.rate,
            bias_rate: descent.bias_rate,
            lambda: descent.lambda,
            adapt: 0.0,
            item_square: 0.0,
            non_negative: descent.non_negative,
        };
        Self {
            blocks,
            order,
            descent,
            step,
            errors: Errors::default(),
        }
    }

    /// What it works on.
    pub fn blocks(&self) -> &'a Blocks {
        self.blocks
    }

    /// How many rounds an epoch has.
    pub fn rounds(&self) -> u64 {
        match self.order {
            Order::Rotating => self.blocks.items.len() as u64,
            Order::Free => 1,
        }
    }

    /// Sets rates for the epoch that comes next.
    pub fn begin(&mut self, epoch: u64) {
        self.errors = Errors::default();
        self.step.rate = match self.descent.schedule {
            Schedule::Adaptive | Schedule::Constant => self.descent.rate,
            Schedule::Decay => self.descent.rate / (1.0 + epoch as f32).sqrt(),
        };
        if self.descent.schedule == Schedule::Adaptive {
            self.step.adapt = 1.0;
            self.step.item_square = self.blocks.item_square();
        }
    }

    /// The errors of this epoch, each as it was when its rating was reached.
    pub fn errors(&self) -> Errors {
        self.errors
    }

    fn visit(&self, strip: usize, block: usize) -> (Visit, f64) {
        let visit = Visit {
            strip: self.blocks.strips.lend(strip),
            items: self.blocks.items.lend(block),
            step: self.step,
        };
        (visit, self.blocks.count(Set::Train, strip, block) as f64)
    }
}

impl Remote for Sgd<'_> {
    const NAME: &'static str = "mf sgd";
}

impl Program for Sgd<'_> {
    /// Nothing stays with a worker: what it needs is on loan to its task.
    type Shard = ();
    type Task = Visit;
    type Share = Errors;

    fn schedule(&mut self, round: &mut Round) -> Plan<Visit> {
        let strips = self.blocks.strips.len();
        let rotation = Rotation::new(self.blocks.items.len(), strips);
        let mut plan = Plan::new();
        match self.order {
            Order::Rotating => {
                for (strip, block) in rotation.blocks(round.number()).enumerate() {
                    let (visit, cost) = self.visit(strip, block);
                    plan.assign(strip, visit)
                        .costing(cost)
                        .writing(block..block + 1);
                }
            }
            Order::Free => {
                let first_strip = self.blocks.items.len();
                for turn in 0..rotation.rounds() {
                    for (strip, block) in rotation.blocks(turn).enumerate() {
                        let (visit, cost) = self.visit(strip, block);
                        plan.offer(visit)
                            .costing(cost)
                            .writing(block..block + 1)
                            .writing(first_strip + strip..first_strip + strip + 1);
                    }
                }
            }
        }
        plan
    }

    fn push(_: &mut (), mut task: Visit) -> Errors {
        let block = task.items.block();
        let (mut strip, mut items) = (task.strip.open(), task.items.open());
        let (users, cell) = strip.split(Set::Train, block);
        descend(users, &mut items, cell, task.step)
    }

    fn passport() -> Option<Passport<Self>> {
        Some(Passport::new())
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        let mut round = Errors::default();
        shares.into_values().for_each(|errors| round += errors);
        self.errors += round;
        Moved {
            updates: round.count,
            ..Moved::default()
        }
    }
}

strads::travel_by_fields!(Visit { strip, items, step });
