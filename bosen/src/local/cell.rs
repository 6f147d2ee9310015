//! Cells that threads share: atomics, read and written relaxed.
//!
//! On the machines that matter such a read or write is a plain one, so that sharing costs nothing
//! by itself; what two threads do to the same cell at once is decided by who uses it
//! ([`Dense`](super::dense::Dense)).

use crate::element::Element;
use bytemuck::Zeroable;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A shared cell of type `E`; all zero bytes are a zero.
pub trait Cell<E>: Zeroable + Send + Sync {
    /// Its value.
    fn load(&self) -> E;

    /// Gives it a value.
    fn store(&self, value: E);
}

macro_rules! cell {
    ($type:ty, $atomic:ty, $from:expr, $to:expr) => {
        impl Cell<$type> for $atomic {
            #[inline(always)]
            fn load(&self) -> $type {
                $from(<$atomic>::load(self, Relaxed))
            }

            #[inline(always)]
            fn store(&self, value: $type) {
                <$atomic>::store(self, $to(value), Relaxed);
            }
        }
    };
}

cell!(f32, AtomicU32, f32::from_bits, f32::to_bits);
cell!(f64, AtomicU64, f64::from_bits, f64::to_bits);
cell!(i32, AtomicU32, u32::cast_signed, i32::cast_unsigned);
cell!(i64, AtomicU64, u64::cast_signed, i64::cast_unsigned);

/// `cells[i] += from[i]`.
#[inline]
pub fn add_cells<E: Element>(cells: &[E::Cell], from: &[E]) {
    for (cell, &delta) in cells.iter().zip(from) {
        cell.store(cell.load().plus(delta));
    }
}

/// `into[i] = cells[i]`.
#[inline]
pub fn load_cells<E: Element>(cells: &[E::Cell], into: &mut [E]) {
    for (value, cell) in into.iter_mut().zip(cells) {
        *value = cell.load();
    }
}
