//! A Cholesky factor that follows a set of columns as it changes.
//!
//! L Lᵀ = X̃ᵀ X̃ / n over the columns, in the order in which they came. Along a path few columns come
//! and go at a time. Then keeping the factor costs little, and minimising over a whole support with
//! its signs fixed costs two triangular solves.

use super::kernel::{TOGETHER, add_scaled, dot, dots, vectorised};

/// A column of which less than this share is left beside the others is a combination of them.
const DEPENDENT: f64 = 1e-9;

/// The factor.
#[derive(Clone, Debug, Default)]
pub(super) struct Factor {
    columns: Vec<u32>,
    /// L row after row, of which the i-th has i + 1 entries.
    rows: Vec<f64>,
}

impl Factor {
    /// The columns, in the order of the rows.
    pub fn columns(&self) -> &[u32] {
        &self.columns
    }

    /// True if it may be a factor for a design of `columns` columns: what was written down can be
    /// damaged.
    pub fn fits(&self, columns: usize) -> bool {
        let known = self.columns.iter().all(|&j| (j as usize) < columns);
        known && self.rows.len() == start(self.columns.len())
    }

    /// Adds columns. `products[k]` are the k-th one's with the columns that are there, and then with
    /// all that come. One that depends on those before it stays out.
    pub fn extend(&mut self, columns: &[u32], products: &mut [Vec<f64>]) {
        let held = self.columns.len();
        for i in 0..held {
            let (before, last) = self.row(i);
            let (groups, rest) = products.as_chunks_mut::<TOGETHER>();
            for group in groups {
                let sums = dots(before, group.each_ref().map(|row| &row[..i]));
                for (row, sum) in group.iter_mut().zip(sums) {
                    row[i] = (row[i] - sum) / last;
                }
            }
            for row in rest {
                row[i] = (row[i] - dot(before, &row[..i])) / last;
            }
        }
        for (k, &column) in columns.iter().enumerate() {
            let (row, coming) = products[k].split_at(held);
            let (mut row, square) = (row.to_vec(), coming[k]);
            let came = &self.columns[held..];
            let came: Vec<f64> = (columns.iter().zip(coming))
                .filter(|&(column, _)| came.contains(column))
                .map(|(_, &product)| product)
                .collect();
            for product in came {
                let (before, last) = self.row(row.len());
                row.push((product - dot(before, &row)) / last);
            }
            let rest = square - dot(&row, &row);
            // Asked this way round, what is not a number stays out as well.
            if rest > DEPENDENT * square {
                self.columns.push(column);
                self.rows.append(&mut row);
                self.rows.push(rest.sqrt());
            }
        }
    }

    /// Row `i` of L, and its last entry.
    fn row(&self, i: usize) -> (&[f64], f64) {
        (&self.rows[start(i)..start(i) + i], self.rows[start(i) + i])
    }

    /// Keeps the columns for which `keep` holds.
    pub fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        // From the end on, as the rows behind a column are what its removal changes.
        for at in (0..self.columns.len()).rev() {
            if !keep(self.columns[at]) {
                self.remove(at);
            }
        }
    }

    /// Without row `at`, each row behind it has an entry too many. Rotations of neighbouring entries,
    /// the same in all rows, turn it to zero.
    fn remove(&mut self, at: usize) {
        self.columns.remove(at);
        let mut rotations: Vec<(f64, f64)> = Vec::with_capacity(self.columns.len() - at);
        for i in at..self.columns.len() {
            self.rows
                .copy_within(start(i + 1)..start(i + 1) + at, start(i));
            let (row, mut from) = (start(i), start(i + 1) + at);
            let mut carried = self.rows[from];
            for (k, &(cosine, sine)) in (at..).zip(&rotations) {
                from += 1;
                let next = self.rows[from];
                self.rows[row + k] = cosine * carried + sine * next;
                carried = cosine * next - sine * carried;
            }
            let last = self.rows[from + 1];
            let length = carried.hypot(last);
            rotations.push((carried / length, last / length));
            self.rows[row + i] = length;
        }
        self.rows.truncate(start(self.columns.len()));
    }

    /// The solution x of L Lᵀ x = `right`.
    pub fn solve(&self, right: Vec<f64>) -> Vec<f64> {
        let mut x = right;
        for i in 0..x.len() {
            let (row, last) = self.row(i);
            x[i] = (x[i] - dot(row, &x[..i])) / last;
        }
        vectorised(
            #[inline(always)]
            || {
                for i in (0..x.len()).rev() {
                    let (row, last) = self.row(i);
                    x[i] /= last;
                    let (before, rest) = x.split_at_mut(i);
                    add_scaled(-rest[0], row, before);
                }
            },
        );
        x
    }
}

/// Where row `i` begins.
fn start(i: usize) -> usize {
    i * (i + 1) / 2
}

strads::travel_by_fields!(Factor { columns, rows });

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn product(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// Adds columns of a design.
    fn add(factor: &mut Factor, design: &[Vec<f64>], columns: &[u32]) {
        let with = [factor.columns(), columns].concat();
        let products = |&j: &u32| {
            let products = with
                .iter()
                .map(|&i| product(&design[i as usize], &design[j as usize]));
            products.collect()
        };
        let mut products: Vec<Vec<f64>> = columns.iter().map(products).collect();
        factor.extend(columns, &mut products);
    }

    proptest! {
        /// Whatever came and went, a solution satisfies the normal equations of the columns that
        /// are there, written out.
        #[test]
        fn solutions_satisfy_the_normal_equations(
            entries in prop::collection::vec(-1.0_f64..1.0, 12 * 40),
            turns in prop::collection::vec(prop::collection::btree_map(0_u32..12, any::<bool>(), 1..8), 1..20),
        ) {
            let design: Vec<Vec<f64>> = entries.chunks(40).map(<[f64]>::to_vec).collect();
            let mut factor = Factor::default();
            let mut there = Vec::new();
            for turn in turns {
                there.retain(|j| !turn.contains_key(j));
                factor.retain(|j| !turn.contains_key(&j));
                let coming: Vec<u32> = turn.into_iter().filter(|turn| turn.1).map(|turn| turn.0).collect();
                add(&mut factor, &design, &coming);
                there.extend(coming);
            }
            prop_assert_eq!(factor.columns(), &there[..]);
            let right: Vec<f64> = there.iter().map(|&j| f64::from(j) - 5.5).collect();
            let x = factor.solve(right.clone());
            for (&i, right) in there.iter().zip(right) {
                let left: f64 = (there.iter().zip(&x))
                    .map(|(&j, x)| product(&design[i as usize], &design[j as usize]) * x)
                    .sum();
                prop_assert!((left - right).abs() < 1e-6, "{left} and not {right}");
            }
        }
    }

    #[test]
    fn a_combination_of_the_others_stays_out() {
        let design = [
            vec![1.0, 2.0, 3.0],
            vec![0.5, -1.0, 2.0],
            vec![2.0, 0.0, 7.0],
            vec![0.0; 3],
        ];
        let mut factor = Factor::default();
        // The third is once the first and twice the second.
        add(&mut factor, &design, &[0, 1, 2]);
        add(&mut factor, &design, &[3, 2]);
        assert_eq!(factor.columns(), [0, 1]);
    }
}
