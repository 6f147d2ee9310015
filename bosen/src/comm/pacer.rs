//! A bucket applied to a link: messages are written piece by piece, each piece with the headers
//! that the network will put around it, never more than the budget has now.

use super::bucket::Bucket;
use super::{Advice, Budget};
use std::time::Duration;

/// Bytes of content in a full packet: Ethernet's 1500 less IPv4 and TCP with timestamps.
const SEGMENT_BYTES: u64 = 1448;
/// What such a packet has besides: Ethernet, IPv4 and TCP with timestamps.
const HEADER_BYTES: u64 = 66;
/// What a seal (TLS 1.3) adds to each record, and what a record holds. Links in clear are charged
/// for it too: it is one part in seven hundred.
const SEAL_BYTES: u64 = 22;
const RECORD_BYTES: u64 = 16 << 10;
/// A full packet.
pub const PACKET_BYTES: u64 = SEGMENT_BYTES + HEADER_BYTES;
/// The most that is offered to early updates, or written, at once.
const PIECE_BYTES: u64 = 64 << 10;

/// What `content` bytes take on the wire when they are written at once.
pub fn on_wire(content: u64) -> u64 {
    let sealed = content + content.div_ceil(RECORD_BYTES) * SEAL_BYTES;
    sealed + sealed.div_ceil(SEGMENT_BYTES) * HEADER_BYTES
}

/// Content that takes at most `wire` bytes, and not much less.
fn content_within(wire: u64) -> u64 {
    let (full, rest) = (wire / PACKET_BYTES, wire % PACKET_BYTES);
    let sealed = full * SEGMENT_BYTES + rest.saturating_sub(HEADER_BYTES);
    let records = sealed.div_ceil(RECORD_BYTES + SEAL_BYTES);
    sealed.saturating_sub(records * SEAL_BYTES)
}

/// Tells a link what to do when.
#[derive(Clone, Debug)]
pub struct Pacer {
    bucket: Bucket,
    /// Bytes of the message that has begun.
    left: u64,
}

impl Pacer {
    /// A link with `budget`, on which nothing has been written.
    pub fn new(budget: Budget) -> Pacer {
        // What comes the other way is acknowledged: a packet without content for two full ones.
        let acknowledgements =
            budget.bytes_per_second.saturating_mul(HEADER_BYTES) / (2 * PACKET_BYTES);
        Pacer {
            // Less than a packet could never be written.
            bucket: Bucket::new(
                budget.bytes_per_second - acknowledgements,
                budget.burst_bytes.max(2 * PACKET_BYTES),
            ),
            left: 0,
        }
    }

    /// What to do at `now`, given whether a message `waits`.
    pub fn advise(&mut self, now: Duration, waits: bool) -> Advice {
        let available = content_within(self.bucket.available(now));
        // Half a burst at a time: neither many small writes, nor ever a wait for a full bucket.
        let piece = content_within(self.bucket.burst_bytes() / 2).min(PIECE_BYTES);
        let wanted = match (self.left, waits) {
            (0, true) => 1,
            (0, false) => piece,
            (left, _) => left.min(piece),
        };
        if available < wanted {
            return Advice::Wait(self.bucket.ready_at(on_wire(wanted)));
        }
        match (self.left, waits) {
            (0, true) => Advice::Begin,
            (0, false) => Advice::Room(available.min(PIECE_BYTES)),
            (left, _) => Advice::Write(left.min(available).min(PIECE_BYTES)),
        }
    }

    /// A message of `bytes` has begun.
    pub fn begin(&mut self, bytes: u64) {
        self.left += bytes;
    }

    /// `bytes` that were advised are written at `now`; returns whether the message is complete.
    pub fn written(&mut self, bytes: u64, now: Duration) -> bool {
        // What filled the bucket while writing took its time is not left over.
        self.bucket.available(now);
        self.bucket.take(on_wire(bytes));
        self.left -= bytes;
        self.left == 0
    }
}
