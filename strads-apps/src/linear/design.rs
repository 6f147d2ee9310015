//! The design matrix as coordinate descent sees it: columns, centred and scaled where asked.
//!
//! Columns are stored in the narrowest type that holds every value exactly (genotypes in one byte,
//! a binary matrix without values), because reading them is what training costs. Centring and
//! scaling are never applied to the stored values: a scaled column x̃ = (x − μ)/σ is a scalar or
//! two away from x, which keeps a sparse matrix sparse.

use std::ops::Range;

use strads::cluster::{Malformed, Packer, Travel, Unpacker};
use strads_datasets::{Csc, Matrix};

use super::kernel;

/// The columns of the features.
#[derive(Debug)]
pub struct Design {
    rows: usize,
    columns: usize,
    store: Store,
}

#[derive(Debug)]
enum Store {
    F64(Vec<f64>),
    /// f32 in the memory of f64, so that narrowing needs no second copy of the matrix.
    F32(Vec<f64>),
    /// The same for i8.
    I8(Vec<f64>),
    Sparse(Csc),
    /// Every stored entry is 1.
    Ones {
        starts: Vec<usize>,
        rows: Vec<u32>,
    },
}

/// One column as it is stored.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    /// All values.
    F64(&'a [f64]),
    /// All values, exactly.
    F32(&'a [f32]),
    /// All values, exactly.
    I8(&'a [i8]),
    /// Row numbers and values of the stored entries.
    Sparse(&'a [u32], &'a [f64]),
    /// Row numbers of the entries that are 1.
    Ones(&'a [u32]),
}

impl Design {
    /// Takes the features over, in the narrowest exact form.
    pub fn new(features: Matrix) -> Self {
        let (rows, columns) = (features.rows(), features.columns());
        let store = match features {
            Matrix::Dense(array) => {
                // In Fortran order the raw vector is column after column.
                let (values, _) = array.into_raw_vec_and_offset();
                narrow(values)
            }
            Matrix::Sparse(csc) if csc.data().iter().all(|&value| value == 1.0) => {
                let (starts, rows, _) = csc.into_raw_storage();
                Store::Ones { starts, rows }
            }
            Matrix::Sparse(csc) => Store::Sparse(csc),
        };
        Self {
            rows,
            columns,
            store,
        }
    }

    /// The number of samples.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of features.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The stored entries of column `j`: what working on it costs.
    pub fn stored(&self, j: usize) -> usize {
        match &self.store {
            Store::Sparse(csc) => csc.indptr().nnz_in_outer_sz(j),
            Store::Ones { starts, .. } => starts[j + 1] - starts[j],
            _ => self.rows,
        }
    }

    /// True if zeros are not stored.
    pub fn is_sparse(&self) -> bool {
        matches!(self.store, Store::Sparse(_) | Store::Ones { .. })
    }

    /// Column `j`.
    #[inline(always)]
    pub fn column(&self, j: usize) -> Column<'_> {
        let dense = j * self.rows..(j + 1) * self.rows;
        match &self.store {
            Store::F64(values) => Column::F64(&values[dense]),
            Store::F32(words) => Column::F32(&bytemuck::cast_slice(words)[dense]),
            Store::I8(words) => Column::I8(&bytemuck::cast_slice(words)[dense]),
            Store::Sparse(csc) => {
                let stored = csc.indptr().outer_inds_sz(j);
                Column::Sparse(&csc.indices()[stored.clone()], &csc.data()[stored])
            }
            Store::Ones { starts, rows } => Column::Ones(&rows[starts[j]..starts[j + 1]]),
        }
    }
}

/// The narrowest type that holds every value exactly.
fn narrow(values: Vec<f64>) -> Store {
    if values.iter().all(|&value| f64::from(value as i8) == value) {
        Store::I8(pack(values, |value| value as i8))
    } else if values.iter().all(|&value| f64::from(value as f32) == value) {
        Store::F32(pack(values, |value| value as f32))
    } else {
        Store::F64(values)
    }
}

/// Narrows in place, and gives back the memory behind.
fn pack<N: bytemuck::Pod>(mut words: Vec<f64>, narrow: impl Fn(f64) -> N) -> Vec<f64> {
    for at in 0..words.len() {
        // The narrow value lands at or before the wide one, which has been read.
        let value = narrow(words[at]);
        bytemuck::cast_slice_mut::<f64, N>(&mut words)[at] = value;
    }
    let length = (words.len() * size_of::<N>()).div_ceil(size_of::<f64>());
    words.truncate(length);
    words.shrink_to_fit();
    words
}

impl Column<'_> {
    /// xᵀ r. Inlined into loops that are dispatched as a whole.
    #[inline(always)]
    pub fn dot(self, r: &[f64]) -> f64 {
        match self {
            Self::F64(x) => kernel::dot(x, r),
            Self::F32(x) => kernel::dot(x, r),
            Self::I8(x) => kernel::dot(x, r),
            Self::Sparse(rows, values) => kernel::dot_sparse(rows, values, r),
            Self::Ones(rows) => kernel::dot_ones(rows, r),
        }
    }

    /// xᵀ r for each of several r.
    #[inline(always)]
    pub fn dots(self, r: [&[f64]; kernel::TOGETHER]) -> [f64; kernel::TOGETHER] {
        match self {
            Self::F64(x) => kernel::dots(x, r),
            Self::F32(x) => kernel::dots(x, r),
            Self::I8(x) => kernel::dots(x, r),
            Self::Sparse(..) | Self::Ones(_) => r.map(|r| self.dot(r)),
        }
    }

    /// r ← r + a x.
    #[inline(always)]
    pub fn add_scaled(self, a: f64, r: &mut [f64]) {
        match self {
            Self::F64(x) => kernel::add_scaled(a, x, r),
            Self::F32(x) => kernel::add_scaled(a, x, r),
            Self::I8(x) => kernel::add_scaled(a, x, r),
            Self::Sparse(rows, values) => kernel::add_scaled_sparse(a, rows, values, r),
            Self::Ones(rows) => kernel::add_ones(a, rows, r),
        }
    }

    /// Σ w x².
    #[inline(always)]
    pub fn weighted_square(self, w: &[f64]) -> f64 {
        match self {
            Self::F64(x) => kernel::weighted_square(w, x),
            Self::F32(x) => kernel::weighted_square(w, x),
            Self::I8(x) => kernel::weighted_square(w, x),
            Self::Sparse(rows, values) => rows
                .iter()
                .zip(values)
                .fold(0.0, |sum, (&row, x)| sum + w[row as usize] * x * x),
            Self::Ones(rows) => kernel::dot_ones(rows, w),
        }
    }

    /// r ← r + a w x, row by row.
    #[inline(always)]
    pub fn add_weighted(self, a: f64, w: &[f64], r: &mut [f64]) {
        match self {
            Self::F64(x) => kernel::add_weighted(a, w, x, r),
            Self::F32(x) => kernel::add_weighted(a, w, x, r),
            Self::I8(x) => kernel::add_weighted(a, w, x, r),
            Self::Sparse(rows, values) => {
                for (&row, x) in rows.iter().zip(values) {
                    r[row as usize] += a * w[row as usize] * x;
                }
            }
            Self::Ones(rows) => rows
                .iter()
                .for_each(|&row| r[row as usize] += a * w[row as usize]),
        }
    }

    /// Σ x and Σ x².
    #[inline(always)]
    pub fn sums(self) -> (f64, f64) {
        match self {
            Self::F64(x) => kernel::sums(x),
            Self::F32(x) => kernel::sums(x),
            Self::I8(x) => kernel::sums(x),
            Self::Sparse(_, values) => kernel::sums_short(values),
            Self::Ones(rows) => (rows.len() as f64, rows.len() as f64),
        }
    }
}

/// How columns are seen: x̃ = (x − μ) / σ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaling {
    /// Subtract the mean: the model has an intercept.
    pub centre: bool,
    /// Divide by the standard deviation.
    pub scale: bool,
}

impl Scaling {
    /// Columns as they are stored.
    pub const NONE: Self = Self {
        centre: false,
        scale: false,
    };
}

/// What is known of every column before training, as it is seen.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    /// ‖x̃‖²; zero for a column that cannot matter (empty, or constant where columns are centred).
    pub square: Vec<f64>,
    /// μ/σ and 1/σ; nothing where columns are seen as they are.
    seen: Vec<(f64, f64)>,
}

impl Moments {
    /// The moments of `columns` columns, to be [placed](Self::place).
    pub fn new(columns: usize, scaling: Scaling) -> Self {
        let seen = if scaling == Scaling::NONE {
            Vec::new()
        } else {
            vec![(0.0, 1.0); columns]
        };
        Self {
            square: vec![0.0; columns],
            seen,
        }
    }

    /// Room for the moments of `columns` columns, to be [pushed](Self::push).
    pub fn with_capacity(columns: usize, scaling: Scaling) -> Self {
        Self {
            square: Vec::with_capacity(columns),
            seen: if scaling == Scaling::NONE {
                Vec::new()
            } else {
                Vec::with_capacity(columns)
            },
        }
    }

    /// μ/σ, zero where columns are not centred.
    #[inline(always)]
    pub fn shift(&self, j: usize) -> f64 {
        self.seen.get(j).map_or(0.0, |&(shift, _)| shift)
    }

    /// 1/σ, one where columns are not scaled.
    #[inline(always)]
    pub fn factor(&self, j: usize) -> f64 {
        self.seen.get(j).map_or(1.0, |&(_, factor)| factor)
    }

    /// ‖x‖: the length of a column as it is stored.
    #[inline(always)]
    pub fn length(&self, rows: f64, j: usize) -> f64 {
        let shift = self.shift(j);
        (self.square[j] + rows * shift * shift).sqrt() / self.factor(j)
    }

    /// Appends the moments of the next column.
    pub fn push(&mut self, moment: Moment, scaling: Scaling) {
        self.square.push(moment.square);
        if scaling != Scaling::NONE {
            self.seen.push((moment.shift, moment.factor));
        }
    }

    /// Takes over the moments of the columns in `ranges`, which `part` has one after the other.
    pub fn place(&mut self, ranges: &[Range<usize>], part: &Moments) {
        let mut at = 0;
        for range in ranges {
            let own = at..at + range.len();
            self.square[range.clone()].copy_from_slice(&part.square[own.clone()]);
            if !self.seen.is_empty() {
                self.seen[range.clone()].copy_from_slice(&part.seen[own]);
            }
            at += range.len();
        }
    }
}

/// The moments of one column.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// ‖x̃‖².
    pub square: f64,
    /// μ/σ.
    pub shift: f64,
    /// 1/σ.
    pub factor: f64,
}

impl Moment {
    /// Of a column with the given Σ x and Σ x² over `rows` entries.
    pub fn of(scaling: Scaling, rows: usize, sum: f64, square: f64) -> Self {
        if scaling == Scaling::NONE {
            return Self {
                square,
                shift: 0.0,
                factor: 1.0,
            };
        }
        let rows = rows as f64;
        let mean = sum / rows;
        let spread = square - sum * mean;
        // What cancellation leaves of a constant column is not a spread.
        let constant = spread <= 1e-12 * square;
        let factor = if scaling.scale && !constant {
            (rows / spread).sqrt()
        } else {
            1.0
        };
        let seen = match (scaling.centre, constant) {
            (false, _) => square,
            (true, true) => 0.0,
            (true, false) => spread,
        };
        let shift = if scaling.centre { mean * factor } else { 0.0 };
        Self {
            square: seen * factor * factor,
            shift,
            factor,
        }
    }
}

strads::travel_by_fields!(
    Design { rows, columns, store }
    Scaling { centre, scale }
    Moments { square, seen }
);

impl Travel for Store {
    fn pack(&self, out: &mut Packer<'_>) {
        let (kind, words) = match self {
            Self::F64(values) => (0_u8, values),
            Self::F32(words) => (1, words),
            Self::I8(words) => (2, words),
            Self::Sparse(csc) => {
                3_u8.pack(out);
                (csc.rows(), csc.cols()).pack(out);
                usize::pack_all(csc.indptr().raw_storage(), out);
                u32::pack_all(csc.indices(), out);
                return f64::pack_all(csc.data(), out);
            }
            Self::Ones { starts, rows } => {
                4_u8.pack(out);
                starts.pack(out);
                return rows.pack(out);
            }
        };
        kind.pack(out);
        words.pack(out);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        Ok(match u8::unpack(from)? {
            0 => Self::F64(Vec::unpack(from)?),
            1 => Self::F32(Vec::unpack(from)?),
            2 => Self::I8(Vec::unpack(from)?),
            3 => {
                let (shape, starts, rows) = <(_, _, Vec<u32>)>::unpack(from)?;
                let csc = Csc::try_new_csc(shape, starts, rows, Vec::unpack(from)?);
                Self::Sparse(csc.map_err(|_| Malformed("a sparse matrix"))?)
            }
            4 => Self::Ones {
                starts: Vec::unpack(from)?,
                rows: Vec::unpack(from)?,
            },
            _ => return Err(Malformed("a matrix")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dense(values: &[f64]) -> Design {
        Design::new(Matrix::from_columns(values.len(), 1, values.to_vec()))
    }

    /// Columns are narrowed only where that loses nothing, and then read as before.
    #[test]
    fn the_narrowest_exact_type_is_used() {
        let kinds = [
            (vec![0.0, 1.0, 2.0, -128.0, 127.0], "I8"),
            (vec![0.5, 1e6, -3.25, 0.0, 1.0], "F32"),
            (vec![0.1, 1.0, 2.0, 3.0, 4.0], "F64"),
        ];
        for (values, kind) in kinds {
            let design = dense(&values);
            assert!(format!("{:?}", design.store).starts_with(kind));
            let r: Vec<f64> = (0..5).map(|i| f64::from(i) + 0.5).collect();
            let expected: f64 = values.iter().zip(&r).map(|(x, r)| x * r).sum();
            assert_eq!(design.column(0).dot(&r), expected);
        }
    }

    /// A constant column has nothing left when it is centred, whatever rounding says.
    #[test]
    fn constant_columns_vanish_when_centred() {
        let scaling = Scaling {
            centre: true,
            scale: true,
        };
        let value: f64 = 0.1;
        let moment = Moment::of(scaling, 1000, 1000.0 * value, 1000.0 * value * value);
        assert_eq!(moment.square, 0.0);
    }

    proptest! {
        /// Every kind of column agrees with the sums written out, for every operation.
        #[test]
        fn columns_agree_with_written_out_sums(
            values in prop::collection::vec(-5.0_f64..5.0, 1..100),
            kind in 0..5,
            a in -3.0_f64..3.0,
        ) {
            let rows = values.len();
            let values: Vec<f64> = match kind {
                0 => values,
                1 => values.iter().map(|v| f64::from(*v as f32)).collect(),
                2 => values.iter().map(|v| v.round()).collect(),
                3 => values.iter().map(|v| if *v > 2.0 { 1.0 } else { 0.0 }).collect(),
                _ => values.iter().map(|v| if *v > 2.0 { *v } else { 0.0 }).collect(),
            };
            let design = if kind < 3 {
                dense(&values)
            } else {
                let stored: Vec<usize> = (0..rows).filter(|&i| values[i] != 0.0).collect();
                let indices = stored.iter().map(|&i| i as u32).collect();
                let data = stored.iter().map(|&i| values[i]).collect();
                Design::new(Matrix::Sparse(Csc::new_csc((rows, 1), vec![0, stored.len()], indices, data)))
            };
            let column = design.column(0);
            let weights: Vec<f64> = (0..rows).map(|i| 0.1 + (i % 7) as f64).collect();
            let start: Vec<f64> = (0..rows).map(|i| (i as f64).sin()).collect();
            let near = |x: f64, y: f64| (x - y).abs() <= 1e-9 * (1.0 + y.abs());
            let sum = |f: &dyn Fn(usize) -> f64| (0..rows).map(f).sum::<f64>();

            prop_assert!(near(column.dot(&start), sum(&|i| values[i] * start[i])));
            prop_assert!(near(column.sums().0, sum(&|i| values[i])));
            prop_assert!(near(column.sums().1, sum(&|i| values[i] * values[i])));
            prop_assert!(near(column.weighted_square(&weights), sum(&|i| weights[i] * values[i] * values[i])));
            let (mut plain, mut weighted) = (start.clone(), start.clone());
            column.add_scaled(a, &mut plain);
            column.add_weighted(a, &weights, &mut weighted);
            for i in 0..rows {
                prop_assert!(near(plain[i], start[i] + a * values[i]));
                prop_assert!(near(weighted[i], start[i] + a * weights[i] * values[i]));
            }
        }
    }
}
