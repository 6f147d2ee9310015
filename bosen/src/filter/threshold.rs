//! Threshold: cells whose increments, with what was kept back before, are large enough go out;
//! the others wait. The residual of a cell therefore stays below the threshold.

use crate::batch::{Batch, Cells, Layout, cells_of};
use crate::element::{Element, freeze, view, with_element};
use crate::rows::RowSet;
use std::sync::Arc;

/// The cells of `batch` that `pass`, as a sparse batch of the rows that have any; all of it as it
/// is, if all pass; `None` if none does.
pub fn select(batch: &Batch, layout: Layout, pass: impl Fn(f64) -> bool) -> Option<Batch> {
    with_element!(layout.kind, E => select_cells::<E>(batch, layout, pass))
}

fn select_cells<E: Element>(
    batch: &Batch,
    layout: Layout,
    pass: impl Fn(f64) -> bool,
) -> Option<Batch> {
    let values = view::<E>(&batch.values);
    let passing = values.iter().filter(|value| pass(value.to_f64())).count();
    if passing == 0 {
        return None;
    }
    if passing == values.len() {
        return Some(batch.clone());
    }
    let length = layout.length.unwrap_or(0) as usize;
    let index = match &batch.cells {
        Cells::Dense => None,
        Cells::Sparse { ends, columns } => Some((view::<u32>(ends), view::<u32>(columns))),
    };
    let (mut keys, mut ends) = (Vec::new(), Vec::new());
    let (mut columns, mut cells) = (Vec::with_capacity(passing), Vec::with_capacity(passing));
    for (row, key) in batch.rows.keys().enumerate() {
        let range = match &index {
            None => row * length..(row + 1) * length,
            Some((ends, _)) => cells_of(ends, row),
        };
        let before = cells.len();
        for at in range.clone().filter(|&at| pass(values[at].to_f64())) {
            let column = index
                .as_ref()
                .map_or((at - range.start) as u32, |(_, columns)| columns[at]);
            columns.push(column);
            cells.push(values[at]);
        }
        if cells.len() > before {
            keys.push(key);
            ends.push(cells.len() as u32);
        }
    }
    let rows = RowSet::ascending(keys).expect("a part of an ascending set ascends");
    Some(Batch {
        rows: Arc::new(rows),
        cells: Cells::Sparse {
            ends: freeze(ends),
            columns: freeze(columns),
        },
        values: freeze(cells),
    })
}
