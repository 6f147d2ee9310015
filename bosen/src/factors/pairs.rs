//! A mini-batch as pairs of factors: `scale · Σᵢ vᵢ uᵢᵀ`.

use super::{HEADER_WORDS, Misshapen, check_length, header};
use crate::element::view;
use bytes::Bytes;
use std::borrow::Cow;

/// The pairs of one update. `u` is row after row; so is `v`, or it names the rows it touches.
#[derive(Clone, PartialEq, Debug)]
pub struct Factors<'a> {
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub columns: usize,
    /// What the products are multiplied by.
    pub scale: f32,
    /// Each example's `u`: one entry a column of the matrix.
    pub u: Cow<'a, [f32]>,
    /// Each example's `v`.
    pub v: Rows<'a>,
}

/// The `v` of all examples of an update.
#[derive(Clone, PartialEq, Debug)]
pub enum Rows<'a> {
    /// One entry a row of the matrix.
    All(Cow<'a, [f32]>),
    /// Entries for some rows.
    Some {
        /// Where each example's entries end.
        ends: Cow<'a, [u32]>,
        /// The row of each entry, ascending within an example.
        rows: Cow<'a, [u32]>,
        /// The entries.
        values: Cow<'a, [f32]>,
    },
}

/// In the header's place of the number of entries: each `v` has all rows.
const ALL: u32 = u32::MAX;

impl<'a> Factors<'a> {
    /// The gradient of a mean over `examples` of a loss: each example's input `v`, and the
    /// derivatives `u` by what it gives (SGD form).
    pub fn gradient(
        columns: usize,
        rows: usize,
        u: Vec<f32>,
        v: Rows<'a>,
        examples: usize,
    ) -> Self {
        Factors {
            rows,
            columns,
            scale: 1.0 / examples as f32,
            u: u.into(),
            v,
        }
    }

    /// What changes of dual variables `u` at inputs `v` add to the weights, where the loss is a
    /// mean over `examples` with penalty `λ/2 ‖W‖²` (SDCA form).
    pub fn dual(
        columns: usize,
        rows: usize,
        u: Vec<f32>,
        v: Rows<'a>,
        examples: usize,
        lambda: f64,
    ) -> Self {
        Factors {
            rows,
            columns,
            scale: (1.0 / (lambda * examples as f64)) as f32,
            u: u.into(),
            v,
        }
    }

    /// The number of pairs.
    pub fn pairs(&self) -> usize {
        self.u.len() / self.columns.max(1)
    }

    /// As they travel.
    pub fn encode(&self) -> Bytes {
        let entries = match &self.v {
            Rows::All(_) => ALL,
            Rows::Some { rows, .. } => rows.len() as u32,
        };
        let header: [u32; HEADER_WORDS] = [
            self.rows as u32,
            self.columns as u32,
            self.pairs() as u32,
            entries,
            self.scale.to_bits(),
            0,
        ];
        let mut words: Vec<u32> = header.to_vec();
        words.extend_from_slice(bytemuck::cast_slice(&self.u));
        match &self.v {
            Rows::All(values) => words.extend_from_slice(bytemuck::cast_slice(values)),
            Rows::Some { ends, rows, values } => {
                words.extend_from_slice(ends);
                words.extend_from_slice(rows);
                words.extend_from_slice(bytemuck::cast_slice(values));
            }
        }
        crate::element::freeze(words)
    }

    /// What `content` says of a matrix of `rows` × `columns`, where it lies.
    pub fn decode(
        content: &'a Bytes,
        rows: usize,
        columns: usize,
    ) -> Result<Factors<'a>, Misshapen> {
        let ([of_rows, of_columns, pairs, entries, scale, _], body) = header(content)?;
        if (of_rows as usize, of_columns as usize) != (rows, columns) {
            return Err(Misshapen::Matrix {
                rows: of_rows as usize,
                columns: of_columns as usize,
            });
        }
        let (pairs, entries) = (pairs as usize, (entries != ALL).then_some(entries as usize));
        let of_u = pairs.checked_mul(columns);
        let of_v = match entries {
            None => pairs.checked_mul(rows),
            Some(entries) => entries
                .checked_mul(2)
                .and_then(|words| words.checked_add(pairs)),
        };
        check_length(&body, of_u.zip(of_v).and_then(|(u, v)| u.checked_add(v)))?;
        let words = &content[HEADER_WORDS * 4..];
        let (u, v) = words.split_at(pairs * columns * 4);
        let v = match entries {
            None => Rows::All(view(v)),
            Some(entries) => {
                let (ends, rest) = v.split_at(pairs * 4);
                let (named, values) = rest.split_at(entries * 4);
                let (ends, named) = (view::<u32>(ends), view::<u32>(named));
                check_rows(&ends, &named, rows)?;
                Rows::Some {
                    ends,
                    rows: named,
                    values: view(values),
                }
            }
        };
        Ok(Factors {
            rows,
            columns,
            scale: f32::from_bits(scale),
            u: view(u),
            v,
        })
    }
}

/// Each example's rows ascend and are below `rows`.
fn check_rows(ends: &[u32], named: &[u32], rows: usize) -> Result<(), Misshapen> {
    let mut start = 0;
    for &end in ends {
        let entries = named.get(start..end as usize).ok_or(Misshapen::Rows)?;
        let ascending = entries.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || entries.last().is_some_and(|last| *last as usize >= rows) {
            return Err(Misshapen::Rows);
        }
        start = end as usize;
    }
    match start == named.len() {
        true => Ok(()),
        false => Err(Misshapen::Rows),
    }
}
