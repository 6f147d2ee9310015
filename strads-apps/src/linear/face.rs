//! Face steps: solving for a whole support at once.
//!
//! With the signs of the non-zero coefficients fixed, the objective is a quadratic whose minimiser
//! is one linear system in the Gram matrix of the support. Where that minimiser keeps the signs,
//! it is the optimum of the face; where some coefficient would change its sign, the step stops
//! those at zero and is shortened until the objective falls. Entries of the Gram matrix are kept
//! from step to step, so a support that changes little costs little.

use std::collections::HashMap;

use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::{Accum, Mat, MatMut, MatRef, Par, Side};

use super::descent::{Block, Residual, View};
use super::design::Column;
use super::kernel::vectorised;

/// Multiplications of a dense factorisation or product that take as long as one of a column
/// update: the former run from registers, the latter from memory.
const DENSE_GAIN: f64 = 20.0;
/// The largest support that is solved for at once: 4,096² entries are 128 MiB.
const LARGEST: usize = 4_096;
/// Rows of a dense design that are multiplied at a time: what fits the cache.
const PANEL: usize = 256;

/// What became of a face step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The objective fell.
    Taken,
    /// The face has no unique minimiser, or no step along it helps: nothing changed.
    Refused,
}

/// The Gram matrix of the columns that have been in a support.
#[derive(Debug)]
pub struct Face {
    slots: HashMap<u32, usize>,
    columns: Vec<u32>,
    gram: Mat<f64>,
    /// Supports that defeated the factorisation are not tried again until they change.
    refused: Vec<usize>,
}

impl Default for Face {
    fn default() -> Self {
        Self { slots: HashMap::new(), columns: Vec::new(), gram: Mat::new(), refused: Vec::new() }
    }
}

impl Face {
    /// What a step costs, in multiplications of a column update.
    pub fn cost(&self, view: View, columns: &[u32], support: &[usize]) -> f64 {
        let size = support.len();
        if size == 0 || size > LARGEST || support == self.refused {
            return f64::INFINITY;
        }
        let known = |&&k: &&usize| self.slots.contains_key(&columns[k]);
        let missing = (size - support.iter().filter(known).count()) as f64;
        let size = size as f64;
        let stored: usize = support.iter().map(|&k| view.design.stored(columns[k] as usize)).sum();
        let product = if view.design.is_sparse() {
            // Rows of the support are stored / n long: every pair in a row is one multiplication.
            let length = stored as f64 / view.design.rows() as f64;
            DENSE_GAIN * missing / size * stored as f64 * (length + 2.0)
        } else {
            missing * stored as f64
        };
        (product + size * size * size / 6.0) / DENSE_GAIN + 4.0 * stored as f64 + size * size
    }

    /// Moves the support of `block` towards the minimiser of its face.
    pub fn step(&mut self, view: View, block: &mut Block, support: &[usize], r: &mut Residual) -> Step {
        let t0=std::time::Instant::now();
        let columns: Vec<u32> = support.iter().map(|&k| block.columns[k]).collect();
        self.know(view, &columns);
        let t1=t0.elapsed();
        let Some(direction) = self.direction(view, block, support, r) else {
            self.refused = support.to_vec();
            return Step::Refused;
        };
        let t2=t0.elapsed();
        let step = shorten(view, block, support, &direction, r);
        eprintln!("   face {} know {:?} direction {:?} shorten {:?} {:?}", support.len(), t1, t2-t1, t0.elapsed()-t2, step);
        self.refused = if step == Step::Refused { support.to_vec() } else { Vec::new() };
        step
    }

    /// From β on the support to the minimiser of the face, if it is unique.
    fn direction(&self, view: View, block: &Block, support: &[usize], r: &Residual) -> Option<Vec<f64>> {
        let rows = view.design.rows() as f64;
        let slots: Vec<usize> = support.iter().map(|&k| self.slots[&block.columns[k]]).collect();
        let mut system = Mat::from_fn(slots.len(), slots.len(), |a, b| self.entry(slots[a], slots[b]) / rows);
        for a in 0..slots.len() {
            system[(a, a)] += view.penalty.l2;
        }
        let downhill = vectorised(
            #[inline(always)]
            || {
                let pull = |&k: &usize| {
                    let beta = block.beta[k];
                    view.correlation(block.columns[k] as usize, beta, r) - view.penalty.l1 * beta.signum()
                };
                support.iter().map(pull).collect::<Vec<f64>>()
            },
        );
        let factor = system.llt(Side::Lower).ok()?;
        let mut solution = Mat::from_fn(slots.len(), 1, |a, _| downhill[a]);
        factor.solve_in_place(solution.as_mut());
        let direction: Vec<f64> = (0..slots.len()).map(|a| solution[(a, 0)]).collect();
        direction.iter().all(|d| d.is_finite()).then_some(direction)
    }

    /// Only one triangle is filled.
    fn entry(&self, a: usize, b: usize) -> f64 {
        self.gram[(a.max(b), a.min(b))]
    }

    /// Adds what the Gram matrix lacks for `columns`.
    fn know(&mut self, view: View, columns: &[u32]) {
        let missing: Vec<u32> = columns.iter().copied().filter(|j| !self.slots.contains_key(j)).collect();
        if missing.is_empty() {
            return;
        }
        if self.columns.len() + missing.len() > LARGEST.min(2 * columns.len() + 512) {
            self.forget_all_but(columns);
        }
        let old = self.columns.len();
        for &j in &missing {
            self.slots.insert(j, self.columns.len());
            self.columns.push(j);
        }
        let size = self.columns.len();
        self.gram.resize_with(size, size, |_, _| 0.0);
        let new = self.gram.as_mut().subrows_mut(old, size - old);
        if view.design.is_sparse() {
            products_by_row(view, &self.columns, old, new);
        } else {
            products_by_panel(view, &self.columns, old, new);
        }
        let rows = view.design.rows() as f64;
        let moments = view.moments;
        for a in old..size {
            let j = self.columns[a] as usize;
            for b in 0..=a {
                let k = self.columns[b] as usize;
                let raw = self.gram[(a, b)] * moments.factor[j] * moments.factor[k];
                self.gram[(a, b)] = raw - rows * moments.shift[j] * moments.shift[k];
            }
        }
    }

    fn forget_all_but(&mut self, columns: &[u32]) {
        let kept: Vec<u32> = columns.iter().copied().filter(|j| self.slots.contains_key(j)).collect();
        let slots: Vec<usize> = kept.iter().map(|j| self.slots[j]).collect();
        let gram = Mat::from_fn(slots.len(), slots.len(), |a, b| self.entry(slots[a], slots[b]));
        self.gram = gram;
        self.slots = kept.iter().enumerate().map(|(slot, &j)| (j, slot)).collect();
        self.columns = kept;
    }
}

/// Products of the columns from `old` on with all of them, for dense columns: a panel of rows at a
/// time is unpacked and multiplied.
fn products_by_panel(view: View, columns: &[u32], old: usize, mut new: MatMut<f64>) {
    let rows = view.design.rows();
    let mut panel = vec![0.0; PANEL * columns.len()];
    for start in (0..rows).step_by(PANEL) {
        let height = PANEL.min(rows - start);
        let range = start..start + height;
        for (&j, out) in columns.iter().zip(panel.chunks_exact_mut(PANEL)) {
            let out = &mut out[..height];
            match view.design.column(j as usize) {
                Column::F64(x) => out.copy_from_slice(&x[range.clone()]),
                Column::F32(x) => widen(&x[range.clone()], out),
                Column::I8(x) => widen(&x[range.clone()], out),
                Column::Sparse(..) | Column::Ones(_) => unreachable!("sparse columns go by row"),
            }
        }
        let packed = MatRef::from_column_major_slice_with_stride(&panel, height, columns.len(), PANEL);
        let fresh = packed.subcols(old, columns.len() - old);
        matmul(new.as_mut(), Accum::Add, fresh.transpose(), packed, 1.0, Par::Seq);
    }
}

fn widen<E: super::kernel::Entry>(from: &[E], to: &mut [f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.value();
    }
}

/// The same for sparse columns: the pairs of stored entries of each row.
fn products_by_row(view: View, columns: &[u32], old: usize, mut new: MatMut<f64>) {
    let rows = view.design.rows();
    let mut starts = vec![0_u32; rows + 2];
    for_each_entry(view, columns, |_, row, _| starts[row as usize + 2] += 1);
    for row in 2..starts.len() {
        starts[row] += starts[row - 1];
    }
    let stored = starts[rows + 1] as usize;
    let mut entries = vec![(0_u32, 0.0); stored];
    for_each_entry(view, columns, |slot, row, value| {
        let at = &mut starts[row as usize + 1];
        entries[*at as usize] = (slot, value);
        *at += 1;
    });
    for row in 0..rows {
        // Slots ascend within a row, because columns were walked in slot order.
        let row = &entries[starts[row] as usize..starts[row + 1] as usize];
        let first_new = row.partition_point(|&(slot, _)| (slot as usize) < old);
        for (at, &(a, x)) in row.iter().enumerate().skip(first_new) {
            for &(b, z) in &row[..=at] {
                new[(a as usize - old, b as usize)] += x * z;
            }
        }
    }
}

fn for_each_entry(view: View, columns: &[u32], mut visit: impl FnMut(u32, u32, f64)) {
    for (slot, &j) in columns.iter().enumerate() {
        match view.design.column(j as usize) {
            Column::Sparse(rows, values) => {
                rows.iter().zip(values).for_each(|(&row, &value)| visit(slot as u32, row, value));
            }
            Column::Ones(rows) => rows.iter().for_each(|&row| visit(slot as u32, row, 1.0)),
            _ => unreachable!("dense columns go by panel"),
        }
    }
}

/// Steps along `direction`, stopping coefficients that would change sign at zero, with the
/// longest of a few step lengths at which the objective falls.
fn shorten(view: View, block: &mut Block, support: &[usize], direction: &[f64], r: &mut Residual) -> Step {
    let before = objective(view, block, support, r);
    let mut length = 1.0;
    for _ in 0..12 {
        let target = |at: usize| {
            let beta = block.beta[support[at]];
            let moved = beta + length * direction[at];
            if moved * beta > 0.0 { moved } else { 0.0 }
        };
        let beta: Vec<f64> = (0..support.len()).map(target).collect();
        let mut after = r.clone();
        vectorised(
            #[inline(always)]
            || {
                for (&k, &new) in support.iter().zip(&beta) {
                    view.add_scaled(block.beta[k] - new, block.columns[k] as usize, &mut after);
                }
            },
        );
        let old: Vec<f64> = support.iter().map(|&k| block.beta[k]).collect();
        support.iter().zip(&beta).for_each(|(&k, &new)| block.beta[k] = new);
        if objective(view, block, support, &after) < before {
            *r = after;
            return Step::Taken;
        }
        support.iter().zip(&old).for_each(|(&k, &old)| block.beta[k] = old);
        length *= 0.5;
    }
    Step::Refused
}

fn objective(view: View, block: &Block, support: &[usize], r: &Residual) -> f64 {
    let square: f64 = r.parts.iter().map(|part| (part + r.offset).powi(2)).sum();
    let beta = support.iter().map(|&k| block.beta[k]);
    0.5 * square / view.design.rows() as f64 + view.penalty.value(beta)
}
