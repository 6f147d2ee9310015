//! 8 bits a cell: a multiple, from −127 to 127, of a power of two that each block chooses by its
//! greatest magnitude.
//!
//! A power of two, because products with it are exact and because a block that has been rounded
//! chooses the same one again: that makes writing a rounded block lossless.

use super::{BLOCK, Garbled};
use crate::element::{Element, ElementKind};

/// The exponents of a scale such that its multiples are numbers of the type, neither too large nor
/// below what the type says in full.
fn exponents<E: Element>() -> std::ops::RangeInclusive<i32> {
    match E::KIND {
        ElementKind::F32 => -126..=120,
        _ => -1022..=1016,
    }
}

/// The exponent of the least power of two of which `block` is within 127 multiples.
fn exponent<E: Element>(block: &[E]) -> i32 {
    let greatest = block
        .iter()
        .map(|cell| cell.to_f64().abs())
        .fold(0.0, f64::max);
    let bits = greatest.to_bits();
    // greatest = m · 2^k with m in [1, 2), or 0, or so small that the bound below holds.
    let (k, m) = ((bits >> 52) as i32 - 1023, bits & ((1 << 52) - 1));
    let above_127_of_128 = m > (127.0f64 / 64.0).to_bits() & ((1 << 52) - 1);
    let exponent = k - 6 + i32::from(above_127_of_128);
    exponent.clamp(*exponents::<E>().start(), *exponents::<E>().end())
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

fn multiple(value: f64, scale: f64) -> i8 {
    (value / scale).round_ties_even().clamp(-127.0, 127.0) as i8
}

/// Makes each cell the nearest multiple of its block's scale.
pub fn round<E: Element>(cells: &mut [E]) {
    for block in cells.chunks_mut(BLOCK) {
        let scale = power_of_two(exponent(block));
        for cell in block {
            *cell = E::from_f64(f64::from(multiple(cell.to_f64(), scale)) * scale);
        }
    }
}

/// Rounded cells: for each block the exponent in two bytes, then a byte a cell.
pub fn encode<E: Element>(cells: &[E]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(cells.len() + 2 * cells.len().div_ceil(BLOCK));
    for block in cells.chunks(BLOCK) {
        let exponent = exponent(block);
        let scale = power_of_two(exponent);
        bytes.extend((exponent as i16).to_le_bytes());
        bytes.extend(
            block
                .iter()
                .map(|cell| multiple(cell.to_f64(), scale) as u8),
        );
    }
    bytes
}

/// `count` cells.
pub fn decode<E: Element>(bytes: &[u8], count: usize) -> Result<Vec<E>, Garbled> {
    if bytes.len() != count + 2 * count.div_ceil(BLOCK) {
        return Err(Garbled::Truncated);
    }
    let mut cells = Vec::with_capacity(count);
    for block in bytes.chunks(2 + BLOCK) {
        let exponent = i32::from(i16::from_le_bytes([block[0], block[1]]));
        if !exponents::<E>().contains(&exponent) {
            return Err(Garbled::Range);
        }
        let scale = power_of_two(exponent);
        cells.extend(
            block[2..]
                .iter()
                .map(|&byte| E::from_f64(f64::from(byte as i8) * scale)),
        );
    }
    Ok(cells)
}
