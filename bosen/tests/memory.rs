//! What a sparse table costs: at most 24 bytes of memory for each float that it holds.
//!
//! Measured as the growth of this process, in which nothing else runs.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use bosen::batch::Batch;
use bosen::rows::RowSet;
use bosen::spec::TableSpec;
use bosen::store;
use std::sync::Arc;

const ROWS: u64 = 100_000;
const CELLS: u32 = 16;

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages = status.split_whitespace().nth(1).unwrap();
    4096.0 * pages.parse::<f64>().unwrap()
}

#[test]
fn a_float_of_a_sparse_row_costs_at_most_24_bytes() {
    let before = resident_bytes();
    let mut table = store::open(TableSpec::sparse::<f32>().layout);
    // A cell at a time, and rows in an order of their own, as increments come.
    for cell in 0..CELLS {
        for part in 0..100 {
            let keys = (0..ROWS / 100)
                .map(|row| (row * 100 + part) * 0x1_0001)
                .collect();
            let rows = Arc::new(RowSet::ascending(keys).unwrap());
            let count = rows.len() as u32;
            let columns = (0..count)
                .map(|row| (cell * 7919 + row) % 100_003)
                .collect();
            table.add(&Batch::sparse(
                rows,
                (1..=count).collect(),
                columns,
                vec![1f32; count as usize],
            ));
        }
    }
    let each = (resident_bytes() - before) / (ROWS as f64 * f64::from(CELLS));
    println!("{each:.1} bytes a float");
    assert!(each <= 24.0, "{each:.1} bytes a float");
}
