//! What is rebuilt equals the sum of outer products, in every form, however many threads; what is
//! written is read; what is not for the matrix is refused.

use super::*;
use proptest::prelude::*;
use std::borrow::Cow;

/// Numbers that look random and are the same every time.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let number = |at: usize| {
        let mixed = (at as u32)
            .wrapping_mul(2_654_435_761)
            .wrapping_add(seed * 97);
        (mixed >> 16) as f32 / 32_768.0 - 1.0
    };
    (0..count).map(number).collect()
}

fn dense(rows: usize, columns: usize, pairs: usize, seed: u32) -> Factors<'static> {
    let v = Rows::All(numbers(pairs * rows, seed).into());
    Factors::gradient(columns, rows, numbers(pairs * columns, seed + 1), v, 3)
}

/// The same with only every `step`-th row, named or not.
fn thinned(whole: &Factors<'_>, step: usize, name: bool) -> Factors<'static> {
    let Rows::All(v) = &whole.v else {
        unreachable!()
    };
    let (mut all, mut ends, mut rows, mut values) = (v.to_vec(), vec![], vec![], vec![]);
    for (pair, v) in all.chunks_mut(whole.rows).enumerate() {
        for (row, x) in v.iter_mut().enumerate() {
            match (row + pair) % step == 0 {
                true => {
                    rows.push(row as u32);
                    values.push(*x);
                }
                false => *x = 0.0,
            }
        }
        ends.push(rows.len() as u32);
    }
    let v = match name {
        true => Rows::Some {
            ends: ends.into(),
            rows: rows.into(),
            values: values.into(),
        },
        false => Rows::All(all.into()),
    };
    Factors {
        rows: whole.rows,
        columns: whole.columns,
        scale: whole.scale,
        u: whole.u.to_vec().into(),
        v,
    }
}

/// The sum of outer products, entry by entry.
fn by_hand(updates: &[(f32, Factors<'_>)], rows: usize, columns: usize) -> Vec<f64> {
    let mut sum = vec![0.0; rows * columns];
    for (factor, update) in updates {
        let Rows::All(v) = &update.v else {
            unreachable!()
        };
        let scale = f64::from(*factor) * f64::from(update.scale);
        for (u, v) in update.u.chunks_exact(columns).zip(v.chunks_exact(rows)) {
            for (row, v) in v.iter().enumerate() {
                for (column, u) in u.iter().enumerate() {
                    sum[row * columns + column] += scale * f64::from(*u) * f64::from(*v);
                }
            }
        }
    }
    sum
}

fn assert_close(found: &[f32], expected: &[f64]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() < 1e-4,
            "{found} instead of {expected}"
        );
    }
}

#[test]
fn rebuilt_updates_equal_full_ones() {
    // More than two strips, and pairs from several workers.
    let (rows, columns) = (1100, 7);
    let whole: Vec<_> = (0..3).map(|seed| dense(rows, columns, 5, seed)).collect();
    let weighted = |updates: Vec<Factors<'static>>| -> Vec<(f32, Factors<'static>)> {
        updates
            .into_iter()
            .zip([1.0, -0.5, 2.0])
            .map(|(update, factor)| (factor, update))
            .collect()
    };
    let all = weighted(whole.clone());
    let zeros = weighted(
        whole
            .iter()
            .map(|update| thinned(update, 3, false))
            .collect(),
    );
    let named = weighted(
        whole
            .iter()
            .map(|update| thinned(update, 3, true))
            .collect(),
    );
    for (updates, expected) in [(&all, &all), (&zeros, &zeros), (&named, &zeros)] {
        let mut first = None;
        for threads in [1, 2, 5] {
            let mut found = vec![0.0; rows * columns];
            rebuild(updates, &mut found, threads);
            assert_close(&found, &by_hand(expected, rows, columns));
            assert_eq!(
                first.get_or_insert_with(|| found.clone()),
                &found,
                "{threads} threads"
            );
        }
    }
}

/// Updates with few pairs share a product and those with many do not, in any order.
#[test]
fn many_and_few_pairs_add_up() {
    let (rows, columns) = (30, 4);
    let counts = [5, 70, 40, 40, 3, 0, 64, 1];
    let update = |(seed, &pairs)| {
        let factor = 0.1 * (seed as f32 - 3.5);
        (factor, dense(rows, columns, pairs, seed as u32))
    };
    let updates: Vec<_> = counts.iter().enumerate().map(update).collect();
    let mut found = vec![0.0; rows * columns];
    rebuild(&updates, &mut found, 1);
    assert_close(&found, &by_hand(&updates, rows, columns));
}

#[test]
fn both_forms_have_their_scale() {
    let v = || Rows::All(vec![1.0].into());
    assert_eq!(Factors::gradient(1, 1, vec![1.0], v(), 4).scale, 0.25);
    assert_eq!(Factors::dual(1, 1, vec![1.0], v(), 4, 0.1).scale, 2.5);
}

proptest! {
    #[test]
    fn forms_survive_the_wire(rows in 1usize..9, columns in 1usize..6, pairs in 0usize..5, step in 1usize..4, seed in 0u32..9) {
        let whole = dense(rows, columns, pairs, seed);
        for factors in [thinned(&whole, step, true), whole] {
            let content = factors.encode();
            prop_assert_eq!(&Factors::decode(&content, rows, columns).unwrap(), &factors);
            prop_assert!(Factors::decode(&content, rows + 1, columns).is_err());
            prop_assert!(Factors::decode(&content.slice(..content.len() - 1), rows, columns).is_err());
        }
        let values = numbers(rows * columns, seed);
        let block = Block { first: 1, values: Cow::from(&values[columns..]) };
        let content = block.encode(rows, columns);
        prop_assert_eq!(&Block::decode(&content, rows, columns).unwrap(), &block);
        prop_assert!(Block::decode(&content, rows, columns + 1).is_err());
        let odd: Vec<u32> = (0..rows as u32).step_by(2).collect();
        let named = Named { values: Cow::from(&values[..odd.len() * columns]), rows: odd.into() };
        let content = named.encode(rows, columns);
        prop_assert_eq!(&Named::decode(&content, rows, columns).unwrap(), &named);
    }

    #[test]
    fn any_words_are_refused_or_read(mut words in prop::collection::vec(0u32..7, 0..40), at: bool) {
        if at { words.truncate(12); }
        if words.len() > 1 { (words[0], words[1]) = (3, 2); }
        let content = Bytes::copy_from_slice(bytemuck::cast_slice(&words));
        if let Ok(factors) = Factors::decode(&content, 3, 2) {
            rebuild(&[(1.0, factors)], &mut [0.0; 6], 1);
        }
        let _ = (Block::decode(&content, 3, 2).is_ok(), Named::decode(&content, 3, 2).is_ok());
    }
}
