use std::sync::Arc;
use strads::*;
use strads_apps::linear::{design::*, grid::Grid, program::*};
use strads_datasets::Matrix;
fn npy(path: &str) -> (Vec<u8>, String) {
    let b = std::fs::read(path).unwrap();
    let h = u16::from_le_bytes([b[8], b[9]]) as usize;
    (
        b[10 + h..].to_vec(),
        String::from_utf8(b[10..10 + h].to_vec()).unwrap(),
    )
}
fn f64s(path: &str) -> (Vec<f64>, String) {
    let (b, h) = npy(path);
    (
        b.chunks_exact(8)
            .map(|c| f64::from_le_bytes(c.try_into().unwrap()))
            .collect(),
        h,
    )
}
fn ints(path: &str) -> Vec<usize> {
    let (b, h) = npy(path);
    if h.contains("i4") {
        b.chunks_exact(4)
            .map(|c| i32::from_le_bytes(c.try_into().unwrap()) as usize)
            .collect()
    } else {
        b.chunks_exact(8)
            .map(|c| i64::from_le_bytes(c.try_into().unwrap()) as usize)
            .collect()
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let dir = &a[1];
    let ratio: f64 = a[2].parse().unwrap();
    let threads: usize = a[3].parse().unwrap();
    let (y, _) = f64s(&format!("{dir}/y.npy"));
    let n = y.len();
    let m = if std::path::Path::new(&format!("{dir}/X.npy")).exists() {
        let (x, _) = f64s(&format!("{dir}/X.npy"));
        let p = x.len() / n;
        Matrix::from_columns(n, p, x)
    } else {
        let (x, _) = f64s(&format!("{dir}/data.npy"));
        let i: Vec<u32> = ints(&format!("{dir}/indices.npy"))
            .into_iter()
            .map(|v| v as u32)
            .collect();
        let s = ints(&format!("{dir}/indptr.npy"));
        Matrix::Sparse(strads_datasets::Csc::new_csc((n, s.len() - 1), s, i, x))
    };
    let design = Arc::new(Design::new(m));
    let grid = if ratio < 0.0 {
        Grid::Path {
            count: 100,
            min_ratio: -ratio,
        }
    } else {
        Grid::Ratio(ratio)
    };
    let verbose = a.len() > 4;
    for _ in 0..3 {
        let t = std::time::Instant::now();
        let mut program = SparseRegression::new(
            Arc::clone(&design),
            &y,
            Settings {
                grid,
                l1_ratio: 1.0,
                scaling: Scaling {
                    centre: false,
                    scale: false,
                },
                tolerance: 1e-6,
            },
        );
        let mut shards = program.workers(threads);
        let r = Run::new()
            .observed(
                &Executor::Threads(threads),
                &mut program,
                &mut shards,
                |p, r| {
                    if verbose {
                        println!(
                            "{:4} {:.4}s push {:.2}ms pull {:.2}ms {:?}  {:?}",
                            r.round,
                            r.at_seconds,
                            r.sent.iter().map(|s| s.seconds).fold(0.0, f64::max) * 1e3,
                            r.seconds_pulling * 1e3,
                            r.sent.iter().map(|s| s.entries).collect::<Vec<_>>(),
                            p.standing()
                        );
                    }
                    Verdict::Continue
                },
            )
            .unwrap();
        let s = program.solutions();
        println!(
            "{:.4}s rounds {} lambdas {} {:?}",
            t.elapsed().as_secs_f64(),
            r.totals.rounds,
            s.len(),
            s.last().unwrap().standing
        );
    }
}
