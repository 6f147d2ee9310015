//! Regression problems with known coefficients: which features matter, and how much.

use super::sample::{distinct, normal, power_law};
use super::{cores, require, require_count};
use crate::error::{Error, Kind};
use crate::matrix::{Csc, Labelled, Matrix};
use crate::workers;
use ndarray::{Array2, ArrayViewMut2, Axis, ShapeBuilder};
use rand::RngExt;
use strads_common::random::{Stream, stream};

/// What to generate.
#[derive(Clone, Debug)]
pub struct Regression {
    /// The number of samples.
    pub rows: usize,
    /// The number of features.
    pub columns: usize,
    /// How many features have a coefficient that is not zero.
    pub support: usize,
    /// The standard deviation of the noise, as a multiple of the noiseless target's.
    pub noise: f64,
    /// How features look.
    pub design: Design,
    /// What is predicted.
    pub response: Response,
    /// Everything is a function of the options and this.
    pub seed: u64,
}

/// How features look.
#[derive(Clone, Debug)]
pub enum Design {
    /// Standard normal values in every entry.
    Dense(Correlation),
    /// Few entries, and column sizes by a power law.
    Sparse {
        /// The number of entries.
        nonzeros: usize,
        /// The column of rank k has a size in proportion to k^-exponent.
        exponent: f64,
        /// Every entry is 1 (a word occurs, a property is present); otherwise standard normal.
        binary: bool,
    },
    /// 0, 1 or 2 copies of a variant, with variants inherited together.
    Genotypes {
        /// How many neighbours form a block; blocks are independent.
        block: usize,
        /// The probability that a neighbour is inherited from the same founder.
        linkage: f64,
    },
}

/// How the columns of a dense design depend on each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Correlation {
    /// They do not.
    None,
    /// Columns j and k correlate by rho^|j − k|.
    Autoregressive {
        /// Between −1 and 1.
        rho: f64,
    },
    /// Columns in one block of neighbours correlate by rho, others do not.
    Blocks {
        /// How many columns form a block.
        size: usize,
        /// From 0 to below 1.
        rho: f64,
    },
}

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Xβ with noise.
    Continuous,
    /// 1 where Xβ with noise is above its median, otherwise −1.
    Classes,
}

impl Default for Regression {
    fn default() -> Self {
        Self {
            rows: 1_000,
            columns: 10_000,
            support: 50,
            noise: 0.5,
            design: Design::Dense(Correlation::Autoregressive { rho: 0.6 }),
            response: Response::Continuous,
            seed: 0,
        }
    }
}

/// A problem and its answer.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What a program gets to see.
    pub data: Labelled,
    /// The columns that matter, ascending, and their coefficients.
    pub coefficients: Vec<(u32, f64)>,
}

impl Regression {
    /// Generates the problem.
    pub fn generate(&self) -> Result<Problem, Error> {
        self.check()
            .map_err(|kind| Error::whole("generator options", kind))?;
        let features = match self.design {
            Design::Dense(correlation) => Matrix::Dense(self.dense(correlation)),
            Design::Sparse {
                nonzeros,
                exponent,
                binary,
            } => Matrix::Sparse(self.sparse(nonzeros, exponent, binary)),
            Design::Genotypes { block, linkage } => Matrix::Dense(self.genotypes(block, linkage)),
        };
        let coefficients = self.coefficients();
        let target = self.target(&features, &coefficients);
        let data = Labelled {
            features,
            target: Some(target),
            names: None,
        };
        Ok(Problem { data, coefficients })
    }

    fn check(&self) -> Result<(), Kind> {
        require_count("rows", self.rows)?;
        require_count("columns", self.columns)?;
        let fits = self.support <= self.columns;
        let expected = "at most the number of columns";
        require(fits, "support", expected, self.support)?;
        let fits = self.noise >= 0.0 && self.noise.is_finite();
        require(fits, "noise", "0 or more", self.noise)?;
        match self.design {
            Design::Dense(Correlation::None) => Ok(()),
            Design::Dense(Correlation::Autoregressive { rho }) => {
                require(rho.abs() < 1.0, "rho", "between -1 and 1", rho)
            }
            Design::Dense(Correlation::Blocks { size, rho }) => {
                require(size > 0, "block", "1 or more", size)?;
                require((0.0..1.0).contains(&rho), "rho", "from 0 to below 1", rho)
            }
            Design::Sparse {
                nonzeros, exponent, ..
            } => {
                let fits = nonzeros <= self.rows.saturating_mul(self.columns);
                require(fits, "nonzeros", "at most rows × columns", nonzeros)?;
                let fits = (0.0..=10.0).contains(&exponent);
                require(fits, "exponent", "from 0 to 10", exponent)
            }
            Design::Genotypes { block, linkage } => {
                require(block > 0, "block", "1 or more", block)?;
                let fits = (0.0..=1.0).contains(&linkage);
                require(fits, "linkage", "from 0 to 1", linkage)
            }
        }
    }

    fn dense(&self, correlation: Correlation) -> Array2<f64> {
        self.by_row_block(|mut rows, stream| {
            let mut before = vec![0.0; rows.nrows()];
            for (j, mut column) in rows.columns_mut().into_iter().enumerate() {
                // x = keep × (neighbour or block's common part) + fresh × its own part
                let (keep, fresh) = match correlation {
                    Correlation::None => (0.0, 1.0),
                    Correlation::Autoregressive { .. } if j == 0 => (0.0, 1.0),
                    Correlation::Autoregressive { rho } => (rho, (1.0 - rho * rho).sqrt()),
                    Correlation::Blocks { size, rho } => {
                        if j % size == 0 {
                            before.fill_with(|| normal(stream));
                        }
                        (rho.sqrt(), (1.0 - rho).sqrt())
                    }
                };
                for (x, before) in column.iter_mut().zip(&mut before) {
                    *x = keep * *before + fresh * normal(stream);
                    if let Correlation::Autoregressive { .. } = correlation {
                        *before = *x;
                    }
                }
            }
        })
    }

    /// Two strands a sample, each a mosaic of the block's founders.
    fn genotypes(&self, block: usize, linkage: f64) -> Array2<f64> {
        let mut frequencies = stream(self.seed, "genotype founders", 0);
        let carriers: Vec<u16> = (0..self.columns)
            .map(|_| founders(&mut frequencies))
            .collect();
        self.by_row_block(|mut rows, stream| {
            let mut strands = vec![[0u32; 2]; rows.nrows()];
            for (j, mut column) in rows.columns_mut().into_iter().enumerate() {
                for (x, strands) in column.iter_mut().zip(&mut strands) {
                    let mut copies = 0;
                    for founder in strands {
                        if j % block == 0 || stream.random::<f64>() >= linkage {
                            *founder = stream.random_range(0..FOUNDERS);
                        }
                        copies += (carriers[j] >> *founder) & 1;
                    }
                    *x = f64::from(copies);
                }
            }
        })
    }

    /// A dense matrix whose blocks of rows are filled, each from a stream of its own.
    fn by_row_block(
        &self,
        fill: impl Fn(ArrayViewMut2<'_, f64>, &mut Stream) + Sync,
    ) -> Array2<f64> {
        const BLOCK: usize = 128;
        let mut array = Array2::zeros((self.rows, self.columns).f());
        let blocks: Vec<_> = array
            .axis_chunks_iter_mut(Axis(0), BLOCK)
            .enumerate()
            .collect();
        workers::run(blocks, cores(), |(number, rows)| {
            fill(rows, &mut stream(self.seed, "design rows", number as u64));
        });
        array
    }

    fn sparse(&self, nonzeros: usize, exponent: f64, binary: bool) -> Csc {
        const BLOCK: usize = 1024;
        let mut sizes_stream = stream(self.seed, "column sizes", 0);
        let sizes = power_law(
            &mut sizes_stream,
            self.columns,
            exponent,
            nonzeros,
            self.rows,
        );
        let mut starts = vec![0];
        starts.extend(sizes.iter().scan(0, |sum, &size| {
            *sum += size as usize;
            Some(*sum)
        }));
        let entries = starts[self.columns];
        let (mut indices, mut values) = (vec![0; entries], vec![1.0; entries]);
        let (mut indices_left, mut values_left) = (&mut indices[..], &mut values[..]);
        let mut blocks = Vec::new();
        for (number, sizes) in sizes.chunks(BLOCK).enumerate() {
            let count = sizes.iter().map(|&size| size as usize).sum();
            let (indices, values);
            (indices, indices_left) = indices_left.split_at_mut(count);
            (values, values_left) = values_left.split_at_mut(count);
            blocks.push((number, sizes, indices, values));
        }
        workers::run(blocks, cores(), |(number, sizes, indices, values)| {
            let mut stream = stream(self.seed, "design columns", number as u64);
            let mut rows = Vec::with_capacity(indices.len());
            for &size in sizes {
                distinct(&mut stream, size as usize, self.rows as u32, &mut rows);
            }
            indices.copy_from_slice(&rows);
            if !binary {
                values.fill_with(|| normal(&mut stream));
            }
        });
        Csc::new_csc((self.rows, self.columns), starts, indices, values)
    }

    fn coefficients(&self) -> Vec<(u32, f64)> {
        let mut stream = stream(self.seed, "coefficients", 0);
        let mut support = Vec::with_capacity(self.support);
        distinct(&mut stream, self.support, self.columns as u32, &mut support);
        support
            .into_iter()
            .map(|column| (column, normal(&mut stream)))
            .collect()
    }

    fn target(&self, features: &Matrix, coefficients: &[(u32, f64)]) -> Vec<f64> {
        let mut target = vec![0.0; self.rows];
        for &(column, coefficient) in coefficients {
            add_column(features, column as usize, coefficient, &mut target);
        }
        let mean = target.iter().sum::<f64>() / self.rows as f64;
        let variance =
            target.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / self.rows as f64;
        // Without a signal there is noise alone.
        let deviation = self.noise * if variance > 0.0 { variance.sqrt() } else { 1.0 };
        let mut stream = stream(self.seed, "noise", 0);
        target
            .iter_mut()
            .for_each(|y| *y += deviation * normal(&mut stream));
        if self.response == Response::Classes {
            let mut sorted = target.clone();
            sorted.sort_by(f64::total_cmp);
            let median = sorted[self.rows / 2];
            target
                .iter_mut()
                .for_each(|y| *y = if *y >= median { 1.0 } else { -1.0 });
        }
        target
    }
}

/// Different ancestors that a block of genotypes descends from.
const FOUNDERS: u32 = 16;

/// The founders that carry a variant, as bits: at least one and at most half of them.
fn founders(stream: &mut Stream) -> u16 {
    let count = stream.random_range(1..=FOUNDERS / 2) as usize;
    let mut carriers = Vec::new();
    distinct(stream, count, FOUNDERS, &mut carriers);
    carriers.iter().fold(0, |bits, founder| bits | 1 << founder)
}

fn add_column(features: &Matrix, column: usize, factor: f64, into: &mut [f64]) {
    match features {
        Matrix::Dense(array) => {
            into.iter_mut()
                .zip(array.column(column))
                .for_each(|(y, x)| *y += factor * x);
        }
        Matrix::Sparse(csc) => {
            let range = csc.indptr().outer_inds_sz(column);
            for (&row, x) in csc.indices()[range.clone()].iter().zip(&csc.data()[range]) {
                into[row as usize] += factor * x;
            }
        }
    }
}

#[cfg(test)]
#[path = "regression_tests.rs"]
mod tests;
