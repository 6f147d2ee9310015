//! Dual coordinate ascent (SDCA): a distribution over the classes for each example, and the bound
//! that these make.
//!
//! With `qᵢ` the distribution of example i, `αᵢ = e(yᵢ) − qᵢ` and `W = 1/(λn) Σ xᵢ αᵢᵀ`, the dual is
//!
//! ```text
//! D = 1/n Σ H(qᵢ) − λ/2 ‖W‖²     with the entropy H(q) = −Σ q log q
//! ```
//!
//! which no primal is below. A step moves `qᵢ` towards `p = softmax(Wᵀ xᵢ)` by a share `s`. Entropy is
//! strongly concave, so that the dual grows by at least
//!
//! ```text
//! n ΔD ≥ s KL(qᵢ‖p) + s(1 − s)/2 ‖p − qᵢ‖₁² − s² σ‖xᵢ‖²/(2λn) ‖p − qᵢ‖₂²
//! ```
//!
//! and `s` is where that is greatest. Blocks of examples step at the same time without knowing of
//! each other; `σ` is how many blocks do, which keeps the sum of their steps an ascent.

use bosen::factors::Rows;
use ndarray::ArrayView2;

use super::kernel::{scores, softmax};

/// The distributions of a worker's examples, one behind the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Duals {
    classes: usize,
    entries: Vec<f32>,
}

/// What a block of steps is about.
#[derive(Clone, Copy, Debug)]
pub struct Ascent {
    /// λ times the number of all examples.
    pub lambda_n: f32,
    /// σ: how many blocks are on their way at once.
    pub blocks: f32,
    /// Rows of the matrix.
    pub rows: usize,
    /// Threads to compute with.
    pub threads: usize,
}

impl Duals {
    /// All certain of the classes `labels`, where `W` is zero.
    pub fn certain(labels: &[u32], classes: usize) -> Self {
        let mut entries = vec![0.0; labels.len() * classes];
        for (q, &label) in entries.chunks_exact_mut(classes).zip(labels) {
            q[label as usize] = 1.0;
        }
        Self { classes, entries }
    }

    /// Those that were kept.
    pub fn of(entries: Vec<f32>, classes: usize) -> Self {
        Self { classes, entries }
    }

    /// The distributions, one behind the other.
    pub fn entries(&self) -> &[f32] {
        &self.entries
    }

    /// Steps for the examples in `places`, whose features are `v`, one after the other. Returns the
    /// changes of their `α`, and their summed loss as it was before the steps.
    pub fn ascend(
        &mut self,
        places: &[usize],
        v: &Rows<'_>,
        labels: &[u32],
        weights: &[f32],
        ascent: Ascent,
    ) -> (Vec<f32>, f64) {
        let classes = self.classes;
        let mut z = scores(v, weights, ascent.rows, classes, ascent.threads);
        let loss = summed_loss(&z, labels, classes);
        let products = products(v, ascent.rows);
        let by = ascent.blocks / ascent.lambda_n;
        let mut changes = vec![0.0; z.len()];
        for (number, &place) in places.iter().enumerate() {
            let (before, own) = changes.split_at_mut(number * classes);
            let z = &mut z[number * classes..][..classes];
            // What the steps before this one in the block have changed.
            for (other, change) in before.chunks_exact(classes).enumerate() {
                let product = by * products[number * places.len() + other];
                if product != 0.0 {
                    z.iter_mut()
                        .zip(change)
                        .for_each(|(z, d)| *z += product * d);
                }
            }
            softmax(z, classes);
            let q = &mut self.entries[place * classes..][..classes];
            let curvature = by * products[number * places.len() + number];
            step(q, z, curvature, &mut own[..classes]);
        }
        (changes, loss)
    }

    /// The summed entropy of all.
    pub fn entropy(&self) -> f64 {
        let terms = self.entries.iter().filter(|q| **q > 0.0);
        -terms
            .map(|&q| f64::from(q) * f64::from(q).ln())
            .sum::<f64>()
    }
}

/// Moves `q` towards `p`, and says by how much `α` has changed.
fn step(q: &mut [f32], p: &[f32], curvature: f32, change: &mut [f32]) {
    let (mut divergence, mut l1, mut l2) = (0.0, 0.0, 0.0);
    for (&q, &p) in q.iter().zip(p) {
        if q > 0.0 {
            divergence += q * (q / p.max(f32::MIN_POSITIVE)).ln();
        }
        let apart = (p - q).abs();
        l1 += apart;
        l2 += apart * apart;
    }
    let bends = l1 * l1 + curvature * l2;
    if bends <= 0.0 {
        return;
    }
    let share = ((divergence.max(0.0) + 0.5 * l1 * l1) / bends).min(1.0);
    for ((q, &p), change) in q.iter_mut().zip(p).zip(change) {
        let moved = share * (p - *q);
        *change = -moved;
        *q = (*q + moved).max(0.0);
    }
}

/// The summed loss of examples with these scores.
pub fn summed_loss(z: &[f32], labels: &[u32], classes: usize) -> f64 {
    let of_example = |(z, &label): (&[f32], &u32)| {
        let greatest = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = z.iter().map(|z| f64::from(z - greatest).exp()).sum();
        sum.ln() + f64::from(greatest - z[label as usize])
    };
    z.chunks_exact(classes).zip(labels).map(of_example).sum()
}

/// The products of all pairs of examples.
fn products(v: &Rows<'_>, rows: usize) -> Vec<f32> {
    match v {
        Rows::All(v) => {
            let count = v.len() / rows.max(1);
            let v = ArrayView2::from_shape((count, rows), v).expect("whole examples");
            v.dot(&v.t()).into_iter().collect()
        }
        Rows::Some { ends, rows, values } => {
            let entries = |at: usize| {
                let from = at.checked_sub(1).map_or(0, |before| ends[before] as usize);
                let range = from..ends[at] as usize;
                (&rows[range.clone()], &values[range])
            };
            let all = 0..ends.len();
            let pairs = all
                .clone()
                .flat_map(|one| all.clone().map(move |other| (one, other)));
            pairs
                .map(|(one, other)| product(entries(one), entries(other)))
                .collect()
        }
    }
}

/// The product of two examples whose rows are named, ascending.
fn product((a_rows, a): (&[u32], &[f32]), (b_rows, b): (&[u32], &[f32])) -> f32 {
    let (mut at, mut sum) = (0, 0.0);
    for (row, x) in a_rows.iter().zip(a) {
        while b_rows.get(at).is_some_and(|other| other < row) {
            at += 1;
        }
        if b_rows.get(at) == Some(row) {
            sum += x * b[at];
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    //! A block of steps raises the dual by what it promises, whether features are dense or named,
    //! and leaves distributions that are ones.
    use super::*;

    const CLASSES: usize = 3;
    const ROWS: usize = 4;
    const LAMBDA_N: f32 = 0.6;

    /// Six examples, every third entry 0, and their classes.
    fn examples() -> (Vec<f32>, Vec<u32>) {
        let entry = |at: usize| {
            if at.is_multiple_of(3) {
                0.0
            } else {
                (at as f32 * 1.7).sin()
            }
        };
        ((0..6 * ROWS).map(entry).collect(), vec![0, 1, 2, 0, 1, 2])
    }

    fn named(x: &[f32]) -> Rows<'static> {
        let (mut ends, mut rows, mut values) = (vec![], vec![], vec![]);
        for example in x.chunks(ROWS) {
            for (row, x) in example.iter().enumerate().filter(|(_, x)| **x != 0.0) {
                rows.push(row as u32);
                values.push(*x);
            }
            ends.push(rows.len() as u32);
        }
        Rows::Some {
            ends: ends.into(),
            rows: rows.into(),
            values: values.into(),
        }
    }

    /// n D, by its definition.
    fn dual(duals: &Duals, weights: &[f32]) -> f64 {
        let square: f64 = weights.iter().map(|&w| f64::from(w) * f64::from(w)).sum();
        duals.entropy() - f64::from(LAMBDA_N) / 2.0 * square
    }

    #[test]
    fn steps_climb_to_the_primal() {
        let (x, labels) = examples();
        for v in [Rows::All(x.clone().into()), named(&x)] {
            let places: Vec<usize> = (0..6).collect();
            let ascent = Ascent {
                lambda_n: LAMBDA_N,
                blocks: 1.0,
                rows: ROWS,
                threads: 1,
            };
            let mut duals = Duals::certain(&labels, CLASSES);
            let mut weights = vec![0.0; ROWS * CLASSES];
            let mut before = dual(&duals, &weights);
            for _ in 0..400 {
                let (changes, _) = duals.ascend(&places, &v, &labels, &weights, ascent);
                for (x, change) in x.chunks(ROWS).zip(changes.chunks(CLASSES)) {
                    for (row, x) in x.iter().enumerate() {
                        for (class, d) in change.iter().enumerate() {
                            weights[row * CLASSES + class] += x * d / LAMBDA_N;
                        }
                    }
                }
                let after = dual(&duals, &weights);
                assert!(after >= before - 1e-5, "{before} to {after}");
                before = after;
                for q in duals.entries().chunks(CLASSES) {
                    assert!(
                        (q.iter().sum::<f32>() - 1.0).abs() < 1e-4 && q.iter().all(|q| *q >= 0.0)
                    );
                }
            }
            let z = scores(&v, &weights, ROWS, CLASSES, 1);
            let square: f64 = weights.iter().map(|&w| f64::from(w) * f64::from(w)).sum();
            let primal = summed_loss(&z, &labels, CLASSES) + f64::from(LAMBDA_N) / 2.0 * square;
            assert!((primal - before).abs() < 1e-3, "{primal} and {before}");
        }
    }
}
