//! Stores hold what was added: against a map from (row, column) to a wrapping integer.

use super::*;
use crate::element::{ElementKind, view};
use proptest::prelude::*;
use std::collections::BTreeMap;

const LENGTH: u32 = 3;

type Model = BTreeMap<u64, [i64; LENGTH as usize]>;

/// Some rows, each with some columns (which may repeat) and values.
fn increments() -> impl Strategy<Value = BTreeMap<u64, Vec<(u32, i64)>>> {
    prop::collection::btree_map(
        0u64..40,
        prop::collection::vec((0..LENGTH, any::<i64>()), 0..5),
        1..10,
    )
}

fn sparse(rows: &BTreeMap<u64, Vec<(u32, i64)>>) -> Batch {
    let keys = Arc::new(RowSet::ascending(rows.keys().copied().collect()).unwrap());
    let (mut ends, mut columns, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for cells in rows.values() {
        columns.extend(cells.iter().map(|cell| cell.0));
        values.extend(cells.iter().map(|cell| cell.1));
        ends.push(columns.len() as u32);
    }
    Batch::sparse(keys, ends, columns, values)
}

fn model_of(all: &[BTreeMap<u64, Vec<(u32, i64)>>]) -> Model {
    let mut model = Model::new();
    for (row, column, value) in all
        .iter()
        .flatten()
        .flat_map(|(row, cells)| cells.iter().map(move |cell| (*row, cell.0, cell.1)))
    {
        let cell = &mut model.entry(row).or_default()[column as usize];
        *cell = cell.wrapping_add(value);
    }
    model
}

fn expect_dense(store: &mut dyn Store, model: &Model) {
    let rows = Arc::new(RowSet::range(0, 40));
    let read = store.read(&rows);
    let expected: Vec<i64> = (0..40)
        .flat_map(|row| model.get(&row).copied().unwrap_or_default())
        .collect();
    assert_eq!(view::<i64>(&read.values).as_ref(), expected);
}

proptest! {
    #[test]
    fn dense_stores_add_up(all in prop::collection::vec(increments(), 1..6)) {
        let layout = Layout { kind: ElementKind::I64, length: Some(LENGTH) };
        let model = model_of(&all);
        for mut store in [open(layout), ranged(layout, 0, 40)] {
            for increments in &all {
                store.add(&sparse(increments));
            }
            expect_dense(store.as_mut(), &model);
            let mut copy = open(layout);
            copy.set(&store.read(&Arc::new(RowSet::range(0, 40))));
            expect_dense(copy.as_mut(), &model);
            let drained = store.drain().unwrap();
            expect_dense(store.as_mut(), &Model::new());
            store.add(&drained);
            expect_dense(store.as_mut(), &model);
        }
    }

    /// Wherever no rows are said to be, there are none.
    #[test]
    fn no_rows_are_read_as_such(first: u64) {
        let layout = Layout { kind: ElementKind::I64, length: Some(LENGTH) };
        let nothing = Arc::new(RowSet::range(first, 0));
        for mut store in [open(layout), ranged(layout, 7, 40)] {
            store.add(&Batch::dense(nothing.clone(), Vec::<i64>::new()));
            prop_assert!(store.read(&nothing).values.is_empty());
        }
    }

    #[test]
    fn sparse_stores_add_up(all in prop::collection::vec(increments(), 1..6)) {
        let layout = Layout { kind: ElementKind::I64, length: None };
        let mut store = open(layout);
        for increments in &all {
            store.add(&sparse(increments));
        }
        let mut dense = open(Layout { kind: ElementKind::I64, length: Some(LENGTH) });
        dense.add(&store.drain().unwrap());
        expect_dense(dense.as_mut(), &model_of(&all));
        prop_assert!(store.is_empty());
    }

    #[test]
    fn a_removed_row_is_zero_and_its_slot_is_used_again(all in increments()) {
        let mut store = open(Layout { kind: ElementKind::I64, length: Some(LENGTH) });
        store.add(&sparse(&all));
        let mut model = model_of(std::slice::from_ref(&all));
        let first = *all.keys().next().unwrap();
        store.remove(RowId(first));
        model.remove(&first);
        expect_dense(store.as_mut(), &model);
        store.add(&sparse(&BTreeMap::from([(39, vec![(0, 1)])])));
        let cell = &mut model.entry(39).or_default()[0];
        *cell = cell.wrapping_add(1);
        expect_dense(store.as_mut(), &model);
    }
}
