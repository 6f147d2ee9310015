//! What peers say, as frames.
//!
//! ```text
//! pieces: one descriptor each, then their contents, each padded to eight bytes
//! chunk:  its values; round, step and part are in the header
//! ```

use super::{Chunk, Message, Piece, Report};
use crate::wire::{Outgoing, WireError};
use bytemuck::{Pod, Zeroable};
use bytes::Bytes;
use strads_common::frame::{Frame, HEADER_BYTES, Header, padding};
use strads_common::ids::{Clock, WorkerId};

/// A peer says who it is; the first frame of a connection.
pub const HELLO: u8 = 64;
const PIECES: u8 = 65;
const VIEW: u8 = 66;
const CHUNK: u8 = 67;
const GOODBYE: u8 = 68;

/// All of a piece but its content.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Descriptor {
    clock: u64,
    seen: u64,
    length: u64,
    origin: u32,
    index: u32,
    epoch: u32,
    urgency: u16,
    form: u8,
    last: u8,
}

/// Zeros that pad contents.
fn zeros(count: usize) -> Bytes {
    Bytes::from_static(&[0; 8][..count])
}

/// The first frame: who calls, of how many.
pub fn hello(me: WorkerId, workers: u32) -> Outgoing {
    Outgoing {
        header: Header {
            kind: HELLO,
            table: me.0,
            extra: u64::from(workers),
            ..Header::default()
        },
        parts: Vec::new(),
    }
}

/// A message as a frame.
pub fn encode(message: &Message) -> Outgoing {
    let header = |kind| Header {
        kind,
        ..Header::default()
    };
    match message {
        Message::Pieces(pieces) => Outgoing {
            header: Header {
                extra: pieces.len() as u64,
                ..header(PIECES)
            },
            parts: pieces_body(pieces),
        },
        Message::View(report) => Outgoing {
            header: Header {
                table: report.by.0,
                ..header(VIEW)
            },
            parts: vec![report_body(report)],
        },
        Message::Chunk(chunk) => Outgoing {
            header: Header {
                clock: chunk.round,
                sequence: u64::from(chunk.step),
                extra: u64::from(chunk.part),
                ..header(CHUNK)
            },
            parts: vec![chunk.values.clone()],
        },
        Message::Goodbye => Outgoing {
            header: header(GOODBYE),
            parts: Vec::new(),
        },
    }
}

/// Bytes that a message takes on the wire.
pub fn bytes(message: &Message) -> usize {
    let padded = |length: usize| length + padding(length);
    HEADER_BYTES
        + match message {
            Message::Pieces(pieces) => {
                let contents = pieces.iter().map(|piece| padded(piece.content.len()));
                pieces.len() * size_of::<Descriptor>() + contents.sum::<usize>()
            }
            Message::View(report) => padded(report_body(report).len()),
            Message::Chunk(chunk) => padded(chunk.values.len()),
            Message::Goodbye => 0,
        }
}

fn pieces_body(pieces: &[Piece]) -> Vec<Bytes> {
    let descriptor = |piece: &Piece| Descriptor {
        clock: piece.clock.0,
        seen: piece.seen.0,
        length: piece.content.len() as u64,
        origin: piece.origin.0,
        index: piece.index,
        epoch: piece.epoch,
        urgency: piece.urgency,
        form: piece.form,
        last: u8::from(piece.last),
    };
    let descriptors: Vec<Descriptor> = pieces.iter().map(descriptor).collect();
    let mut parts = vec![Bytes::copy_from_slice(bytemuck::cast_slice(&descriptors))];
    for piece in pieces {
        parts.push(piece.content.clone());
        parts.push(zeros(padding(piece.content.len())));
    }
    parts
}

/// The lost ones and their clocks, as words: there may be more than a control body holds.
fn report_body(report: &Report) -> Bytes {
    let words = report.lost.iter();
    let words: Vec<u64> = words
        .flat_map(|(worker, clock)| [u64::from(worker.0), clock.0])
        .collect();
    Bytes::copy_from_slice(bytemuck::cast_slice(&words))
}

/// A frame as a message.
pub fn decode(frame: Frame) -> Result<Message, WireError> {
    let Frame { header, body } = frame;
    let small = |word: u64| u32::try_from(word).map_err(|_| WireError::Control);
    Ok(match header.kind {
        PIECES => Message::Pieces(read_pieces(header.extra, body)?),
        VIEW => Message::View(read_report(WorkerId(header.table), &body)?),
        CHUNK => Message::Chunk(Chunk {
            round: header.clock,
            step: small(header.sequence)?,
            part: small(header.extra)?,
            values: body,
        }),
        GOODBYE => Message::Goodbye,
        other => return Err(WireError::Kind(other)),
    })
}

fn read_pieces(count: u64, mut body: Bytes) -> Result<Vec<Piece>, WireError> {
    let length = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(size_of::<Descriptor>()))
        .filter(|length| *length <= body.len())
        .ok_or(WireError::Truncated)?;
    let descriptors = body.split_to(length);
    let mut pieces = Vec::with_capacity(count as usize);
    for bytes in descriptors.chunks_exact(size_of::<Descriptor>()) {
        let descriptor: Descriptor = bytemuck::pod_read_unaligned(bytes);
        let length = usize::try_from(descriptor.length).map_err(|_| WireError::Truncated)?;
        let padded = length
            .checked_add(padding(length))
            .filter(|padded| *padded <= body.len())
            .ok_or(WireError::Truncated)?;
        let mut content = body.split_to(padded);
        content.truncate(length);
        pieces.push(Piece {
            origin: WorkerId(descriptor.origin),
            clock: Clock(descriptor.clock),
            index: descriptor.index,
            last: descriptor.last != 0,
            seen: Clock(descriptor.seen),
            epoch: descriptor.epoch,
            urgency: descriptor.urgency,
            form: descriptor.form,
            content,
        });
    }
    Ok(pieces)
}

fn read_report(by: WorkerId, body: &[u8]) -> Result<Report, WireError> {
    let words: Vec<u64> = bytemuck::pod_collect_to_vec(&body[..body.len() / 8 * 8]);
    let pair = |pair: &[u64]| {
        let worker = u32::try_from(pair[0]).map_err(|_| WireError::Control)?;
        Ok((WorkerId(worker), Clock(pair[1])))
    };
    let lost: Vec<(WorkerId, Clock)> = words
        .chunks_exact(2)
        .map(pair)
        .collect::<Result<_, WireError>>()?;
    if lost.is_empty() || !lost.is_sorted_by(|a, b| a.0 < b.0) || !body.len().is_multiple_of(16) {
        return Err(WireError::Control);
    }
    Ok(Report { by, lost })
}

#[cfg(test)]
mod tests {
    //! What is written is read, with the length that is announced; what is not a message is
    //! refused.
    use super::*;
    use proptest::prelude::*;
    use strads_common::frame::FrameDecoder;
    use tokio_util::codec::Decoder;

    fn through_a_frame(message: &Message) -> Frame {
        let Outgoing { header, parts } = encode(message);
        let mut written = bytes::BytesMut::from(&header.encode(&parts)[..]);
        parts
            .iter()
            .for_each(|part| written.extend_from_slice(part));
        written.resize(written.len() + padding(written.len()), 0);
        assert_eq!(written.len(), super::bytes(message));
        FrameDecoder { limit: 1 << 20 }
            .decode(&mut written)
            .unwrap()
            .unwrap()
    }

    proptest! {
        #[test]
        fn messages_survive_the_wire(
            fields in prop::collection::vec(any::<(u32, u64, u32, u64, u32, u16, u8, bool)>(), 1..4),
            content in prop::collection::vec(any::<u8>(), 0..100),
            by: u32, lost in prop::collection::btree_map(any::<u32>(), any::<u64>(), 1..9),
        ) {
            let piece = |(origin, clock, index, seen, epoch, urgency, form, last)| Piece {
                origin: WorkerId(origin), clock: Clock(clock), index, last, seen: Clock(seen),
                epoch, urgency, form, content: content.clone().into(),
            };
            let pieces = Message::Pieces(fields.into_iter().map(piece).collect());
            let lost = lost.into_iter().map(|(id, clock)| (WorkerId(id), Clock(clock))).collect();
            let view = Message::View(Report { by: WorkerId(by), lost });
            let chunk = Message::Chunk(Chunk { round: 7, step: by, part: 3, values: content.into() });
            for message in [pieces, view, chunk, Message::Goodbye] {
                prop_assert_eq!(decode(through_a_frame(&message)).unwrap(), message);
            }
        }

        #[test]
        fn nonsense_is_refused_or_read(kind in 64u8..70, extra: u64, body in prop::collection::vec(any::<u8>(), 0..200)) {
            for extra in [extra, extra % 4] {
                let header = Header { kind, extra, ..Header::default() };
                let _ = decode(Frame { header, body: body.clone().into() });
            }
        }
    }
}
