//! Examples of several classes, from a model of the kind that is to be found.
//!
//! Each class has a mean; an example is its class's mean with normal noise around it. So the best
//! guess of a class from an example is the softmax of linear scores.

use super::sample::normal;
use super::{cores, require};
use crate::error::{Error, Kind};
use crate::matrix::{Csc, Labelled, Matrix};
use crate::workers;
use rand::RngExt;
use strads_common::random::{Stream, stream};

/// A problem to generate.
#[derive(Clone, Debug)]
pub struct Classes {
    /// Examples.
    pub rows: usize,
    /// Features.
    pub columns: usize,
    /// Classes, called 0, 1, …
    pub classes: usize,
    /// The share of entries that are not zero; below 1 the matrix is sparse.
    pub density: f64,
    /// How far a class's mean is from 0 on average, in deviations of the noise.
    pub separation: f64,
    /// Everything random is a function of the options and this.
    pub seed: u64,
}

/// Examples that share a random stream.
const BLOCK: usize = 128;

/// Columns, their values, and the class of one example.
type Example = (Vec<u32>, Vec<f64>, f64);

impl Classes {
    /// Generates features and classes.
    pub fn generate(&self) -> Result<Labelled, Error> {
        self.check()
            .map_err(|kind| Error::whole("generator options", kind))?;
        let mut examples: Vec<Example> = vec![Example::default(); self.rows];
        let blocks: Vec<_> = examples.chunks_mut(BLOCK).enumerate().collect();
        workers::run(blocks, cores(), |(number, block)| {
            let mut stream = stream(self.seed, "class examples", number as u64);
            for (at, example) in block.iter_mut().enumerate() {
                // All classes occur, whatever the number of examples.
                let class = (number * BLOCK + at) % self.classes;
                *example = self.example(class, &mut stream);
            }
        });
        Ok(self.assemble(&examples))
    }

    fn check(&self) -> Result<(), Kind> {
        let most = u32::MAX as usize;
        for (option, count) in [("rows", self.rows), ("columns", self.columns)] {
            let fits = (1..most).contains(&count);
            require(fits, option, "from 1 to 4294967294", count)?;
        }
        let classes = self.classes;
        let fits = (2..=1 << 20).contains(&classes);
        require(fits, "classes", "from 2 to 1048576", classes)?;
        let density = self.density;
        let fits = density > 0.0 && density <= 1.0;
        require(fits, "density", "above 0 and at most 1", density)?;
        let separation = self.separation;
        let fits = separation >= 0.0 && separation.is_finite();
        require(fits, "separation", "0 or more", separation)
    }

    fn example(&self, class: usize, noise: &mut Stream) -> Example {
        let mut mean = stream(self.seed, "class means", class as u64);
        let reach = self.separation / (self.columns as f64 * self.density).sqrt();
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for column in 0..self.columns {
            let centre = reach * normal(&mut mean);
            if self.density < 1.0 && noise.random::<f64>() >= self.density {
                continue;
            }
            columns.push(column as u32);
            values.push(centre + normal(noise));
        }
        (columns, values, class as f64)
    }

    fn assemble(&self, examples: &[Example]) -> Labelled {
        let target = examples.iter().map(|(.., class)| *class).collect();
        let features = if self.density < 1.0 {
            let ends = examples.iter().scan(0, |end, (columns, ..)| {
                *end += columns.len();
                Some(*end)
            });
            let indptr: Vec<usize> = std::iter::once(0).chain(ends).collect();
            let columns = examples
                .iter()
                .flat_map(|(columns, ..)| columns)
                .copied()
                .collect();
            let values = examples
                .iter()
                .flat_map(|(_, values, _)| values)
                .copied()
                .collect();
            Matrix::Sparse(Csc::new((self.rows, self.columns), indptr, columns, values).to_csc())
        } else {
            let mut values = vec![0.0; self.rows * self.columns];
            for (row, (_, entries, _)) in examples.iter().enumerate() {
                for (column, x) in entries.iter().enumerate() {
                    values[column * self.rows + row] = *x;
                }
            }
            Matrix::from_columns(self.rows, self.columns, values)
        };
        Labelled {
            features,
            target: Some(target),
            names: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(density: f64) -> Classes {
        Classes {
            rows: 300,
            columns: 20,
            classes: 4,
            density,
            separation: 3.0,
            seed: 7,
        }
    }

    /// All classes occur, the density is what was asked for, and a seed makes the same data again.
    #[test]
    fn classes_occur_and_seeds_repeat() {
        for density in [1.0, 0.3] {
            let data = problem(density).generate().unwrap();
            assert_eq!(data, problem(density).generate().unwrap());
            assert_ne!(
                data,
                Classes {
                    seed: 8,
                    ..problem(density)
                }
                .generate()
                .unwrap()
            );
            let stored = data.features.nonzeros() as f64 / 6000.0;
            assert!((stored - density).abs() < 0.05, "{stored}");
            let target = data.target.unwrap();
            for class in 0..4 {
                let count = target.iter().filter(|y| **y == f64::from(class)).count();
                assert!(count > 20, "class {class} occurs {count} times");
            }
        }
    }

    #[test]
    fn impossible_options_are_refused() {
        for wrong in [
            Classes {
                classes: 1,
                ..problem(1.0)
            },
            Classes {
                density: 0.0,
                ..problem(1.0)
            },
            Classes {
                rows: 0,
                ..problem(1.0)
            },
            Classes {
                separation: f64::NAN,
                ..problem(1.0)
            },
        ] {
            assert!(wrong.generate().is_err(), "{wrong:?}");
        }
    }
}
