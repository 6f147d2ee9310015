//! The design matrix as coordinate descent sees it: columns, centred and scaled where asked.
//!
//! Columns are stored in the narrowest type that holds every value exactly (genotypes in one byte,
//! a binary matrix without values), because reading them is what training costs. Centring and
//! scaling are never applied to the stored values: a scaled column x̃ = (x − μ)/σ is a scalar or
//! two away from x, which keeps a sparse matrix sparse.

use strads_datasets::{Csc, Matrix};

use super::kernel::{self, vectorised};

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
    F32(Vec<f32>),
    I8(Vec<i8>),
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
            Store::F32(values) => Column::F32(&values[dense]),
            Store::I8(values) => Column::I8(&values[dense]),
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
        Store::I8(values.iter().map(|&value| value as i8).collect())
    } else if values.iter().all(|&value| f64::from(value as f32) == value) {
        Store::F32(values.iter().map(|&value| value as f32).collect())
    } else {
        Store::F64(values)
    }
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

/// What is known of every column before training, as it is seen.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    /// ‖x̃‖²; zero for a column that cannot matter (empty, or constant where columns are centred).
    pub square: Vec<f64>,
    /// μ/σ, zero where columns are not centred.
    pub shift: Vec<f64>,
    /// 1/σ, one where columns are not scaled.
    pub factor: Vec<f64>,
}

impl Moments {
    /// Appends the moments of a column with the given sums over `rows` entries.
    pub fn push(&mut self, scaling: Scaling, rows: usize, (sum, square): (f64, f64)) {
        let rows = rows as f64;
        let mean = sum / rows;
        let spread = square - sum * mean;
        // What cancellation leaves of a constant column is not a spread.
        let constant = spread <= 1e-12 * square;
        let deviation = (spread / rows).sqrt();
        let factor = if scaling.scale && !constant {
            1.0 / deviation
        } else {
            1.0
        };
        let seen = if !scaling.centre {
            square
        } else if constant {
            0.0
        } else {
            spread
        };
        self.square.push(seen * factor * factor);
        self.factor.push(factor);
        self.shift
            .push(if scaling.centre { mean * factor } else { 0.0 });
    }
}

/// The sums of columns `range` and their products with `r`, in one pass.
pub fn survey(design: &Design, range: std::ops::Range<usize>, r: &[f64]) -> Vec<(f64, f64, f64)> {
    vectorised(
        #[inline(always)]
        || {
            let survey = |j| {
                let column = design.column(j);
                let (sum, square) = column.sums();
                (sum, square, column.dot(r))
            };
            range.map(survey).collect()
        },
    )
}
