//! The `pull` side of the program, on the working set: what comes of sweeps, looks and face steps.

use std::sync::Arc;

use strads::Shares;

use super::descent::Block;
use super::face::{Face, Stride};
use super::message::Share;
use super::newton;
use super::portions::Portions;
use super::program::{Next, SparseRegression};

/// Blocks that together gain less than this share of what each promised undo each other's work.
const WORTHWHILE: f64 = 0.97;

impl SparseRegression {
    /// After a sweep: commits the blocks that moved.
    pub(super) fn commit(&mut self, shares: Shares<Self>) -> Next {
        let mut moves = Vec::new();
        self.creeps = false;
        for share in shares.into_values() {
            let Share::Swept(block, residual, swept) = share else {
                unreachable!("a sweep was planned")
            };
            self.standing.updates += swept.updates;
            self.creeps |= swept.creeps;
            moves.push((block, residual));
        }
        match <[_; 1]>::try_from(moves) {
            Ok([(block, residual)]) => {
                self.place(&block, 1.0);
                self.residual = Arc::new(residual);
            }
            Err(moves) => self.add_up(&moves),
        }
        self.find_support();
        Next::Look
    }

    /// Adds up the moves of several blocks. Each was best for itself; if together they gain too
    /// little, they undo each other's work: then sweeps at this λ are not divided again, and if it is
    /// better each goes only its share of the way, which by convexity is never worse than standing
    /// still.
    fn add_up(&mut self, moves: &[(Block, Vec<f64>)]) {
        let start = Arc::clone(&self.residual);
        let columns = self.working.columns();
        let old: Vec<f64> = columns.iter().map(|&j| self.beta[j as usize]).collect();
        let before = self.objective(&start);

        let mut promised = 0.0;
        for (block, residual) in moves {
            self.place(block, 1.0);
            promised += before - self.objective(residual);
            self.restore(&old);
        }
        let mut best = (f64::NEG_INFINITY, 0.0);
        for length in [1.0, 1.0 / moves.len() as f64] {
            let mut together = start.to_vec();
            for (block, residual) in moves {
                for ((sum, new), old) in together.iter_mut().zip(residual).zip(start.iter()) {
                    *sum += length * (new - old);
                }
                self.place(block, length);
            }
            let gained = before - self.objective(&together);
            self.restore(&old);
            if gained > best.0 {
                best = (gained, length);
                self.residual = Arc::new(together);
            }
            if gained >= WORTHWHILE * promised {
                break;
            }
            self.divided = false;
        }
        for (block, _) in moves {
            self.place(block, best.1);
        }
    }

    /// After a look at the working set, whose products with the residual these are: enough, or
    /// what to do next.
    pub(super) fn judge(&mut self, products: &[f64]) -> Next {
        let rows = self.residual.len() as f64;
        let columns = self.working.columns();
        let correlation =
            |(&j, product): (&u32, &f64)| product / rows - self.penalty.l2 * self.beta[j as usize];
        let correlations: Vec<f64> = columns.iter().zip(products).map(correlation).collect();
        let worst = correlations
            .iter()
            .fold(0.0, |worst: f64, c| worst.max(c.abs()));
        let (_, gap) = self.certify(&self.residual, columns, worst);
        self.patience -= 1;
        if gap <= self.goal || self.patience == 0 {
            let looked = columns.iter().zip(&correlations);
            self.looked = Arc::new(looked.map(|(&j, c)| (j, c.abs())).collect());
            Next::Scan
        } else if let Some(next) = self.step_directly(&correlations) {
            next
        } else if self.creeps && !self.support.is_empty() {
            self.creeps = false;
            Next::Lead(self.face(&correlations))
        } else {
            Next::Sweep
        }
    }

    /// The face of the present support.
    fn face(&self, correlations: &[f64]) -> Face {
        let rows = self.residual.len() as f64;
        let moving = (self.working.columns().iter().zip(correlations))
            .filter(|&(&j, _)| self.beta[j as usize] != 0.0);
        let correlations = moving.map(|(_, &correlation)| correlation).collect();
        let support = &self.support;
        Face::new(
            Portions::of(support.clone(), &self.design, self.workers),
            support.iter().map(|&j| self.beta[j as usize]).collect(),
            correlations,
            support
                .iter()
                .map(|&j| self.moments.square[j as usize] / rows),
            self.penalty,
            self.reach,
        )
    }

    /// After an iteration on a face: another one, or the step.
    pub(super) fn follow(&mut self, mut face: Face, products: &[f64]) -> Next {
        if face.follow(products) {
            return Next::Lead(face);
        }
        let stride = face.stride();
        if !stride.is_whole() {
            return Next::Clip(stride);
        }
        // A face that was the right one so far is worth going further on.
        self.reach *= 2;
        self.residual = Arc::new(stride.residual(&self.residual, &[]));
        self.stand(&stride);
        Next::Look
    }

    /// After clipping a step: takes it if the objective falls, or half of it.
    pub(super) fn clip(&mut self, stride: Stride, corrections: &[f64]) -> Next {
        let residual = stride.residual(&self.residual, corrections);
        let objective = |residual: &[f64], beta: &[f64]| {
            let (target, beta) = (&self.target.values, beta.iter().copied());
            (self.settings.loss)
                .certify(target, residual, 0.0, beta, self.penalty)
                .0
        };
        let there: Vec<f64> = stride.beta().collect();
        if objective(&residual, &there) < objective(&self.residual, stride.start()) {
            self.residual = Arc::new(residual);
            self.stand(&stride);
            self.find_support();
            return Next::Look;
        }
        let direct = stride.is_direct();
        stride.halved().map(Next::Clip).unwrap_or_else(|| {
            self.direct &= !direct;
            Next::Sweep
        })
    }

    /// Takes the coefficients that a step leads to.
    fn stand(&mut self, stride: &Stride) {
        for (&j, beta) in stride.columns.columns().iter().zip(stride.beta()) {
            self.beta[j as usize] = beta;
        }
    }

    /// After Newton's method: takes its predictions.
    pub(super) fn step(&mut self, shares: Shares<Self>) -> Next {
        for share in shares.into_values() {
            let Share::Stepped(block, at, updates) = share else {
                unreachable!("Newton's method was planned")
            };
            self.standing.updates += updates;
            self.place(&block, 1.0);
            self.residual = Arc::new(newton::residual(&self.target.values, &at.eta));
            self.predictions = Some(Arc::new(at));
        }
        self.find_support();
        Next::Scan
    }

    fn restore(&mut self, old: &[f64]) {
        for (&j, &beta) in self.working.columns().iter().zip(old) {
            self.beta[j as usize] = beta;
        }
    }

    fn objective(&self, residual: &[f64]) -> f64 {
        self.certify(residual, self.working.columns(), 0.0).0
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

    fn find_support(&mut self) {
        let columns = self.working.columns().iter().copied();
        self.support = columns.filter(|&j| self.beta[j as usize] != 0.0).collect();
    }
}

/// Products with columns, in the columns' order.
pub(super) fn products(shares: Shares<SparseRegression>) -> Vec<f64> {
    let mut all = Vec::new();
    for share in shares.into_values() {
        let Share::Products(products) = share else {
            unreachable!("products were planned")
        };
        all.extend(products);
    }
    all
}

/// The sum of what the workers added up.
pub(super) fn sum(shares: Shares<SparseRegression>) -> Vec<f64> {
    let mut images = shares.into_values().map(|share| {
        let Share::Image(image) = share else {
            unreachable!("a sum was planned")
        };
        image
    });
    let mut sum = images.next().unwrap_or_default();
    for image in images {
        sum.iter_mut()
            .zip(&image)
            .for_each(|(sum, image)| *sum += image);
    }
    sum
}
