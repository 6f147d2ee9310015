//! Decimal numbers from text, correctly rounded.
//!
//! Relies on at least [`PADDING`] readable bytes after the text, so that [`digits`](crate::digits)
//! can be loaded anywhere in it. Up to 19 digits and exponents that occur in practice go by the method of Eisel
//! and Lemire (one 64 × 64 bit product, sometimes two); everything else goes to the standard
//! library. Both round to nearest, ties to even: the result never depends on which was taken.

pub(crate) use crate::digits::PADDING;
use crate::digits::{digits, digits_of_width};
use std::io::{self, Write};

/// The finite or non-finite number that starts at `at`, and where it ends.
///
/// `None` if there is no number. Not finite are `nan`, `inf` and what overflows: for the caller to
/// refuse by name.
#[inline(always)]
pub(crate) fn number(text: &[u8], start: usize) -> Option<(f64, usize)> {
    let negative = text[start] == b'-';
    let mut at = start + usize::from(negative || text[start] == b'+');

    // One digit and a point is the usual start. Asking for it by a branch, which is guessed right,
    // lets the processor go on at once; counting digits would make all that follows wait for it.
    let (mut mantissa, whole) = match text[at] {
        digit @ b'0'..=b'9' if text[at + 1] == b'.' => (u64::from(digit - b'0'), 1),
        _ => digits(text, at, 0),
    };
    at += whole;
    let mut count = whole;
    let mut exponent = 0;
    if text[at] == b'.' {
        let (longer, decimals) = digits(text, at + 1, mantissa);
        mantissa = longer;
        count += decimals;
        exponent = -(decimals as i64);
        at += 1 + decimals;
    }
    if text[at] | 0x20 == b'e' {
        let (written, end) = exponent_after(text, at)?;
        exponent += written;
        at = end;
    }
    let fast = if count == 0 || count > 19 {
        None
    } else {
        decimal(mantissa, exponent)
    };
    match fast {
        Some(value) => {
            // Signs are as good as random: a branch would be guessed wrong every other time.
            let sign = u64::from(negative) << 63;
            Some((f64::from_bits(value.to_bits() | sign), at))
        }
        None => by_standard_library(text, start),
    }
}

/// The digits that start at `at`, and where they end; `u64::MAX` if there are more than 19.
#[inline]
pub(crate) fn integer(text: &[u8], at: usize) -> Option<(u64, usize)> {
    let (value, count) = digits(text, at, 0);
    match count {
        0 => None,
        1..=19 => Some((value, at + count)),
        _ => Some((u64::MAX, at + count)),
    }
}

/// As [`integer`], if it has `width` digits; `None` if not, or if that is not from 1 to 7.
///
/// Where the width of the last integer is a good guess, what follows need not wait for the digits to
/// be counted.
#[inline]
pub(crate) fn integer_of_width(text: &[u8], at: usize, width: usize) -> Option<(u64, usize)> {
    digits_of_width(text, at, width).map(|value| (value, at + width))
}

/// The exponent whose `e` is at `at`, and where it ends; clamped where only 0 or infinity remain.
#[cold]
fn exponent_after(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let negative = text[at + 1] == b'-';
    let sign = usize::from(negative || text[at + 1] == b'+');
    let (magnitude, end) = integer(text, at + 1 + sign)?;
    let magnitude = magnitude.min(1 << 32) as i64;
    Some((if negative { -magnitude } else { magnitude }, end))
}

/// `mantissa` × 10^`exponent`, correctly rounded, if it is one of the common cases.
#[inline(always)]
fn decimal(mantissa: u64, exponent: i64) -> Option<f64> {
    const EXACT: u64 = 1 << 53;
    if exponent == 0 && mantissa <= EXACT {
        return Some(mantissa as f64);
    }
    if mantissa == 0 {
        return Some(0.0);
    }
    if mantissa <= EXACT && (-22..=22).contains(&exponent) {
        // Both operands are exact, so the one operation rounds correctly.
        let power = EXACT_POWERS[exponent.unsigned_abs() as usize];
        let whole = mantissa as f64;
        return Some(if exponent < 0 {
            whole / power
        } else {
            whole * power
        });
    }
    (LEAST..=MOST)
        .contains(&exponent)
        .then(|| eisel_lemire(mantissa, exponent as i32))
}

/// `mantissa` × 10^`exponent`, correctly rounded, for exponents where 128 bits of 5^exponent suffice.
fn eisel_lemire(mantissa: u64, exponent: i32) -> f64 {
    let zeros = mantissa.leading_zeros();
    let normal = u128::from(mantissa << zeros);
    let power = POWERS_OF_FIVE[(i64::from(exponent) - LEAST) as usize];

    let mut product = normal * (power >> 64);
    // Nine bits decide the rounding; if they are all ones the lower half of the power can carry.
    if (product >> 64) & 0x1ff == 0x1ff {
        product += (normal * (power & u128::from(u64::MAX))) >> 64;
    }
    let (high, low) = ((product >> 64) as u64, product as u64);
    let upper = high >> 63;
    let shift = upper + 9;
    let mut bits = high >> shift;
    // floor(log2(10^exponent)) by a fixed-point log2(10), then the bias of the format.
    let log2 = ((217_706 * exponent) >> 16) + 63;
    let mut binary = i64::from(log2) + upper as i64 - i64::from(zeros) + 1023;

    let halfway = low <= 1 && (-4..=23).contains(&exponent) && bits & 3 == 1;
    if halfway && bits << shift == high {
        bits &= !1;
    }
    bits = (bits + (bits & 1)) >> 1;
    if bits >= 2 << 52 {
        bits = 1 << 52;
        binary += 1;
    }
    f64::from_bits((bits & !(1 << 52)) | ((binary as u64) << 52))
}

/// Whatever is rare: many digits, extreme exponents, `nan` and `inf`.
#[cold]
fn by_standard_library(text: &[u8], start: usize) -> Option<(f64, usize)> {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let length = text[start..].iter().position(|byte| !part(byte))?;
    let word = std::str::from_utf8(&text[start..start + length]).ok()?;
    Some((word.parse().ok()?, start + length))
}

/// Writes the shortest text that reads back as `value`.
pub(crate) fn write_number(into: &mut impl Write, value: f64) -> io::Result<()> {
    match value.abs() {
        0.0 | 1e-5..1e16 => write!(into, "{value}"),
        _ => write!(into, "{value:e}"),
    }
}

/// The exponents of [`POWERS_OF_FIVE`].
const LEAST: i64 = -27;
const MOST: i64 = 55;

const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// 5^exponent as 128 bits, the highest of them set; reciprocals rounded up, the others exact.
static POWERS_OF_FIVE: [u128; (MOST - LEAST + 1) as usize] = powers_of_five();

const fn powers_of_five() -> [u128; (MOST - LEAST + 1) as usize] {
    let mut table = [0; (MOST - LEAST + 1) as usize];
    let mut exponent = LEAST;
    while exponent <= MOST {
        let power = 5u128.pow(exponent.unsigned_abs() as u32);
        table[(exponent - LEAST) as usize] = if exponent < 0 {
            reciprocal(power)
        } else {
            power << power.leading_zeros()
        };
        exponent += 1;
    }
    table
}

/// floor(2^(127 + b) / `divisor`) + 1, where 2^b is the first power of two that is not below it.
const fn reciprocal(divisor: u128) -> u128 {
    let bits = 127 + divisor.next_power_of_two().trailing_zeros();
    let (mut quotient, mut rest, mut bit) = (0, 1, 0);
    while bit < bits {
        rest <<= 1;
        quotient <<= 1;
        if rest >= divisor {
            rest -= divisor;
            quotient |= 1;
        }
        bit += 1;
    }
    quotient + 1
}

#[cfg(test)]
mod tests {
    //! Every value equals the standard library's, to the bit, whichever way it was taken.

    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Option<(f64, usize)> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.extend([0; PADDING]);
        number(&bytes, 0)
    }

    fn agrees(text: &str) {
        let (value, end) = parse(text).unwrap_or_else(|| panic!("{text} is a number"));
        assert_eq!(end, text.len(), "{text}");
        let expected: f64 = text.parse().unwrap();
        assert_eq!(
            value.to_bits(),
            expected.to_bits(),
            "{text}: {value} and not {expected}"
        );
    }

    #[test]
    fn edge_cases_agree_with_the_standard_library() {
        for text in [
            "0",
            "-0",
            "1",
            "+1",
            "-1.5",
            "12345678",
            "123456789",
            ".5",
            "5.",
            "1e5",
            "1E-5",
            "1e+05",
            "9007199254740993",
            "9007199254740992.5",
            "0.1",
            "0.30000000000000004",
            "1e22",
            "1e23",
            "123456789012345678901234567890",
            "1e-400",
            "2.2250738585072011e-308",
            "5e-324",
            "0.000000000000000000000000000000000001",
            "0.4967141530112327",
            "18446744073709551615",
            "9223372036854775807e-5",
            "4503599627370496.5",
            "4503599627370497.5",
            "8.5e22",
        ] {
            agrees(text);
        }
    }

    #[test]
    fn what_is_not_finite_is_returned_for_the_caller_to_refuse() {
        assert!(parse("nan").unwrap().0.is_nan());
        assert_eq!(parse("-inf").unwrap().0, f64::NEG_INFINITY);
        assert_eq!(parse("1e999").unwrap().0, f64::INFINITY);
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", "+", ".", "abc", "1e", "1e+", "--1", "e5", ":1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn integers_saturate() {
        let parse = |text: &str| integer(&[text.as_bytes(), &[0; PADDING]].concat(), 0);
        assert_eq!(parse("0"), Some((0, 1)));
        assert_eq!(parse("1099511627776:"), Some((1 << 40, 13)));
        assert_eq!(parse("123456789012345678901234"), Some((u64::MAX, 24)));
        assert_eq!(parse("x"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn shortest_forms_agree(bits: u64) {
            let value = f64::from_bits(bits);
            if value.is_finite() {
                agrees(&format!("{value:e}"));
                agrees(&format!("{value}"));
            }
        }

        #[test]
        fn digits_and_exponents_agree(mantissa: u64, drop in 0u32..20, exponent in -40i32..40) {
            agrees(&format!("{}e{exponent}", mantissa / 10u64.pow(drop.min(19))));
        }

        #[test]
        fn decimals_agree(whole in 0u64..1000, decimals in 0u64..1_000_000_000_000_000_000, width in 1usize..18) {
            let decimals = &format!("{decimals:018}")[..width];
            agrees(&format!("-{whole}.{decimals}"));
        }

        #[test]
        fn halfway_cases_agree(mantissa in (1u64 << 53)..(1 << 62), exponent in -10i32..24) {
            agrees(&format!("{}e{exponent}", mantissa | 1));
        }

        #[test]
        fn any_bytes_are_safe(bytes: Vec<u8>) {
            let length = bytes.len();
            let mut text = bytes;
            text.extend([0; PADDING]);
            for at in 0..length {
                number(&text, at);
                integer(&text, at);
            }
        }
    }
}
