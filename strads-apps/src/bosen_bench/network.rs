//! Measures a store behind a socket.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bosen::batch::Batch;
use bosen::rows::RowSet;
use bosen::tcp::{TcpError, Worker};
use strads_common::ids::TableId;

use super::{Args, Case, say};
use crate::console::Console;
use crate::failure::Failure;

/// Measures every case of `args`.
pub fn measure(worker: &Worker, args: &Args, console: &mut Console) -> Result<(), Failure> {
    for (table, &length) in (0..).map(TableId).zip(&args.row_length) {
        let (keys, spec) = args.table(length);
        worker.create(table, spec)?;
        let one = Arc::new(RowSet::range(0, 1));
        let few = usize::min(args.in_flight, 1);
        for (rows, in_flight) in [(&keys, args.in_flight), (&one, few)] {
            let bench = Bench {
                worker,
                table,
                length,
                rows,
                in_flight,
                time: Duration::from_secs_f64(args.seconds),
            };
            for case in [bench.increments()?, bench.reads()?] {
                say(console, &case);
            }
        }
    }
    Ok(())
}

/// One operation over and over.
struct Bench<'a> {
    worker: &'a Worker,
    table: TableId,
    length: u32,
    rows: &'a Arc<RowSet>,
    in_flight: usize,
    time: Duration,
}

impl Bench<'_> {
    /// Increments; a batch of one row is waited for until the server has it.
    fn increments(&self) -> Result<Case, Failure> {
        let cells = self.rows.len() * self.length as usize;
        // The program's own work is not measured: these are made beforehand and given away.
        let single = self.in_flight == 1 && self.rows.len() == 1;
        let batch = Batch::dense(self.rows.clone(), vec![1f32; cells]);
        self.repeat("inc", |_| {
            self.worker.inc_batch::<f32>(self.table, batch.clone())?;
            if single { self.worker.settle() } else { Ok(()) }
        })
    }

    /// Reads; `in_flight` of them are under way.
    fn reads(&self) -> Result<Case, Failure> {
        let mut handles = VecDeque::new();
        for _ in 1..self.in_flight {
            handles.push_back(self.worker.prefetch(self.table, self.rows)?);
        }
        let case = self.repeat("get", |_| {
            handles.push_back(self.worker.prefetch(self.table, self.rows)?);
            let oldest = handles.pop_front().expect("one has just been added");
            let values: Vec<f32> = self.worker.wait_for(oldest, self.table, self.rows)?;
            std::hint::black_box(values);
            Ok(())
        });
        for handle in handles {
            let _: Vec<f32> = self.worker.wait_for(handle, self.table, self.rows)?;
        }
        case
    }

    fn repeat(
        &self,
        operation: &'static str,
        mut once: impl FnMut(usize) -> Result<(), TcpError>,
    ) -> Result<Case, Failure> {
        for warm_up in 0..3 {
            once(warm_up)?;
        }
        self.worker.settle()?;
        let mut latencies = Vec::new();
        let start = Instant::now();
        while start.elapsed() < self.time {
            let begun = Instant::now();
            once(latencies.len())?;
            latencies.push(begun.elapsed());
        }
        self.worker.settle()?;
        let seconds = start.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let keys = (self.rows.len() * latencies.len()) as f64;
        Ok(Case {
            operation,
            row_length: self.length,
            batch_rows: self.rows.len(),
            keys_per_second: keys / seconds,
            bytes_per_second: keys * f64::from(self.length) * 4.0 / seconds,
            latency_us_p50: latencies[latencies.len() / 2].as_secs_f64() * 1e6,
        })
    }
}
