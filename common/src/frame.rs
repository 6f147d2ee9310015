//! Frames: what a connection carries once both ends have proven who they are.
//!
//! ```text
//!  0        4         5      6       8       12         16      24         32      40
//!  | length | version | kind | flags | table | checksum | clock | sequence | extra | body …
//! ```
//!
//! All little-endian. `length` is that of the body, which is padded with zeros to a multiple of
//! eight, so that words in it stay aligned in the receiver's memory. `checksum` is the CRC-32 of
//! the header (with zero in its place) and of the first [`CHECKED_BYTES`] of the body: enough for
//! everything that says how the rest is to be read. Values beyond are protected by
//! TCP alone: they are not otherwise read here, and a checksum would have to read them.
//!
//! A length beyond the decoder's limit is refused before anything is allocated for it.

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::Decoder;

/// The version that is spoken.
pub const VERSION: u8 = 1;
/// Bytes of a header.
pub const HEADER_BYTES: usize = 40;
/// How much of a body its checksum covers.
pub const CHECKED_BYTES: usize = 4096;

/// Header and body of the frames of small operations.
const SHORT_BYTES: usize = 128;

/// A header without what concerns only the frame itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// What the frame is.
    pub kind: u8,
    /// How its body is to be read.
    pub flags: u16,
    /// The table that it is about.
    pub table: u32,
    /// A clock.
    pub clock: u64,
    /// A place in an order.
    pub sequence: u64,
    /// What else the kind needs.
    pub extra: u64,
}

/// A frame as it arrives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Its header.
    pub header: Header,
    /// Its body, without padding.
    pub body: Bytes,
}

/// What is wrong with what has arrived.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The connection failed.
    #[error("connection: {0}")]
    Io(#[from] std::io::Error),
    /// The peer speaks another version.
    #[error("frame of version {0}, where {VERSION} is spoken")]
    Version(u8),
    /// The body is longer than is taken.
    #[error("frame of {length} bytes, where at most {limit} are taken")]
    Length {
        /// The length announced.
        length: u32,
        /// The longest that is taken.
        limit: u32,
    },
    /// Header or body have changed on the way.
    #[error("frame with a wrong checksum")]
    Checksum,
}

/// The checksum of a frame, given its header with zero for the checksum, and its body in parts.
fn checksum<'a>(header: &[u8; HEADER_BYTES], body: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    // What is short is put together first: to begin anew takes longer than to read it.
    let mut short = [0; SHORT_BYTES];
    short[..HEADER_BYTES].copy_from_slice(header);
    let (mut filled, mut left) = (HEADER_BYTES, CHECKED_BYTES);
    for part in body {
        let part = &part[..part.len().min(left)];
        left -= part.len();
        match short.get_mut(filled..filled + part.len()) {
            Some(room) => {
                room.copy_from_slice(part);
                filled += part.len();
            }
            None => {
                crc.update(&short[..std::mem::take(&mut filled)]);
                crc.update(part);
            }
        }
    }
    crc.update(&short[..filled]);
    crc.finalize()
}

/// Zeros that follow a body of `length` bytes.
pub fn padding(length: usize) -> usize {
    length.wrapping_neg() % 8
}

impl Header {
    /// The bytes of the header of a frame whose body is `parts`, one after the other.
    ///
    /// # Panics
    /// If the body has 4 GiB or more.
    pub fn encode(&self, parts: &[Bytes]) -> [u8; HEADER_BYTES] {
        let length: usize = parts.iter().map(Bytes::len).sum();
        let length = u32::try_from(length).expect("a body is shorter than 4 GiB");
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&length.to_le_bytes());
        bytes[4] = VERSION;
        bytes[5] = self.kind;
        bytes[6..8].copy_from_slice(&self.flags.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.table.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.clock.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.extra.to_le_bytes());
        let sum = checksum(&bytes, parts.iter().map(|part| &part[..]));
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEADER_BYTES]) -> Header {
        let mut rest = &bytes[5..];
        let kind = rest.get_u8();
        let flags = rest.get_u16_le();
        let table = rest.get_u32_le();
        rest.advance(4);
        let (clock, sequence, extra) = (rest.get_u64_le(), rest.get_u64_le(), rest.get_u64_le());
        Header {
            kind,
            flags,
            table,
            clock,
            sequence,
            extra,
        }
    }
}

/// Cuts what arrives into frames.
#[derive(Clone, Copy, Debug)]
pub struct FrameDecoder {
    /// The longest body that is taken.
    pub limit: u32,
}

impl Decoder for FrameDecoder {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(bytes) = source.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let mut bytes = *bytes;
        if bytes[4] != VERSION {
            return Err(FrameError::Version(bytes[4]));
        }
        let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if length > self.limit {
            return Err(FrameError::Length {
                length,
                limit: self.limit,
            });
        }
        let length = length as usize;
        let total = HEADER_BYTES + length + padding(length);
        if source.len() < total {
            source.reserve(total - source.len());
            return Ok(None);
        }
        let mut body = source.split_to(total).freeze();
        body.advance(HEADER_BYTES);
        body.truncate(length);
        let announced = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        bytes[12..16].fill(0);
        if checksum(&bytes, std::iter::once(&body[..])) != announced {
            return Err(FrameError::Checksum);
        }
        Ok(Some(Frame {
            header: Header::decode(&bytes),
            body,
        }))
    }
}

#[cfg(test)]
mod tests {
    //! What is written is read; what is not a frame is refused, and nothing is set aside for it.
    use super::*;
    use proptest::prelude::*;

    fn encoded(header: Header, parts: &[Bytes]) -> BytesMut {
        let mut bytes = BytesMut::from(&header.encode(parts)[..]);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        let length = bytes.len();
        bytes.resize(length + padding(length), 0);
        bytes
    }

    proptest! {
        #[test]
        fn frames_round_trip(
            kind: u8, flags: u16, table: u32, clock: u64, sequence: u64, extra: u64,
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6000), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let header = Header { kind, flags, table, clock, sequence, extra };
            let parts: Vec<Bytes> = parts.into_iter().map(Bytes::from).collect();
            let mut bytes = encoded(header, &parts);
            let mut decoder = FrameDecoder { limit: 1 << 20 };
            let mut start = bytes.clone();
            start.truncate(cut.index(bytes.len()));
            prop_assert!(matches!(decoder.decode(&mut start), Ok(None)));
            let frame = decoder.decode(&mut bytes).unwrap().unwrap();
            prop_assert_eq!(frame.header, header);
            prop_assert_eq!(&frame.body[..], &parts.concat()[..]);
            prop_assert!(bytes.is_empty());
        }

        #[test]
        fn a_changed_byte_is_noticed(body in prop::collection::vec(any::<u8>(), 0..600), at in any::<prop::sample::Index>(), change in 1u8..) {
            let header = Header { kind: 3, ..Header::default() };
            let mut bytes = encoded(header, &[Bytes::from(body.clone())]);
            let at = at.index(HEADER_BYTES + body.len());
            bytes[at] ^= change;
            let mut decoder = FrameDecoder { limit: 1 << 20 };
            let decoded = decoder.decode(&mut bytes);
            prop_assert!(!matches!(decoded, Ok(Some(_))), "byte {}", at);
        }

        #[test]
        fn noise_does_no_harm(noise in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = BytesMut::from(&noise[..]);
            let decoded = FrameDecoder { limit: 1 << 16 }.decode(&mut bytes);
            prop_assert!(!matches!(decoded, Ok(Some(_))));
            prop_assert!(bytes.capacity() <= (1 << 16) + 1024);
        }
    }

    #[test]
    fn nothing_is_allocated_for_a_frame_that_is_too_long() {
        let mut bytes = BytesMut::from(&Header::default().encode(&[])[..]);
        bytes[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
        let decoded = FrameDecoder { limit: 1 << 16 }.decode(&mut bytes);
        assert!(matches!(
            decoded,
            Err(FrameError::Length {
                length: u32::MAX,
                ..
            })
        ));
        assert!(bytes.capacity() < 1024);
    }
}
