//! Rows of factors: one vector of rank k for each user or item, and what is known beside it.
//!
//! A row starts on a cache line and is padded with zeros to whole lines, so that kernels read
//! full SIMD vectors and never straddle a line. Every operation on rows keeps the padding zero.

use bytemuck::{Pod, Zeroable};
use strads_common::random::Stream;

use rand::RngExt;

/// How many entries a cache line has.
pub const LINE: usize = 16;

/// One cache line of entries.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// What a row has beside its factors.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Aside {
    /// The bias of the user or item.
    pub bias: f32,
    /// How far the row has come: one plus the sum of its squared gradients, by which adaptive
    /// rates are divided.
    pub travelled: f32,
}

/// A block of consecutive rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    rank: usize,
    lines: Vec<Line>,
    asides: Vec<Aside>,
}

impl Rows {
    /// `count` rows of zeros.
    pub fn zeros(count: usize, rank: usize) -> Self {
        let aside = Aside {
            bias: 0.0,
            travelled: 1.0,
        };
        Self {
            rank,
            lines: vec![Line::zeroed(); count * rank.div_ceil(LINE)],
            asides: vec![aside; count],
        }
    }

    /// Fills row `at` with entries that are uniform in ±`reach`, or in 0..`reach` if they may not
    /// be negative.
    pub fn scatter(&mut self, at: usize, reach: f32, non_negative: bool, random: &mut Stream) {
        for entry in self.row_mut(at) {
            let uniform = random.random::<f32>();
            *entry = reach
                * if non_negative {
                    uniform
                } else {
                    2.0 * uniform - 1.0
                };
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.asides.len()
    }

    /// The number of entries of a row.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// The number of entries from one row to the next.
    pub fn stride(&self) -> usize {
        self.rank.div_ceil(LINE) * LINE
    }

    /// The entries of row `at`, without padding.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.entries()[at * self.stride()..][..self.rank]
    }

    /// The entries of row `at`, to change.
    pub fn row_mut(&mut self, at: usize) -> &mut [f32] {
        let (stride, rank) = (self.stride(), self.rank);
        &mut self.split_mut().0[at * stride..][..rank]
    }

    /// What row `at` has beside its factors.
    pub fn aside(&self, at: usize) -> Aside {
        self.asides[at]
    }

    /// What row `at` has beside its factors, to change.
    pub fn aside_mut(&mut self, at: usize) -> &mut Aside {
        &mut self.asides[at]
    }

    /// All entries with their padding.
    pub fn entries(&self) -> &[f32] {
        bytemuck::cast_slice(&self.lines)
    }

    /// All entries with their padding, and what the rows have beside them.
    pub fn split_mut(&mut self) -> (&mut [f32], &mut [Aside]) {
        (bytemuck::cast_slice_mut(&mut self.lines), &mut self.asides)
    }

    /// The sum of the squares of all entries.
    pub fn squares(&self) -> f64 {
        let square = |line: &Line| line.0.iter().map(|x| x * x).sum::<f32>();
        self.lines.iter().map(|line| f64::from(square(line))).sum()
    }
}

strads::travel_as_bytes!(Line, Aside);
strads::travel_by_fields!(Rows {
    rank,
    lines,
    asides
});
