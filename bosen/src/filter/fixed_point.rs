//! Fixed point: multiples of 2^−b, written as integers in as many bits as they need.
//!
//! Multiples of one power of two add up without rounding while the sum has no more digits than
//! the type's significand. Then the sum is the same in whatever order shards and workers take
//! it, which plain floating-point sums are not.

use super::Garbled;
use super::bits::{pack, unpack, unzigzag, zigzag};
use crate::element::{Element, ElementKind};

/// The greatest multiple that is sent at once; the rest follows later.
const MOST: f64 = (1u64 << 62) as f64;

fn multiple(value: f64, bits: u8) -> f64 {
    let scale = (1u64 << bits) as f64;
    (value * scale).round_ties_even().clamp(-MOST, MOST)
}

/// Makes each cell the nearest multiple of 2^−`bits`; integers are such.
pub fn round<E: Element>(cells: &mut [E], bits: u8) {
    if !E::KIND.is_float() {
        return;
    }
    let scale = (1u64 << bits) as f64;
    for cell in cells {
        *cell = E::from_f64(multiple(cell.to_f64(), bits) / scale);
    }
}

/// Rounded cells as packed integers.
pub fn encode<E: Element>(cells: &[E], bits: u8) -> Vec<u8> {
    match E::KIND {
        ElementKind::I32 => pack(integers(cells, |cell: i32| i64::from(cell))),
        ElementKind::I64 => pack(integers(cells, |cell: i64| cell)),
        _ => pack(
            cells
                .iter()
                .map(|cell| zigzag(multiple(cell.to_f64(), bits) as i64)),
        ),
    }
}

/// Cells that are known to be integers of type `I`.
fn integers<E: Element, I: Element>(
    cells: &[E],
    widen: impl Fn(I) -> i64,
) -> impl Iterator<Item = u64> {
    let cells: &[I] = bytemuck::cast_slice(cells);
    cells.iter().map(move |&cell| zigzag(widen(cell)))
}

/// `count` cells.
pub fn decode<E: Element>(bytes: &[u8], count: usize, bits: u8) -> Result<Vec<E>, Garbled> {
    let (words, used) = unpack(bytes, count)?;
    if used != bytes.len() {
        return Err(Garbled::Truncated);
    }
    let integers = words.into_iter().map(unzigzag);
    match E::KIND {
        ElementKind::I32 => {
            let narrow = |integer| i32::try_from(integer).map_err(|_| Garbled::Range);
            let cells: Vec<i32> = integers.map(narrow).collect::<Result<_, _>>()?;
            Ok(bytemuck::cast_vec(cells))
        }
        ElementKind::I64 => Ok(bytemuck::cast_vec(integers.collect::<Vec<i64>>())),
        _ => {
            let scale = (1u64 << bits) as f64;
            Ok(integers
                .map(|integer| E::from_f64(integer as f64 / scale))
                .collect())
        }
    }
}
