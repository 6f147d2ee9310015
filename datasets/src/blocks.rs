//! Entries in blocks, collected in any order and then given back bucket by bucket.
//!
//! Blocks of all buckets go one behind the other into chunks of the size of a large page: small
//! pages would cost more time than parsing. When all are collected they are swapped in place into
//! the order of their buckets, so that chunk after chunk goes back to the system as the buckets
//! are emptied.

use crate::error::Kind;
use crate::segment::Memory;
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
    /// The first column of each block.
    first_columns: Vec<u32>,
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
        let at = self.first_columns.len();
        if at / BLOCKS_IN_CHUNK == self.chunks.len() {
            self.chunks.push(Memory::in_large_pages(CHUNK)?);
        }
        self.first_columns.push(block.first_column);
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
        let mut ends = vec![0; buckets];
        for first_column in &self.first_columns {
            ends[(first_column >> shift) as usize] += 1;
        }
        let mut sum = 0;
        let mut cursors = Vec::with_capacity(buckets);
        for end in &mut ends {
            cursors.push(sum);
            sum += *end;
            *end = sum;
        }
        let places = self.first_columns.iter().map(|first_column| {
            let cursor = &mut cursors[(first_column >> shift) as usize];
            *cursor += 1;
            *cursor - 1
        });
        let places = places.collect();
        self.permute(places);
        let chunks: Vec<_> = self.chunks.into_iter().map(Arc::new).collect();
        let mut start = 0;
        let ranges = ends
            .into_iter()
            .map(|end| mem::replace(&mut start, end)..end);
        ranges
            .map(|range| Bucket::from_chunks(&chunks, range))
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
    pieces: Vec<(Arc<Memory>, Range<usize>)>,
}

impl Bucket {
    fn from_chunks(chunks: &[Arc<Memory>], range: Range<usize>) -> Self {
        let mut pieces = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let chunk = start / BLOCKS_IN_CHUNK;
            let before = chunk * BLOCKS_IN_CHUNK;
            let end = range.end.min(before + BLOCKS_IN_CHUNK);
            pieces.push((chunks[chunk].clone(), start - before..end - before));
            start = end;
        }
        Self { pieces }
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.pieces
            .iter()
            .flat_map(|(chunk, range)| chunk.values(range.start * size_of::<Block>(), range.len()))
    }

    pub(crate) fn entries(&self) -> usize {
        self.blocks().map(|block| block.length as usize).sum()
    }
}
