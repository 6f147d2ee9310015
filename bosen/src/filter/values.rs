//! Values as a coded section: a word that names the code, their number, and the code's bytes.
//!
//! ```text
//! code | element type << 8 | fraction bits << 16, count, bytes …
//! ```

use super::{DECODED_LIMIT_BYTES, Garbled, ValueCode, eight_bit, fixed_point, half, one_bit};
use crate::element::{ElementKind, freeze, view, with_element};
use bytes::Bytes;

/// Bytes before the code's own.
const HEAD_BYTES: usize = 16;

/// The section that says `values`, which are rounded to `code`.
pub fn encode(values: &[u8], code: ValueCode, kind: ElementKind) -> Bytes {
    with_element!(kind, E => {
        let cells = view::<E>(values);
        let coded = match code {
            ValueCode::Plain => values.to_vec(),
            ValueCode::Half => half::encode::<E>(&cells),
            ValueCode::EightBit => eight_bit::encode::<E>(&cells),
            ValueCode::OneBit => one_bit::encode::<E>(&cells),
            ValueCode::FixedPoint { fraction_bits } => fixed_point::encode::<E>(&cells, fraction_bits),
        };
        let mut section = Vec::with_capacity(HEAD_BYTES + coded.len());
        section.extend(head(code, kind).to_le_bytes());
        section.extend((cells.len() as u64).to_le_bytes());
        section.extend(coded);
        section.into()
    })
}

/// The values that a section says, and how.
pub fn decode(section: &[u8]) -> Result<(Bytes, ValueCode, ElementKind), Garbled> {
    let ([head, count], coded) = section
        .split_first_chunk::<HEAD_BYTES>()
        .map(|(words, coded)| (bytemuck::pod_read_unaligned::<[u64; 2]>(words), coded))
        .ok_or(Garbled::Truncated)?;
    let (code, kind) = read_head(head)?;
    let count = usize::try_from(count)
        .ok()
        .filter(|&count| count <= DECODED_LIMIT_BYTES / kind.size())
        .ok_or(Garbled::TooLong)?;
    let values = with_element!(kind, E => freeze::<E>(match code {
        ValueCode::Plain => return Err(Garbled::Code),
        ValueCode::Half => half::decode(coded, count)?,
        ValueCode::EightBit => eight_bit::decode(coded, count)?,
        ValueCode::OneBit => one_bit::decode(coded, count)?,
        ValueCode::FixedPoint { fraction_bits } => fixed_point::decode(coded, count, fraction_bits)?,
    }));
    Ok((values, code, kind))
}

fn head(code: ValueCode, kind: ElementKind) -> u64 {
    let (code, bits) = match code {
        ValueCode::Plain => (0, 0),
        ValueCode::Half => (1, 0),
        ValueCode::EightBit => (2, 0),
        ValueCode::OneBit => (3, 0),
        ValueCode::FixedPoint { fraction_bits } => (4, fraction_bits),
    };
    let kind = match kind {
        ElementKind::F32 => 0,
        ElementKind::F64 => 1,
        ElementKind::I32 => 2,
        ElementKind::I64 => 3,
    };
    code | kind << 8 | u64::from(bits) << 16
}

fn read_head(head: u64) -> Result<(ValueCode, ElementKind), Garbled> {
    let fraction_bits = (head >> 16) as u8;
    let code = match head & 0xff {
        1 => ValueCode::Half,
        2 => ValueCode::EightBit,
        3 => ValueCode::OneBit,
        4 => ValueCode::FixedPoint { fraction_bits },
        _ => return Err(Garbled::Code),
    };
    let kind = match head >> 8 & 0xff {
        0 => ElementKind::F32,
        1 => ElementKind::F64,
        2 => ElementKind::I32,
        3 => ElementKind::I64,
        _ => return Err(Garbled::Code),
    };
    let filters = super::Filters::default().values(code);
    match filters.fit(kind) && self::head(code, kind) == head {
        true => Ok((code, kind)),
        false => Err(Garbled::Code),
    }
}
