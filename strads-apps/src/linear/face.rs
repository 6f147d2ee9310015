//! Face steps: moving a whole support at once.
//!
//! With the signs of the non-zero coefficients fixed, the objective is a quadratic. A step goes
//! some iterations of conjugate gradients towards its minimiser. If a coefficient would change its
//! sign on the way it stops at zero, and the step is shortened until the objective falls. Where
//! coordinate descent creeps or spirals along correlated columns, a few such steps arrive.

use super::descent::{Block, Residual, View};
use super::kernel::vectorised;

/// What became of a face step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All of it was taken.
    Whole,
    /// Coefficients had to stop at zero.
    Clipped,
    /// No step of any length helps: nothing changed.
    Refused,
}

/// Iterations end when the gradient on the face has shrunk to this share.
const CLOSE_ENOUGH: f64 = 1e-4;
/// A step is halved this often before it is refused.
const HALVINGS: usize = 8;

/// Moves the support of `block` towards the minimiser of its face.
pub fn step(
    view: View,
    block: &mut Block,
    support: &[usize],
    r: &mut Residual,
    iterations: usize,
) -> Step {
    let (direction, moved) = vectorised(
        #[inline(always)]
        || descend_face(view, block, support, r, iterations),
    );
    let crosses = |(&k, d): (&usize, &f64)| block.beta[k] * (block.beta[k] + d) <= 0.0;
    if !support.iter().zip(&direction).any(crosses) {
        support
            .iter()
            .zip(&direction)
            .for_each(|(&k, d)| block.beta[k] += d);
        r.parts
            .iter_mut()
            .zip(&moved.parts)
            .for_each(|(r, u)| *r -= u);
        r.offset -= moved.offset;
        return Step::Whole;
    }
    shorten(view, block, support, &direction, r)
}

/// From β on the support towards the minimiser of the face: the way d, and X d.
#[inline(always)]
fn descend_face(
    view: View,
    block: &Block,
    support: &[usize],
    r: &Residual,
    iterations: usize,
) -> (Vec<f64>, Residual) {
    let rows = view.design.rows() as f64;
    let column = |k: usize| block.columns[k] as usize;
    let scale: Vec<f64> = support
        .iter()
        .map(|&k| 1.0 / (view.moments.square[column(k)] / rows + view.penalty.l2))
        .collect();
    let mut gradient = Vec::with_capacity(support.len());
    for &k in support {
        let beta = block.beta[k];
        gradient.push(view.correlation(column(k), beta, r) - view.penalty.l1 * beta.signum());
    }
    let mut way = vec![0.0; support.len()];
    let mut moved = Residual {
        parts: vec![0.0; r.parts.len()],
        offset: 0.0,
    };
    let mut image = moved.clone();
    let mut conjugate: Vec<f64> = gradient.iter().zip(&scale).map(|(g, s)| g * s).collect();
    let mut size: f64 = gradient.iter().zip(&conjugate).map(|(g, c)| g * c).sum();
    let goal = CLOSE_ENOUGH * CLOSE_ENOUGH * size;

    for _ in 0..iterations {
        if size <= goal {
            break;
        }
        image.parts.fill(0.0);
        image.offset = 0.0;
        for (&k, &c) in support.iter().zip(&conjugate) {
            view.add_scaled(c, column(k), &mut image);
        }
        let square = image.square();
        let ridge: f64 = conjugate.iter().map(|c| c * c).sum();
        let curvature = square / rows + view.penalty.l2 * ridge;
        if curvature <= 0.0 {
            break;
        }
        let length = size / curvature;
        for (at, &k) in support.iter().enumerate() {
            way[at] += length * conjugate[at];
            let pulled = view.dot(column(k), &image) / rows + view.penalty.l2 * conjugate[at];
            gradient[at] -= length * pulled;
        }
        moved
            .parts
            .iter_mut()
            .zip(&image.parts)
            .for_each(|(m, i)| *m += length * i);
        moved.offset += length * image.offset;
        let before = size;
        size = gradient.iter().zip(&scale).map(|(g, s)| g * g * s).sum();
        for ((c, g), s) in conjugate.iter_mut().zip(&gradient).zip(&scale) {
            *c = g * s + size / before * *c;
        }
    }
    (way, moved)
}

/// Steps along `direction`, stopping coefficients that would change sign at zero, with the
/// longest of a few step lengths at which the objective falls.
fn shorten(
    view: View,
    block: &mut Block,
    support: &[usize],
    direction: &[f64],
    r: &mut Residual,
) -> Step {
    let old: Vec<f64> = support.iter().map(|&k| block.beta[k]).collect();
    let before = objective(view, &old, r);
    let mut length = 1.0;
    for _ in 0..HALVINGS {
        let stop = |(&beta, &way): (&f64, &f64)| {
            let moved = beta + length * way;
            if moved * beta > 0.0 { moved } else { 0.0 }
        };
        let new: Vec<f64> = old.iter().zip(direction).map(stop).collect();
        let mut after = r.clone();
        vectorised(
            #[inline(always)]
            || {
                for ((&k, old), new) in support.iter().zip(&old).zip(&new) {
                    view.add_scaled(old - new, block.columns[k] as usize, &mut after);
                }
            },
        );
        if objective(view, &new, &after) < before {
            support
                .iter()
                .zip(&new)
                .for_each(|(&k, &new)| block.beta[k] = new);
            *r = after;
            return Step::Clipped;
        }
        length *= 0.5;
    }
    Step::Refused
}

fn objective(view: View, beta: &[f64], r: &Residual) -> f64 {
    let square = r.square();
    0.5 * square / view.design.rows() as f64 + view.penalty.value(beta.iter().copied())
}
