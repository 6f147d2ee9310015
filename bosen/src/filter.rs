//! Filters: what happens to increments between a worker's memory and the shard's, so that fewer
//! bytes travel. They chain in a fixed order, and which of them do is part of a table's
//! description ([`Filters`]).
//!
//! ```text
//! increments + residual ─► threshold ─► rounding to a value code ─► packed keys ─► frame
//!                              └────────────┴─► residual, for the next time
//! ```
//!
//! The first two choose *what* is sent, and what they keep back stays with the sender
//! ([`Residual`]): whatever goes out plus the residual is what came in. The value that is sent is
//! then one that its code can say exactly, so that writing it ([`values`], [`keys`]) loses
//! nothing: what a shard adds to its row is, to the bit, what the worker believes it does.
//!
//! Key lists that were sent before on the same connection are recalled instead of sent again,
//! with every table ([`crate::wire`]).

mod bits;
mod eight_bit;
mod fixed_point;
mod half;
pub mod keys;
mod one_bit;
mod residual;
mod threshold;
pub mod values;

use crate::batch::{Batch, Layout};
use crate::element::{Element, ElementKind, freeze, view, with_element};
pub use residual::Residual;
use serde::{Deserialize, Serialize};

/// The filters of one table.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Filters {
    /// Cells whose increments have not reached this magnitude are kept back.
    pub threshold: Option<f64>,
    /// How values are rounded and written.
    pub values: ValueCode,
    /// Whether keys and columns are written as packed differences.
    pub packed_keys: bool,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum ValueCode {
    /// As it is in memory.
    #[default]
    Plain,
    /// 16-bit floating point: off by at most 2⁻¹¹ of the value, or 2⁻²⁵; at most ±65504.
    Half,
    /// 8 bits and a scale for each 128 cells: off by at most 1/127 of the greatest of them.
    EightBit,
    /// The sign, and the mean magnitude of each 128 cells: off by at most the greatest of them.
    OneBit,
    /// Multiples of 2^−`fraction_bits`: off by at most half of that. Sums do not depend on their
    /// order for as long as they stay below 2^(24 − `fraction_bits`) in a table of `f32`,
    /// 2^(53 − `fraction_bits`) in one of `f64`. With 0 bits, integers pass unchanged and
    /// are written in as many bits as they need.
    FixedPoint {
        /// Binary digits after the point, up to 52; 0 for tables of integers.
        fraction_bits: u8,
    },
}

/// How the batch of one message is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Coding {
    /// Keys and columns are packed.
    pub packed_keys: bool,
    /// The values' code and type, unless they are plain.
    pub values: Option<(ValueCode, ElementKind)>,
}

impl Filters {
    /// The same with a threshold.
    pub fn threshold(self, least: f64) -> Filters {
        Filters {
            threshold: Some(least),
            ..self
        }
    }

    /// The same with another code for values.
    pub fn values(self, values: ValueCode) -> Filters {
        Filters { values, ..self }
    }

    /// The same with keys packed.
    pub fn packed_keys(self) -> Filters {
        Filters {
            packed_keys: true,
            ..self
        }
    }

    /// Whether the filters can be those of a table of `kind`.
    pub fn fit(&self, kind: ElementKind) -> bool {
        let threshold = self
            .threshold
            .is_none_or(|least| least.is_finite() && least > 0.0);
        let values = match self.values {
            ValueCode::Plain => true,
            ValueCode::Half | ValueCode::EightBit | ValueCode::OneBit => kind.is_float(),
            ValueCode::FixedPoint { fraction_bits } => match kind.is_float() {
                true => fraction_bits <= 52,
                false => fraction_bits == 0,
            },
        };
        threshold && values
    }

    /// Whether a part of an increment may be kept back.
    pub fn keep_back(&self, kind: ElementKind) -> bool {
        let exact = self.values == ValueCode::Plain || !kind.is_float();
        self.threshold.is_some() || !exact
    }

    /// How a batch that has passed [`reduce`](Self::reduce) is written.
    pub fn coding(&self, kind: ElementKind) -> Coding {
        Coding {
            packed_keys: self.packed_keys,
            values: (self.values != ValueCode::Plain).then_some((self.values, kind)),
        }
    }

    /// How a batch of any values is written without loss.
    pub fn exact_coding(&self, kind: ElementKind) -> Coding {
        let exact = Coding {
            packed_keys: self.packed_keys,
            values: None,
        };
        match kind.is_float() {
            true => exact,
            false => self.coding(kind),
        }
    }

    /// What of `batch` is to be sent: the cells beyond the threshold, rounded to what the code can
    /// say; `None` if nothing is.
    fn reduce(&self, batch: &Batch, layout: Layout) -> Option<Batch> {
        let passing = match self.threshold {
            Some(least) => threshold::select(batch, layout, |v| v.abs() >= least)?,
            None => batch.clone(),
        };
        Some(with_element!(layout.kind, E => {
            let mut cells = view::<E>(&passing.values).into_owned();
            self.values.round(&mut cells);
            Batch { values: freeze(cells), ..passing }
        }))
    }
}

impl ValueCode {
    /// Makes each of `cells` the value that the code says instead of it. Doing it twice is doing
    /// it once.
    fn round<E: Element>(self, cells: &mut [E]) {
        match self {
            ValueCode::Plain => {}
            ValueCode::Half => half::round(cells),
            ValueCode::EightBit => eight_bit::round(cells),
            ValueCode::OneBit => one_bit::round(cells),
            ValueCode::FixedPoint { fraction_bits } => fixed_point::round(cells, fraction_bits),
        }
    }
}

/// Cells that share a scale, and integers that share a width.
const BLOCK: usize = 128;

/// The most that decoding one section allocates.
pub const DECODED_LIMIT_BYTES: usize = 64 << 20;

/// A coded section does not say what it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Garbled {
    /// It ends before what it announces.
    #[error("a coded section is truncated")]
    Truncated,
    /// It announces more than may be.
    #[error("a coded section of more than {DECODED_LIMIT_BYTES} bytes")]
    TooLong,
    /// There is no such code, or not for this type.
    #[error("a section of an unknown code")]
    Code,
    /// A number is beyond its type.
    #[error("a coded number is out of range")]
    Range,
}

#[cfg(test)]
mod tests;
