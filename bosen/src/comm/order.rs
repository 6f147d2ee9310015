//! Which rows go first of those that need not go yet.
//!
//! Importance is a function of what waits and of what the row is, computed when it is asked for:
//! there is none that could be out of date or never set.

use crate::batch::{Batch, Cells, Layout, cells_of};
use crate::element::{Element, view, with_element};
use rand::RngExt;
use rustc_hash::FxHashMap;
use strads_common::random::stream;

/// An order of rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// Those whose waiting increments are greatest: the sum of their magnitudes.
    #[default]
    Absolute,
    /// Those whose waiting increments are greatest beside the cells that they change: the sum
    /// of their magnitudes over that sum plus the magnitudes of those cells.
    Relative,
    /// Those that have waited longest.
    Fifo,
    /// Any.
    Random {
        /// Names the sequence of orders.
        seed: u64,
    },
    /// By key.
    Fixed,
}

/// What is known of the rows that wait.
pub struct Waiting<'a> {
    /// The increments that wait, by row.
    pub increments: &'a Batch,
    /// The same rows as they are, where the order asks for them.
    pub values: Option<&'a Batch>,
    /// When each row began to wait, as a place in an order.
    pub since: &'a [u64],
    /// How often rows have been put in order before.
    pub round: u64,
}

impl Order {
    /// Whether the order depends on what the rows are.
    pub fn needs_values(self) -> bool {
        self == Order::Relative
    }

    /// The positions of the rows of `waiting`, first to go first.
    pub fn sort(self, waiting: &Waiting<'_>, layout: Layout) -> Vec<u32> {
        let importance: Vec<f64> = match self {
            Order::Absolute => magnitudes(waiting.increments, None, layout),
            Order::Relative => magnitudes(waiting.increments, waiting.values, layout),
            Order::Fifo => waiting.since.iter().map(|&since| -(since as f64)).collect(),
            Order::Random { seed } => {
                let mut random = stream(seed, "order of rows", waiting.round);
                waiting.since.iter().map(|_| random.random()).collect()
            }
            Order::Fixed => vec![0.0; waiting.since.len()],
        };
        let mut positions: Vec<u32> = (0..importance.len() as u32).collect();
        // Equal ones stay in the order of their keys.
        positions.sort_by(|&a, &b| importance[b as usize].total_cmp(&importance[a as usize]));
        positions
    }
}

/// The magnitude of each row of increments; beside that of the `values` that they change, if any.
fn magnitudes(increments: &Batch, values: Option<&Batch>, layout: Layout) -> Vec<f64> {
    with_element!(layout.kind, E => {
        (0..increments.rows.len())
            .map(|row| {
                let (columns, cells) = row_of::<E>(increments, row, layout);
                let change = sum(&cells);
                let importance = match values {
                    None => change,
                    Some(values) => change / (change + changed::<E>(&columns, values, row, layout)),
                };
                // Nothing changes by nothing; what is not a number should be seen soon.
                match (change == 0.0, importance.is_nan()) {
                    (true, _) => 0.0,
                    (false, true) => f64::INFINITY,
                    (false, false) => importance,
                }
            })
            .collect()
    })
}

/// The magnitude of the cells of row `row` of `values` that `columns` name; all, if none does.
fn changed<E: Element>(
    columns: &Option<Vec<u32>>,
    values: &Batch,
    row: usize,
    layout: Layout,
) -> f64 {
    let (of_values, cells) = row_of::<E>(values, row, layout);
    match (columns, of_values) {
        (None, _) => sum(&cells),
        (Some(columns), None) => columns
            .iter()
            .filter_map(|&column| cells.get(column as usize))
            .map(|cell| cell.abs())
            .sum(),
        (Some(columns), Some(named)) => {
            let by_column: FxHashMap<u32, f64> = named.into_iter().zip(cells).collect();
            columns
                .iter()
                .filter_map(|column| by_column.get(column))
                .map(|cell| cell.abs())
                .sum()
        }
    }
}

/// The columns (`None`: all, in order) and cells of a row.
fn row_of<E: Element>(batch: &Batch, row: usize, layout: Layout) -> (Option<Vec<u32>>, Vec<f64>) {
    let values = view::<E>(&batch.values);
    let (columns, range) = match &batch.cells {
        Cells::Dense => {
            let length = layout.length.unwrap_or(0) as usize;
            (None, row * length..(row + 1) * length)
        }
        Cells::Sparse { ends, columns } => {
            let range = cells_of(&view::<u32>(ends), row);
            (Some(view::<u32>(columns)[range.clone()].to_vec()), range)
        }
    };
    let cells = values[range].iter().map(|cell| cell.to_f64()).collect();
    (columns, cells)
}

fn sum(cells: &[f64]) -> f64 {
    cells.iter().map(|cell| cell.abs()).sum()
}
