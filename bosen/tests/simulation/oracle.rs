//! What reads may see, from the definitions alone.
//!
//! Each worker increments by one, in a column of its own, so that a value counts which of its
//! increments have been seen: those of one worker take effect in order.

use crate::workload::KEYS;
use bosen::batch::{Batch, Cells, cells_of};
use bosen::client::{Piece, Ticket};
use bosen::consistency::Consistency;
use bosen::element::view;
use bosen::placement::{Positions, shard_of};
use bosen::rows::{RowId, RowSet};
use bosen::shard::Shard;
use bosen::spec::TableSpec;
use std::collections::BTreeMap;
use std::sync::Arc;
use strads_common::ids::{Clock, TableId, WorkerId};

pub struct Oracle {
    tables: Vec<TableSpec>,
    workers: u32,
    /// The clocks at which each worker incremented each row, by (table, worker, key).
    made: BTreeMap<(usize, WorkerId, u64), Vec<Clock>>,
    clocks: BTreeMap<(usize, WorkerId), Clock>,
    clocking: BTreeMap<Ticket, usize>,
    incrementing: BTreeMap<Ticket, (usize, Arc<RowSet>)>,
    /// The most that a worker has seen of a cell, by (table, reader, key, column).
    seen: BTreeMap<(usize, WorkerId, u64, u32), i64>,
}

/// What was the case when a read began.
pub struct Expectation {
    table: usize,
    rows: Arc<RowSet>,
    clock: Clock,
    /// By row and column: increments made, and seen by earlier reads of the same worker.
    made: Vec<Vec<i64>>,
    seen: Vec<Vec<i64>>,
}

impl Oracle {
    pub fn new(tables: Vec<TableSpec>, workers: u32) -> Oracle {
        Oracle {
            tables,
            workers,
            made: BTreeMap::new(),
            clocks: BTreeMap::new(),
            clocking: BTreeMap::new(),
            incrementing: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    pub fn spec(&self, table: usize) -> TableSpec {
        self.tables[table]
    }

    pub fn workers(&self) -> u32 {
        self.workers
    }

    fn clock(&self, table: usize, worker: WorkerId) -> Clock {
        self.clocks
            .get(&(table, worker))
            .copied()
            .unwrap_or_default()
    }

    /// An increment of `rows` is under way.
    pub fn incrementing(&mut self, table: usize, ticket: Ticket, rows: Arc<RowSet>) {
        self.incrementing.insert(ticket, (table, rows));
    }

    /// A command of `worker` has taken effect; if it was an increment, it counts from now on.
    pub fn accepted(&mut self, worker: WorkerId, ticket: Ticket) {
        let Some((table, rows)) = self.incrementing.remove(&ticket) else {
            return;
        };
        let clock = self.clock(table, worker);
        for key in rows.keys() {
            self.made
                .entry((table, worker, key))
                .or_default()
                .push(clock);
        }
    }

    pub fn clocking(&mut self, table: usize, ticket: Ticket) {
        self.clocking.insert(ticket, table);
    }

    /// `worker` has begun `clock`.
    pub fn clocked(
        &mut self,
        worker: WorkerId,
        ticket: Ticket,
        clock: Clock,
    ) -> Result<(), String> {
        let table = self
            .clocking
            .remove(&ticket)
            .ok_or_else(|| format!("{ticket:?} clocks nothing"))?;
        let before = self.clock(table, worker);
        let backup = matches!(self.tables[table].consistency, Consistency::Backup { .. });
        if clock != before.next() && !(backup && clock > before) {
            return Err(format!("{worker} went from {before} to {clock}"));
        }
        self.clocks.insert((table, worker), clock);
        Ok(())
    }

    /// `worker` begins to read `rows`.
    pub fn expect(&self, table: usize, worker: WorkerId, rows: &Arc<RowSet>) -> Expectation {
        let by_cell = |f: &dyn Fn(u64, u32) -> i64| -> Vec<Vec<i64>> {
            rows.keys()
                .map(|key| (0..self.workers).map(|column| f(key, column)).collect())
                .collect()
        };
        Expectation {
            table,
            rows: rows.clone(),
            clock: self.clock(table, worker),
            made: by_cell(&|key, column| self.count(table, column, key, Clock(u64::MAX))),
            seen: by_cell(&|key, column| {
                self.seen
                    .get(&(table, worker, key, column))
                    .copied()
                    .unwrap_or(0)
            }),
        }
    }

    /// Increments that the worker of `column` made to a row before `clock`.
    fn count(&self, table: usize, column: u32, key: u64, clock: Clock) -> i64 {
        let made = self.made.get(&(table, WorkerId(column), key));
        made.map_or(0, |made| {
            made.iter().filter(|&&at| at < clock).count() as i64
        })
    }

    /// Increments of a cell that filters may keep back, on their way to the shard and, where the
    /// shard sends changes, from it.
    fn kept_back(&self, table: usize) -> i64 {
        let spec = self.tables[table];
        let ways = 1 + i64::from(spec.consistency.pushes());
        let least = spec.filters.threshold.unwrap_or(1.0) as i64;
        ways * (least - 1)
    }

    /// Checks what a read has seen; returns it.
    pub fn check(
        &mut self,
        worker: WorkerId,
        expected: Expectation,
        pieces: &[Piece],
    ) -> Result<Vec<i64>, String> {
        let mut all = Vec::new();
        let mut covered = 0;
        for piece in pieces {
            let positions: Vec<usize> = match &piece.positions {
                Positions::Run(run) => run.clone().collect(),
                Positions::List(list) => list.clone(),
            };
            covered += positions.len();
            for (at, position) in positions.into_iter().enumerate() {
                let cells = dense_row(&piece.batch, at, self.workers);
                for (column, &value) in (0..).zip(&cells) {
                    self.check_cell(worker, &expected, position, column, value)?;
                }
                all.extend(cells);
            }
        }
        if covered != expected.rows.len() {
            return Err(format!("{covered} of {} rows read", expected.rows.len()));
        }
        Ok(all)
    }

    fn check_cell(
        &mut self,
        worker: WorkerId,
        read: &Expectation,
        position: usize,
        column: u32,
        value: i64,
    ) -> Result<(), String> {
        let (table, key) = (read.table, read.rows.key(position));
        let consistency = self.tables[table].consistency;
        let own = column == worker.0;
        let made_then = read.made[position][column as usize];
        let made_now = self.count(table, column, key, Clock(u64::MAX));
        let backup = matches!(consistency, Consistency::Backup { .. });
        let mut least = match consistency {
            _ if backup => 0,
            Consistency::ValueBound { bound } if !own => made_then - bound as i64,
            _ if own => made_then,
            _ => {
                let made = self.count(table, column, key, consistency.needs(read.clock));
                made - self.kept_back(table)
            }
        };
        let most = match consistency {
            Consistency::Bsp if !own => self.count(table, column, key, read.clock),
            _ => made_now,
        };
        // What a late worker's discarded increments added to its own view goes away again.
        if !(backup && own) {
            least = least.max(read.seen[position][column as usize]);
        }
        if value < least || value > most {
            return Err(format!(
                "{worker} at {} reads {value} increments by worker {column} of row {key} of table {table} \
                 ({consistency:?}), but between {least} and {most} are to be seen",
                read.clock
            ));
        }
        let seen = self.seen.entry((table, worker, key, column)).or_default();
        *seen = value.max(*seen);
        Ok(())
    }

    /// Checks that the shards hold every increment once.
    pub fn check_totals(&self, shards: &mut [Shard]) -> Result<(), String> {
        for (table, spec) in self.tables.iter().enumerate() {
            for key in 0..KEYS {
                let shard = shard_of(spec, shards.len() as u32, key);
                let rows = Arc::new(RowSet::one(RowId(key)));
                let Some(batch) = shards[shard.index()].contents(TableId(table as u32), &rows)
                else {
                    continue;
                };
                for (column, value) in (0..).zip(dense_row(&batch, 0, self.workers)) {
                    let made = self.count(table, column, key, Clock(u64::MAX));
                    let may_discard = matches!(spec.consistency, Consistency::Backup { .. });
                    if value != made && !(may_discard && (0..=made).contains(&value)) {
                        return Err(format!(
                            "table {table} ({:?}) holds {value} of {made} increments of worker {column} to row {key}",
                            spec.consistency
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Row `at` of a batch with every column spelt out.
fn dense_row(batch: &Batch, at: usize, columns: u32) -> Vec<i64> {
    let values = view::<i64>(&batch.values);
    match &batch.cells {
        Cells::Dense => values[at * columns as usize..(at + 1) * columns as usize].to_vec(),
        Cells::Sparse {
            ends,
            columns: named,
        } => {
            let mut row = vec![0; columns as usize];
            for cell in cells_of(&view(ends), at) {
                row[view::<u32>(named)[cell] as usize] += values[cell];
            }
            row
        }
    }
}
