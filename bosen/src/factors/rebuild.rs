//! Factors multiplied out, on several threads.
//!
//! Rows are cut into strips whose size depends on nothing but this file, and each strip is one
//! product, so that the number of threads is not seen in the result.

use super::{Factors, Rows};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::sync::Mutex;

/// Rows of a strip.
const STRIP: usize = 512;

/// `into += Σ factor · scale · Σᵢ vᵢ uᵢᵀ` over all `updates`, in their order: one matrix product
/// for all that are dense.
pub fn rebuild(updates: &[(f32, Factors<'_>)], into: &mut [f32], threads: usize) {
    let Some((_, first)) = updates.first() else {
        return;
    };
    let (rows, columns) = (first.rows, first.columns);
    let (u, v) = stack(updates);
    let pairs = v.len() / rows.max(1);
    let u = ArrayView2::from_shape((pairs, columns), &u).expect("a row of u for each of v");
    let v = ArrayView2::from_shape((pairs, rows), &v).expect("pairs have whole rows");
    let strips = into.chunks_mut((STRIP * columns).max(1)).enumerate();
    each(strips.collect(), threads, |(number, strip)| {
        let start = number * STRIP;
        let end = rows.min(start + STRIP);
        let mut target = ArrayViewMut2::from_shape((end - start, columns), strip)
            .expect("a strip of whole rows");
        if pairs > 0 {
            general_mat_mul(1.0, &v.slice(s![.., start..end]).t(), &u, 1.0, &mut target);
        }
        for (factor, update) in updates {
            add_named(factor * update.scale, update, start, &mut target);
        }
    });
}

/// All dense pairs below each other, `u` with its scale.
fn stack(updates: &[(f32, Factors<'_>)]) -> (Vec<f32>, Vec<f32>) {
    let (mut all_u, mut all_v) = (Vec::new(), Vec::new());
    for (factor, update) in updates {
        if let Rows::All(v) = &update.v {
            let scale = factor * update.scale;
            all_u.extend(update.u.iter().map(|u| scale * u));
            all_v.extend_from_slice(v);
        }
    }
    (all_u, all_v)
}

/// Adds pairs whose rows are named, as far as these are in the strip that begins at `start`.
fn add_named(scale: f32, update: &Factors<'_>, start: usize, strip: &mut ArrayViewMut2<'_, f32>) {
    let Rows::Some { ends, rows, values } = &update.v else {
        return;
    };
    let end = start + strip.nrows();
    let mut from = 0;
    for (u, &to) in update.u.chunks_exact(update.columns).zip(ends.iter()) {
        let (own, entries) = (&rows[from..to as usize], &values[from..to as usize]);
        from = to as usize;
        let below = |edge: usize| own.partition_point(|row| (*row as usize) < edge);
        for at in below(start)..below(end) {
            let by = scale * entries[at];
            let mut row = strip.row_mut(own[at] as usize - start);
            let row = row.as_slice_mut().expect("rows of a strip are whole");
            row.iter_mut().zip(u).for_each(|(w, u)| *w += by * u);
        }
    }
}

/// Does all of `work`, whoever is free taking the next.
fn each<W: Send>(work: Vec<W>, threads: usize, act: impl Fn(W) + Sync) {
    let threads = threads.min(work.len());
    if threads <= 1 {
        return work.into_iter().for_each(act);
    }
    let queue = Mutex::new(work.into_iter());
    let next = || queue.lock().expect("taking does not panic").next();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = next() {
                    act(item);
                }
            });
        }
    });
}
