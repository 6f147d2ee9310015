//! Memory that goes back to the operating system when it is dropped.
//!
//! An allocator may keep what is freed, and the final arrays would take new memory beside it; what
//! is collected here and then moved would be held twice after all.

use crate::error::Kind;
use bytemuck::Pod;
use memmap2::MmapMut;

/// Room for a number of bytes, all zero, taken from the system as they are touched.
pub(crate) struct Memory(MmapMut);

impl Memory {
    pub(crate) fn new(bytes: usize) -> Result<Self, Kind> {
        let map = MmapMut::map_anon(bytes);
        map.map(Self).map_err(|error| Kind::Io {
            action: "reserve memory",
            error,
        })
    }

    /// `length` values from byte `start` on, which has to be a multiple of their size.
    pub(crate) fn values<T: Pod>(&self, start: usize, length: usize) -> &[T] {
        bytemuck::cast_slice(&self.0[start..start + length * size_of::<T>()])
    }

    /// As [`Self::values`], to be written.
    pub(crate) fn values_mut<T: Pod>(&mut self, start: usize, length: usize) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.0[start..start + length * size_of::<T>()])
    }
}
