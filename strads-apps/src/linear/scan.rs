//! Scans: every column's correlation with the residual, or a bound that makes computing it needless.
//!
//! A worker keeps, for each column of its part, the correlation that it last computed and the
//! residual (the anchor) that it was computed with. Since |x̃ⱼᵀ(r − r′)| ≤ ‖x̃ⱼ‖ ‖r − r′‖, a column
//! whose bound stays below the threshold cannot violate the optimality conditions and is not read.
//! The bound is safe, so what a scan reports certifies a duality gap. Sparse columns are read against
//! the residual in half the width first, dense ones as [sketches](super::sketch) once they have been
//! read; what that may be off is bounded likewise.

use std::ops::Range;
use std::sync::Arc;

use strads::policy::{Blocks, MostUrgent};

use super::design::{Column, Design, Moment, Moments, Scaling};
use super::kernel::{self, vectorised};
use super::sketch::{Residual, Sketches};

/// Columns that are read together; one chunk belongs to one worker.
const CHUNK: usize = 64;
/// Residuals that bounds refer to; one more, and all columns are computed afresh.
pub const ANCHORS: usize = 12;
/// Whoever has scanned this often will do it again, and so will whoever has as many λ ahead: sketches
/// are worth making.
const SKETCHED_AFTER: usize = 3;
/// Columns between the one that is computed and the one that is fetched.
const AHEAD: usize = 2;
/// A correlation that must be computed whatever its bound.
const UNKNOWN: f64 = f64::INFINITY;

/// A worker's part of the columns.
#[derive(Debug)]
pub struct Part {
    /// The columns, in ascending chunks.
    pub chunks: Vec<Range<usize>>,
    /// |correlation| when last computed, in the order of the chunks.
    known: Vec<f64>,
    /// The anchor that it was computed with.
    anchor: Vec<u8>,
    /// How many scans there have been.
    scans: usize,
    /// Of dense columns that were computed before.
    sketches: Sketches,
}

/// What a scan needs to know.
#[derive(Clone, Debug)]
pub struct Look {
    /// How columns are seen.
    pub moments: Arc<Moments>,
    /// The residual, centred if columns are.
    pub residual: Arc<Vec<f64>>,
    /// ‖residual − anchor‖ for each anchor; the last one is this residual itself.
    pub distances: Vec<f64>,
    /// Earlier anchors are gone: compute every column.
    pub afresh: bool,
    /// Columns below this are of no interest.
    pub threshold: f64,
    /// How many columns above it are wanted.
    pub wanted: usize,
    /// The columns with non-zero coefficients, ascending, with λ₂ β.
    pub pulled: Arc<Vec<(u32, f64)>>,
    /// Columns whose |correlation| with this residual is known, ascending, with it.
    pub looked: Arc<Vec<(u32, f64)>>,
    /// How many λ come after this one; each needs a scan at least.
    pub ahead: usize,
}

/// What a scan found in one part.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The largest |correlation|, or `threshold` if that is larger.
    pub worst: f64,
    /// The most correlated columns above the threshold, most correlated first.
    pub violators: Vec<(u32, f64)>,
    /// How many columns were read.
    pub computed: usize,
}

impl Part {
    /// Divides the columns of `design` among `workers` by what reading them costs.
    pub fn divide(design: &Design, workers: usize) -> Vec<Self> {
        let columns = design.columns();
        let chunks = (0..columns)
            .step_by(CHUNK)
            .map(|start| start..(start + CHUNK).min(columns));
        let cost = |chunk: &Range<usize>| chunk.clone().map(|j| design.stored(j) as u64 + 8).sum();
        let blocks = Blocks::balanced(chunks, workers, cost).blocks;
        blocks.into_iter().map(Self::new).collect()
    }

    fn new(mut chunks: Vec<Range<usize>>) -> Self {
        chunks.sort_unstable_by_key(|chunk| chunk.start);
        let columns = chunks.iter().map(Range::len).sum();
        Self {
            chunks,
            known: vec![UNKNOWN; columns],
            anchor: vec![0; columns],
            scans: 0,
            sketches: Sketches::default(),
        }
    }

    /// The first look at all columns: their moments (in the order of the chunks), and the
    /// `wanted` most correlated with `residual`, which becomes the first anchor.
    pub fn survey(
        &mut self,
        design: &Design,
        residual: &[f64],
        scaling: Scaling,
        wanted: usize,
    ) -> (Moments, Found) {
        let rows = design.rows() as f64;
        let near = Near::of(residual, design);
        let mut moments = Moments::with_capacity(self.known.len(), scaling);
        let mut violators = MostUrgent::new(wanted);
        let mut worst: f64 = 0.0;
        vectorised(
            #[inline(always)]
            || {
                let columns = self.chunks.iter().cloned().flatten();
                for (at, (known, j)) in self.known.iter_mut().zip(columns).enumerate() {
                    let column = design.column(j);
                    let (sum, square, product, doubt) = near.survey(column);
                    moments.push(Moment::of(scaling, design.rows(), sum, square), scaling);
                    *known = 0.0;
                    if moments.square[at] > 0.0 {
                        let factor = moments.factor(at) / rows;
                        *known = factor * (product.abs() + doubt);
                        if *known > worst && doubt > 0.0 {
                            *known = (factor * column.dot(residual)).abs();
                        }
                        worst = worst.max(*known);
                        violators.offer(j as u32, *known);
                    }
                }
            },
        );
        let found = Found {
            worst,
            violators: violators.into_sorted(),
            computed: self.known.len(),
        };
        (moments, found)
    }

    /// Finds the columns whose |correlation| exceeds the threshold.
    pub fn scan(&mut self, design: &Design, look: &Look) -> Found {
        if look.afresh {
            self.known.fill(UNKNOWN);
            self.anchor.fill(0);
        }
        let rows = design.rows() as f64;
        let drift: Vec<f64> = look
            .distances
            .iter()
            .map(|distance| distance / rows)
            .collect();
        let newest = (drift.len() - 1) as u8;
        let near = Near::of(&look.residual, design);
        let Self {
            chunks,
            known,
            anchor,
            scans,
            sketches,
        } = self;
        *scans += 1;
        if *scans + look.ahead > SKETCHED_AFTER && !design.is_sparse() {
            sketches.reserve(known.len(), design.rows());
        }
        let mut violators = MostUrgent::new(look.wanted);
        let (mut worst, mut computed) = (look.threshold, 0);
        vectorised(
            #[inline(always)]
            || {
                let mut at = 0;
                for chunk in chunks.iter() {
                    let mut pulled = Walk::from(&look.pulled, chunk.start);
                    let mut looked = Walk::from(&look.looked, chunk.start);
                    for j in chunk.clone() {
                        sketches.fetch(at + AHEAD, design.rows());
                        let square = look.moments.square[j];
                        let bound = known[at] + drift[usize::from(anchor[at])] * square.sqrt();
                        if bound > look.threshold && square > 0.0 {
                            let pull = pulled.of(j);
                            let correlation = looked.of(j).unwrap_or_else(
                                #[inline(always)]
                                || {
                                    let column = design.column(j);
                                    let factor = look.moments.factor(j);
                                    let from = |product: f64| {
                                        (factor * product / rows - pull.unwrap_or(0.0)).abs()
                                    };
                                    let length = look.moments.length(rows, j);
                                    let (product, doubt) = (sketches.dot(at, &near.whole, length))
                                        .unwrap_or_else(|| near.dot(column, length));
                                    let bound = from(product) + factor * doubt / rows;
                                    if doubt == 0.0 {
                                        sketches.make(at, column);
                                    } else if bound > look.threshold {
                                        return from(column.dot(&look.residual));
                                    }
                                    bound
                                },
                            );
                            // A coefficient that is not zero may change λ₂ β, which no bound covers.
                            known[at] = if pull.is_some() { UNKNOWN } else { correlation };
                            anchor[at] = newest;
                            computed += 1;
                            if correlation > look.threshold {
                                worst = worst.max(correlation);
                                violators.offer(j as u32, correlation);
                            }
                        }
                        at += 1;
                    }
                }
            },
        );
        let violators = violators.into_sorted();
        Found {
            worst,
            violators,
            computed,
        }
    }
}

impl Found {
    /// What two parts found together.
    pub fn merge(self, other: Self, wanted: usize) -> Self {
        let mut violators = MostUrgent::new(wanted);
        for (j, correlation) in self.violators.into_iter().chain(other.violators) {
            violators.offer(j, correlation);
        }
        Self {
            worst: self.worst.max(other.worst),
            violators: violators.into_sorted(),
            computed: self.computed + other.computed,
        }
    }
}

/// The residual, and in narrower forms, where reading it or what is multiplied with it is what a
/// scan costs.
struct Near<'a> {
    exact: &'a [f64],
    /// For sparse columns: in half the width, and how far that is from the residual.
    half: Vec<f32>,
    distance: f64,
    /// For dense columns.
    whole: Residual,
}

impl<'a> Near<'a> {
    fn of(exact: &'a [f64], design: &Design) -> Self {
        let (mut half, mut distance) = (Vec::new(), 0.0);
        if design.is_sparse() {
            half = exact.iter().map(|&r| r as f32).collect();
            let errors = exact
                .iter()
                .zip(&half)
                .map(|(r, &half)| r - f64::from(half));
            distance = errors.map(|error| error * error).sum::<f64>().sqrt();
            // Too large a residual has no narrow form.
            if !distance.is_finite() {
                half.clear();
            }
        }
        Self {
            exact,
            half,
            distance,
            whole: Residual::of(if design.is_sparse() { &[] } else { exact }),
        }
    }

    /// Σ x, Σ x² and xᵀ r, and how far off the last may be.
    #[inline(always)]
    fn survey(&self, column: Column<'_>) -> (f64, f64, f64, f64) {
        match column {
            Column::Sparse(rows, values) if !self.half.is_empty() => {
                let (sum, square, product) = kernel::survey_sparse(rows, values, &self.half);
                (sum, square, product, self.distance * square.sqrt())
            }
            _ => {
                let (sum, square) = column.sums();
                let (product, doubt) = self.dot(column, square.sqrt());
                (sum, square, product, doubt)
            }
        }
    }

    /// xᵀ r for a column of the given length, and how far off that may be.
    #[inline(always)]
    fn dot(&self, column: Column<'_>, length: f64) -> (f64, f64) {
        match column {
            Column::Sparse(rows, values) if !self.half.is_empty() => (
                kernel::dot_sparse(rows, values, &self.half),
                self.distance * length,
            ),
            Column::Ones(rows) if !self.half.is_empty() => {
                (kernel::dot_ones(rows, &self.half), self.distance * length)
            }
            Column::I8(entries) => self.whole.dot(entries, length),
            _ => (column.dot(self.exact), 0.0),
        }
    }
}

/// Walks along a list of some columns with the columns.
struct Walk<'a> {
    rest: &'a [(u32, f64)],
}

impl<'a> Walk<'a> {
    fn from(list: &'a [(u32, f64)], start: usize) -> Self {
        Self {
            rest: &list[list.partition_point(|&(j, _)| (j as usize) < start)..],
        }
    }

    /// What the list has for column `j`; asked in ascending order.
    #[inline(always)]
    fn of(&mut self, j: usize) -> Option<f64> {
        while let Some(&(k, value)) = self.rest.first() {
            if k as usize >= j {
                return (k as usize == j).then_some(value);
            }
            self.rest = &self.rest[1..];
        }
        None
    }
}

strads::travel_by_fields!(
    Part { chunks, known, anchor, scans, sketches }
    Look { moments, residual, distances, afresh, threshold, wanted, pulled, looked, ahead }
    Found { worst, violators, computed }
);
