//! Measures the store in one process, and beside it the memory that it is made of.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bosen::client;
use bosen::local::{self, Table};
use bosen::rows::RowId;
use bosen::tables::Tables;
use serde::Serialize;
use strads_common::ids::TableId;

use super::{Args, Case, say};
use crate::console::Console;
use crate::failure::Failure;

/// Operations on one row between two looks at the clock, which takes longer than they do.
const AT_ONCE: usize = 1000;

/// What plain slices do where the store has rows: `a[i] += b[i]`.
#[derive(Serialize)]
struct Memory {
    cells: usize,
    bytes_per_second: f64,
}

/// Measures every case of `args`.
pub fn measure(args: &Args, console: &mut Console) -> Result<(), Failure> {
    let worker = local::open(1).remove(0);
    let time = Duration::from_secs_f64(args.seconds);
    for (table, &length) in (0..).map(TableId).zip(&args.row_length) {
        let (rows, spec) = args.table(length);
        worker.create(table, spec).map_err(Failure::world)?;
        let table = worker.table::<f32>(table).map_err(Failure::world)?;
        let cells = rows.len() * length as usize;
        let deltas = vec![1f32; cells];
        let mut values = vec![0f32; cells];
        let memory = Memory {
            cells,
            bytes_per_second: add_slices(&mut values, &deltas, time),
        };
        console.say(format!(
            "plain slices of {cells} cells: {:.3} GB/s added",
            memory.bytes_per_second / 1e9
        ));
        console.event("memory", &memory);
        let of = |operation, batch_rows| Measured {
            operation,
            length,
            batch_rows,
            time,
        };
        let one = RowId(rows.key(rows.len() / 2));
        let cases = [
            of("inc", rows.len()).repeat(1, || table.inc(&rows, &deltas)),
            of("get", rows.len()).repeat(1, || table.get_into(&rows, &mut values)),
            of("inc", 1).repeat(AT_ONCE, || table.inc_row(one, &deltas[..length as usize])),
            of("get", 1).repeat(AT_ONCE, || read(&table, one, &mut values)),
        ];
        for case in cases {
            say(console, &case.map_err(Failure::world)?);
        }
    }
    Ok(())
}

/// One row; a row of one cell is read as a value.
fn read(table: &Table<'_, f32>, row: RowId, into: &mut [f32]) -> Result<(), client::Failure> {
    match table.length() {
        1 => table.cell(row, 0).map(|value| {
            black_box(value);
        }),
        length => table.get_row(row, &mut into[..length]),
    }
}

/// Bytes of `b` added to `a` a second.
fn add_slices(a: &mut [f32], b: &[f32], time: Duration) -> f64 {
    let (start, mut rounds) = (Instant::now(), 0);
    while rounds < 2 || start.elapsed() < time {
        let sums = black_box(&mut *a).iter_mut().zip(black_box(b));
        sums.for_each(|(a, b)| *a += b);
        rounds += 1;
    }
    (rounds * size_of_val(b)) as f64 / start.elapsed().as_secs_f64()
}

/// What is measured.
struct Measured {
    operation: &'static str,
    length: u32,
    batch_rows: usize,
    time: Duration,
}

impl Measured {
    /// Runs `once` for as long as was asked, looking at the clock after each `at_once` times.
    fn repeat<F>(self, at_once: usize, mut once: F) -> Result<Case, client::Failure>
    where
        F: FnMut() -> Result<(), client::Failure>,
    {
        once()?;
        let (start, mut latencies) = (Instant::now(), Vec::new());
        while latencies.is_empty() || start.elapsed() < self.time {
            let begun = Instant::now();
            for _ in 0..at_once {
                once()?;
            }
            latencies.push(begun.elapsed().as_secs_f64() / at_once as f64);
        }
        let keys = (self.batch_rows * latencies.len() * at_once) as f64;
        let keys_per_second = keys / start.elapsed().as_secs_f64();
        latencies.sort_by(f64::total_cmp);
        Ok(Case {
            operation: self.operation,
            row_length: self.length,
            batch_rows: self.batch_rows,
            keys_per_second,
            bytes_per_second: keys_per_second * f64::from(self.length) * 4.0,
            latency_us_p50: latencies[latencies.len() / 2] * 1e6,
        })
    }
}
