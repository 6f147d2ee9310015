//! Updates of a matrix, in the forms in which they travel.
//!
//! Where the parameter is a matrix, what one example adds to it is an outer product `v uᵀ`: `v`
//! says which rows and by how much, `u` what for each column. A mini-batch is kept as such
//! [`Factors`] and rebuilt by a matrix product where it arrives. Where that is longer than the
//! matrix, the update is a [`Block`] of whole rows, or the [`Named`] rows that it touches.
//!
//! What arrives is checked against the matrix that it is for before it is used.

mod pairs;
mod rebuild;
mod whole;

pub use pairs::{Factors, Rows};
pub use rebuild::rebuild;
pub use whole::{Block, Named};

use bytes::Bytes;

/// What kind of content a piece has.
pub mod form {
    /// [`Factors`](super::Factors).
    pub const FACTORS: u8 = 1;
    /// A [`Block`](super::Block) of rows.
    pub const BLOCK: u8 = 2;
    /// [`Named`](super::Named) rows.
    pub const NAMED: u8 = 3;
}

/// Content that does not fit the matrix that it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Misshapen {
    /// It ends early or late.
    #[error("an update of {found} bytes where its header says {expected}")]
    Length {
        /// What the header says.
        expected: usize,
        /// What is there.
        found: usize,
    },
    /// It is for a matrix of another shape.
    #[error("an update for a matrix of {rows} × {columns}")]
    Matrix {
        /// Rows of that matrix.
        rows: usize,
        /// Its columns.
        columns: usize,
    },
    /// Rows do not ascend, or are beyond the matrix.
    #[error("an update with rows out of order or range")]
    Rows,
}

/// Words in front of a content.
const HEADER_WORDS: usize = 6;

/// The header words of `content`, and what follows.
fn header(content: &Bytes) -> Result<([u32; HEADER_WORDS], Bytes), Misshapen> {
    let length = HEADER_WORDS * 4;
    let short = Misshapen::Length {
        expected: length,
        found: content.len(),
    };
    let (bytes, _) = content.split_at_checked(length).ok_or(short)?;
    let words = bytemuck::pod_read_unaligned(bytes);
    Ok((words, content.slice(length..)))
}

/// Checks that `body` has `words` words of four bytes.
fn check_length(body: &Bytes, words: Option<usize>) -> Result<(), Misshapen> {
    let expected = words
        .and_then(|words| words.checked_mul(4))
        .unwrap_or(usize::MAX);
    match body.len() == expected {
        true => Ok(()),
        false => Err(Misshapen::Length {
            expected,
            found: body.len(),
        }),
    }
}

#[cfg(test)]
mod tests;
