//! A matrix of features, dense or sparse, both by columns.
//!
//! Coordinate descent walks columns, so a dense matrix is in Fortran order and a sparse one is
//! compressed by column. Row numbers are `u32`: an entry takes 12 bytes, not 16.

use ndarray::{Array2, ShapeBuilder};

/// A sparse matrix compressed by column, with sorted `u32` row numbers.
pub type Csc = sprs::CsMatI<f64, u32, usize>;

/// The features: a row is a sample, a column is a feature.
#[derive(Clone, Debug, PartialEq)]
pub enum Matrix {
    /// Every entry is stored, in Fortran (column-major) order.
    Dense(Array2<f64>),
    /// Only some entries are stored, by column; the others are zero.
    Sparse(Csc),
}

impl Matrix {
    /// A dense matrix from its columns, one after another.
    ///
    /// # Panics
    /// If `values` are not `rows` × `columns` many.
    pub fn from_columns(rows: usize, columns: usize, values: Vec<f64>) -> Self {
        let array = Array2::from_shape_vec((rows, columns).f(), values);
        Self::Dense(array.expect("as many values as rows × columns"))
    }

    /// The number of samples.
    pub fn rows(&self) -> usize {
        match self {
            Self::Dense(array) => array.nrows(),
            Self::Sparse(csc) => csc.rows(),
        }
    }

    /// The number of features.
    pub fn columns(&self) -> usize {
        match self {
            Self::Dense(array) => array.ncols(),
            Self::Sparse(csc) => csc.cols(),
        }
    }

    /// The number of stored entries.
    pub fn nonzeros(&self) -> usize {
        match self {
            Self::Dense(array) => array.len(),
            Self::Sparse(csc) => csc.nnz(),
        }
    }

    /// The rows, to be gone through one after another: what writers need.
    pub(crate) fn by_rows(&self) -> Rows<'_> {
        match self {
            Self::Dense(array) => Rows::Dense(array),
            Self::Sparse(csc) => Rows::Sparse(csc.to_csr()),
        }
    }

    /// The bytes that the entries and their positions take.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Dense(array) => array.len() * size_of::<f64>(),
            Self::Sparse(csc) => csc.nnz() * 12 + (csc.cols() + 1) * size_of::<usize>(),
        }
    }
}

/// Features, and what is to be predicted where the file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// A row is a sample.
    pub features: Matrix,
    /// One number a row.
    pub target: Option<Vec<f64>>,
    /// One name a column, where the file has them (a table with a header).
    pub names: Option<Vec<String>>,
}

/// A matrix by rows.
pub(crate) enum Rows<'a> {
    Dense(&'a Array2<f64>),
    Sparse(Csc),
}

impl Rows<'_> {
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Dense(array) => array.nrows(),
            Self::Sparse(csr) => csr.rows(),
        }
    }

    /// The columns and values of the entries in `row` that are not zero.
    pub(crate) fn nonzeros(&self, row: usize) -> Box<dyn Iterator<Item = (usize, f64)> + '_> {
        match self {
            Self::Dense(array) => {
                let entries = array.row(row).into_iter().copied().enumerate();
                Box::new(entries.filter(|&(_, value)| value != 0.0))
            }
            Self::Sparse(csr) => {
                let range = csr.indptr().outer_inds_sz(row);
                let columns = csr.indices()[range.clone()]
                    .iter()
                    .map(|&column| column as usize);
                Box::new(columns.zip(csr.data()[range].iter().copied()))
            }
        }
    }
}
