//! Runs of decimal digits in text: how many there are, and their value.
//!
//! Sixteen digits are taken at once, which is a number of full precision in one step, however many
//! of them there are: a branch for each count would be guessed wrong. On x86-64 this takes SSE2,
//! which every such processor has; elsewhere two words of eight, which tests hold beside it.

/// How many bytes behind the text have to be readable.
pub(crate) const PADDING: usize = 32;

/// Appends the digits from `at` on to `mantissa`; how many there were. Wraps after 19 in all.
#[inline(always)]
pub(crate) fn digits(text: &[u8], at: usize, mantissa: u64) -> (u64, usize) {
    let (value, count) = up_to_sixteen(text, at);
    let mantissa = append(mantissa, value, count);
    // One question instead of two: whether there are fewer than sixteen is anybody's guess.
    if (count == 16) & text[at + 16].is_ascii_digit() {
        more_digits(text, at, mantissa)
    } else {
        (mantissa, count)
    }
}

/// The value of the digits from `at` on if there are `width` of them, from 1 to 7.
#[inline(always)]
pub(crate) fn digits_of_width(text: &[u8], at: usize, width: usize) -> Option<u64> {
    let word = load(text, at);
    let right = leading_digits(word) == width && (1..8).contains(&width);
    right.then(|| value_of_word(word, width))
}

/// As [`digits`], behind the first sixteen.
#[inline]
fn more_digits(text: &[u8], at: usize, mantissa: u64) -> (u64, usize) {
    let word = load(text, at + 16);
    let count = leading_digits(word);
    if count < 8 {
        let mantissa = append(mantissa, value_of_word(word, count), count);
        (mantissa, 16 + count)
    } else {
        (mantissa, all_digits(text, at))
    }
}

#[cold]
fn all_digits(text: &[u8], at: usize) -> usize {
    text[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

/// `mantissa` with `count` digits of value `value` behind it.
#[inline(always)]
fn append(mantissa: u64, value: u64, count: usize) -> u64 {
    mantissa
        .wrapping_mul(POWERS_OF_TEN[count])
        .wrapping_add(value)
}

#[cfg(target_arch = "x86_64")]
use sse2::up_to_sixteen;
#[cfg(not(target_arch = "x86_64"))]
use words::up_to_sixteen;

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use super::bytes;
    use bytemuck::cast;
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_madd_epi16, _mm_min_epu8,
        _mm_movemask_epi8, _mm_mullo_epi16, _mm_packs_epi32, _mm_set1_epi8, _mm_set1_epi16,
        _mm_set1_epi32, _mm_srli_epi16, _mm_sub_epi8,
    };

    /// Sixteen bytes of this from `count` on keep the last `count` digits and clear the others.
    static LAST: [u8; 32] = {
        let mut mask = [0; 32];
        let mut at = 16;
        while at < 32 {
            mask[at] = 0x0f;
            at += 1;
        }
        mask
    };

    /// The value of the digits from `at` on, of sixteen at most, and how many they are.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn up_to_sixteen(text: &[u8], at: usize) -> (u64, usize) {
        // SAFETY: SSE2 is part of x86-64, so there is no processor without it.
        unsafe { with_sse2(text, at) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn with_sse2(text: &[u8], at: usize) -> (u64, usize) {
        let count = count(cast(bytes::<16>(text, at)));
        // The digits are loaded once more so that they end with the sixteen bytes.
        let Some(start) = (at + count).checked_sub(16) else {
            return super::words::up_to_sixteen(text, at);
        };
        let mask = cast(bytes::<16>(&LAST, count));
        let digits = _mm_and_si128(cast(bytes::<16>(text, start)), mask);
        (value(digits), count)
    }

    /// How many of the bytes are digits, from the first on.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn count(bytes: __m128i) -> usize {
        let offset = _mm_sub_epi8(bytes, _mm_set1_epi8(0x30));
        let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(offset, _mm_set1_epi8(9)), offset);
        (!_mm_movemask_epi8(is_digit)).trailing_zeros() as usize
    }

    /// The value of sixteen digits from 0 to 9, by pairs, fours and eights of them.
    #[inline]
    #[target_feature(enable = "sse2")]
    fn value(digits: __m128i) -> u64 {
        let pairs = _mm_srli_epi16(_mm_mullo_epi16(digits, _mm_set1_epi16(10 * 256 + 1)), 8);
        let fours = _mm_madd_epi16(pairs, _mm_set1_epi32(100 + (1 << 16)));
        let narrow = _mm_packs_epi32(fours, fours);
        let eights = _mm_madd_epi16(narrow, _mm_set1_epi32(10_000 + (1 << 16)));
        let eights = _mm_cvtsi128_si64(eights) as u64;
        (eights & 0xffff_ffff) * 100_000_000 + (eights >> 32)
    }
}

mod words {
    use super::{append, leading_digits, load, value_of_word};

    /// As the twin in `sse2`, for every processor and for the first bytes of a text.
    #[cfg_attr(target_arch = "x86_64", cold)]
    pub(super) fn up_to_sixteen(text: &[u8], at: usize) -> (u64, usize) {
        let (first, second) = (load(text, at), load(text, at + 8));
        let count = leading_digits(first);
        let behind = if count == 8 {
            leading_digits(second)
        } else {
            0
        };
        let value = append(
            value_of_word(first, count),
            value_of_word(second, behind),
            behind,
        );
        (value, count + behind)
    }
}

#[inline(always)]
fn bytes<const COUNT: usize>(text: &[u8], at: usize) -> [u8; COUNT] {
    let bytes = text[at..at + COUNT].try_into();
    bytes.expect("as many bytes were taken")
}

#[inline(always)]
fn load(text: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes(text, at))
}

/// How many of the eight bytes are digits, from the first on.
#[inline(always)]
fn leading_digits(word: u64) -> usize {
    // A digit becomes 0 to 9, which plus 0x76 stays below 0x80. A carry out of a byte that is no
    // digit spoils only bytes behind it.
    let offset = word ^ 0x3030_3030_3030_3030;
    let spoiled = (offset.wrapping_add(0x7676_7676_7676_7676) | offset) & 0x8080_8080_8080_8080;
    spoiled.trailing_zeros() as usize / 8
}

/// The value of the first `count` digits of `word`.
#[inline(always)]
fn value_of_word(word: u64, count: usize) -> u64 {
    // Two shifts by half: one by 64 would be undefined for no digits. Zeros come in in front.
    let half = 32 - 4 * count;
    let digits = (word << half << half) & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = digits * 10 + (digits >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    low.wrapping_add(high) >> 32
}

const POWERS_OF_TEN: [u64; 17] = {
    let mut powers = [1; 17];
    let mut exponent = 1;
    while exponent < 17 {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

#[cfg(test)]
mod tests {
    //! Digits are those that a plain loop finds, wherever they are in the text and whichever twin
    //! takes them.

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_are_what_a_loop_finds(
            before in "[ -~]{0,20}",
            run in "[0-9]{0,40}",
            behind in "([^0-9].{0,20})?",
            mantissa in 0u64..10,
        ) {
            let text = [before.as_bytes(), run.as_bytes(), behind.as_bytes(), &[0; PADDING]].concat();
            let at = before.len();
            let fold = |digits: &str, start: u64| digits
                .bytes()
                .fold(start, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            let (value, count) = digits(&text, at, mantissa);
            prop_assert_eq!(count, run.len());
            if count <= 18 {
                prop_assert_eq!(value, fold(&run, mantissa));
            }
            let first = &run[..run.len().min(16)];
            let expected = (fold(first, 0), first.len());
            prop_assert_eq!(up_to_sixteen(&text, at), expected);
            prop_assert_eq!(words::up_to_sixteen(&text, at), expected);
            let short = (1..8).contains(&run.len());
            prop_assert_eq!(
                digits_of_width(&text, at, run.len()),
                short.then_some(expected.0)
            );
        }
    }
}
