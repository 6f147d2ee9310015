//! What a batch says: class probabilities, the loss, and its derivatives.
//!
//! Products are cut into blocks whose size depends on nothing but this file, so that the number
//! of threads is not seen in the result.

use std::sync::Mutex;

use bosen::factors::Rows;
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

/// Examples and classes of a block.
const BLOCK: usize = 256;
/// Multiplications that are worth another thread.
const WORTH: usize = 1 << 21;

/// Threads for `work` multiplications.
pub fn threads_for(work: usize, threads: usize) -> usize {
    threads.min(1 + work / WORTH)
}

/// `v W`: a row of scores for each example.
pub fn scores(
    v: &Rows<'_>,
    weights: &[f32],
    rows: usize,
    classes: usize,
    threads: usize,
) -> Vec<f32> {
    match v {
        Rows::All(v) => dense_scores(v, weights, rows, classes, threads),
        Rows::Some { ends, rows, values } => {
            let mut scores = vec![0.0; ends.len() * classes];
            let mut from = 0;
            for (scores, &to) in scores.chunks_exact_mut(classes).zip(ends.iter()) {
                for at in from..to as usize {
                    let of_row = &weights[rows[at] as usize * classes..][..classes];
                    let x = values[at];
                    scores.iter_mut().zip(of_row).for_each(|(z, w)| *z += x * w);
                }
                from = to as usize;
            }
            scores
        }
    }
}

fn dense_scores(
    v: &[f32],
    weights: &[f32],
    rows: usize,
    classes: usize,
    threads: usize,
) -> Vec<f32> {
    let examples = v.len() / rows;
    let mut scores = vec![0.0; examples * classes];
    let v = ArrayView2::from_shape((examples, rows), v).expect("whole examples");
    let weights = ArrayView2::from_shape((rows, classes), weights)
        .expect("a row of weights for each feature");
    let mut all = ArrayViewMut2::from_shape((examples, classes), &mut scores)
        .expect("a score for each class");
    let mut blocks = Vec::new();
    for (down, strip) in all.axis_chunks_iter_mut(Axis(0), BLOCK).enumerate() {
        let mut rest = strip;
        for across in 0..classes.div_ceil(BLOCK) {
            let (block, after) = rest.split_at(Axis(1), BLOCK.min(classes - across * BLOCK));
            blocks.push((down * BLOCK, across * BLOCK, block));
            rest = after;
        }
    }
    let threads = threads_for(examples * rows * classes, threads).min(blocks.len());
    let multiply = |(down, across, mut block): (usize, usize, ArrayViewMut2<'_, f32>)| {
        let (height, width) = block.dim();
        let (v, w) = (
            v.slice(s![down..down + height, ..]),
            weights.slice(s![.., across..across + width]),
        );
        general_mat_mul(1.0, &v, &w, 0.0, &mut block);
    };
    if threads <= 1 {
        blocks.into_iter().for_each(multiply);
        return scores;
    }
    let queue = Mutex::new(blocks.into_iter());
    let next = || queue.lock().expect("taking does not panic").next();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(block) = next() {
                    multiply(block);
                }
            });
        }
    });
    scores
}

/// Makes probabilities of each row of scores.
pub fn softmax(scores: &mut [f32], classes: usize) {
    for row in scores.chunks_exact_mut(classes) {
        let greatest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter_mut().for_each(|z| *z = (*z - greatest).exp());
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|z| *z /= sum);
    }
}

/// Makes of probabilities the loss's derivatives by the scores, and returns the summed loss.
pub fn differentiate(probabilities: &mut [f32], labels: &[u32], classes: usize) -> f64 {
    let mut loss = 0.0;
    for (row, &label) in probabilities.chunks_exact_mut(classes).zip(labels) {
        let of_label = &mut row[label as usize];
        // Written so that what is no number stays none.
        let likely = match *of_label < f32::MIN_POSITIVE {
            true => f32::MIN_POSITIVE,
            false => *of_label,
        };
        loss -= f64::from(likely).ln();
        *of_label -= 1.0;
    }
    loss
}
