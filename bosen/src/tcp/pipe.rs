//! One connection, as both sides move it: frames out of a bounded queue, frames in, signs of life.

use super::Timing;
use crate::comm::lanes::{Lane, Lanes};
use crate::wire::{Outgoing, kind};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};
use strads_common::channel::{Reading, Writing};
use strads_common::frame::{FrameDecoder, FrameError, HEADER_BYTES, padding};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::codec::FramedRead;

/// The longest body that an authenticated peer may send.
pub const BODY_LIMIT: u32 = (64 << 20) + (1 << 20);
/// What a peer that does not read may leave in its queue.
const QUEUE_LIMIT_BYTES: usize = 256 << 20;
/// With so much in its queue, a peer is not asked what else it wants: answers are made when they can
/// go, and while what they are copied from is in the processor's caches.
const QUEUE_ROOM_BYTES: usize = 1 << 20;
/// Parts that are written with one system call.
const MOST_SLICES: usize = 64;
/// Frames of up to so many bytes are copied together: to name the system a part costs more than that.
const SMALL_BYTES: usize = 512;
/// Small frames that are copied together.
const TOGETHER_BYTES: usize = 64 << 10;

/// Messages of type `M` on their way to one connection.
pub struct Queue<M> {
    waiting: Mutex<Waiting<M>>,
    changed: Notify,
    /// Messages have been taken out.
    taken: Notify,
}

struct Waiting<M> {
    /// Each with its bytes.
    messages: Lanes<(usize, M)>,
    bytes: usize,
    closed: bool,
}

impl<M> Queue<M> {
    /// An empty queue.
    pub fn new() -> Arc<Queue<M>> {
        let waiting = Waiting {
            messages: Lanes::default(),
            bytes: 0,
            closed: false,
        };
        Arc::new(Queue {
            waiting: Mutex::new(waiting),
            changed: Notify::new(),
            taken: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<M>> {
        self.waiting
            .lock()
            .expect("nothing panics while it holds a queue")
    }

    /// Adds a message of about `bytes`, in place of the last one if `supersedes` it; a queue that
    /// nobody empties closes.
    pub fn push(&self, message: M, bytes: usize, supersedes: impl Fn(&M) -> bool) {
        let mut waiting = self.lock();
        if let Some((bytes, _)) = waiting.messages.retract(|(_, last)| supersedes(last)) {
            waiting.bytes -= bytes;
        }
        waiting.messages.push(Lane::InOrder, (bytes, message));
        waiting.bytes += bytes;
        if waiting.bytes > QUEUE_LIMIT_BYTES {
            waiting.closed = true;
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Waits until there is room for another answer.
    pub async fn room(&self) {
        while self.lock().bytes >= QUEUE_ROOM_BYTES {
            self.taken.notified().await;
        }
    }

    /// Adds a message that may overtake others.
    pub fn push_in(&self, lane: Lane, message: M) {
        self.lock().messages.push(lane, (0, message));
        self.poke();
    }

    /// Lets whoever empties the queue look at it, and at what else there is to send.
    pub fn poke(&self) {
        self.changed.notify_one();
    }

    /// Waits for the next change.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether no message waits; an error if the queue is closed.
    pub fn is_empty(&self) -> io::Result<bool> {
        let waiting = self.lock();
        match waiting.closed {
            true => Err(closed()),
            false => Ok(waiting.messages.is_empty()),
        }
    }

    /// The next message.
    pub fn pop(&self) -> Option<M> {
        let mut waiting = self.lock();
        let (bytes, message) = waiting.messages.pop()?;
        waiting.bytes -= bytes;
        self.taken.notify_one();
        Some(message)
    }

    /// Lets the connection end.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// The next messages with their bytes; none if there are none now, an error if the queue is closed.
    fn take(&self) -> io::Result<VecDeque<(usize, M)>> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(closed());
        }
        waiting.bytes = 0;
        self.taken.notify_one();
        Ok(waiting.messages.drain())
    }
}

fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the queue of a peer that does not read is full, or has been closed",
    )
}

/// Writes what comes into `queue` until the connection ends; keeps it alive meanwhile.
pub async fn write<M>(
    mut half: Writing,
    queue: &Queue<M>,
    timing: Timing,
    mut encode: impl FnMut(&M) -> Outgoing,
) -> io::Result<()> {
    let mut beat = interval(timing.heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let messages = queue.take()?;
        if messages.is_empty() {
            tokio::select! {
                () = queue.changed.notified() => {}
                _ = beat.tick() => write_frames(&mut half, std::iter::once(Outgoing::alive())).await?,
            }
            continue;
        }
        let frames = messages.iter().map(|(_, message)| encode(message));
        write_frames(&mut half, frames).await?;
    }
}

/// Writes frames, many with one system call where they are small.
pub async fn write_frames(
    half: &mut (impl AsyncWrite + Unpin),
    frames: impl Iterator<Item = Outgoing>,
) -> io::Result<()> {
    let mut parts: VecDeque<Bytes> = VecDeque::new();
    let mut together = BytesMut::new();
    for frame in frames {
        let is_small = bytes_of(&frame) <= SMALL_BYTES;
        if is_small {
            append(&mut together, &frame);
        }
        if !together.is_empty() && (!is_small || together.len() >= TOGETHER_BYTES) {
            parts.push_back(together.split().freeze());
        }
        if !is_small {
            parts.extend(parts_of(frame));
        }
        while parts.len() >= MOST_SLICES {
            write_some(half, &mut parts).await?;
        }
    }
    parts.extend((!together.is_empty()).then(|| together.freeze()));
    while !parts.is_empty() {
        write_some(half, &mut parts).await?;
    }
    // What a seal has taken has not left yet.
    half.flush().await
}

/// How long a frame's body is.
fn bytes_of(frame: &Outgoing) -> usize {
    frame.parts.iter().map(Bytes::len).sum()
}

/// Adds the bytes of a frame.
fn append(to: &mut BytesMut, frame: &Outgoing) {
    to.extend_from_slice(&frame.header.encode(&frame.parts));
    frame
        .parts
        .iter()
        .for_each(|part| to.extend_from_slice(part));
    to.extend_from_slice(&[0; 8][..padding(bytes_of(frame))]);
}

/// The bytes of a frame, in parts.
pub fn parts_of(frame: Outgoing) -> VecDeque<Bytes> {
    let length = bytes_of(&frame);
    let header = Bytes::copy_from_slice(&frame.header.encode(&frame.parts));
    let padding = Bytes::from_static(&[0; 8][..padding(length)]);
    std::iter::once(header)
        .chain(frame.parts)
        .chain(std::iter::once(padding))
        .filter(|part| !part.is_empty())
        .collect()
}

/// Writes what one system call takes of `parts`.
pub async fn write_some(
    half: &mut (impl AsyncWrite + Unpin),
    parts: &mut VecDeque<Bytes>,
) -> io::Result<()> {
    let slices: Vec<IoSlice<'_>> = parts
        .iter()
        .take(MOST_SLICES)
        .map(|part| IoSlice::new(part))
        .collect();
    let mut written = half.write_vectored(&slices).await?;
    if written == 0 {
        return Err(io::ErrorKind::WriteZero.into());
    }
    while let Some(first) = parts.front_mut() {
        if written < first.len() {
            let _ = first.split_to(written);
            break;
        }
        written -= first.len();
        parts.pop_front();
    }
    Ok(())
}

/// The frames that come in, up to `limit` bytes of body each.
pub fn frames(half: Reading, limit: u32) -> FramedRead<Reading, FrameDecoder> {
    FramedRead::with_capacity(
        half,
        FrameDecoder { limit },
        64 * HEADER_BYTES.next_power_of_two(),
    )
}

/// The next frame that says something; an error if there is no sign of life in time.
pub async fn next_frame(
    frames: &mut FramedRead<Reading, FrameDecoder>,
    timing: Timing,
) -> Result<strads_common::frame::Frame, FrameError> {
    use tokio_util::codec::Decoder;
    loop {
        // What has arrived already needs neither a timer nor a look at the socket.
        let mut decoder = *frames.decoder();
        if let Some(frame) = decoder.decode(frames.read_buffer_mut())? {
            if frame.header.kind != kind::ALIVE {
                return Ok(frame);
            }
            continue;
        }
        let deadline = Instant::now() + timing.silence;
        let next = timeout_at(deadline, futures_next(frames))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        let frame = next.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))??;
        if frame.header.kind != kind::ALIVE {
            return Ok(frame);
        }
    }
}

/// The next item of a stream.
async fn futures_next<S: futures_util::Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)).await
}

#[cfg(test)]
mod tests {
    //! However frames are put together for the system, what arrives is those frames, in order.
    use super::*;
    use bytes::BufMut;
    use proptest::prelude::*;
    use strads_common::frame::Header;
    use tokio_util::codec::Decoder;

    /// A writer that takes little at a time.
    struct Narrow(Vec<u8>);

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            bytes: &[u8],
        ) -> std::task::Poll<io::Result<usize>> {
            let taken = bytes.len().min(1000);
            self.0.put_slice(&bytes[..taken]);
            std::task::Poll::Ready(Ok(taken))
        }
        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn poll_shutdown(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn frames_arrive_whole_and_in_order(
            bodies in prop::collection::vec(
                prop::collection::vec(prop::sample::select(vec![0usize, 3, 8, 100, 500, 512, 513]), 0..4),
                0..300,
            ),
        ) {
            let body = |(number, lengths): (usize, &Vec<usize>)| -> Vec<Bytes> {
                lengths.iter().map(|&length| Bytes::from(vec![number as u8; length])).collect()
            };
            let outgoing = |(number, lengths)| Outgoing {
                header: Header { sequence: number as u64, ..Header::default() },
                parts: body((number, lengths)),
            };
            let mut narrow = Narrow(Vec::new());
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let frames = bodies.iter().enumerate().map(outgoing);
            runtime.block_on(write_frames(&mut narrow, frames)).unwrap();
            let mut arrived = BytesMut::from(&narrow.0[..]);
            let mut decoder = FrameDecoder { limit: BODY_LIMIT };
            for (number, lengths) in bodies.iter().enumerate() {
                let frame = decoder.decode(&mut arrived).unwrap().unwrap();
                prop_assert_eq!(frame.header.sequence, number as u64);
                prop_assert_eq!(&frame.body[..], &body((number, lengths)).concat()[..]);
            }
            prop_assert!(arrived.is_empty());
        }
    }
}
