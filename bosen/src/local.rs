//! The store in one process: shards are memory, and a `get` is a read.
//!
//! Nothing is serialised, no thread stands between a worker and a row, and no element has a lock.
//! Who may read what when is decided by the same code as between processes
//! ([`Consistency`](crate::consistency::Consistency), [`Rounds`](crate::rounds::Rounds)):
//!
//! - rows under a loose consistency are written at once, a block of rows having one writer at a
//!   time, and are read without a lock; what a table allows to be stale is never staler than what
//!   the other workers have done;
//! - increments of a round (`Bsp`, `Backup`) stay with their worker until it calls `clock`, and
//!   are summed in worker order when the round is complete;
//! - `Hogwild` writes without regard for others.
//!
//! Each thread has its [`Worker`]. Dropping it makes the worker leave, as between processes; a
//! worker whose thread panics is *lost*, and reads that need its increments fail with its name.
//!
//! ```
//! use bosen::{consistency::Consistency, local, rows::RowId, spec::TableSpec, tables::Tables};
//! use strads_common::ids::TableId;
//!
//! let table = TableId(0);
//! let spec = TableSpec::dense::<f32>(3).range(0, 10).consistency(Consistency::Ssp { staleness: 1 });
//! std::thread::scope(|scope| {
//!     for worker in local::open(4) {
//!         scope.spawn(move || {
//!             worker.create(table, spec)?;
//!             let weights = worker.table::<f32>(table)?;
//!             for _ in 0..100 {
//!                 weights.inc_row(RowId(7), &[1.0, 2.0, 3.0])?;
//!                 worker.clock(table)?;
//!                 assert!(weights.cell(RowId(7), 2)? >= 3.0);
//!             }
//!             Ok::<_, bosen::client::Failure>(())
//!         });
//!     }
//! });
//! ```

mod cell;
mod dense;
mod handle;
mod index;
mod sparse;
mod table;

use crate::batch::Batch;
use crate::client::Failure;
use crate::element::{Element, view, with_element};
use crate::message::Refusal;
use crate::rows::RowSet;
use crate::spec::TableSpec;
use crate::tables::Tables;
pub use cell::Cell;
pub use handle::Table;
use rustc_hash::FxHashMap;
use std::any::Any;
use std::sync::{Arc, PoisonError, RwLock};
use strads_common::ids::{Clock, TableId, WorkerId};
use strads_common::lags::Lags;
use table::{AnyTable, Shared};

/// A store for `workers` workers: a handle for each, to be moved to its thread.
pub fn open(workers: u32) -> Vec<Worker> {
    let home = Arc::new(RwLock::new(Home {
        tables: FxHashMap::default(),
        standing: vec![Standing::Present; workers as usize],
    }));
    let worker = |id| Worker {
        id: WorkerId(id),
        home: home.clone(),
    };
    (0..workers).map(worker).collect()
}

/// A worker's end of the store. Dropping it makes the worker leave.
pub struct Worker {
    id: WorkerId,
    home: Arc<RwLock<Home>>,
}

/// What the workers share.
struct Home {
    tables: FxHashMap<TableId, Arc<dyn AnyTable>>,
    standing: Vec<Standing>,
}

/// How a worker stands to the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Present,
    /// Gone by its own will.
    Left,
    /// Gone by a panic.
    Lost,
}

/// Rows that were asked for.
#[must_use = "rows are asked for to be looked at"]
pub struct Handle(Batch);

impl Worker {
    /// Who this is.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// A handle by which dense rows of `table` are read and incremented without looking the table
    /// up again.
    pub fn table<E: Element>(&self, table: TableId) -> Result<Table<'_, E>, Failure> {
        let shared = self.find(table)?;
        check_kind::<E>(&*shared)?;
        let shared: Arc<dyn Any + Send + Sync> = shared;
        let shared = shared
            .downcast::<Shared<E>>()
            .expect("a table is of the kind that its description says");
        Table::new(shared, self.id)
    }

    /// Late batches that backup rounds have discarded.
    pub fn discarded(&self, table: TableId) -> Result<u64, Failure> {
        Ok(self.find(table)?.discarded())
    }

    fn find(&self, table: TableId) -> Result<Arc<dyn AnyTable>, Failure> {
        let home = self.home.read().unwrap_or_else(PoisonError::into_inner);
        let found = home.tables.get(&table).cloned();
        found.ok_or(Failure::NoTable(table))
    }
}

fn check_kind<E: Element>(table: &dyn AnyTable) -> Result<(), Failure> {
    match table.spec().kind() {
        kind if kind == E::KIND => Ok(()),
        kind => Err(Failure::Kind {
            table: kind,
            asked: E::KIND,
        }),
    }
}

impl Tables for Worker {
    type Error = Failure;
    type Handle = Handle;

    fn create(&self, table: TableId, spec: TableSpec) -> Result<(), Failure> {
        spec.check()?;
        let mut home = self.home.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = home.tables.get(&table) {
            let reason = Refusal::OtherSpec;
            return match *known.spec() == spec {
                true => Ok(()),
                false => Err(Failure::Refused { table, reason }),
            };
        }
        let standing = home.standing.clone();
        let shared: Arc<dyn AnyTable> =
            with_element!(spec.kind(), E => Arc::new(Shared::<E>::new(table, spec, standing)));
        home.tables.insert(table, shared);
        Ok(())
    }

    fn inc_batch<E: Element>(&self, table: TableId, batch: Batch) -> Result<(), Failure> {
        let table = self.find(table)?;
        check_kind::<E>(&*table)?;
        table.spec().check_batch(&batch)?;
        table.increment(self.id, &batch)
    }

    /// Reads at once: there is nothing to overlap with.
    fn prefetch(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Handle, Failure> {
        let table = self.find(table)?;
        table.spec().check_rows(rows)?;
        table.read(self.id, rows).map(Handle)
    }

    fn wait_for<E: Element>(
        &self,
        handle: Handle,
        table: TableId,
        _: &Arc<RowSet>,
    ) -> Result<Vec<E>, Failure> {
        check_kind::<E>(&*self.find(table)?)?;
        Ok(view(&handle.0.values).into_owned())
    }

    fn get_batch(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Batch, Failure> {
        Ok(self.prefetch(table, rows)?.0)
    }

    fn get<E: Element>(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Vec<E>, Failure> {
        self.table::<E>(table)?.get(rows)
    }

    fn clock(&self, table: TableId) -> Result<Clock, Failure> {
        Ok(self.find(table)?.tick(self.id))
    }

    /// There is no copy to drop.
    fn forget(&self, table: TableId, _: &Arc<RowSet>) -> Result<(), Failure> {
        self.find(table).map(drop)
    }

    /// An increment has arrived when it has been made.
    fn settle(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn staleness(&self, table: TableId) -> Lags {
        self.find(table)
            .map_or(Lags::default(), |table| table.staleness(self.id))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let standing = match std::thread::panicking() {
            true => Standing::Lost,
            false => Standing::Left,
        };
        // Tables that are made from now on know it from the beginning.
        let mut home = self.home.write().unwrap_or_else(PoisonError::into_inner);
        home.standing[self.id.index()] = standing;
        for table in home.tables.values() {
            table.end(self.id, standing);
        }
    }
}
