//! What training goes on from between two epochs: factors, biases and how far rows have come, by
//! id; and the best model so far.
//!
//! Rows are in the order of ids, so a run can go on with any number of workers; with as many as
//! before it comes to the same bits as one that was not interrupted.

use bytes::Bytes;
use strads::cluster::{pack, unpack};

use super::blocks::{Blocks, Factors};
use super::epochs::{Best, Learnt};
use super::rows::{Aside, Rows};
use crate::checkpoint::Kept;
use crate::failure::Failure;

/// One side of the model: by row in the order of ids, entries and what is beside them.
struct Side {
    entries: Vec<f32>,
    asides: Vec<Aside>,
}

strads::travel_by_fields!(
    Side { entries, asides }
    Factors { rank, entries, bias }
    Learnt {
        epochs, train_rmse, train_mae, validation_rmse, test_rmse, test_mae, ratings_per_second
    }
    Best { learnt, factors }
);

/// The state of `blocks` and the best model so far, in parts.
pub fn parts(blocks: &Blocks, best: Option<&Best>) -> Vec<(&'static str, Bytes)> {
    let users = Side::of(|look| blocks.each_user(look));
    let items = Side::of(|look| blocks.each_item(look));
    let mut parts = vec![("users", pack(&users)), ("items", pack(&items))];
    parts.extend(best.map(|best| ("best", pack(best))));
    parts
}

/// Puts what was kept into `blocks`; the best model until then.
pub fn restore(kept: &Kept, blocks: &Blocks) -> Result<Option<Best>, Failure> {
    let side = |name, rows| {
        let side: Side = unpack(kept.part(name)?).map_err(|what| kept.unreadable(what))?;
        let fits = side.asides.len() == rows && side.entries.len() == rows * blocks.rank();
        fits.then_some(side)
            .ok_or_else(|| kept.unreadable(format!("{name} are not as many as expected")))
    };
    let users = side("users", blocks.grid.users.len())?;
    let items = side("items", blocks.grid.items.len())?;
    let best = match kept.part("best") {
        Ok(best) => Some(unpack(best).map_err(|what| kept.unreadable(what))?),
        Err(_) => None,
    };
    blocks.each_user(|id, rows, at| users.restore(id, rows, at));
    blocks.each_item(|id, rows, at| items.restore(id, rows, at));
    Ok(best)
}

impl Side {
    fn of(each: impl FnOnce(&mut dyn FnMut(u32, &mut Rows, usize))) -> Self {
        let mut side = Self {
            entries: Vec::new(),
            asides: Vec::new(),
        };
        each(&mut |_, rows, at| {
            side.entries.extend_from_slice(rows.row(at));
            side.asides.push(rows.aside(at));
        });
        side
    }

    fn restore(&self, id: u32, rows: &mut Rows, at: usize) {
        let id = id as usize;
        let rank = rows.rank();
        rows.row_mut(at)
            .copy_from_slice(&self.entries[id * rank..][..rank]);
        *rows.aside_mut(at) = self.asides[id];
    }
}
