//! Vectors in whole numbers: enough to tell that most dense columns do not matter.
//!
//! A vector x is kept as s q, with whole numbers qᵢ, beside ‖x − s q‖. With a column in one byte an
//! entry and a residual in two, their product is known up to a bound for an eighth of the memory
//! traffic, or a quarter, and of the arithmetic.

use strads::cluster::{Malformed, Packer, Travel, Unpacker};

use super::design::Column;
use super::kernel::{self, BATCH, Entry, vectorised};
use crate::fetch::fetch;

/// A type of whole numbers.
pub trait Whole: Copy {
    /// The largest that is used.
    const LIMIT: f64;
    /// The number whose lowest bits these are.
    fn lowest(bits: u64) -> Self;
}

impl Whole for i8 {
    const LIMIT: f64 = 127.0;

    #[inline(always)]
    fn lowest(bits: u64) -> Self {
        bits as Self
    }
}

impl Whole for i16 {
    const LIMIT: f64 = 32_767.0;

    #[inline(always)]
    fn lowest(bits: u64) -> Self {
        bits as Self
    }
}

/// How a vector was rounded: x is `unit` times whole numbers up to an error of length `error`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rounding {
    /// s; zero if x is taken for zero.
    pub unit: f64,
    /// No less than ‖x − s q‖.
    pub error: f64,
}

/// A number below 2⁵⁰, added to this, leaves its nearest whole number in the lowest bits.
const ROUNDER: f64 = 1.5 * (1_u64 << 52) as f64;
/// Makes up for the rounding of what is known of a rounding.
const SAFE: f64 = 1.0 + 1e-9;

/// Rounds `x` to whole numbers. A vector of numbers that are all but zero is taken for zero.
pub fn round<E: Entry, W: Whole>(x: &[E], whole: &mut [W]) -> Rounding {
    let (mut room, mut square) = ([0.0; BATCH], 0.0);
    let largest = largest(x);
    let unit = largest / W::LIMIT;
    if !unit.is_normal() {
        let error = (largest * (x.len() as f64).sqrt()).min(f64::MAX);
        return Rounding { unit: 0.0, error };
    }
    for (x, whole) in x.chunks(BATCH).zip(whole.chunks_mut(BATCH)) {
        let errors = &mut room[..x.len()];
        vectorised(
            #[inline(always)]
            || {
                for ((x, whole), error) in x.iter().zip(whole).zip(&mut *errors) {
                    let rounded = x.value() / unit + ROUNDER;
                    *whole = W::lowest(rounded.to_bits());
                    *error = x.value() - unit * (rounded - ROUNDER);
                }
            },
        );
        square += kernel::dot(errors, errors);
    }
    Rounding {
        unit,
        error: (square.sqrt() * SAFE).min(f64::MAX),
    }
}

/// The largest |xᵢ|.
fn largest<E: Entry>(x: &[E]) -> f64 {
    // Numbers that are not negative are in the order of their bits, which vectorises.
    let bits = vectorised(
        #[inline(always)]
        || x.iter().map(|x| x.value().abs().to_bits()).max(),
    );
    f64::from_bits(bits.unwrap_or(0))
}

/// Entries whose products add up in 32 bits: 512 · 128 · 32,767 < 2³¹.
const ADDABLE: usize = 512;

/// Σᵢ qᵢ pᵢ.
fn dot(q: &[i8], p: &[i16]) -> i64 {
    let part = |(q, p): (&[i8], &[i16])| {
        let products = q.iter().zip(p);
        let products = products.map(|(&q, &p)| i32::from(q) * i32::from(p));
        i64::from(products.sum::<i32>())
    };
    vectorised(
        #[inline(always)]
        || q.chunks(ADDABLE).zip(p.chunks(ADDABLE)).map(part).sum(),
    )
}

/// A residual in whole numbers.
#[derive(Debug)]
pub struct Residual {
    whole: Vec<i16>,
    rounding: Rounding,
    /// ‖r‖.
    length: f64,
}

impl Residual {
    /// Rounds a residual.
    pub fn of(r: &[f64]) -> Self {
        let mut whole = vec![0; r.len()];
        Self {
            rounding: round(r, &mut whole),
            // Finite, so that no doubt is, times it, not a number.
            length: kernel::dot(r, r).sqrt().min(f64::MAX),
            whole,
        }
    }

    /// The product with a column of whole numbers, and how far off it may be if the column's length
    /// is at most `length`.
    #[inline(always)]
    pub fn dot(&self, column: &[i8], length: f64) -> (f64, f64) {
        let product = self.rounding.unit * dot(column, &self.whole) as f64;
        (product, length * self.rounding.error)
    }
}

/// Sketches of dense columns, each made when its column is at hand.
#[derive(Debug, Default)]
pub struct Sketches {
    entries: Vec<i8>,
    roundings: Vec<Rounding>,
}

impl Sketches {
    /// Room for sketches of `columns` columns; it takes no memory before they are made.
    pub fn reserve(&mut self, columns: usize, rows: usize) {
        if self.roundings.is_empty() {
            self.entries = vec![0; columns * rows];
            self.roundings = vec![Rounding::default(); columns];
        }
    }

    /// The product with the column at place `at`, whose length is `length`, and how far off that may
    /// be; nothing if the column has no sketch.
    #[inline(always)]
    pub fn dot(&self, at: usize, r: &Residual, length: f64) -> Option<(f64, f64)> {
        let &Rounding { unit, error } = self.roundings.get(at)?;
        if unit == 0.0 {
            return None;
        }
        let rows = r.whole.len();
        let sketch = &self.entries[at * rows..(at + 1) * rows];
        let (product, doubt) = r.dot(sketch, (length + error) / unit);
        Some((unit * product, unit * doubt + error * r.length))
    }

    /// Has the sketch at place `at` brought closer, if there is one.
    #[inline(always)]
    pub fn fetch(&self, at: usize, rows: usize) {
        fetch(self.entries.get(at * rows..(at + 1) * rows).unwrap_or(&[]));
    }

    /// Makes the sketch of the column at place `at`, if it takes more than a byte an entry.
    #[inline(always)]
    pub fn make(&mut self, at: usize, column: Column<'_>) {
        match column {
            Column::F64(x) => self.sketch(at, x),
            Column::F32(x) => self.sketch(at, x),
            Column::I8(_) | Column::Sparse(..) | Column::Ones(_) => {}
        }
    }

    fn sketch<E: Entry>(&mut self, at: usize, x: &[E]) {
        if let Some(rounding) = self.roundings.get_mut(at) {
            *rounding = round(x, &mut self.entries[at * x.len()..(at + 1) * x.len()]);
        }
    }
}

/// Sketches stay where they are: wherever the columns go, they can be made again.
impl Travel for Sketches {
    fn pack(&self, _: &mut Packer<'_>) {}

    fn unpack(_: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        Ok(Self::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn length(v: &[f64]) -> f64 {
        v.iter().map(|v| v * v).sum::<f64>().sqrt()
    }

    proptest! {
        /// A product is never further off than it says, and says no more than halves of units allow.
        #[test]
        fn products_are_as_near_as_they_say(
            pairs in prop::collection::vec((-5.0_f64..5.0, -1.0_f64..1.0), 1..700),
            size in -30..30_i32,
        ) {
            let size = 10_f64.powi(size);
            let (x, r): (Vec<f64>, Vec<f64>) = pairs.into_iter().map(|(x, r)| (x * size, r)).unzip();
            let exact: f64 = x.iter().zip(&r).map(|(x, r)| x * r).sum();
            let mut sketches = Sketches::default();
            sketches.reserve(2, x.len());
            sketches.make(1, Column::F64(&x));
            let residual = Residual::of(&r);
            prop_assert!(sketches.dot(0, &residual, length(&x)).is_none());
            let (product, doubt) = sketches.dot(1, &residual, length(&x)).unwrap();
            prop_assert!((product - exact).abs() <= doubt * (1.0 + 1e-9) + 1e-12 * size);
            let half = 0.5 / 127.0 * (x.len() as f64).sqrt();
            prop_assert!(doubt <= 1.01 * half * 5.0 * size * length(&r) + 0.01 * size * length(&x));
        }

        /// Whole numbers add up exactly, however many and large.
        #[test]
        fn whole_numbers_add_up(q in any::<i8>(), p in -32_767_i16..=32_767, count in 1..3000_usize) {
            let expected = count as i64 * i64::from(q) * i64::from(p);
            prop_assert_eq!(dot(&vec![q; count], &vec![p; count]), expected);
        }
    }

    #[test]
    fn a_column_that_is_all_but_zero_has_no_sketch() {
        let mut sketches = Sketches::default();
        sketches.reserve(1, 3);
        sketches.make(0, Column::F64(&[0.0, 1e-320, 0.0]));
        assert!(sketches.dot(0, &Residual::of(&[1.0; 3]), 1e-320).is_none());
    }
}
