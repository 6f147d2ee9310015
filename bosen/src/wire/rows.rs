//! Sets of rows on the wire: a range, a list, or the slot of a list that was sent before.
//!
//! Both ends of a direction of a connection keep [`SLOTS`] lists. The sender chooses a slot and
//! says so with the list; the receiver only follows, so that they cannot disagree.

use super::{Body, WireError};
use crate::element::{freeze, view};
use crate::rows::RowSet;
use bytes::Bytes;
use std::sync::Arc;

/// Lists that one direction of a connection remembers.
const SLOTS: usize = 64;
/// Shorter lists are not worth a slot.
const WORTH_ROWS: usize = 32;

const RANGE: u64 = 0;
const LIST: u64 = 1;
const REMEMBER: u64 = 2;
const RECALL: u64 = 3;

/// The sender's slots.
#[derive(Default)]
pub struct Remembered {
    slots: Vec<Arc<RowSet>>,
    next: usize,
    saved: u64,
}

/// The receiver's slots.
#[derive(Default)]
pub struct Recalled(Vec<Arc<RowSet>>);

impl Remembered {
    /// Bytes of keys that have not been sent because they had been before.
    pub fn saved_bytes(&self) -> u64 {
        self.saved
    }

    /// The section that says `rows`.
    pub fn encode(&mut self, rows: &Arc<RowSet>) -> Bytes {
        if let Some((first, len)) = rows.as_range() {
            return freeze(vec![RANGE, first, len as u64]);
        }
        if rows.len() < WORTH_ROWS {
            return list(LIST, rows);
        }
        if let Some(slot) = self.slots.iter().position(|known| Arc::ptr_eq(known, rows)) {
            self.saved += 8 * rows.len() as u64;
            return freeze(vec![RECALL | (slot as u64) << 8]);
        }
        let slot = self.next;
        self.next = (slot + 1) % SLOTS;
        match self.slots.get_mut(slot) {
            Some(known) => *known = rows.clone(),
            None => self.slots.push(rows.clone()),
        }
        list(REMEMBER | (slot as u64) << 8, rows)
    }
}

fn list(head: u64, rows: &RowSet) -> Bytes {
    let mut words = Vec::with_capacity(2 + rows.len());
    words.extend([head, rows.len() as u64]);
    words.extend(rows.keys());
    freeze(words)
}

impl Recalled {
    /// The rows that the next section says.
    pub(super) fn decode(&mut self, body: &mut Body) -> Result<Arc<RowSet>, WireError> {
        let head = body.word()?;
        let slot = head >> 8;
        match head & 0xff {
            RANGE => {
                let (first, len) = (body.word()?, body.word()?);
                let len = usize::try_from(len).map_err(|_| WireError::Truncated)?;
                Ok(Arc::new(RowSet::range(first, len)))
            }
            LIST => read_list(body),
            REMEMBER => {
                let rows = read_list(body)?;
                // Slots are filled in order, and then used again.
                match slot as usize {
                    slot if slot < self.0.len() => self.0[slot] = rows.clone(),
                    slot if slot == self.0.len() && slot < SLOTS => self.0.push(rows.clone()),
                    slot => return Err(WireError::Slot(slot as u64)),
                }
                Ok(rows)
            }
            RECALL => self
                .0
                .get(slot as usize)
                .cloned()
                .ok_or(WireError::Slot(slot)),
            _ => Err(WireError::Truncated),
        }
    }
}

fn read_list(body: &mut Body) -> Result<Arc<RowSet>, WireError> {
    let count = body.word()?;
    let words = body.words(count, 8)?;
    Ok(Arc::new(RowSet::ascending(
        view::<u64>(&words).into_owned(),
    )?))
}
