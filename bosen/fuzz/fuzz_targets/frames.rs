//! Cutting any bytes into frames gives frames or an error, sets aside no more than the limit, and
//! does not depend on how the bytes arrive.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use strads_common::frame::{Frame, FrameDecoder, HEADER_BYTES};
use tokio_util::codec::Decoder;

const LIMIT: u32 = 1 << 16;

/// The frames before the first error, arriving `step` bytes at a time.
fn cut(bytes: &[u8], step: usize) -> (Vec<Frame>, bool) {
    let (mut decoder, mut buffer) = (FrameDecoder { limit: LIMIT }, BytesMut::new());
    let mut frames = Vec::new();
    for piece in bytes.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
        assert!(buffer.capacity() <= 4 * (LIMIT as usize + HEADER_BYTES + bytes.len()));
    }
    (frames, false)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&step, bytes)) = bytes.split_first() else { return };
    assert_eq!(cut(bytes, 1 + usize::from(step)), cut(bytes, bytes.len().max(1)));
});
