//! The writing half of a connection that may have a budget: then as [`pipe::write`], but piece by
//! piece, and with room offered to what need not go yet.
//!
//! The system's send buffer is kept small ([`prepare`]): what waits there can neither be
//! overtaken nor go on being summed, and would leave in a burst after a pause.

use super::Timing;
use super::pipe::{self, Queue, parts_of, write_some};
use crate::comm::pacer::Pacer;
use crate::comm::{Advice, Budget};
use crate::wire::Outgoing;
use bytes::Bytes;
use socket2::SockRef;
use std::collections::VecDeque;
use std::io;
use strads_common::channel::Writing;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// The least that systems take for a send buffer without complaint.
const LEAST_BUFFER_BYTES: u64 = 16 << 10;

/// Keeps what the system buffers of `stream` to about a burst.
pub fn prepare(stream: &TcpStream, budget: Option<Budget>) -> io::Result<()> {
    let Some(budget) = budget else { return Ok(()) };
    let bytes = budget.burst_bytes.max(LEAST_BUFFER_BYTES);
    SockRef::from(stream).set_send_buffer_size(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// Writes what comes into `queue`, within `budget` if there is one, until the connection ends; keeps it alive
/// meanwhile. `room` is told how many bytes could go when nothing waits.
pub async fn write<M>(
    mut half: Writing,
    queue: &Queue<M>,
    timing: Timing,
    budget: Option<Budget>,
    mut room: impl FnMut(usize),
    mut encode: impl FnMut(&M) -> Outgoing,
) -> io::Result<()> {
    let Some(budget) = budget else {
        return pipe::write(half, queue, timing, encode).await;
    };
    let started = Instant::now();
    let mut pacer = Pacer::new(budget);
    let mut writing = VecDeque::new();
    let mut beat = interval(timing.heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begin = |pacer: &mut Pacer, frame: Outgoing| {
        let parts = parts_of(frame);
        pacer.begin(parts.iter().map(|part: &Bytes| part.len() as u64).sum());
        parts
    };
    loop {
        let waits = !queue.is_empty()?;
        match pacer.advise(started.elapsed(), waits) {
            Advice::Begin => {
                if let Some(message) = queue.pop() {
                    writing = begin(&mut pacer, encode(&message));
                }
            }
            Advice::Write(bytes) => {
                write_exactly(&mut half, &mut writing, bytes).await?;
                pacer.written(bytes, started.elapsed());
            }
            Advice::Room(bytes) => {
                room(bytes as usize);
                if queue.is_empty()? {
                    tokio::select! {
                        () = queue.changed() => {}
                        _ = beat.tick() => writing = begin(&mut pacer, Outgoing::alive()),
                    }
                }
            }
            Advice::Wait(then) => sleep_until(started + then).await,
        }
    }
}

async fn write_exactly(
    half: &mut (impl AsyncWrite + Unpin),
    parts: &mut VecDeque<Bytes>,
    bytes: u64,
) -> io::Result<()> {
    let mut piece = cut(parts, bytes);
    while !piece.is_empty() {
        write_some(half, &mut piece).await?;
    }
    // What a seal has taken has not left yet.
    half.flush().await
}

/// Takes the first `bytes` of what `parts` have.
fn cut(parts: &mut VecDeque<Bytes>, bytes: u64) -> VecDeque<Bytes> {
    let (mut piece, mut left) = (VecDeque::new(), bytes as usize);
    while left > 0
        && let Some(mut part) = parts.pop_front()
    {
        if part.len() > left {
            parts.push_front(part.split_off(left));
        }
        left -= part.len();
        piece.push_back(part);
    }
    piece
}
