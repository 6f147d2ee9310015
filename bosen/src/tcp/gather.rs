//! What was read, put together from the pieces in which it came.

use crate::batch::{Batch, Layout};
use crate::client::Piece;
use crate::element::{Element, view};
use crate::placement::Positions;
use crate::rows::RowSet;
use crate::store;
use std::sync::Arc;

/// `rows`, dense or sparse.
pub fn gather_batch(mut pieces: Vec<Piece>, rows: &Arc<RowSet>, layout: Layout) -> Batch {
    if pieces.len() == 1 {
        return Batch {
            rows: rows.clone(),
            ..pieces.remove(0).batch
        };
    }
    let mut whole = store::open(layout);
    pieces.iter().for_each(|piece| whole.set(&piece.batch));
    whole.read(rows)
}

/// Puts pieces of dense rows where they belong.
pub fn gather<E: Element>(pieces: &[Piece], rows: usize, length: usize) -> Vec<E> {
    let in_order = pieces
        .iter()
        .all(|piece| matches!(piece.positions, Positions::Run(_)))
        && pieces
            .windows(2)
            .all(|pair| start(&pair[0]) < start(&pair[1]));
    if in_order {
        let mut values = Vec::with_capacity(rows * length);
        pieces
            .iter()
            .for_each(|piece| values.extend_from_slice(&view::<E>(&piece.batch.values)));
        return values;
    }
    let mut values = vec![E::default(); rows * length];
    for piece in pieces {
        let from = view::<E>(&piece.batch.values);
        match &piece.positions {
            Positions::Run(run) => {
                values[run.start * length..run.end * length].copy_from_slice(&from)
            }
            Positions::List(list) => {
                for (&position, row) in list.iter().zip(from.chunks_exact(length.max(1))) {
                    values[position * length..(position + 1) * length].copy_from_slice(row);
                }
            }
        }
    }
    values
}

fn start(piece: &Piece) -> usize {
    match &piece.positions {
        Positions::Run(run) => run.start,
        Positions::List(list) => list[0],
    }
}
