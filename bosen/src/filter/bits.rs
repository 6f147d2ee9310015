//! Integers in as many bits as the greatest of their block needs.
//!
//! A block of up to [`BLOCK`] integers is a byte that says the width, then the integers, least
//! bits first, up to the next whole byte.

use super::{BLOCK, DECODED_LIMIT_BYTES, Garbled};

/// `words`, packed.
pub fn pack(words: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut block = Vec::with_capacity(BLOCK);
    for word in words {
        block.push(word);
        if block.len() == BLOCK {
            pack_block(&block, &mut packed);
            block.clear();
        }
    }
    if !block.is_empty() {
        pack_block(&block, &mut packed);
    }
    packed
}

fn pack_block(block: &[u64], packed: &mut Vec<u8>) {
    let greatest = block.iter().fold(0, |all, &word| all | word);
    let width = u64::BITS - greatest.leading_zeros();
    packed.push(width as u8);
    let (mut held, mut bits) = (0u128, 0);
    for &word in block {
        held |= u128::from(word) << bits;
        bits += width;
        while bits >= 8 {
            packed.push(held as u8);
            held >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        packed.push(held as u8);
    }
}

/// The `count` integers at the beginning of `packed`, and how many bytes they take.
pub fn unpack(packed: &[u8], count: usize) -> Result<(Vec<u64>, usize), Garbled> {
    if count > DECODED_LIMIT_BYTES / 8 {
        return Err(Garbled::TooLong);
    }
    // A block takes at least its byte of width: more blocks than bytes are refused for nothing.
    if count.div_ceil(BLOCK) > packed.len() {
        return Err(Garbled::Truncated);
    }
    let mut words = Vec::with_capacity(count);
    let mut at = 0;
    while words.len() < count {
        let block = BLOCK.min(count - words.len());
        let width = u32::from(*packed.get(at).ok_or(Garbled::Truncated)?);
        if width > u64::BITS {
            return Err(Garbled::Range);
        }
        let bytes = (block * width as usize).div_ceil(8);
        let content = packed
            .get(at + 1..at + 1 + bytes)
            .ok_or(Garbled::Truncated)?;
        unpack_block(content, width, block, &mut words);
        at += 1 + bytes;
    }
    Ok((words, at))
}

fn unpack_block(content: &[u8], width: u32, block: usize, words: &mut Vec<u64>) {
    let mask = (1u128 << width) - 1;
    let (mut held, mut bits) = (0u128, 0);
    let mut content = content.iter();
    for _ in 0..block {
        while bits < width {
            let byte = content.next().expect("content has the bits of the block");
            held |= u128::from(*byte) << bits;
            bits += 8;
        }
        words.push((held & mask) as u64);
        held >>= width;
        bits -= width;
    }
}

/// Small for numbers near zero of either sign.
pub fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// The number of which `word` is the zigzag.
pub fn unzigzag(word: u64) -> i64 {
    (word >> 1) as i64 ^ -((word & 1) as i64)
}
