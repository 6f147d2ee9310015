//! The inner loops: dot products and updates of one column against a dense vector.
//!
//! Each body is written once and compiled for every instruction set that `pulp` dispatches to at run
//! time; the widest one that the processor has is used. A dense column is long enough for a dispatch of
//! its own; loops over sparse ones are dispatched as a whole, by [`vectorised`]. The order of additions
//! is fixed by the code, so every run on one machine has the same bits.

use pulp::{Arch, Simd, WithSimd};

/// How many partial sums a dense loop keeps: enough to hide the latency of an addition.
const LANES: usize = 32;
/// Values that are widened at a time.
pub const BATCH: usize = 8 * LANES;

/// A value that a dense column can be stored as.
pub trait Entry: Copy {
    /// Its value.
    fn value(self) -> f64;

    /// The values of at most a batch of entries, in `room` if they have to be put somewhere.
    #[inline(always)]
    fn widen<'a>(entries: &'a [Self], room: &'a mut [f64; BATCH]) -> &'a [f64] {
        for (value, entry) in room.iter_mut().zip(entries) {
            *value = entry.value();
        }
        &room[..entries.len()]
    }
}

impl Entry for f64 {
    #[inline(always)]
    fn value(self) -> f64 {
        self
    }

    #[inline(always)]
    fn widen<'a>(entries: &'a [Self], _: &'a mut [f64; BATCH]) -> &'a [f64] {
        entries
    }
}

impl Entry for f32 {
    #[inline(always)]
    fn value(self) -> f64 {
        f64::from(self)
    }
}

impl Entry for i8 {
    #[inline(always)]
    fn value(self) -> f64 {
        f64::from(self)
    }
}

/// Runs `body` compiled for this processor's widest instruction set. `body` has to be marked
/// `#[inline(always)]` all the way down, or it stays compiled for the narrowest.
#[inline(always)]
pub fn vectorised<R>(body: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(body)
}

/// Σᵢ xᵢ rᵢ.
pub fn dot<E: Entry>(x: &[E], r: &[f64]) -> f64 {
    let [product] = Arch::new().dispatch(Dots(x, [r]));
    product
}

/// Products of one vector that are taken together.
pub const TOGETHER: usize = 4;

/// As [`dot`], to the bit, with several vectors as long as x: x is read once.
pub fn dots<E: Entry>(x: &[E], r: [&[f64]; TOGETHER]) -> [f64; TOGETHER] {
    Arch::new().dispatch(Dots(x, r))
}

/// The factors of dot products. Vectors are named here: left to itself, the compiler takes narrow
/// ones.
struct Dots<'a, E, const N: usize>(&'a [E], [&'a [f64]; N]);

impl<E: Entry, const N: usize> WithSimd for Dots<'_, E, N> {
    type Output = [f64; N];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; N] {
        let Self(x, r) = self;
        // As many vectors as make up the lanes are used.
        let vectors = LANES / (size_of::<S::f64s>() / size_of::<f64>());
        let mut sums = [[simd.splat_f64s(0.0); LANES]; N];
        let (mut room, mut rest) = ([0.0; BATCH], [0.0; N]);
        let r = r.map(|r| &r[..x.len()]);
        for (batch, x) in x.chunks(BATCH).enumerate() {
            let r = r.map(|r| &r[batch * BATCH..batch * BATCH + x.len()]);
            let x = E::widen(x, &mut room);
            let (x_chunks, x_rest) = x.as_chunks::<LANES>();
            let r_chunks = r.map(|r| &r.as_chunks::<LANES>().0[..x_chunks.len()]);
            for (chunk, x) in x_chunks.iter().enumerate() {
                let x = S::as_simd_f64s(x).0;
                for n in 0..N {
                    let r = S::as_simd_f64s(&r_chunks[n][chunk]).0;
                    for at in 0..vectors {
                        sums[n][at] = simd.mul_add_e_f64s(x[at], r[at], sums[n][at]);
                    }
                }
            }
            for n in 0..N {
                let r_rest = &r[n][x.len() - x_rest.len()..];
                for (x, r) in x_rest.iter().zip(r_rest) {
                    rest[n] += x * r;
                }
            }
        }
        let mut products = rest;
        for n in 0..N {
            let mut lanes = [0.0; LANES];
            S::as_mut_simd_f64s(&mut lanes)
                .0
                .copy_from_slice(&sums[n][..vectors]);
            products[n] += fold(lanes);
        }
        products
    }
}

/// Sums pairwise, halving: a tree that vectorises.
#[inline(always)]
fn fold(mut sums: [f64; LANES]) -> f64 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// rᵢ ← rᵢ + a xᵢ.
#[inline(always)]
pub fn add_scaled<E: Entry>(a: f64, x: &[E], r: &mut [f64]) {
    for (r, x) in r.iter_mut().zip(x) {
        *r += a * x.value();
    }
}

/// Σᵢ xᵢ and Σᵢ xᵢ² of a short column, such as a sparse one's values.
#[inline(always)]
pub fn sums_short(x: &[f64]) -> (f64, f64) {
    x.iter()
        .fold((0.0, 0.0), |(sum, square), &x| (sum + x, square + x * x))
}

/// Σᵢ xᵢ and Σᵢ xᵢ².
#[inline(always)]
pub fn sums<E: Entry>(x: &[E]) -> (f64, f64) {
    let (mut plain, mut square) = ([0.0; LANES], [0.0; LANES]);
    let (chunks, rest) = x.as_chunks::<LANES>();
    for x in chunks {
        for lane in 0..LANES {
            let value = x[lane].value();
            plain[lane] += value;
            square[lane] += value * value;
        }
    }
    let mut ends = (0.0, 0.0);
    for x in rest {
        ends.0 += x.value();
        ends.1 += x.value() * x.value();
    }
    (fold(plain) + ends.0, fold(square) + ends.1)
}

/// Σ over the stored entries of x of xᵢ rᵢ. Reading r at random is what takes the time here, and
/// the less the narrower it is; several partial sums do not make it faster.
#[inline(always)]
pub fn dot_sparse<E: Entry>(rows: &[u32], values: &[f64], r: &[E]) -> f64 {
    rows.iter()
        .zip(values)
        .fold(0.0, |sum, (&row, &x)| sum + x * r[row as usize].value())
}

/// Σᵢ xᵢ, Σᵢ xᵢ² and Σᵢ xᵢ rᵢ in one pass: of short columns, finding the end takes the time.
#[inline(always)]
pub fn survey_sparse<E: Entry>(rows: &[u32], values: &[f64], r: &[E]) -> (f64, f64, f64) {
    let entries = rows.iter().zip(values);
    entries.fold((0.0, 0.0, 0.0), |(sum, square, product), (&row, &x)| {
        let r = r[row as usize].value();
        (sum + x, square + x * x, product + x * r)
    })
}

/// As [`dot_sparse`] where every stored entry is 1.
#[inline(always)]
pub fn dot_ones<E: Entry>(rows: &[u32], r: &[E]) -> f64 {
    rows.iter()
        .fold(0.0, |sum, &row| sum + r[row as usize].value())
}

/// rᵢ ← rᵢ + a xᵢ over the stored entries of x.
#[inline(always)]
pub fn add_scaled_sparse(a: f64, rows: &[u32], values: &[f64], r: &mut [f64]) {
    for (&row, &value) in rows.iter().zip(values) {
        r[row as usize] += a * value;
    }
}

/// As [`add_scaled_sparse`] where every stored entry is 1.
#[inline(always)]
pub fn add_ones(a: f64, rows: &[u32], r: &mut [f64]) {
    for &row in rows {
        r[row as usize] += a;
    }
}

/// Σᵢ wᵢ xᵢ².
#[inline(always)]
pub fn weighted_square<E: Entry>(w: &[f64], x: &[E]) -> f64 {
    w.iter()
        .zip(x)
        .fold(0.0, |sum, (w, x)| sum + w * x.value() * x.value())
}

/// rᵢ ← rᵢ + a wᵢ xᵢ.
#[inline(always)]
pub fn add_weighted<E: Entry>(a: f64, w: &[f64], x: &[E], r: &mut [f64]) {
    for ((r, w), x) in r.iter_mut().zip(w).zip(x) {
        *r += a * w * x.value();
    }
}
