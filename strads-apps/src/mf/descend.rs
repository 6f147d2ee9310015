//! The hot loop: gradient steps on the ratings of one cell.
//!
//! The objective is Σ e² + λ (‖p‖² + ‖q‖²) over the ratings, e = r − b_u − b_i − p·q. A user's ratings
//! in a cell are a run: its row p stays in the first-level cache while the q of its items come from
//! the second-level one. Four ratings of a run are taken at a time: their four dot products
//! do not wait for each other, which is what a rating at a time spends most of its time on. Their
//! errors are those before the four; p gets the sum of their gradients.
//!
//! Each row has a rate of its own, η/√(1 + Σ g²), where g² is the mean square of its gradient's
//! entries. It is taken as e² times the mean square of the other side's entries, which needs no
//! second reduction; the share of λ in g is left out.
//!
//! One body serves all instruction sets ([`pulp::Simd`]); the portable one is the reference in tests.

use pulp::{Arch, Simd, WithSimd};

use super::cells::Cell;
use super::measure::Errors;
use super::rows::{Aside, LINE, Rows};

/// How many ratings of a user are taken at a time.
const BATCH: usize = 4;

/// What a gradient step needs beside the rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// η, the rate of a row that has not moved yet.
    pub rate: f32,
    /// η of a bias, as a multiple of its row's rate; 0 leaves biases as they are.
    pub bias_rate: f32,
    /// λ.
    pub lambda: f32,
    /// How much a row's rate falls as it travels: 1 for adaptive rates, 0 for one rate for all.
    pub adapt: f32,
    /// The mean square of the items' entries.
    pub item_square: f32,
    /// Negative entries become 0.
    pub non_negative: bool,
}

/// One step on every rating of `cell`; its errors, each as it was before its own step.
pub fn descend(users: &mut Rows, items: &mut Rows, cell: &Cell, step: Step) -> Errors {
    descend_with(Arch::new(), users, items, cell, step)
}

fn descend_with(arch: Arch, users: &mut Rows, items: &mut Rows, cell: &Cell, step: Step) -> Errors {
    if step.non_negative {
        arch.dispatch(Descend::<true> {
            users,
            items,
            cell,
            step,
        })
    } else {
        arch.dispatch(Descend::<false> {
            users,
            items,
            cell,
            step,
        })
    }
}

struct Descend<'a, const NON_NEGATIVE: bool> {
    users: &'a mut Rows,
    items: &'a mut Rows,
    cell: &'a Cell,
    step: Step,
}

impl<const NON_NEGATIVE: bool> WithSimd for Descend<'_, NON_NEGATIVE> {
    type Output = Errors;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Errors {
        let vectors = self.users.stride() / S::F32_LANES;
        let rank = self.users.rank() as f32;
        let (p_all, user_asides) = self.users.split_mut();
        let (q_all, item_asides) = self.items.split_mut();
        let (p_all, q_all) = (whole_mut::<S>(p_all), whole_mut::<S>(q_all));
        let mut items = Items::<S> {
            vectors,
            q: q_all,
            asides: item_asides,
        };
        let mut errors = Errors::default();
        for (run, ids, values) in self.cell.runs() {
            let at = run.user as usize;
            let p = &mut p_all[at * vectors..][..vectors];
            let mut user = User {
                aside: user_asides[at],
                square: square(simd, p) / rank,
                p,
            };
            let (squared, absolute) = descend_run::<S, NON_NEGATIVE>(
                simd, &mut user, &mut items, ids, values, &self.step,
            );
            user_asides[at] = user.aside;
            errors += Errors {
                count: u64::from(run.len),
                squared: f64::from(squared),
                absolute: f64::from(absolute),
            };
        }
        errors
    }
}

/// The user of a run.
struct User<'a, V> {
    p: &'a mut [V],
    /// The mean square of p's entries, when the run began.
    square: f32,
    aside: Aside,
}

/// The item rows of a cell.
struct Items<'a, S: Simd> {
    /// How many vectors a row has.
    vectors: usize,
    q: &'a mut [S::f32s],
    asides: &'a mut [Aside],
}

#[inline(always)]
fn descend_run<S: Simd, const NON_NEGATIVE: bool>(
    simd: S,
    user: &mut User<S::f32s>,
    items: &mut Items<S>,
    ids: &[u16],
    values: &[f32],
    step: &Step,
) -> (f32, f32) {
    let (ids, last_ids) = ids.as_chunks::<BATCH>();
    let (values, last_values) = values.as_chunks::<BATCH>();
    let mut sums = (0.0, 0.0);
    for (ids, values) in ids.iter().zip(values) {
        batch::<S, BATCH, NON_NEGATIVE>(simd, user, items, ids, values, step, &mut sums);
    }
    // One shorter batch, not several: each waits for the one before it.
    if let (Ok(ids), Ok(values)) = (last_ids.try_into(), last_values.try_into()) {
        batch::<S, 3, NON_NEGATIVE>(simd, user, items, ids, values, step, &mut sums);
    } else if let (Ok(ids), Ok(values)) = (last_ids.try_into(), last_values.try_into()) {
        batch::<S, 2, NON_NEGATIVE>(simd, user, items, ids, values, step, &mut sums);
    } else if let (Ok(ids), Ok(values)) = (last_ids.try_into(), last_values.try_into()) {
        batch::<S, 1, NON_NEGATIVE>(simd, user, items, ids, values, step, &mut sums);
    }
    sums
}

/// One step on `N` ratings of one user. An item that is among them twice gets both gradients.
#[inline(always)]
fn batch<S: Simd, const N: usize, const NON_NEGATIVE: bool>(
    simd: S,
    user: &mut User<S::f32s>,
    items: &mut Items<S>,
    ids: &[u16; N],
    values: &[f32; N],
    step: &Step,
    sums: &mut (f32, f32),
) {
    let starts: [usize; N] = std::array::from_fn(|j| usize::from(ids[j]) * items.vectors);
    let dots = dots(simd, user.p, items.q, items.vectors, &starts);

    let user_rate = step.rate / user.aside.travelled.sqrt();
    let user_bias = user.aside.bias;
    let mut user_pull = 0.0;
    let mut user_gain = 0.0;
    let mut toward_q = [simd.splat_f32s(0.0); N];
    let mut toward_p = [simd.splat_f32s(0.0); N];
    let mut keep_q = [simd.splat_f32s(0.0); N];
    for j in 0..N {
        let item = &mut items.asides[usize::from(ids[j])];
        let e = values[j] - user_bias - item.bias - dots[j];
        let item_rate = step.rate / item.travelled.sqrt();
        toward_q[j] = simd.splat_f32s(user_rate * e);
        toward_p[j] = simd.splat_f32s(item_rate * e);
        keep_q[j] = simd.splat_f32s(1.0 - item_rate * step.lambda);
        item.bias += step.bias_rate * item_rate * (e - step.lambda * item.bias);
        item.travelled += step.adapt * e * e * user.square;
        user_pull += e - step.lambda * user_bias;
        user_gain += e * e;
        sums.1 += e.abs();
    }
    sums.0 += user_gain;
    user.aside.bias += step.bias_rate * user_rate * user_pull;
    user.aside.travelled += step.adapt * step.item_square * user_gain;

    let keep_p = simd.splat_f32s(1.0 - user_rate * step.lambda * N as f32);
    for (d, p) in user.p.iter_mut().enumerate() {
        let old = *p;
        let mut new = simd.mul_f32s(old, keep_p);
        for j in 0..N {
            let q = &mut items.q[starts[j] + d];
            new = simd.mul_add_f32s(toward_q[j], *q, new);
            let moved = simd.mul_add_f32s(toward_p[j], old, simd.mul_f32s(*q, keep_q[j]));
            *q = floored::<S, NON_NEGATIVE>(simd, moved);
        }
        *p = floored::<S, NON_NEGATIVE>(simd, new);
    }
}

#[inline(always)]
fn floored<S: Simd, const NON_NEGATIVE: bool>(simd: S, x: S::f32s) -> S::f32s {
    if NON_NEGATIVE {
        simd.max_f32s(x, simd.splat_f32s(0.0))
    } else {
        x
    }
}

/// The dot products of `p` with the rows of `q` that begin at `starts`.
#[inline(always)]
pub fn dots<S: Simd, const N: usize>(
    simd: S,
    p: &[S::f32s],
    q: &[S::f32s],
    vectors: usize,
    starts: &[usize; N],
) -> [f32; N] {
    let rows: [&[S::f32s]; N] = std::array::from_fn(|j| &q[starts[j]..][..vectors]);
    let mut sums = [simd.splat_f32s(0.0); N];
    for (d, &p) in p.iter().enumerate() {
        for j in 0..N {
            sums[j] = simd.mul_add_f32s(p, rows[j][d], sums[j]);
        }
    }
    // A loop and no closure: a closure is not compiled for the instruction set of its surroundings.
    let mut dots = [0.0; N];
    for (dot, sum) in dots.iter_mut().zip(sums) {
        *dot = simd.reduce_sum_f32s(sum);
    }
    dots
}

#[inline(always)]
fn square<S: Simd>(simd: S, p: &[S::f32s]) -> f32 {
    let mut sum = simd.splat_f32s(0.0);
    for &x in p {
        sum = simd.mul_add_f32s(x, x, sum);
    }
    simd.reduce_sum_f32s(sum)
}

/// A row is whole cache lines, and a vector is never longer than one: nothing is left over.
#[inline(always)]
fn whole_mut<S: Simd>(entries: &mut [f32]) -> &mut [S::f32s] {
    const { assert!(LINE.is_multiple_of(S::F32_LANES)) };
    S::as_mut_simd_f32s(entries).0
}

strads::travel_by_fields!(Step {
    rate,
    bias_rate,
    lambda,
    adapt,
    item_square,
    non_negative
});

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use strads_common::random::stream;

    const USERS: usize = 5;
    const ITEMS: usize = 9;

    fn rows(count: usize, rank: usize, purpose: &str) -> Rows {
        let mut random = stream(1, purpose, 0);
        let mut rows = Rows::zeros(count, rank);
        for at in 0..count {
            rows.scatter(at, 0.8, false, &mut random);
            rows.aside_mut(at).bias = random.random::<f32>() - 0.5;
        }
        rows
    }

    /// Runs of every length from 0 to beyond two batches, the last one with an item twice in a
    /// batch.
    fn cell() -> Cell {
        let lens = [1, 3, 0, 4, 11];
        let mut filling = Cell::shaped(&lens);
        let mut random = stream(1, "values", 0);
        for (user, &len) in lens.iter().enumerate() {
            for j in 0..len {
                let item = if j == 9 { 8 } else { j as u16 % ITEMS as u16 };
                filling.add(user as u32, item, 2.0 * random.random::<f32>() - 1.0);
            }
        }
        filling.finish()
    }

    fn step() -> Step {
        Step {
            rate: 0.05,
            bias_rate: 0.5,
            lambda: 0.1,
            adapt: 1.0,
            item_square: 0.2,
            non_negative: false,
        }
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
    }

    /// Every instruction set computes what portable scalar code computes, up to the order of sums.
    #[test]
    fn instruction_sets_agree_with_the_portable_twin() {
        for (rank, non_negative) in [(1, false), (16, true), (17, false), (32, false), (50, true)] {
            let step = Step {
                non_negative,
                ..step()
            };
            let run = |arch| {
                let (mut users, mut items) = (rows(USERS, rank, "p"), rows(ITEMS, rank, "q"));
                let errors = descend_with(arch, &mut users, &mut items, &cell(), step);
                (users, items, errors)
            };
            let (users, items, errors) = run(Arch::Scalar);
            for arch in arches() {
                let (fast_users, fast_items, fast_errors) = run(arch);
                assert!(
                    close(users.entries(), fast_users.entries()),
                    "{arch:?}, rank {rank}"
                );
                assert!(
                    close(items.entries(), fast_items.entries()),
                    "{arch:?}, rank {rank}"
                );
                assert!((errors.squared - fast_errors.squared).abs() < 1e-4);
                for at in 0..ITEMS {
                    let (a, b) = (items.aside(at), fast_items.aside(at));
                    assert!(close(&[a.bias, a.travelled], &[b.bias, b.travelled]));
                }
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn arches() -> Vec<Arch> {
        let v3 = pulp::x86::V3::try_new().map(Arch::V3);
        let v4 = pulp::x86::V4::try_new().map(Arch::V4);
        v3.into_iter().chain(v4).collect()
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn arches() -> Vec<Arch> {
        vec![Arch::new()]
    }

    /// One rating: the step is −η times the gradient of e² + λ(‖p‖² + ‖q‖²) + λ(b_u² + b_i²), halved,
    /// by central differences in double precision.
    #[test]
    fn a_step_follows_the_gradient() {
        const RANK: usize = 6;
        let (value, lambda) = (0.7, 0.1);
        let mut filling = Cell::shaped(&[1]);
        filling.add(0, 0, value);
        let (mut users, mut items) = (rows(1, RANK, "p"), rows(1, RANK, "q"));
        let parameters: Vec<f64> = flat(&users).into_iter().chain(flat(&items)).collect();
        let objective = |x: &[f64]| {
            let (user, item) = x.split_at(RANK + 1);
            let dot: f64 = (0..RANK).map(|d| user[d] * item[d]).sum();
            let e = f64::from(value) - user[RANK] - item[RANK] - dot;
            e * e + f64::from(lambda as f32) * x.iter().map(|x| x * x).sum::<f64>()
        };
        let step = Step {
            rate: 0.01,
            bias_rate: 1.0,
            lambda: lambda as f32,
            ..step()
        };
        descend(&mut users, &mut items, &filling.finish(), step);
        let after: Vec<f64> = flat(&users).into_iter().chain(flat(&items)).collect();
        for at in 0..parameters.len() {
            let shifted = |by: f64| {
                let mut x = parameters.clone();
                x[at] += by;
                objective(&x)
            };
            let gradient = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            let expected = parameters[at] - 0.01 * gradient / 2.0;
            assert!(
                (after[at] - expected).abs() < 1e-6,
                "{at}: {} {expected}",
                after[at]
            );
        }
    }

    /// The entries of row 0, then its bias.
    fn flat(rows: &Rows) -> Vec<f64> {
        let bias = rows.aside(0).bias;
        rows.row(0)
            .iter()
            .chain([&bias])
            .map(|&x| f64::from(x))
            .collect()
    }

    /// No entry is negative after a step that is told so, though the gradient says otherwise.
    #[test]
    fn projection_leaves_no_negative_entry() {
        let (mut users, mut items) = (rows(USERS, 20, "p"), rows(ITEMS, 20, "q"));
        let step = Step {
            non_negative: true,
            rate: 1.0,
            ..step()
        };
        descend(&mut users, &mut items, &cell(), step);
        let touched = |rows: &Rows, at: usize| rows.row(at).iter().all(|&x| x >= 0.0);
        assert!([0, 1, 3, 4].into_iter().all(|at| touched(&users, at)));
        assert!((0..ITEMS).all(|at| touched(&items, at)));
    }

    /// Padding stays zero, so it adds nothing to dot products.
    #[test]
    fn padding_stays_zero() {
        let (mut users, mut items) = (rows(USERS, 17, "p"), rows(ITEMS, 17, "q"));
        descend(&mut users, &mut items, &cell(), step());
        for rows in [&users, &items] {
            for at in 0..rows.len() {
                let padded = &rows.entries()[at * rows.stride()..][..rows.stride()];
                assert!(padded[17..].iter().all(|&x| x == 0.0));
            }
        }
    }
}
