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

    /// As [`Self::new`], in large pages where the system has them.
    pub(crate) fn in_large_pages(bytes: usize) -> Result<Self, Kind> {
        let memory = Self::new(bytes)?;
        // An old system may not know the advice: then pages stay small.
        #[cfg(target_os = "linux")]
        let _ = memory.0.advise(memmap2::Advice::HugePage);
        Ok(memory)
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

/// As many zeros, in large pages where the system has them: about a third of the time of reading a
/// matrix goes into the system's handling of pages.
pub(crate) fn zeros<T: Pod>(length: usize) -> Vec<T> {
    let mut zeros = vec![T::zeroed(); length];
    advise_large_pages(&mut zeros);
    zeros
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn advise_large_pages<T>(values: &mut [T]) {
    const PAGE: usize = 4096;
    let bytes = size_of_val(values);
    let start = values.as_mut_ptr().cast::<u8>();
    let before = start.align_offset(PAGE);
    if bytes < 1 << 22 || before >= bytes {
        return;
    }
    // SAFETY: the range lies within `values`, which are borrowed mutably. MADV_HUGEPAGE changes how
    // the range is backed and never what it holds; if it fails, pages stay small.
    unsafe {
        let length = (bytes - before) / PAGE * PAGE;
        libc::madvise(start.add(before).cast(), length, libc::MADV_HUGEPAGE);
    }
}

#[cfg(not(target_os = "linux"))]
fn advise_large_pages<T>(_values: &mut [T]) {}
