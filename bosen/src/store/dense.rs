//! Dense rows in one array, each in a slot of `length` cells.
//!
//! Where a row's slot is, is arithmetic for a range of keys and a hash table otherwise. The slots
//! of the last sets of rows are remembered, so that a set used again costs no look-ups.

use super::Store;
use super::spare::Spare;
use crate::batch::{Batch, Cells, cells_of};
use crate::element::{Element, add_slice, freeze, view};
use crate::recent::{Recent, WORTH_ROWS};
use crate::rows::{RowId, RowSet};
use crate::rule::{Memory, Rule};
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::Arc;

/// A store of dense rows.
pub struct DenseStore<E> {
    length: usize,
    index: Index,
    values: Vec<E>,
    /// What the update rule remembers, for each cell; empty until a step is taken.
    memory: Vec<Memory>,
    /// Steps that each slot has made; empty until a step is taken.
    steps: Vec<u32>,
    recent: Recent<Slots, RECENT_SETS>,
    spare: Spare,
}

enum Index {
    Range {
        first: u64,
        len: usize,
    },
    Any {
        slots: FxHashMap<u64, u32>,
        free: Vec<u32>,
    },
}

/// Where the rows of a set are.
#[derive(Clone)]
enum Slots {
    /// Next to each other.
    Run(Range<usize>),
    /// Anywhere.
    List(Arc<[u32]>),
}

/// Sets of which it is remembered where their rows are: as many as a large batch comes in.
const RECENT_SETS: usize = 32;

/// In a list of slots: the row is not there.
const ABSENT: u32 = u32::MAX;

impl<E: Element> DenseStore<E> {
    /// An empty store for any keys.
    pub fn any(length: usize) -> Self {
        Self::new(
            length,
            Index::Any {
                slots: FxHashMap::default(),
                free: Vec::new(),
            },
            0,
        )
    }

    /// Zeros for the keys `first..first + len`.
    pub fn range(first: u64, len: usize, length: usize) -> Self {
        Self::new(length, Index::Range { first, len }, len)
    }

    fn new(length: usize, index: Index, slots: usize) -> Self {
        DenseStore {
            length,
            index,
            values: vec![E::default(); slots * length],
            memory: Vec::new(),
            steps: Vec::new(),
            recent: Recent::default(),
            spare: Spare::default(),
        }
    }

    /// The cells of slot `slot`.
    fn cells(&self, slot: usize) -> Range<usize> {
        slot * self.length..(slot + 1) * self.length
    }

    /// Where `rows` are, making those that are not there.
    fn slots_to_write(&mut self, rows: &Arc<RowSet>) -> Slots {
        if let Some(slots) = self.recent.of(rows) {
            return slots;
        }
        let slots = match &mut self.index {
            Index::Range { first, .. } => slots_in_range(*first, rows),
            Index::Any { slots, free } => {
                let mut fresh = (self.values.len() / self.length.max(1)) as u32;
                let mut place = |key| {
                    *slots.entry(key).or_insert_with(|| {
                        free.pop().unwrap_or_else(|| {
                            fresh += 1;
                            fresh - 1
                        })
                    })
                };
                let list: Arc<[u32]> = rows.keys().map(&mut place).collect();
                self.values
                    .resize(fresh as usize * self.length, E::default());
                Slots::List(list)
            }
        };
        if rows.len() >= WORTH_ROWS {
            self.recent.remember(rows, &slots);
        }
        slots
    }

    /// Where `rows` are, those that are not there being absent.
    fn slots_to_read(&mut self, rows: &Arc<RowSet>) -> Slots {
        if let Some(slots) = self.recent.of(rows) {
            return slots;
        }
        let slots = match &self.index {
            Index::Range { first, .. } => slots_in_range(*first, rows),
            Index::Any { slots, .. } => Slots::List(
                rows.keys()
                    .map(|key| slots.get(&key).copied().unwrap_or(ABSENT))
                    .collect(),
            ),
        };
        let complete = !matches!(&slots, Slots::List(list) if list.contains(&ABSENT));
        if complete && rows.len() >= WORTH_ROWS {
            self.recent.remember(rows, &slots);
        }
        slots
    }

    /// Calls `f` with each row's slot and the cells of the batch that are for it.
    fn each_row(&mut self, batch: &Batch, mut f: impl FnMut(&mut Self, usize, Given<'_, E>)) {
        let slots = self.slots_to_write(&batch.rows);
        let values = view::<E>(&batch.values);
        let slot = |i| match &slots {
            Slots::Run(run) => run.start + i,
            Slots::List(list) => list[i] as usize,
        };
        match &batch.cells {
            Cells::Dense => {
                for i in 0..batch.rows.len() {
                    f(
                        self,
                        slot(i),
                        Given::All(&values[i * self.length..(i + 1) * self.length]),
                    );
                }
            }
            Cells::Sparse { ends, columns } => {
                let (ends, columns) = (view::<u32>(ends), view::<u32>(columns));
                for i in 0..batch.rows.len() {
                    let cells = cells_of(&ends, i);
                    f(
                        self,
                        slot(i),
                        Given::Some(&columns[cells.clone()], &values[cells]),
                    );
                }
            }
        }
    }
}

/// The cells that a batch gives for one row.
enum Given<'a, E> {
    All(&'a [E]),
    Some(&'a [u32], &'a [E]),
}

fn slots_in_range(first: u64, rows: &RowSet) -> Slots {
    match rows.as_range() {
        // No rows may be anywhere, outside of the range too.
        Some((_, 0)) => Slots::Run(0..0),
        Some((start, len)) => {
            let start = (start - first) as usize;
            Slots::Run(start..start + len)
        }
        None => Slots::List(rows.keys().map(|key| (key - first) as u32).collect()),
    }
}

/// `values[slots[i]] += from[i]` for rows of one cell.
fn add_scattered<E: Element>(values: &mut [E], slots: &[u32], from: &[E]) {
    for (&slot, &delta) in slots.iter().zip(from) {
        let cell = &mut values[slot as usize];
        *cell = cell.plus(delta);
    }
}

impl<E: Element> Store for DenseStore<E> {
    fn add(&mut self, batch: &Batch) {
        if batch.cells == Cells::Dense {
            let slots = self.slots_to_write(&batch.rows);
            let from = view::<E>(&batch.values);
            match &slots {
                Slots::Run(run) => {
                    let cells = run.start * self.length..run.end * self.length;
                    return add_slice(&mut self.values[cells], &from);
                }
                Slots::List(list) if self.length == 1 => {
                    return add_scattered(&mut self.values, list, &from);
                }
                Slots::List(_) => {}
            }
        }
        self.each_row(batch, |store, slot, given| {
            let cells = store.cells(slot);
            let row = &mut store.values[cells];
            match given {
                Given::All(from) => add_slice(row, from),
                Given::Some(columns, from) => add_scattered(row, columns, from),
            }
        });
    }

    fn set(&mut self, batch: &Batch) {
        self.each_row(batch, |store, slot, given| {
            let cells = store.cells(slot);
            let row = &mut store.values[cells];
            match given {
                Given::All(from) => row.copy_from_slice(from),
                Given::Some(columns, from) => {
                    row.fill(E::default());
                    add_scattered(row, columns, from);
                }
            }
        });
    }

    fn step(&mut self, batch: &Batch, rule: Rule) {
        self.slots_to_write(&batch.rows);
        self.memory.resize(self.values.len(), Memory::default());
        self.steps.resize(self.values.len() / self.length.max(1), 0);
        self.each_row(batch, |store, slot, given| {
            store.steps[slot] += 1;
            let (t, cells) = (store.steps[slot], store.cells(slot));
            let (row, memory) = (&mut store.values[cells.clone()], &mut store.memory[cells]);
            let mut step = |at: usize, g: E| {
                row[at] = E::from_f64(rule.step(row[at].to_f64(), g.to_f64(), &mut memory[at], t));
            };
            match given {
                Given::All(from) => from.iter().enumerate().for_each(|(at, &g)| step(at, g)),
                Given::Some(columns, from) => {
                    columns
                        .iter()
                        .zip(from)
                        .for_each(|(&at, &g)| step(at as usize, g));
                }
            }
        });
    }

    fn read(&mut self, rows: &Arc<RowSet>) -> Batch {
        let values = match self.slots_to_read(rows) {
            Slots::Run(run) => {
                let cells = run.start * self.length..run.end * self.length;
                self.spare.copy(bytemuck::cast_slice(&self.values[cells]))
            }
            Slots::List(list) if self.length == 1 && !list.contains(&ABSENT) => freeze::<E>(
                list.iter()
                    .map(|&slot| self.values[slot as usize])
                    .collect(),
            ),
            Slots::List(list) => {
                let mut values = Vec::with_capacity(list.len() * self.length);
                for &slot in list.iter() {
                    match slot {
                        ABSENT => values.resize(values.len() + self.length, E::default()),
                        slot => values.extend_from_slice(&self.values[self.cells(slot as usize)]),
                    }
                }
                freeze(values)
            }
        };
        Batch {
            rows: rows.clone(),
            cells: Cells::Dense,
            values,
        }
    }

    fn remove(&mut self, row: RowId) {
        let cells = match &mut self.index {
            Index::Range { first, .. } => {
                let slot = (row.0 - *first) as usize;
                self.cells(slot)
            }
            Index::Any { slots, free } => {
                let Some(slot) = slots.remove(&row.0) else {
                    return;
                };
                free.push(slot);
                self.recent.clear();
                self.cells(slot as usize)
            }
        };
        self.values[cells.clone()].fill(E::default());
        if let Some(memory) = self.memory.get_mut(cells) {
            memory.fill(Memory::default());
        }
    }

    fn drain(&mut self) -> Option<Batch> {
        let rows = match &mut self.index {
            Index::Range { first, len } => RowSet::range(*first, *len),
            Index::Any { slots, .. } => {
                let mut keys: Vec<u64> = slots.keys().copied().collect();
                keys.sort_unstable();
                RowSet::ascending(keys).expect("sorted keys of a map ascend")
            }
        };
        if rows.is_empty() {
            return None;
        }
        let batch = self.read(&Arc::new(rows));
        let fresh = match &self.index {
            Index::Range { first, len } => Self::range(*first, *len, self.length),
            Index::Any { .. } => Self::any(self.length),
        };
        *self = fresh;
        Some(batch)
    }

    fn is_empty(&self) -> bool {
        match &self.index {
            Index::Range { len, .. } => *len == 0,
            Index::Any { slots, .. } => slots.is_empty(),
        }
    }
}
