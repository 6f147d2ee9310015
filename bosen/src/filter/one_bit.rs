//! One bit a cell: its sign, and for each block the mean magnitude. Only sense with a residual:
//! what a sign overstates this time is subtracted the next.

use super::{BLOCK, Garbled};
use crate::element::Element;

/// Makes each cell the mean magnitude of its block, with its own sign. A block that is already
/// so stays.
pub fn round<E: Element>(cells: &mut [E]) {
    for block in cells.chunks_mut(BLOCK) {
        let magnitude = |cell: &E| cell.to_f64().abs();
        let first = magnitude(&block[0]);
        if block.iter().all(|cell| magnitude(cell) == first) {
            continue;
        }
        // Each share by itself: the sum of all could be beyond the greatest number.
        let count = block.len() as f64;
        let mean: f64 = block.iter().map(|cell| magnitude(cell) / count).sum();
        for cell in block {
            let value = if is_negative(cell) { -mean } else { mean };
            *cell = E::from_f64(value);
        }
    }
}

fn is_negative<E: Element>(cell: &E) -> bool {
    cell.to_f64().is_sign_negative()
}

/// Rounded cells: for each block the magnitude, then the signs.
pub fn encode<E: Element>(cells: &[E]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in cells.chunks(BLOCK) {
        let magnitude = E::from_f64(block[0].to_f64().abs());
        bytes.extend_from_slice(bytemuck::bytes_of(&magnitude));
        for eight in block.chunks(8) {
            let signs = eight.iter().enumerate();
            bytes.push(signs.fold(0, |byte, (at, cell)| {
                byte | u8::from(is_negative(cell)) << at
            }));
        }
    }
    bytes
}

/// `count` cells.
pub fn decode<E: Element>(bytes: &[u8], count: usize) -> Result<Vec<E>, Garbled> {
    let size = size_of::<E>();
    if bytes.len() != size * count.div_ceil(BLOCK) + count.div_ceil(8) {
        return Err(Garbled::Truncated);
    }
    let mut cells = Vec::with_capacity(count);
    for block in bytes.chunks(size + BLOCK / 8) {
        let (magnitude, signs) = block.split_at(size);
        let magnitude: E = bytemuck::pod_read_unaligned(magnitude);
        let here = BLOCK.min(count - cells.len());
        cells.extend((0..here).map(|at| match signs[at / 8] >> (at % 8) & 1 {
            0 => magnitude,
            _ => magnitude.negated(),
        }));
    }
    Ok(cells)
}
