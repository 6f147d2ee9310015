//! 16-bit floating point (IEEE 754 binary16). What lies beyond its greatest number goes out as
//! that, and the rest of it later.

use super::Garbled;
use crate::element::Element;
use half::f16;

fn nearest(value: f64) -> f16 {
    let most = f16::MAX.to_f64();
    f16::from_f64(value.clamp(-most, most))
}

/// Makes each cell the nearest number that 16 bits can say.
pub fn round<E: Element>(cells: &mut [E]) {
    for cell in cells {
        *cell = E::from_f64(nearest(cell.to_f64()).to_f64());
    }
}

/// Rounded cells as bytes.
pub fn encode<E: Element>(cells: &[E]) -> Vec<u8> {
    cells
        .iter()
        .flat_map(|cell| nearest(cell.to_f64()).to_le_bytes())
        .collect()
}

/// `count` cells.
pub fn decode<E: Element>(bytes: &[u8], count: usize) -> Result<Vec<E>, Garbled> {
    if bytes.len() != 2 * count {
        return Err(Garbled::Truncated);
    }
    let numbers = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&pair| f16::from_le_bytes(pair));
    Ok(numbers.map(|number| E::from_f64(number.to_f64())).collect())
}
