//! Entries in blocks, collected in any order and then given back bucket by bucket.
//!
//! Blocks of all buckets go one behind the other into chunks of the size of a large page: small
//! pages would cost more time than parsing. When all are collected they are swapped in place into
//! the order of their buckets, so that chunk after chunk goes back to the system as the buckets
//! are emptied.

use crate::error::Kind;
use crate::memory::Memory;
use bytemuck::{Pod, Zeroable};
use std::mem;
use std::ops::Range;
use std::sync::Arc;

/// Some entries of one bucket.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) values: [f64; Block::CAPACITY],
    pub(crate) rows: [u32; Block::CAPACITY],
    /// Counted from `first_column`.
    pub(crate) columns: [u16; Block::CAPACITY],
    pub(crate) first_column: u32,
    pub(crate) length: u32,
}

impl Block {
    pub(crate) const CAPACITY: usize = 128;

    /// The entries: row, column counted from `first_column`, and value.
    #[inline]
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, u16, f64)> + '_ {
        let entries = self.rows.iter().zip(&self.columns).zip(&self.values);
        entries
            .take(self.length as usize)
            .map(|((&row, &column), &value)| (row, column, value))
    }
}

/// Blocks of all buckets.
#[derive(Default)]
pub(crate) struct Blocks {
    chunks: Vec<Memory>,
    /// The first column and the length of each block: reading them there would fetch each block.
    heads: Vec<(u32, u32)>,
    entries: usize,
}

/// The bytes of a large page.
const CHUNK: usize = 2 << 20;
const BLOCKS_IN_CHUNK: usize = CHUNK / size_of::<Block>();

impl Blocks {
    /// How many entries all blocks have.
    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    pub(crate) fn push(&mut self, block: &Block) -> Result<(), Kind> {
        let at = self.heads.len();
        if at / BLOCKS_IN_CHUNK == self.chunks.len() {
            self.chunks.push(Memory::in_large_pages(CHUNK)?);
        }
        self.heads.push((block.first_column, block.length));
        self.entries += block.length as usize;
        *self.block_mut(at) = *block;
        Ok(())
    }

    fn block_mut(&mut self, at: usize) -> &mut Block {
        let start = at % BLOCKS_IN_CHUNK * size_of::<Block>();
        &mut self.chunks[at / BLOCKS_IN_CHUNK].values_mut(start, 1)[0]
    }

    /// The blocks of each bucket, in the order in which they were pushed; a bucket is `1 << shift`
    /// columns.
    pub(crate) fn by_bucket(mut self, shift: u32, buckets: usize) -> Vec<Bucket> {
        let mut sizes = vec![(0, 0); buckets];
        for &(first_column, length) in &self.heads {
            let (blocks, entries) = &mut sizes[(first_column >> shift) as usize];
            *blocks += 1;
            *entries += length as usize;
        }
        let mut starts = Vec::with_capacity(buckets);
        let mut sum = 0;
        for &(blocks, _) in &sizes {
            starts.push(sum);
            sum += blocks;
        }
        let mut cursors = starts.clone();
        let places = mem::take(&mut self.heads).into_iter();
        let places = places.map(|(first_column, _)| {
            let cursor = &mut cursors[(first_column >> shift) as usize];
            mem::replace(cursor, *cursor + 1)
        });
        self.permute(places.collect());
        let chunks: Vec<_> = self.chunks.into_iter().map(Arc::new).collect();
        let buckets = starts.into_iter().zip(sizes);
        buckets
            .map(|(start, (blocks, entries))| Bucket {
                pieces: pieces(&chunks, start..start + blocks),
                entries,
            })
            .collect()
    }

    /// Moves each block to its place, along the cycles that they form.
    fn permute(&mut self, mut places: Vec<usize>) {
        for first in 0..places.len() {
            let mut place = mem::replace(&mut places[first], first);
            if place == first {
                continue;
            }
            let mut carried = *self.block_mut(first);
            while place != first {
                mem::swap(&mut carried, self.block_mut(place));
                place = mem::replace(&mut places[place], place);
            }
            *self.block_mut(first) = carried;
        }
    }
}

/// The blocks of one bucket. A chunk lives until the last bucket that has blocks in it is dropped.
pub(crate) struct Bucket {
    pieces: Vec<Piece>,
    entries: usize,
}

/// Some blocks of a chunk.
type Piece = (Arc<Memory>, Range<usize>);

impl Bucket {
    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.pieces
            .iter()
            .flat_map(|(chunk, range)| chunk.values(range.start * size_of::<Block>(), range.len()))
    }
}

/// The parts of chunks that the blocks in `range` lie in.
fn pieces(chunks: &[Arc<Memory>], range: Range<usize>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let chunk = start / BLOCKS_IN_CHUNK;
        let before = chunk * BLOCKS_IN_CHUNK;
        let end = range.end.min(before + BLOCKS_IN_CHUNK);
        pieces.push((chunks[chunk].clone(), start - before..end - before));
        start = end;
    }
    pieces
}

#[cfg(test)]
mod tests {
    //! Every block is in its bucket, in the order in which it was pushed, over several chunks.

    use super::*;

    #[test]
    fn buckets_have_their_blocks_in_order() {
        let (shift, buckets, count) = (4, 7, 3 * BLOCKS_IN_CHUNK as u32 + 5);
        let mut blocks = Blocks::default();
        let mut expected = vec![Vec::new(); buckets];
        for number in 0..count {
            // The last bucket stays empty, and a bucket has blocks of several first columns.
            let first_column = number.wrapping_mul(0x9e37_79b9) % (6 << shift);
            let mut block = Block::zeroed();
            (block.first_column, block.length, block.rows[0]) = (first_column, 1, number);
            blocks.push(&block).unwrap();
            expected[(first_column >> shift) as usize].push((number, first_column));
        }
        assert_eq!(blocks.entries(), count as usize);
        let sorted = blocks.by_bucket(shift, buckets);
        assert_eq!(sorted.len(), buckets);
        for (bucket, expected) in sorted.iter().zip(expected) {
            let found: Vec<_> = bucket
                .blocks()
                .map(|block| (block.rows[0], block.first_column))
                .collect();
            assert_eq!(found, expected);
            assert_eq!(bucket.entries(), expected.len());
        }
    }
}
