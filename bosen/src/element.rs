//! What a cell of a table can be: `f32`, `f64`, `i32` or `i64`.
//!
//! Values travel and are kept as little-endian bytes; [`view`] looks at such bytes as a slice of
//! elements without decoding them one by one. Integer sums wrap, so that they are exact modulo
//! 2^n whatever the order in which they are taken.

use crate::local::Cell;
use bytemuck::Pod;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(target_endian = "big")]
compile_error!("values are little-endian in memory and on the wire");

/// The type of the cells of a table, as a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ElementKind {
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// 32-bit integers that wrap.
    I32,
    /// 64-bit integers that wrap.
    I64,
}

impl ElementKind {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            ElementKind::F32 | ElementKind::I32 => 4,
            ElementKind::F64 | ElementKind::I64 => 8,
        }
    }

    /// Whether the elements are floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, ElementKind::F32 | ElementKind::F64)
    }
}

/// A cell of a table.
pub trait Element: Pod + Default + PartialEq + Debug + Send + Sync + 'static {
    /// The type as a value.
    const KIND: ElementKind;

    /// A cell that threads share.
    type Cell: Cell<Self>;

    /// The sum; wraps for integers.
    fn plus(self, other: Self) -> Self;

    /// What must be added to undo adding `self`.
    fn negated(self) -> Self;

    /// Nearest value as `f64`.
    fn to_f64(self) -> f64;

    /// Nearest value of this type; saturates for integers.
    fn from_f64(value: f64) -> Self;
}

macro_rules! element {
    ($type:ty, $kind:ident, $atomic:ty, $plus:expr, $negated:expr) => {
        impl Element for $type {
            const KIND: ElementKind = ElementKind::$kind;

            type Cell = $atomic;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                $plus(self, other)
            }

            #[inline(always)]
            fn negated(self) -> Self {
                $negated(self)
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $type
            }
        }
    };
}

element!(f32, F32, AtomicU32, |a, b| a + b, |a: f32| -a);
element!(f64, F64, AtomicU64, |a, b| a + b, |a: f64| -a);
element!(i32, I32, AtomicU32, i32::wrapping_add, i32::wrapping_neg);
element!(i64, I64, AtomicU64, i64::wrapping_add, i64::wrapping_neg);

/// Runs `$body` with `$E` naming the element type of `$kind`.
macro_rules! with_element {
    ($kind:expr, $E:ident => $body:expr) => {
        match $kind {
            $crate::element::ElementKind::F32 => {
                type $E = f32;
                $body
            }
            $crate::element::ElementKind::F64 => {
                type $E = f64;
                $body
            }
            $crate::element::ElementKind::I32 => {
                type $E = i32;
                $body
            }
            $crate::element::ElementKind::I64 => {
                type $E = i64;
                $body
            }
        }
    };
}
pub(crate) use with_element;

/// `bytes` as elements: where they lie if they are aligned, which frames see to, else a copy.
pub fn view<E: Pod>(bytes: &[u8]) -> Cow<'_, [E]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(slice) => Cow::Borrowed(slice),
        Err(_) => Cow::Owned(bytemuck::pod_collect_to_vec(bytes)),
    }
}

/// The bytes of `elements`, taken over without a copy.
pub fn freeze<E: Pod + Send + Sync>(elements: Vec<E>) -> Bytes {
    struct Owner<E>(Vec<E>);
    impl<E: Pod> AsRef<[u8]> for Owner<E> {
        fn as_ref(&self) -> &[u8] {
            bytemuck::cast_slice(&self.0)
        }
    }
    Bytes::from_owner(Owner(elements))
}

/// `into[i] += from[i]`.
#[inline]
pub fn add_slice<E: Element>(into: &mut [E], from: &[E]) {
    for (a, b) in into.iter_mut().zip(from) {
        *a = a.plus(*b);
    }
}
