//! Sets of rows on the wire: a range, a list, or the slot of a list that was sent before.
//!
//! Both ends of a direction of a connection keep [`SLOTS`] lists. The sender chooses a slot and
//! says so with the list; the receiver only follows, so that they cannot disagree.

use super::{Body, WireError};
use crate::element::{ElementKind, freeze, view};
use crate::filter::{ValueCode, keys, values};
use crate::rows::RowSet;
use bytes::Bytes;
use std::sync::Arc;
use strads_common::frame::padding;

/// Lists that one direction of a connection remembers.
const SLOTS: usize = 64;
/// Shorter lists are not worth a slot.
const WORTH_ROWS: usize = 32;

const RANGE: u64 = 0;
const LIST: u64 = 1;
const REMEMBER: u64 = 2;
const RECALL: u64 = 3;
const PACKED_LIST: u64 = 4;
const PACKED_REMEMBER: u64 = 5;

/// The sender's slots.
#[derive(Default)]
pub struct Remembered {
    slots: Vec<Arc<RowSet>>,
    next: usize,
    savings: Savings,
}

/// Bytes that have not been sent, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Savings {
    /// Keys that both ends remembered.
    pub recalled: u64,
    /// Keys and columns that were packed.
    pub packed: u64,
    /// Values that were coded.
    pub coded: u64,
}

/// The receiver's slots.
#[derive(Default)]
pub struct Recalled(Vec<Arc<RowSet>>);

impl Remembered {
    /// Bytes that have not been sent so far.
    pub fn savings(&self) -> Savings {
        self.savings
    }

    /// The section that says `rows`, packed if it has to be a list.
    pub fn encode(&mut self, rows: &Arc<RowSet>, packed: bool) -> Bytes {
        if let Some((first, len)) = rows.as_range() {
            return freeze(vec![RANGE, first, len as u64]);
        }
        if rows.len() < WORTH_ROWS {
            return self.list(if packed { PACKED_LIST } else { LIST }, rows, packed);
        }
        if let Some(slot) = self.slots.iter().position(|known| Arc::ptr_eq(known, rows)) {
            self.savings.recalled += 8 * rows.len() as u64;
            return freeze(vec![RECALL | (slot as u64) << 8]);
        }
        let slot = self.next;
        self.next = (slot + 1) % SLOTS;
        match self.slots.get_mut(slot) {
            Some(known) => *known = rows.clone(),
            None => self.slots.push(rows.clone()),
        }
        let head = if packed { PACKED_REMEMBER } else { REMEMBER };
        self.list(head | (slot as u64) << 8, rows, packed)
    }

    fn list(&mut self, head: u64, rows: &RowSet, packed: bool) -> Bytes {
        let mut words = Vec::with_capacity(3 + rows.len());
        words.extend([head, rows.len() as u64]);
        if !packed {
            words.extend(rows.keys());
            return freeze(words);
        }
        let mut keys = keys::pack_keys(rows.keys());
        self.savings.packed += (8 * rows.len()).saturating_sub(keys.len()) as u64;
        words.push(keys.len() as u64);
        keys.resize(keys.len() + padding(keys.len()), 0);
        words.extend(bytemuck::pod_collect_to_vec::<u8, u64>(&keys));
        freeze(words)
    }

    /// The section that says row ends or columns, packed.
    pub(super) fn pack_numbers(&mut self, numbers: &[u8]) -> Bytes {
        let packed = keys::pack_numbers(&view::<u32>(numbers));
        self.savings.packed += numbers.len().saturating_sub(packed.len()) as u64;
        packed.into()
    }

    /// The section that says values in a code.
    pub(super) fn code_values(
        &mut self,
        plain: &[u8],
        code: ValueCode,
        kind: ElementKind,
    ) -> Bytes {
        let coded = values::encode(plain, code, kind);
        self.savings.coded += plain.len().saturating_sub(coded.len()) as u64;
        coded
    }
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
            PACKED_LIST => read_packed_list(body),
            REMEMBER | PACKED_REMEMBER => {
                let rows = match head & 0xff {
                    REMEMBER => read_list(body)?,
                    _ => read_packed_list(body)?,
                };
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

fn read_packed_list(body: &mut Body) -> Result<Arc<RowSet>, WireError> {
    let (count, length) = (body.word()?, body.word()?);
    let count = usize::try_from(count).map_err(|_| WireError::Truncated)?;
    let packed = body.words(length, 1)?;
    let keys = keys::unpack_keys(&packed, count)?;
    Ok(Arc::new(RowSet::ascending(keys)?))
}
