//! Each filter stays within the bound that it states, what is sent and what is kept back is what
//! was given, rounded values are written without loss, and bytes that are no section are refused
//! before anything is allocated for them.

use super::bits::{pack, unpack, unzigzag, zigzag};
use super::*;
use crate::batch::Cells;
use crate::rows::RowSet;
use crate::store;
use proptest::prelude::*;
use std::sync::Arc;

const F32: Layout = Layout {
    kind: ElementKind::F32,
    length: Some(7),
};

/// Numbers of very different sizes.
fn numbers() -> impl Strategy<Value = Vec<f32>> {
    let number = prop_oneof![
        Just(0.0f32),
        -1.0f32..1.0,
        -1e-3f32..1e-3,
        -7e4f32..7e4,
        any::<f32>().prop_filter("finite", |number| number.is_finite() && number.abs() < 1e38),
    ];
    prop::collection::vec(number, 0..400)
}

fn codes() -> impl Strategy<Value = ValueCode> {
    prop_oneof![
        Just(ValueCode::Half),
        Just(ValueCode::EightBit),
        Just(ValueCode::OneBit),
        (0u8..=20).prop_map(|fraction_bits| ValueCode::FixedPoint { fraction_bits }),
    ]
}

/// How far `code` may move `value`, whose block has `greatest` as its greatest magnitude.
fn bound(code: ValueCode, value: f64, greatest: f64) -> f64 {
    match code {
        ValueCode::Plain => 0.0,
        ValueCode::Half => (value.abs() / 2048.0)
            .max(2f64.powi(-25))
            .max(value.abs() - 65504.0),
        ValueCode::EightBit => (greatest / 127.0).max(2f64.powi(-127)),
        ValueCode::OneBit => greatest,
        ValueCode::FixedPoint { fraction_bits } => {
            let half_a_step = 2f64.powi(-i32::from(fraction_bits) - 1);
            half_a_step.max(value.abs() - 2f64.powi(62 - i32::from(fraction_bits)))
        }
    }
}

proptest! {
    #[test]
    fn a_code_stays_within_its_bound(values in numbers(), code in codes()) {
        let mut rounded = values.clone();
        code.round(&mut rounded);
        for (values, rounded) in values.chunks(BLOCK).zip(rounded.chunks(BLOCK)) {
            let greatest = values.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
            for (&value, &rounded) in values.iter().zip(rounded) {
                let (value, rounded) = (f64::from(value), f64::from(rounded));
                let bound = bound(code, value, f64::from(greatest)) * (1.0 + 1e-6);
                prop_assert!((value - rounded).abs() <= bound, "{code:?}: {value} became {rounded}");
            }
        }
    }

    #[test]
    fn a_rounded_value_is_written_without_loss(values in numbers(), code in codes()) {
        let mut rounded = values;
        code.round(&mut rounded);
        let bytes: &[u8] = bytemuck::cast_slice(&rounded);
        let section = values::encode(bytes, code, ElementKind::F32);
        let (decoded, found, kind) = values::decode(&section).unwrap();
        // −0 and 0 are the same increment.
        prop_assert_eq!(&view::<f32>(&decoded)[..], &rounded[..]);
        prop_assert_eq!((found, kind), (code, ElementKind::F32));
        let mut again = rounded.clone();
        code.round(&mut again);
        prop_assert_eq!(again, rounded);
    }

    #[test]
    fn integers_are_written_without_loss(values in prop::collection::vec(any::<i64>(), 0..300), small in prop::collection::vec(-9i32..9, 0..300)) {
        let code = ValueCode::FixedPoint { fraction_bits: 0 };
        let section = values::encode(bytemuck::cast_slice(&values), code, ElementKind::I64);
        let (decoded, ..) = values::decode(&section).unwrap();
        prop_assert_eq!(&view::<i64>(&decoded)[..], &values[..]);
        let section = values::encode(bytemuck::cast_slice(&small), code, ElementKind::I32);
        let (decoded, ..) = values::decode(&section).unwrap();
        prop_assert_eq!(&view::<i32>(&decoded)[..], &small[..]);
        prop_assert!(section.len() <= 16 + small.len().div_ceil(BLOCK) * (1 + 5 * BLOCK / 8));
    }

    #[test]
    fn keys_are_written_without_loss(keys in prop::collection::btree_set(prop_oneof![any::<u64>(), 0u64..2000, Just(u64::MAX)], 0..500)) {
        let keys: Vec<u64> = keys.into_iter().collect();
        let packed = keys::pack_keys(keys.iter().copied());
        prop_assert_eq!(keys::unpack_keys(&packed, keys.len()), Ok(keys));
    }

    #[test]
    fn numbers_are_written_without_loss(numbers in prop::collection::vec(prop_oneof![any::<u32>(), 0u32..50], 0..500)) {
        let packed = keys::pack_numbers(&numbers);
        prop_assert_eq!(keys::unpack_numbers(&packed, numbers.len()), Ok((numbers, packed.len())));
    }

    #[test]
    fn words_are_packed_without_loss(words in prop::collection::vec(any::<u64>(), 0..300), shift in 0u32..64) {
        let words: Vec<u64> = words.into_iter().map(|word| word >> shift).collect();
        let packed = pack(words.iter().copied());
        prop_assert_eq!(unpack(&packed, words.len()), Ok((words.clone(), packed.len())));
        for word in words {
            prop_assert_eq!(zigzag(unzigzag(word)), word);
        }
    }

    /// Whatever bytes a peer sends as a section: an answer, no panic, and no more memory than the
    /// limit, whatever the section announces.
    #[test]
    fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..200), code in 0u8..6, kind in 0u8..5, bits: u8, count in prop_oneof![any::<u64>(), 0u64..500]) {
        let _ = values::decode(&noise);
        let mut section = vec![code, kind, bits, 0, 0, 0, 0, 0];
        section.extend(count.to_le_bytes());
        section.extend(&noise);
        if let Ok((values, ..)) = values::decode(&section) {
            prop_assert!(values.len() <= DECODED_LIMIT_BYTES);
        }
        let count = count as usize;
        let _ = keys::unpack_keys(&noise, count);
        let _ = keys::unpack_numbers(&noise, count);
    }

    /// Error feedback: over several batches, dense and sparse, what has been sent and what is
    /// kept back is what was given, up to the rounding of sums.
    #[test]
    fn nothing_is_lost_between_sent_and_kept(
        batches in prop::collection::vec((prop::collection::btree_set(0u64..9, 1..6), any::<bool>(), -50.0f32..50.0), 1..8),
        code in codes(),
        threshold in prop::option::of(0.5f64..60.0),
    ) {
        let filters = Filters { threshold, values: code, packed_keys: true };
        let mut residual = Residual::new(filters, F32);
        let (mut given, mut received) = (store::open(F32), store::open(F32));
        let all = Arc::new(RowSet::range(0, 9));
        let (mut total, mut sum) = (0.0, 0.0);
        for (keys, dense, value) in batches {
            let batch = batch(keys.into_iter().collect(), dense, value);
            total += view::<f32>(&batch.values).iter().map(|v| f64::from(v.abs())).sum::<f64>();
            given.add(&batch);
            if let Some((sent, _)) = residual.pass(&batch) {
                prop_assert_eq!(F32.check(&sent), Ok(()));
                received.add(&sent);
            }
            if let (Some(least), ValueCode::FixedPoint { fraction_bits: 20 }) = (threshold, code) {
                let kept = residual.within(&all).unwrap();
                let kept = view::<f32>(&kept.values).iter().fold(0.0, |most: f32, v| most.max(v.abs()));
                prop_assert!(f64::from(kept) < least, "{kept} kept back below {least}");
            }
        }
        if let Some((rest, coding)) = residual.drain() {
            prop_assert_eq!(coding, filters.exact_coding(ElementKind::F32));
            received.add(&rest);
        }
        let (given, received) = (given.read(&all), received.read(&all));
        for (a, b) in view::<f32>(&given.values).iter().zip(view::<f32>(&received.values).iter()) {
            sum += f64::from((a - b).abs());
        }
        prop_assert!(sum <= total * 1e-5, "{sum} of {total} lost");
    }

    /// Fixed-point sums are the same to the bit in any order; the same sums in plain floating
    /// point are not, or this test would show nothing.
    #[test]
    fn fixed_point_sums_do_not_depend_on_order(values in prop::collection::vec(-100.0f32..100.0, 2..200), seed: u64) {
        let mut cells = values;
        ValueCode::FixedPoint { fraction_bits: 9 }.round(&mut cells);
        let forwards: f32 = cells.iter().sum();
        let mut shuffled = cells;
        let mut random = strads_common::random::stream(seed, "shuffle", 0);
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, rand::RngExt::random_range(&mut random, 0..=at));
        }
        let backwards: f32 = shuffled.iter().sum();
        prop_assert_eq!(forwards.to_bits(), backwards.to_bits());
    }
}

/// One value for a few cells of each row.
fn batch(keys: Vec<u64>, dense: bool, value: f32) -> Batch {
    let rows = Arc::new(RowSet::ascending(keys).unwrap());
    let count = rows.len();
    match dense {
        true => Batch::dense(
            rows,
            (0..7 * count).map(|at| value / (1.0 + at as f32)).collect(),
        ),
        // A column may be named twice.
        false => Batch::sparse(
            rows,
            (1..=count as u32).map(|row| 3 * row).collect(),
            [2u32, 5, 2].repeat(count),
            (0..3 * count).map(|at| value / (1.0 + at as f32)).collect(),
        ),
    }
}

#[test]
fn a_block_of_any_scale_survives_eight_bits() {
    for exponent in -149..127 {
        let value = 2f64.powi(exponent) as f32;
        for factor in [1.0, 127.0 / 128.0 * 2.0, 1.9999, 1.5] {
            let mut cells = [value * factor, -value, 0.0].map(|v| v.min(2f32.powi(126)));
            let before = cells;
            eight_bit::round(&mut cells);
            let bound = (f64::from(before[0]) / 127.0).max(2f64.powi(-127));
            for (a, b) in before.iter().zip(&cells) {
                assert!(
                    (f64::from(*a) - f64::from(*b)).abs() <= bound,
                    "{a} became {b}"
                );
            }
            let bytes = eight_bit::encode(&cells);
            assert_eq!(eight_bit::decode::<f32>(&bytes, 3).unwrap(), cells);
        }
    }
}

/// What is not finite is not hidden in a residual, and does not stay in one.
#[test]
fn a_poisoned_batch_passes_as_it_is() {
    let filters = Filters::default().values(ValueCode::EightBit);
    let mut residual = Residual::new(filters, F32);
    let poisoned = batch(vec![1, 2], true, f32::NAN);
    let (sent, coding) = residual.pass(&poisoned).unwrap();
    assert!(view::<f32>(&sent.values).iter().all(|value| value.is_nan()));
    assert_eq!(coding.values, None);
    assert_eq!(residual.drain(), None);
}

/// Sparse increments of long rows are not blown up to whole rows.
#[test]
fn few_cells_of_a_dense_row_stay_few() {
    let filters = Filters::default().values(ValueCode::Half);
    let mut residual = Residual::new(filters, F32);
    let (sent, _) = residual.pass(&batch(vec![1, 2], false, 1.0)).unwrap();
    let Cells::Sparse { columns, .. } = &sent.cells else {
        panic!("{sent:?}")
    };
    assert_eq!(&view::<u32>(columns)[..], [2, 5, 2, 5]);
}

/// A section of a few bytes that would unpack to gigabytes is refused.
#[test]
fn a_bomb_is_refused() {
    let zeros = vec![0u8; 1 << 20];
    let fixed = values::encode(
        &zeros,
        ValueCode::FixedPoint { fraction_bits: 0 },
        ElementKind::I64,
    );
    let mut bomb = fixed.to_vec();
    bomb[8..16].copy_from_slice(&(1u64 << 40).to_le_bytes());
    assert_eq!(values::decode(&bomb), Err(Garbled::TooLong));
    assert_eq!(unpack(&[0; 8], 1 << 20), Err(Garbled::Truncated));
    assert_eq!(unpack(&[], usize::MAX), Err(Garbled::TooLong));
}

#[test]
fn filters_that_make_no_sense_are_refused() {
    let with = |values| Filters::default().values(values);
    assert!(!with(ValueCode::Half).fit(ElementKind::I32));
    assert!(!with(ValueCode::FixedPoint { fraction_bits: 1 }).fit(ElementKind::I64));
    assert!(!with(ValueCode::FixedPoint { fraction_bits: 53 }).fit(ElementKind::F64));
    assert!(!Filters::default().threshold(0.0).fit(ElementKind::F32));
    assert!(!Filters::default().threshold(f64::NAN).fit(ElementKind::F32));
    assert!(with(ValueCode::FixedPoint { fraction_bits: 0 }).fit(ElementKind::I64));
}
