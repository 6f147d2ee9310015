//! Factors multiplied out, on several threads.
//!
//! Rows are cut into strips whose size depends on nothing but this file, and each strip is one
//! product, so that the number of threads is not seen in the result.

use super::{Factors, Rows};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use std::borrow::Cow;
use std::sync::Mutex;

/// Rows of a strip.
const STRIP: usize = 512;

/// Pairs that are worth a product of their own. Fewer would have it wait for `into`.
const ALONE: usize = 64;

/// `into += Σ factor · scale · Σᵢ vᵢ uᵢᵀ` over all `updates`, in their order.
pub fn rebuild(updates: &[(f32, Factors<'_>)], into: &mut [f32], threads: usize) {
    let Some((_, first)) = updates.first() else {
        return;
    };
    let (rows, columns) = (first.rows, first.columns);
    let products = products(updates);
    let strips = into.chunks_mut((STRIP * columns).max(1)).enumerate();
    each(strips.collect(), threads, |(number, strip)| {
        let start = number * STRIP;
        let end = rows.min(start + STRIP);
        let mut target = ArrayViewMut2::from_shape((end - start, columns), strip)
            .expect("a strip of whole rows");
        for Product { factor, u, v } in &products {
            let pairs = v.len() / rows.max(1);
            let u = ArrayView2::from_shape((pairs, columns), u).expect("a row of u for each of v");
            let v = ArrayView2::from_shape((pairs, rows), v).expect("pairs have whole rows");
            let v = v.slice(s![.., start..end]);
            general_mat_mul(*factor, &v.t(), &u, 1.0, &mut target);
        }
        for (factor, update) in updates {
            add_named(factor * update.scale, update, start, &mut target);
        }
    });
}

/// Dense pairs that are multiplied at once, one below the other.
struct Product<'a> {
    factor: f32,
    u: Cow<'a, [f32]>,
    v: Cow<'a, [f32]>,
}

/// The dense pairs of `updates`: many as they are, few together with the next few.
fn products<'a>(updates: &'a [(f32, Factors<'_>)]) -> Vec<Product<'a>> {
    let mut products: Vec<Product<'a>> = Vec::new();
    for (factor, update) in updates {
        let Rows::All(v) = &update.v else { continue };
        let factor = factor * update.scale;
        let few = |u: &[f32]| u.len() < ALONE * update.columns;
        if !few(&update.u) {
            products.push(Product {
                factor,
                u: Cow::Borrowed(&update.u),
                v: Cow::Borrowed(v),
            });
            continue;
        }
        let scaled = update.u.iter().map(|u| factor * u);
        match products.last_mut().filter(|last| few(&last.u)) {
            Some(last) => {
                last.u.to_mut().extend(scaled);
                last.v.to_mut().extend_from_slice(v);
            }
            None => products.push(Product {
                factor: 1.0,
                u: scaled.collect(),
                v: Cow::Borrowed(v),
            }),
        }
    }
    products
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
