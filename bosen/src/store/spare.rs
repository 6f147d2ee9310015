//! Copies of rows in memory that is used again once nobody looks at them: fresh memory costs more
//! than the copy.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Copies that are remembered.
const COPIES: usize = 8;
/// Shorter ones are not worth it.
const WORTH_BYTES: usize = 16 << 10;
/// Longer ones would be too much to keep.
const MOST_BYTES: usize = 1 << 20;

/// The last copies that have been given away.
#[derive(Default)]
pub struct Spare(VecDeque<Bytes>);

impl Spare {
    /// A copy of `bytes`.
    pub fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if !(WORTH_BYTES..=MOST_BYTES).contains(&bytes.len()) {
            return Bytes::copy_from_slice(bytes);
        }
        let mut memory = self.unused(bytes.len());
        memory.extend_from_slice(bytes);
        let copy = memory.freeze();
        self.0.push_back(copy.clone());
        copy
    }

    /// Memory for `length` bytes.
    fn unused(&mut self, length: usize) -> BytesMut {
        let oldest = self.0.pop_front_if(|oldest| oldest.is_unique());
        if let Some(Ok(mut memory)) = oldest.map(Bytes::try_into_mut)
            && memory.capacity() >= length
        {
            memory.clear();
            return memory;
        }
        if self.0.len() >= COPIES {
            self.0.pop_front();
        }
        BytesMut::with_capacity(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_only_when_nobody_looks() {
        let mut spare = Spare::default();
        let first = spare.copy(&[1; WORTH_BYTES]);
        let second = spare.copy(&[2; WORTH_BYTES]);
        assert!(first.iter().all(|&byte| byte == 1));
        let (memory, held) = (first.as_ptr(), second.clone());
        drop(first);
        assert_eq!(spare.copy(&[3; WORTH_BYTES]).as_ptr(), memory);
        assert!(held.iter().all(|&byte| byte == 2));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut spare = Spare::default();
        let held: Vec<Bytes> = (0..50)
            .map(|byte| spare.copy(&[byte; WORTH_BYTES]))
            .collect();
        assert!(spare.0.len() <= COPIES);
        assert!(
            held.iter()
                .zip(0..)
                .all(|(copy, byte)| copy.iter().all(|&found| found == byte))
        );
    }
}
