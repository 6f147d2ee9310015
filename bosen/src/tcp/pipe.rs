//! One connection, as both sides move it: frames out of a bounded queue, frames in, signs of life.

use super::Timing;
use crate::wire::{Outgoing, kind};
use bytes::Bytes;
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

/// Messages of type `M` on their way to one connection.
pub struct Queue<M> {
    waiting: Mutex<Waiting<M>>,
    changed: Notify,
    /// Messages have been taken out.
    taken: Notify,
}

struct Waiting<M> {
    messages: VecDeque<M>,
    bytes: usize,
    closed: bool,
}

impl<M> Queue<M> {
    /// An empty queue.
    pub fn new() -> Arc<Queue<M>> {
        let waiting = Waiting {
            messages: VecDeque::new(),
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
        if waiting.messages.back().is_some_and(supersedes) {
            waiting.messages.pop_back();
        }
        waiting.messages.push_back(message);
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

    /// Lets the connection end.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// The next messages; none if there are none now, an error if the queue is closed.
    fn take(&self) -> io::Result<VecDeque<M>> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the queue of a peer that does not read is full, or has been closed",
            ));
        }
        waiting.bytes = 0;
        self.taken.notify_one();
        Ok(std::mem::take(&mut waiting.messages))
    }
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
        write_frames(&mut half, messages.iter().map(&mut encode)).await?;
    }
}

/// Writes frames, many with one system call where they are small.
pub async fn write_frames(
    half: &mut (impl AsyncWrite + Unpin),
    frames: impl Iterator<Item = Outgoing>,
) -> io::Result<()> {
    let mut parts: VecDeque<Bytes> = VecDeque::new();
    for frame in frames {
        let length: usize = frame.parts.iter().map(Bytes::len).sum();
        parts.push_back(Bytes::copy_from_slice(&frame.header.encode(&frame.parts)));
        parts.extend(frame.parts.into_iter().filter(|part| !part.is_empty()));
        if padding(length) > 0 {
            parts.push_back(Bytes::from_static(&[0; 8][..padding(length)]));
        }
        while parts.len() >= MOST_SLICES {
            write_some(half, &mut parts).await?;
        }
    }
    while !parts.is_empty() {
        write_some(half, &mut parts).await?;
    }
    // What a seal has taken has not left yet.
    half.flush().await
}

async fn write_some(
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
