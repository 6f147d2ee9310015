//! Delta and bit-packed keys: what ascends is written as its differences, block by block in as
//! many bits as the greatest of them needs. Adjacent keys take nothing, keys of which one in ten
//! is named half a byte.

use super::bits::{pack, unpack, unzigzag, zigzag};
use super::{BLOCK, Garbled};

/// Strictly ascending `keys`, packed.
pub fn pack_keys(keys: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut least = 0;
    pack(keys.into_iter().map(move |key| {
        let step = key - least;
        // The next key is greater; after the greatest of all there is none.
        least = key.wrapping_add(1);
        step
    }))
}

/// The `count` keys of `packed`, which has nothing else.
pub fn unpack_keys(packed: &[u8], count: usize) -> Result<Vec<u64>, Garbled> {
    let (mut words, used) = unpack(packed, count)?;
    if used != packed.len() {
        return Err(Garbled::Truncated);
    }
    let mut least = Some(0u64);
    for word in &mut words {
        let key = least.and_then(|least| least.checked_add(*word));
        *word = key.ok_or(Garbled::Range)?;
        least = word.checked_add(1);
    }
    Ok(words)
}

/// 32-bit `numbers` that mostly ascend by little, packed: row ends and columns.
pub fn pack_numbers(numbers: &[u32]) -> Vec<u8> {
    let mut before = 0;
    pack(numbers.iter().map(|&number| {
        let step = i64::from(number) - before;
        before = i64::from(number);
        zigzag(step)
    }))
}

/// The `count` numbers at the beginning of `packed`, and how many bytes they take.
pub fn unpack_numbers(packed: &[u8], count: usize) -> Result<(Vec<u32>, usize), Garbled> {
    let (words, used) = unpack(packed, count)?;
    let mut before = 0i64;
    let numbers = words.into_iter().map(|word| {
        before = before.checked_add(unzigzag(word)).ok_or(Garbled::Range)?;
        u32::try_from(before).map_err(|_| Garbled::Range)
    });
    Ok((numbers.collect::<Result<_, _>>()?, used))
}

/// The most that `count` packed integers take.
pub fn most_bytes(count: usize) -> usize {
    count.div_ceil(BLOCK) + 8 * count
}
