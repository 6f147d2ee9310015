//! Messages as frames, and frames as messages.
//!
//! What is small and rare is `bincode` of the body's type ([`control`]); what is large is a body
//! of sections, each padded to eight bytes, of little-endian words that are looked at where they
//! lie:
//!
//! ```text
//! rows:   kind | slot << 8, count, keys …      (a range: its first key and its length)
//! cells:  count of columns, row ends …, columns …   (sparse batches only)
//! values: the rest
//! ```
//!
//! Keys, cells and values can also be written shorter ([`crate::filter`]); the head of the rows,
//! or a flag of the frame, says so.
//!
//! A list of rows that is sent again on the same connection is sent as the number of the *slot*
//! in which both ends remember it. What arrives is checked for shape here and against its table
//! in the state machines; nothing here trusts a length.

pub mod control;
mod rows;

use crate::batch::{Batch, Cells};
use crate::filter::{Coding, Garbled, keys, values};
use crate::message::{PartId, Sequence, ToShard, ToWorker};
use crate::rows::{NotAscending, RowSet};
use bytes::Bytes;
pub use rows::{Recalled, Remembered, Savings};
use std::sync::Arc;
use strads_common::frame::{Frame, Header, padding};
use strads_common::ids::{Clock, TableId, WorkerId};

/// What a frame can be.
pub mod kind {
    /// A worker says who it is; the first frame of a connection.
    pub const HELLO: u8 = 1;
    /// The sender is alive.
    pub const ALIVE: u8 = 2;
    pub(super) const CREATE: u8 = 16;
    pub(super) const UPDATE: u8 = 17;
    pub(super) const CLOCK: u8 = 18;
    pub(super) const GET: u8 = 19;
    pub(super) const UNSUBSCRIBE: u8 = 20;
    pub(super) const LEAVE: u8 = 21;
    pub(super) const WELCOME: u8 = 32;
    pub(super) const ACK: u8 = 33;
    pub(super) const ROWS: u8 = 34;
    pub(super) const CHANGES: u8 = 35;
    pub(super) const REFUSED: u8 = 36;
}

/// The batch names its columns.
const SPARSE: u16 = 1;
/// The changes are new values.
const WHOLE: u16 = 2;
/// Keys and columns are packed.
const PACKED: u16 = 4;
/// The values are a coded section.
const CODED: u16 = 8;

/// A frame that is not a message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// There is no such kind of frame, or not in this direction.
    #[error("frame of unknown kind {0}")]
    Kind(u8),
    /// The body ends before what it announces.
    #[error("frame with a truncated body")]
    Truncated,
    /// Keys do not ascend.
    #[error(transparent)]
    Keys(#[from] NotAscending),
    /// The rows are to be those of a slot that holds none.
    #[error("rows of slot {0}, which is empty")]
    Slot(u64),
    /// A packed or coded section is not what it should be.
    #[error(transparent)]
    Garbled(#[from] Garbled),
    /// A control body is not what it should be.
    #[error("frame with a malformed control body")]
    Control,
}

/// A frame to be sent: its header, and its body in parts that are not copied together.
pub struct Outgoing {
    /// The header.
    pub header: Header,
    /// The body.
    pub parts: Vec<Bytes>,
}

impl Outgoing {
    fn bare(header: Header) -> Outgoing {
        Outgoing {
            header,
            parts: Vec::new(),
        }
    }

    /// The first frame of a worker's connection.
    pub fn hello(worker: WorkerId, workers: u32, shard: u32, shards: u32) -> Outgoing {
        let (table, clock) = (worker.0, u64::from(workers));
        let (sequence, extra) = (u64::from(shard), u64::from(shards));
        Outgoing::bare(Header {
            kind: kind::HELLO,
            flags: 0,
            table,
            clock,
            sequence,
            extra,
        })
    }

    /// A sign of life.
    pub fn alive() -> Outgoing {
        Outgoing::bare(Header {
            kind: kind::ALIVE,
            ..Header::default()
        })
    }

    /// A message to a shard.
    pub fn to_shard(message: &ToShard, known: &mut Remembered) -> Outgoing {
        let header = |kind, table: TableId| Header {
            kind,
            table: table.0,
            ..Header::default()
        };
        match message {
            ToShard::Create { table, spec } => Outgoing {
                header: header(kind::CREATE, *table),
                parts: vec![control::encode(spec)],
            },
            ToShard::Update {
                sequence,
                table,
                clock,
                batch,
                coding,
            } => {
                let header = Header {
                    clock: clock.0,
                    sequence: sequence.0,
                    ..header(kind::UPDATE, *table)
                };
                let mut parts = vec![known.encode(&batch.rows, coding.packed_keys)];
                let flags = push_content(&mut parts, batch, *coding, known);
                Outgoing {
                    header: Header { flags, ..header },
                    parts,
                }
            }
            ToShard::Clock {
                sequence,
                table,
                clock,
            } => Outgoing::bare(Header {
                clock: clock.0,
                sequence: sequence.0,
                ..header(kind::CLOCK, *table)
            }),
            ToShard::Get {
                part,
                table,
                rows,
                need,
            } => {
                let header = Header {
                    clock: need.0,
                    extra: part.0,
                    ..header(kind::GET, *table)
                };
                Outgoing {
                    header,
                    parts: vec![known.encode(rows, false)],
                }
            }
            ToShard::Unsubscribe { table, rows } => Outgoing {
                header: header(kind::UNSUBSCRIBE, *table),
                parts: vec![known.encode(rows, false)],
            },
            ToShard::Leave { sequence } => Outgoing::bare(Header {
                kind: kind::LEAVE,
                sequence: sequence.0,
                ..Header::default()
            }),
        }
    }

    /// A message to a worker.
    pub fn to_worker(message: &ToWorker, known: &mut Remembered) -> Outgoing {
        let header = |kind, table: TableId| Header {
            kind,
            table: table.0,
            ..Header::default()
        };
        match message {
            ToWorker::Welcome { received } => Outgoing::bare(Header {
                kind: kind::WELCOME,
                sequence: received.0,
                ..Header::default()
            }),
            ToWorker::Ack { received } => Outgoing::bare(Header {
                kind: kind::ACK,
                sequence: received.0,
                ..Header::default()
            }),
            ToWorker::Rows {
                part,
                table,
                fresh,
                includes,
                batch,
                coding,
            } => {
                // The worker knows which rows it has asked for.
                let mut parts = Vec::new();
                let flags = push_content(&mut parts, batch, *coding, known);
                let (clock, sequence, extra) = (fresh.0, includes.0, part.0);
                Outgoing {
                    header: Header {
                        flags,
                        clock,
                        sequence,
                        extra,
                        ..header(kind::ROWS, *table)
                    },
                    parts,
                }
            }
            ToWorker::Changes {
                table,
                fresh,
                whole,
                batch,
                coding,
            } => {
                let mut parts = vec![known.encode(&batch.rows, coding.packed_keys)];
                let flags = push_content(&mut parts, batch, *coding, known);
                Outgoing {
                    header: Header {
                        flags: flags | if *whole { WHOLE } else { 0 },
                        clock: fresh.0,
                        ..header(kind::CHANGES, *table)
                    },
                    parts,
                }
            }
            ToWorker::Refused {
                table,
                part,
                reason,
            } => {
                let body = control::encode(&(part, reason));
                Outgoing {
                    header: header(kind::REFUSED, *table),
                    parts: vec![body],
                }
            }
        }
    }
}

/// Reads a message to a shard.
pub fn read_to_shard(frame: Frame, known: &mut Recalled) -> Result<ToShard, WireError> {
    let Frame { header, body } = frame;
    let (table, sequence) = (TableId(header.table), Sequence(header.sequence));
    let mut body = Body(body);
    Ok(match header.kind {
        kind::CREATE => ToShard::Create {
            table,
            spec: control::decode(&body.0)?,
        },
        kind::UPDATE => {
            let rows = known.decode(&mut body)?;
            let (batch, coding) = body.content(rows, header.flags)?;
            ToShard::Update {
                sequence,
                table,
                clock: Clock(header.clock),
                batch,
                coding,
            }
        }
        kind::CLOCK => ToShard::Clock {
            sequence,
            table,
            clock: Clock(header.clock),
        },
        kind::GET => {
            let (part, need) = (PartId(header.extra), Clock(header.clock));
            ToShard::Get {
                part,
                table,
                rows: known.decode(&mut body)?,
                need,
            }
        }
        kind::UNSUBSCRIBE => ToShard::Unsubscribe {
            table,
            rows: known.decode(&mut body)?,
        },
        kind::LEAVE => ToShard::Leave { sequence },
        other => return Err(WireError::Kind(other)),
    })
}

/// Reads a message to a worker. The rows of a `Rows` message are left out, as on the wire.
pub fn read_to_worker(frame: Frame, known: &mut Recalled) -> Result<ToWorker, WireError> {
    let Frame { header, body } = frame;
    let (table, sequence) = (TableId(header.table), Sequence(header.sequence));
    let fresh = Clock(header.clock);
    let mut body = Body(body);
    Ok(match header.kind {
        kind::WELCOME => ToWorker::Welcome { received: sequence },
        kind::ACK => ToWorker::Ack { received: sequence },
        kind::ROWS => {
            let (batch, coding) = body.content(Arc::new(RowSet::range(0, 0)), header.flags)?;
            ToWorker::Rows {
                part: PartId(header.extra),
                table,
                fresh,
                includes: sequence,
                batch,
                coding,
            }
        }
        kind::CHANGES => {
            let rows = known.decode(&mut body)?;
            let (batch, coding) = body.content(rows, header.flags)?;
            let whole = header.flags & WHOLE != 0;
            ToWorker::Changes {
                table,
                fresh,
                whole,
                batch,
                coding,
            }
        }
        kind::REFUSED => {
            let (part, reason) = control::decode(&body.0)?;
            ToWorker::Refused {
                table,
                part,
                reason,
            }
        }
        other => return Err(WireError::Kind(other)),
    })
}

/// Adds cells and values; returns the flags that say how to read them.
fn push_content(
    parts: &mut Vec<Bytes>,
    batch: &Batch,
    coding: Coding,
    known: &mut Remembered,
) -> u16 {
    let mut flags = if coding.packed_keys { PACKED } else { 0 };
    if let Cells::Sparse { ends, columns } = &batch.cells {
        flags |= SPARSE;
        let counts = [ends.len() as u64 / 4, columns.len() as u64 / 4];
        parts.push(crate::element::freeze(counts.to_vec()));
        for numbers in [ends, columns] {
            let section = match coding.packed_keys {
                true => known.pack_numbers(numbers),
                false => numbers.clone(),
            };
            let length = section.len();
            parts.push(section);
            parts.push(Bytes::from_static(&[0; 8][..padding(length)]));
        }
    }
    let values = match coding.values {
        None => batch.values.clone(),
        Some((code, kind)) => {
            flags |= CODED;
            known.code_values(&batch.values, code, kind)
        }
    };
    parts.push(values);
    flags
}

/// What of a body has not been read.
struct Body(Bytes);

impl Body {
    /// The next `count` words of `size` bytes, with the padding that follows.
    fn words(&mut self, count: u64, size: usize) -> Result<Bytes, WireError> {
        let bytes = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(size))
            .ok_or(WireError::Truncated)?;
        let padded = bytes
            .checked_add(padding(bytes))
            .ok_or(WireError::Truncated)?;
        if padded > self.0.len() {
            return Err(WireError::Truncated);
        }
        let mut words = self.0.split_to(padded);
        words.truncate(bytes);
        Ok(words)
    }

    fn word(&mut self) -> Result<u64, WireError> {
        let word = self.words(1, 8)?;
        Ok(u64::from_le_bytes(
            word[..].try_into().expect("a word of eight bytes"),
        ))
    }

    /// The next `count` packed numbers, with the padding that follows.
    fn packed_numbers(&mut self, count: u64) -> Result<Bytes, WireError> {
        let count = usize::try_from(count).map_err(|_| WireError::Truncated)?;
        let (numbers, used) = keys::unpack_numbers(&self.0, count)?;
        self.words(used as u64, 1)?;
        Ok(crate::element::freeze(numbers))
    }

    /// Cells and values, which are the rest, and how they were written.
    fn content(&mut self, rows: Arc<RowSet>, flags: u16) -> Result<(Batch, Coding), WireError> {
        let packed_keys = flags & PACKED != 0;
        let cells = match flags & SPARSE {
            0 => Cells::Dense,
            _ => {
                let (rows, columns) = (self.word()?, self.word()?);
                let mut numbers = |count| match packed_keys {
                    true => self.packed_numbers(count),
                    false => self.words(count, 4),
                };
                Cells::Sparse {
                    ends: numbers(rows)?,
                    columns: numbers(columns)?,
                }
            }
        };
        let rest = self.0.split_off(0);
        let (values, code) = match flags & CODED {
            0 => (rest, None),
            _ => {
                let (values, code, kind) = values::decode(&rest)?;
                (values, Some((code, kind)))
            }
        };
        let coding = Coding {
            packed_keys,
            values: code,
        };
        Ok((
            Batch {
                rows,
                cells,
                values,
            },
            coding,
        ))
    }
}

#[cfg(test)]
mod tests;
