//! Coordinate descent on a block of columns, for the squared loss.
//!
//! Epochs find the support and its signs; [`face`] steps between them move the support as a whole,
//! which is what converges where columns are correlated. The block's own duality gap says when it
//! is enough.

use super::design::{Design, Moments};
use super::face::{self, Step};
use super::kernel::vectorised;
use super::penalty::Penalty;

/// What a block is descended on: the columns as they are seen, and the penalty.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The stored columns.
    pub design: &'a Design,
    /// How they are seen.
    pub moments: &'a Moments,
    /// The penalty.
    pub penalty: Penalty,
}

/// A residual in two parts: rᵢ = parts[i] + offset. Moving along a centred column changes all
/// entries by the same amount, which costs one addition this way.
#[derive(Clone, Debug, Default)]
pub struct Residual {
    /// The parts that differ.
    pub parts: Vec<f64>,
    /// What all entries share.
    pub offset: f64,
}

impl Residual {
    /// ‖r‖².
    #[inline(always)]
    pub fn square(&self) -> f64 {
        self.parts
            .iter()
            .map(|part| (part + self.offset).powi(2))
            .sum()
    }
}

/// A block of columns with their coefficients.
#[derive(Clone, Debug)]
pub struct Block {
    /// The columns.
    pub columns: Vec<u32>,
    /// One coefficient a column.
    pub beta: Vec<f64>,
}

/// When a descent ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effort {
    /// When the block's duality gap is at most this.
    Gap(f64),
    /// After one epoch over the block and this many over its support.
    Epochs(usize),
}

/// What a descent did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Descended {
    /// The largest |correlation| of a column of the block before the descent.
    pub worst_before: f64,
    /// How many coordinates were minimised over.
    pub updates: u64,
}

/// No descent needs more rounds; one that does not converge must not hang.
const ROUNDS: usize = 20_000;
/// Epochs over the support before a face step.
const SUPPORT_EPOCHS: usize = 2;
/// Iterations of the first face step.
const FACE_ITERATIONS: usize = 8;

impl View<'_> {
    /// x̃ⱼᵀ r.
    #[inline(always)]
    pub fn dot(self, j: usize, r: &Residual) -> f64 {
        // A centred residual sums to zero, so of x̃ only its uncentred part counts; Σ x = n μ.
        let rows = self.design.rows() as f64;
        self.moments.factor(j) * self.design.column(j).dot(&r.parts)
            + r.offset * rows * self.moments.shift(j)
    }

    /// r ← r + a x̃ⱼ.
    #[inline(always)]
    pub fn add_scaled(self, a: f64, j: usize, r: &mut Residual) {
        self.design
            .column(j)
            .add_scaled(a * self.moments.factor(j), &mut r.parts);
        r.offset -= a * self.moments.shift(j);
    }

    /// The gradient's negative at a coefficient: x̃ⱼᵀ r / n − λ₂ β.
    #[inline(always)]
    pub fn correlation(self, j: usize, beta: f64, r: &Residual) -> f64 {
        self.dot(j, r) / self.design.rows() as f64 - self.penalty.l2 * beta
    }
}

/// Minimises over `block` with everything else fixed.
pub fn descend(view: View, block: &mut Block, r: &mut Residual, effort: Effort) -> Descended {
    let mut work = Work {
        view,
        block,
        r,
        updates: 0,
        support: Vec::new(),
    };
    let worst_before = work.worst();
    match effort {
        Effort::Epochs(epochs) => {
            work.epoch();
            work.find_support();
            for _ in 0..epochs {
                work.support_epoch();
            }
        }
        Effort::Gap(goal) => work.until(goal, worst_before),
    }
    let Work { updates, r, .. } = work;
    let offset = std::mem::take(&mut r.offset);
    if offset != 0.0 {
        r.parts.iter_mut().for_each(|part| *part += offset);
    }
    Descended {
        worst_before,
        updates,
    }
}

struct Work<'a> {
    view: View<'a>,
    block: &'a mut Block,
    r: &'a mut Residual,
    updates: u64,
    /// Positions of the coefficients that are not zero.
    support: Vec<usize>,
}

impl Work<'_> {
    fn until(&mut self, goal: f64, worst: f64) {
        let target = self.target();
        let mut gap = self.gap(&target, worst);
        let mut iterations = FACE_ITERATIONS;
        for _ in 0..ROUNDS {
            if gap <= goal {
                return;
            }
            self.epoch();
            self.find_support();
            for _ in 0..SUPPORT_EPOCHS {
                self.support_epoch();
            }
            // A face that was the right one so far is worth going further on.
            if face::step(self.view, self.block, &self.support, self.r, iterations) == Step::Whole {
                iterations *= 2;
            }
            gap = self.gap(&target, self.worst());
        }
    }

    /// One pass over all columns of the block.
    fn epoch(&mut self) {
        let Self { view, block, r, .. } = self;
        vectorised(
            #[inline(always)]
            || {
                for (beta, &column) in block.beta.iter_mut().zip(&block.columns) {
                    minimise(*view, column as usize, beta, r);
                }
            },
        );
        self.updates += self.block.columns.len() as u64;
    }

    /// One pass over the columns whose coefficients are not zero.
    fn support_epoch(&mut self) {
        let Self {
            view,
            block,
            r,
            support,
            ..
        } = self;
        vectorised(
            #[inline(always)]
            || {
                for &k in support.iter() {
                    minimise(*view, block.columns[k] as usize, &mut block.beta[k], r);
                }
            },
        );
        self.updates += self.support.len() as u64;
    }

    fn find_support(&mut self) {
        self.support.clear();
        self.support
            .extend((0..self.block.beta.len()).filter(|&k| self.block.beta[k] != 0.0));
    }

    /// The largest |correlation| of a column of the block.
    fn worst(&self) -> f64 {
        let Self { view, block, r, .. } = self;
        vectorised(
            #[inline(always)]
            || {
                let mut worst: f64 = 0.0;
                for (&j, &beta) in block.columns.iter().zip(&block.beta) {
                    worst = worst.max(view.correlation(j as usize, beta, r).abs());
                }
                worst
            },
        )
    }

    /// What the block has to explain: r + X β over the block.
    fn target(&self) -> Residual {
        let mut target = self.r.clone();
        vectorised(
            #[inline(always)]
            || {
                for (&j, &beta) in self.block.columns.iter().zip(&self.block.beta) {
                    if beta != 0.0 {
                        self.view.add_scaled(beta, j as usize, &mut target);
                    }
                }
            },
        );
        target
    }

    fn gap(&self, target: &Residual, worst: f64) -> f64 {
        let (mut own, mut cross) = (0.0, 0.0);
        for (&r, &y) in self.r.parts.iter().zip(&target.parts) {
            let r = r + self.r.offset;
            own += r * r;
            cross += r * (y + target.offset);
        }
        let rows = self.view.design.rows() as f64;
        let beta = self.block.beta.iter().copied();
        squared_gap(own / rows, cross / rows, worst, beta, self.view.penalty)
    }
}

/// Minimises over one coefficient.
#[inline(always)]
fn minimise(view: View, j: usize, beta: &mut f64, r: &mut Residual) {
    let square = view.moments.square[j];
    if square == 0.0 {
        return;
    }
    let rows = view.design.rows() as f64;
    let curvature = square / rows;
    let new = view
        .penalty
        .minimise(curvature, view.dot(j, r) / rows + curvature * *beta);
    if new != *beta {
        view.add_scaled(*beta - new, j, r);
        *beta = new;
    }
}

/// The duality gap of ½ own + penalty(β) at the dual point s r, where own = ‖r‖²/n,
/// cross = yᵀr/n, `worst` = max |correlation|, and s is the best scale that is feasible.
pub fn squared_gap(
    own: f64,
    cross: f64,
    worst: f64,
    beta: impl Iterator<Item = f64> + Clone,
    penalty: Penalty,
) -> f64 {
    let square: f64 = beta.clone().map(|b| b * b).sum();
    let primal = 0.5 * own + penalty.value(beta);
    let weight = own + penalty.l2 * square;
    let limit = if worst > 0.0 {
        penalty.l1 / worst
    } else {
        f64::INFINITY
    };
    let scale = if weight > 0.0 {
        (cross / weight).clamp(-limit, limit)
    } else {
        0.0
    };
    let dual = scale * cross - 0.5 * scale * scale * weight;
    (primal - dual).max(0.0)
}
