//! What a worker does with columns: coordinate descent on a block of them, for the squared loss,
//! and the two products with the design that everything else is made of.

use super::design::{Design, Moments};
use super::kernel::{TOGETHER, vectorised};
use super::penalty::Penalty;

/// The columns as they are seen.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The stored columns.
    pub design: &'a Design,
    /// How they are seen.
    pub moments: &'a Moments,
}

/// A residual in two parts: rᵢ = parts[i] + offset. Moving along a centred column changes all
/// entries by the same amount, which costs one addition this way.
struct Residual {
    parts: Vec<f64>,
    offset: f64,
}

impl Residual {
    /// The entries themselves.
    fn settled(self) -> Vec<f64> {
        let Self { mut parts, offset } = self;
        if offset != 0.0 {
            parts.iter_mut().for_each(|part| *part += offset);
        }
        parts
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

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Swept {
    /// How many coordinates were minimised over.
    pub updates: u64,
    /// The last epoch moved nearly as much as the one before: sweeps alone will take long.
    pub creeps: bool,
}

/// An epoch that moves more than this share of what the one before moved, in squares, creeps.
const CREEPING: f64 = 0.1;

impl View<'_> {
    /// x̃ⱼᵀ r.
    #[inline(always)]
    fn dot(self, j: usize, r: &Residual) -> f64 {
        // A centred residual sums to zero, so of x̃ only its uncentred part counts; Σ x = n μ.
        let rows = self.design.rows() as f64;
        self.moments.factor(j) * self.design.column(j).dot(&r.parts)
            + r.offset * rows * self.moments.shift(j)
    }

    /// r ← r + a x̃ⱼ.
    #[inline(always)]
    fn add_scaled(self, a: f64, j: usize, r: &mut Residual) {
        self.design
            .column(j)
            .add_scaled(a * self.moments.factor(j), &mut r.parts);
        r.offset -= a * self.moments.shift(j);
    }
}

/// Minimises over each column of `block` in turn with everything else fixed, then `epochs` times
/// over those whose coefficients are not zero.
pub fn sweep(
    view: View,
    penalty: Penalty,
    block: &mut Block,
    r: &mut Vec<f64>,
    epochs: usize,
) -> Swept {
    let mut residual = Residual {
        parts: std::mem::take(r),
        offset: 0.0,
    };
    let swept = vectorised(
        #[inline(always)]
        || {
            epoch(view, penalty, block, 0..block.columns.len(), &mut residual);
            let support: Vec<usize> = (0..block.beta.len())
                .filter(|&k| block.beta[k] != 0.0)
                .collect();
            let (mut before, mut moved) = (0.0, 0.0);
            for _ in 0..epochs {
                before = moved;
                moved = epoch(view, penalty, block, support.iter().copied(), &mut residual);
            }
            Swept {
                updates: (block.columns.len() + epochs * support.len()) as u64,
                creeps: moved > CREEPING * before,
            }
        },
    );
    *r = residual.settled();
    swept
}

/// One pass over the columns of `block` at `positions`; how far X β moved, in squares as if
/// columns were orthogonal.
#[inline(always)]
fn epoch(
    view: View,
    penalty: Penalty,
    block: &mut Block,
    positions: impl Iterator<Item = usize>,
    r: &mut Residual,
) -> f64 {
    let mut moved = 0.0;
    for k in positions {
        let j = block.columns[k] as usize;
        let change = minimise(view, penalty, j, &mut block.beta[k], r);
        moved += change * change * view.moments.square[j];
    }
    moved
}

/// x̃ᵀ v of each of `columns`, for a vector that sums to zero if they are centred.
pub fn project(view: View, columns: &[u32], v: &[f64]) -> Vec<f64> {
    let mut products = Vec::with_capacity(columns.len());
    vectorised(
        #[inline(always)]
        || {
            for &j in columns {
                let j = j as usize;
                products.push(view.moments.factor(j) * view.design.column(j).dot(v));
            }
        },
    );
    products
}

/// x̃ᵢᵀ x̃ⱼ for each i of `columns` and each j of `others`, the products of one i together.
pub fn gram(view: View, columns: &[u32], others: &[u32]) -> Vec<f64> {
    let others: Vec<Vec<f64>> = others
        .iter()
        .map(|&j| combine(view, &[j], &[1.0]))
        .collect();
    let mut products = Vec::with_capacity(columns.len() * others.len());
    vectorised(
        #[inline(always)]
        || {
            for &i in columns {
                let i = i as usize;
                let (column, factor) = (view.design.column(i), view.moments.factor(i));
                let (groups, rest) = others.as_chunks::<TOGETHER>();
                for group in groups {
                    let group = column.dots(group.each_ref().map(Vec::as_slice));
                    products.extend(group.map(|product| factor * product));
                }
                products.extend(rest.iter().map(|other| factor * column.dot(other)));
            }
        },
    );
    products
}

/// Σ wⱼ x̃ⱼ over `columns`.
pub fn combine(view: View, columns: &[u32], weights: &[f64]) -> Vec<f64> {
    let mut sum = Residual {
        parts: vec![0.0; view.design.rows()],
        offset: 0.0,
    };
    vectorised(
        #[inline(always)]
        || {
            for (&j, &weight) in columns.iter().zip(weights) {
                if weight != 0.0 {
                    view.add_scaled(weight, j as usize, &mut sum);
                }
            }
        },
    );
    sum.settled()
}

/// Minimises over one coefficient; by how much it changed.
#[inline(always)]
fn minimise(view: View, penalty: Penalty, j: usize, beta: &mut f64, r: &mut Residual) -> f64 {
    let square = view.moments.square[j];
    if square == 0.0 {
        return 0.0;
    }
    let rows = view.design.rows() as f64;
    let curvature = square / rows;
    let new = penalty.minimise(curvature, view.dot(j, r) / rows + curvature * *beta);
    let change = new - *beta;
    if change != 0.0 {
        view.add_scaled(-change, j, r);
        *beta = new;
    }
    change
}

strads::travel_by_fields!(Block { columns, beta } Swept { updates, creeps });
