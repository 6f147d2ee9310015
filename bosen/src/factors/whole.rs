//! Updates as rows of the matrix: a block of neighbours, or rows by their numbers.

use super::{HEADER_WORDS, Misshapen, check_length, header};
use crate::element::view;
use bytes::Bytes;
use std::borrow::Cow;

/// Neighbouring rows. A matrix is sent as several, so that none is long.
#[derive(Clone, PartialEq, Debug)]
pub struct Block<'a> {
    /// The first of them.
    pub first: usize,
    /// Their entries, row after row.
    pub values: Cow<'a, [f32]>,
}

/// Rows by their numbers.
#[derive(Clone, PartialEq, Debug)]
pub struct Named<'a> {
    /// Their numbers, ascending.
    pub rows: Cow<'a, [u32]>,
    /// Their entries, row after row.
    pub values: Cow<'a, [f32]>,
}

/// The content that says this of a matrix of `rows` × `columns`.
fn encode(rows: usize, columns: usize, numbers: [usize; 2], parts: [&[u8]; 2]) -> Bytes {
    let [first, count] = numbers;
    let header = [
        rows as u32,
        columns as u32,
        first as u32,
        count as u32,
        0,
        0,
    ];
    let mut bytes = Vec::with_capacity(HEADER_WORDS * 4 + parts[0].len() + parts[1].len());
    bytes.extend_from_slice(bytemuck::cast_slice(&header));
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes.into()
}

/// Checks whom `content` is for; its two numbers and the rest of it.
fn decode(content: &Bytes, rows: usize, columns: usize) -> Result<([usize; 2], Bytes), Misshapen> {
    let ([of_rows, of_columns, first, count, ..], body) = header(content)?;
    if (of_rows as usize, of_columns as usize) != (rows, columns) {
        return Err(Misshapen::Matrix {
            rows: of_rows as usize,
            columns: of_columns as usize,
        });
    }
    Ok(([first as usize, count as usize], body))
}

impl<'a> Block<'a> {
    /// As it travels, for a matrix of `rows` × `columns`.
    pub fn encode(&self, rows: usize, columns: usize) -> Bytes {
        let count = self.values.len() / columns.max(1);
        let values = bytemuck::cast_slice(&self.values);
        encode(rows, columns, [self.first, count], [values, &[]])
    }

    /// What `content` says of a matrix of `rows` × `columns`, where it lies.
    pub fn decode(content: &'a Bytes, rows: usize, columns: usize) -> Result<Block<'a>, Misshapen> {
        let ([first, count], body) = decode(content, rows, columns)?;
        check_length(&body, count.checked_mul(columns))?;
        if first.checked_add(count).is_none_or(|end| end > rows) {
            return Err(Misshapen::Rows);
        }
        let values = view(&content[HEADER_WORDS * 4..]);
        Ok(Block { first, values })
    }
}

impl<'a> Named<'a> {
    /// As they travel, for a matrix of `rows` × `columns`.
    pub fn encode(&self, rows: usize, columns: usize) -> Bytes {
        let (numbers, values) = (
            bytemuck::cast_slice(&self.rows),
            bytemuck::cast_slice(&self.values),
        );
        encode(rows, columns, [0, self.rows.len()], [numbers, values])
    }

    /// What `content` says of a matrix of `rows` × `columns`, where it lies.
    pub fn decode(content: &'a Bytes, rows: usize, columns: usize) -> Result<Named<'a>, Misshapen> {
        let ([_, count], body) = decode(content, rows, columns)?;
        let words = columns
            .checked_add(1)
            .and_then(|words| words.checked_mul(count));
        check_length(&body, words)?;
        let (numbers, values) = content[HEADER_WORDS * 4..].split_at(count * 4);
        let named = view::<u32>(numbers);
        let ascending = named.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || named.last().is_some_and(|last| *last as usize >= rows) {
            return Err(Misshapen::Rows);
        }
        Ok(Named {
            rows: named,
            values: view(values),
        })
    }
}
