//! Memory that will be read soon, asked for while something else is done.

/// Has the processor bring `ahead` closer. Nothing, where it has no such hint.
#[inline(always)]
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "a hint; without it rows and columns are waited for one by one"
    )
)]
pub fn fetch<T>(ahead: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        const LINE: usize = 64;
        let begin = ahead.as_ptr().cast::<i8>();
        for line in (0..size_of_val(ahead)).step_by(LINE) {
            // SAFETY: the address is inside of `ahead`, and a prefetch reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(begin.wrapping_add(line)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = ahead;
}
