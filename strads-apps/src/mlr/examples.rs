//! Examples by rows, in single precision, each with a class.
//!
//! Behind its features every example has a 1, whose weights are the bias: one matrix holds the
//! whole model.

use std::sync::Arc;

use bosen::factors::Rows;
use strads::cluster::{Malformed, Packer, Travel, Unpacker};
use strads_datasets::{Labelled, Matrix};

use crate::failure::Failure;

/// The examples of a training or a test.
#[derive(Debug)]
pub struct Examples {
    features: Features,
    /// Rows of the parameter matrix: features and the 1 behind them.
    pub rows: usize,
    /// The number of each example's class.
    pub labels: Vec<u32>,
}

#[derive(Debug)]
enum Features {
    /// Example after example.
    Dense(Vec<f32>),
    /// The entries of example i are those before `ends[i]`.
    Sparse {
        ends: Vec<usize>,
        rows: Vec<u32>,
        values: Vec<f32>,
    },
}

impl Examples {
    /// Examples with the classes `labels`.
    pub fn new(matrix: &Matrix, labels: Vec<u32>) -> Self {
        let rows = matrix.columns() + 1;
        let features = match matrix {
            Matrix::Dense(array) => {
                let mut values = Vec::with_capacity(array.nrows() * rows);
                for example in array.rows() {
                    values.extend(example.iter().map(|&x| x as f32));
                    values.push(1.0);
                }
                Features::Dense(values)
            }
            // Where rows outnumber names, naming them makes examples longer, and products slower.
            Matrix::Sparse(csc) if 2 * csc.nnz() >= csc.rows() * csc.cols() => {
                let mut values = vec![0.0; csc.rows() * rows];
                values
                    .chunks_exact_mut(rows)
                    .for_each(|example| example[rows - 1] = 1.0);
                for (x, (example, feature)) in csc.iter() {
                    values[example as usize * rows + feature as usize] = *x as f32;
                }
                Features::Dense(values)
            }
            Matrix::Sparse(csc) => {
                let csr = csc.to_csr();
                let (mut ends, mut named, mut values) = (Vec::new(), Vec::new(), Vec::new());
                for example in csr.outer_iterator() {
                    named.extend(example.indices());
                    values.extend(example.data().iter().map(|&x| x as f32));
                    named.push(rows as u32 - 1);
                    values.push(1.0);
                    ends.push(named.len());
                }
                Features::Sparse {
                    ends,
                    rows: named,
                    values,
                }
            }
        };
        Self {
            features,
            rows,
            labels,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.features {
            Features::Dense(values) => values.len() / self.rows,
            Features::Sparse { ends, .. } => ends.len(),
        }
    }

    /// The share of entries that are stored.
    pub fn density(&self) -> f64 {
        match &self.features {
            Features::Dense(_) => 1.0,
            Features::Sparse { rows, .. } => {
                rows.len() as f64 / (self.len().max(1) * self.rows) as f64
            }
        }
    }

    /// The mean of ‖x‖², the 1 included.
    pub fn mean_square(&self) -> f64 {
        let (Features::Dense(values) | Features::Sparse { values, .. }) = &self.features;
        let sum: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        sum / self.len().max(1) as f64
    }

    /// Some examples, in this order.
    pub fn gather(&self, which: &[usize]) -> Rows<'static> {
        match &self.features {
            Features::Dense(values) => {
                let mut gathered = Vec::with_capacity(which.len() * self.rows);
                for &at in which {
                    gathered.extend_from_slice(&values[at * self.rows..(at + 1) * self.rows]);
                }
                Rows::All(gathered.into())
            }
            Features::Sparse { ends, rows, values } => {
                let (mut to, mut named, mut entries) = (Vec::new(), Vec::new(), Vec::new());
                for &at in which {
                    let range = at.checked_sub(1).map_or(0, |before| ends[before])..ends[at];
                    named.extend_from_slice(&rows[range.clone()]);
                    entries.extend_from_slice(&values[range]);
                    to.push(named.len() as u32);
                }
                Rows::Some {
                    ends: to.into(),
                    rows: named.into(),
                    values: entries.into(),
                }
            }
        }
    }
}

/// The examples of one worker. They are in memory once for all workers of a process; only a
/// worker's own travel.
#[derive(Clone, Debug)]
pub struct Own {
    all: Arc<Examples>,
    which: Vec<usize>,
}

impl Own {
    /// Those numbered `which` of `all`.
    pub fn new(all: Arc<Examples>, which: Vec<usize>) -> Self {
        Self { all, which }
    }

    /// No examples: what is left of a worker that is done.
    pub fn none() -> Self {
        let none = Examples {
            features: Features::Dense(Vec::new()),
            rows: 1,
            labels: Vec::new(),
        };
        Self::new(Arc::new(none), Vec::new())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.which.len()
    }

    /// The classes of all.
    pub fn labels(&self) -> Vec<u32> {
        self.which.iter().map(|&at| self.all.labels[at]).collect()
    }

    /// The features and classes of those in these places.
    pub fn gather(&self, places: &[usize]) -> (Rows<'static>, Vec<u32>) {
        let which: Vec<usize> = places.iter().map(|&place| self.which[place]).collect();
        let labels = which.iter().map(|&at| self.all.labels[at]).collect();
        (self.all.gather(&which), labels)
    }
}

/// Where each example's entries end, and the row of each.
type Names = (Vec<u32>, Vec<u32>);

impl Travel for Own {
    fn pack(&self, out: &mut Packer<'_>) {
        let places: Vec<usize> = (0..self.len()).collect();
        let (features, labels) = self.gather(&places);
        self.all.rows.pack(out);
        labels.pack(out);
        let (named, values) = match features {
            Rows::All(values) => (None, values),
            Rows::Some { ends, rows, values } => {
                (Some((ends.into_owned(), rows.into_owned())), values)
            }
        };
        named.pack(out);
        f32::pack_all(&values, out);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        let (rows, labels): (usize, Vec<u32>) = Travel::unpack(from)?;
        let (named, values): (Option<Names>, Vec<f32>) = Travel::unpack(from)?;
        let count = labels.len();
        let (features, fits) = match named {
            None => {
                let fits = count.checked_mul(rows) == Some(values.len()) && rows > 0;
                (Features::Dense(values), fits)
            }
            Some((ends, named)) => {
                let ends: Vec<usize> = ends.into_iter().map(|end| end as usize).collect();
                let fits = ends.len() == count
                    && ends.is_sorted()
                    && ends.last().is_none_or(|&last| last == values.len())
                    && named.len() == values.len()
                    && named.iter().all(|&row| (row as usize) < rows);
                let sparse = Features::Sparse {
                    ends,
                    rows: named,
                    values,
                };
                (sparse, fits)
            }
        };
        if !fits {
            return Err(Malformed("examples that fit each other"));
        }
        let all = Examples {
            features,
            rows,
            labels,
        };
        Ok(Self::new(Arc::new(all), (0..count).collect()))
    }
}

/// The different values of `target`, ascending, and which of them each example has.
pub fn classes(target: &[f64]) -> Result<(Vec<f64>, Vec<u32>), Failure> {
    let mut classes = target.to_vec();
    classes.sort_by(f64::total_cmp);
    classes.dedup();
    // A regression's target would make a class of every example.
    const MOST: usize = 1 << 20;
    if classes.len() < 2
        || classes.len() > MOST
        || classes.len() == target.len() && target.len() > 3
    {
        return Err(Failure::input(format!(
            "there are {} different targets for {} examples, so they are no classes\n\
             `strads lasso` is for targets that are amounts",
            classes.len(),
            target.len()
        )));
    }
    let number = |y: &f64| classes.partition_point(|class| class < y) as u32;
    let labels = target.iter().map(number).collect();
    Ok((classes, labels))
}

/// Examples whose target has to be one of `classes`.
pub fn known(data: &Labelled, classes: &[f64], target: &[f64]) -> Result<Examples, Failure> {
    let number = |y: &f64| {
        let found = classes.binary_search_by(|class| class.total_cmp(y));
        found.map(|number| number as u32).map_err(|_| {
            Failure::input(format!(
                "the model has no class {y}\nit has {} others",
                classes.len()
            ))
        })
    };
    let labels = target.iter().map(number).collect::<Result<_, _>>()?;
    Ok(Examples::new(&data.features, labels))
}

#[cfg(test)]
mod tests {
    //! Examples are the same in either layout, and arrive as they were sent.
    use strads::cluster::{pack, unpack};
    use strads_datasets::generate::Classes;

    use super::*;

    fn examples(density: f64) -> Arc<Examples> {
        let problem = Classes {
            rows: 20,
            columns: 6,
            classes: 3,
            density,
            separation: 3.0,
            seed: 1,
        };
        let data = problem.generate().unwrap();
        let labels = data.target.as_ref().unwrap().iter().map(|y| *y as u32);
        Arc::new(Examples::new(&data.features, labels.collect()))
    }

    #[test]
    fn rows_are_named_where_that_is_shorter() {
        assert!(matches!(examples(0.7).gather(&[0]), Rows::All(_)));
        assert!(matches!(examples(0.2).gather(&[0]), Rows::Some { .. }));
        let Rows::All(values) = examples(0.7).gather(&[4]) else {
            panic!("dense")
        };
        assert_eq!((values.len(), values[6]), (7, 1.0));
        assert!(values[..6].iter().any(|x| *x != 0.0));
    }

    #[test]
    fn own_examples_arrive() {
        for density in [1.0, 0.7, 0.2] {
            let own = Own::new(examples(density), vec![7, 0, 13]);
            let bytes = pack(&own);
            let there: Own = unpack(&bytes).unwrap();
            assert_eq!(there.gather(&[2, 0, 1]), own.gather(&[2, 0, 1]));
            for end in 0..bytes.len() {
                assert!(unpack::<Own>(&bytes[..end]).is_err());
            }
        }
    }
}
