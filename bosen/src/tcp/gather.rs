//! What is read, put together from its pieces as they come, while they are in the processor's
//! caches and before their memory is needed for the next ones.

use crate::batch::{Batch, Layout};
use crate::client::Piece;
use crate::element::{Element, freeze, view, with_element};
use crate::placement::Positions;
use crate::rows::RowSet;
use crate::store;
use std::any::Any;
use std::sync::Arc;

/// Where the pieces of one read go.
pub enum Destination {
    /// Dense rows, one after the other: a vector of the table's cells.
    Dense(Box<dyn Cells>),
    /// Sparse rows.
    Pieces(Vec<Piece>),
}

/// A vector of cells of some type.
pub trait Cells: Send {
    /// Puts a piece, whose rows have `length` cells, where it belongs.
    fn put(&mut self, piece: &Piece, length: usize);

    /// The vector.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;

    /// The values of `rows`.
    fn into_batch(self: Box<Self>, rows: Arc<RowSet>) -> Batch;
}

impl Destination {
    /// One for `rows` rows of `layout`.
    pub fn new(layout: Layout, rows: usize) -> Destination {
        match layout.length {
            None => Destination::Pieces(Vec::new()),
            Some(length) => with_element!(layout.kind, E => {
                Destination::Dense(Box::new(Vec::<E>::with_capacity(rows * length as usize)))
            }),
        }
    }

    /// Takes in a piece.
    pub fn put(&mut self, piece: Piece, layout: Layout) {
        match self {
            Destination::Dense(cells) => cells.put(&piece, layout.length.unwrap_or(0) as usize),
            Destination::Pieces(pieces) => pieces.push(piece),
        }
    }

    /// The cells of dense rows; `None` if they are sparse, or not of this type.
    pub fn into_cells<E: Element>(self) -> Option<Vec<E>> {
        match self {
            Destination::Dense(cells) => cells.into_any().downcast().ok().map(|cells| *cells),
            Destination::Pieces(_) => None,
        }
    }

    /// The rows, which are `rows`.
    pub fn into_batch(self, rows: &Arc<RowSet>, layout: Layout) -> Batch {
        let mut pieces = match self {
            Destination::Dense(cells) => return cells.into_batch(rows.clone()),
            Destination::Pieces(pieces) => pieces,
        };
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
}

impl<E: Element> Cells for Vec<E> {
    fn put(&mut self, piece: &Piece, length: usize) {
        let from = view::<E>(&piece.batch.values);
        match &piece.positions {
            Positions::Run(run) if run.start * length == self.len() => {
                self.extend_from_slice(&from);
            }
            Positions::Run(run) => {
                let cells = run.start * length..run.end * length;
                reach(self, cells.end)[cells].copy_from_slice(&from);
            }
            Positions::List(list) => {
                let end = list.last().map_or(0, |last| last + 1);
                let cells = reach(self, end * length);
                for (&position, row) in list.iter().zip(from.chunks_exact(length.max(1))) {
                    cells[position * length..(position + 1) * length].copy_from_slice(row);
                }
            }
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn into_batch(self: Box<Self>, rows: Arc<RowSet>) -> Batch {
        Batch {
            rows,
            cells: crate::batch::Cells::Dense,
            values: freeze(*self),
        }
    }
}

/// `cells`, of which there are at least `count`.
fn reach<E: Element>(cells: &mut Vec<E>, count: usize) -> &mut [E] {
    cells.resize(cells.len().max(count), E::default());
    cells
}
