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
//! A list of rows that is sent again on the same connection is sent as the number of the *slot*
//! in which both ends remember it. What arrives is checked for shape here and against its table
//! in the state machines; nothing here trusts a length.

pub mod control;
mod rows;

use crate::batch::{Batch, Cells};
use crate::message::{PartId, Sequence, ToShard, ToWorker};
use crate::rows::{NotAscending, RowSet};
use bytes::Bytes;
pub use rows::{Recalled, Remembered};
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
            } => {
                let header = Header {
                    clock: clock.0,
                    sequence: sequence.0,
                    ..header(kind::UPDATE, *table)
                };
                let mut parts = vec![known.encode(&batch.rows)];
                let flags = push_content(&mut parts, batch);
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
                    parts: vec![known.encode(rows)],
                }
            }
            ToShard::Unsubscribe { table, rows } => Outgoing {
                header: header(kind::UNSUBSCRIBE, *table),
                parts: vec![known.encode(rows)],
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
            } => {
                // The worker knows which rows it has asked for.
                let mut parts = Vec::new();
                let flags = push_content(&mut parts, batch);
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
                includes,
                whole,
                batch,
            } => {
                let mut parts = vec![known.encode(&batch.rows)];
                let flags = push_content(&mut parts, batch) | if *whole { WHOLE } else { 0 };
                let (clock, sequence) = (fresh.0, includes.0);
                Outgoing {
                    header: Header {
                        flags,
                        clock,
                        sequence,
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
            let batch = body.content(rows, header.flags)?;
            ToShard::Update {
                sequence,
                table,
                clock: Clock(header.clock),
                batch,
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
            let batch = body.content(Arc::new(RowSet::range(0, 0)), header.flags)?;
            ToWorker::Rows {
                part: PartId(header.extra),
                table,
                fresh,
                includes: sequence,
                batch,
            }
        }
        kind::CHANGES => {
            let rows = known.decode(&mut body)?;
            let batch = body.content(rows, header.flags)?;
            let whole = header.flags & WHOLE != 0;
            ToWorker::Changes {
                table,
                fresh,
                includes: sequence,
                whole,
                batch,
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
fn push_content(parts: &mut Vec<Bytes>, batch: &Batch) -> u16 {
    let flags = match &batch.cells {
        Cells::Dense => 0,
        Cells::Sparse { ends, columns } => {
            let counts = [ends.len() as u64 / 4, columns.len() as u64 / 4];
            parts.push(crate::element::freeze(counts.to_vec()));
            for words in [ends, columns] {
                parts.push(words.clone());
                parts.push(Bytes::from_static(&[0; 8][..padding(words.len())]));
            }
            SPARSE
        }
    };
    parts.push(batch.values.clone());
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

    /// Cells and values, which are the rest.
    fn content(&mut self, rows: Arc<RowSet>, flags: u16) -> Result<Batch, WireError> {
        let cells = match flags & SPARSE {
            0 => Cells::Dense,
            _ => {
                let (rows, columns) = (self.word()?, self.word()?);
                Cells::Sparse {
                    ends: self.words(rows, 4)?,
                    columns: self.words(columns, 4)?,
                }
            }
        };
        Ok(Batch {
            rows,
            cells,
            values: self.0.split_off(0),
        })
    }
}

#[cfg(test)]
mod tests;
