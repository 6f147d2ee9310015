//! One connection: messages out of a queue, messages in, signs of life both ways.
//!
//! A long message goes as many frames, so that whoever waits for a sign of life sees that
//! something is coming, however slow the way.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use strads_common::channel::{Reading, Writing};
use strads_common::frame::{Frame, FrameDecoder, FrameError, HEADER_BYTES, Header, padding};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::codec::FramedRead;

use super::Timing;
use crate::cluster::message::{Message, Packed};

/// The longest body of a frame.
const FRAME_BYTES: usize = 256 << 10;
/// The longest message that a peer may send.
const MESSAGE_LIMIT: u64 = 16 << 30;
/// What several small messages are gathered in before they are written.
const GATHERED_BYTES: usize = 64 << 10;

/// Parts of a silence that are listened to one by one.
const PARTS: u32 = 8;

/// The kind of a frame that only says that its sender lives.
const ALIVE: u8 = 0;
/// The flag of a frame whose message goes on in the next one.
const GOES_ON: u16 = 1;

/// Messages on their way to a connection.
pub type Outbox = UnboundedSender<Message>;

/// The writing end of a connection.
pub struct Writer {
    half: BufWriter<Writing>,
}

/// The reading end of a connection.
pub struct Reader {
    frames: FramedRead<Reading, FrameDecoder>,
    silence: Duration,
}

impl Writer {
    /// Writes to `half`.
    pub fn new(half: Writing) -> Self {
        Self {
            half: BufWriter::with_capacity(GATHERED_BYTES, half),
        }
    }

    /// Writes a message, which leaves at the next [`flush`](Self::flush).
    pub async fn write(&mut self, packed: Packed) -> io::Result<()> {
        let Packed { kind, head, body } = packed;
        let first = body.len().min(FRAME_BYTES.saturating_sub(head.len()));
        let (mut part, mut rest) = (body.slice(..first), body.slice(first..));
        // Where the head ends.
        let extra = head.len() as u64;
        let mut head = Some(head);
        loop {
            let header = Header {
                kind,
                flags: if rest.is_empty() { 0 } else { GOES_ON },
                extra,
                ..Header::default()
            };
            let parts: Vec<Bytes> = head.take().into_iter().chain([part]).collect();
            self.frame(&header, &parts).await?;
            if rest.is_empty() {
                return Ok(());
            }
            part = rest.split_to(rest.len().min(FRAME_BYTES));
        }
    }

    async fn frame(&mut self, header: &Header, parts: &[Bytes]) -> io::Result<()> {
        self.half.write_all(&header.encode(parts)).await?;
        for part in parts {
            self.half.write_all(part).await?;
        }
        let length: usize = parts.iter().map(Bytes::len).sum();
        self.half.write_all(&[0; 8][..padding(length)]).await
    }

    /// Sends what was written.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.half.flush().await
    }

    /// Writes what comes into `queue` until its senders are gone; keeps the connection alive
    /// meanwhile.
    pub async fn carry(
        mut self,
        mut queue: UnboundedReceiver<Message>,
        timing: Timing,
    ) -> io::Result<()> {
        let mut beat = interval(timing.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let alive = Header {
            kind: ALIVE,
            ..Header::default()
        };
        loop {
            tokio::select! {
                message = queue.recv() => match message {
                    Some(message) => self.write(message.encode()).await?,
                    None => return self.half.shutdown().await,
                },
                _ = beat.tick() => self.frame(&alive, &[]).await?,
            }
            while let Ok(message) = queue.try_recv() {
                self.write(message.encode()).await?;
            }
            self.flush().await?;
        }
    }
}

impl Reader {
    /// Reads from `half`, and gives up after `silence` without a sign of life.
    pub fn new(half: Reading, silence: Duration) -> Self {
        let limit = (FRAME_BYTES + HEADER_BYTES) as u32;
        Self {
            frames: FramedRead::with_capacity(half, FrameDecoder { limit }, FRAME_BYTES / 4),
            silence,
        }
    }

    /// The next message in two parts; none at the end.
    pub async fn next(&mut self) -> Result<Option<Packed>, FrameError> {
        let Some(Frame { header, body }) = self.frame().await? else {
            return Ok(None);
        };
        let mut goes_on = header.flags & GOES_ON != 0;
        let mut whole = body;
        if goes_on {
            let mut gathered = BytesMut::from(&whole[..]);
            while goes_on {
                let next = self.frame().await?;
                let Frame { header, body } = next
                    .ok_or(io::ErrorKind::UnexpectedEof)
                    .map_err(io::Error::from)?;
                gathered.extend_from_slice(&body);
                goes_on = header.flags & GOES_ON != 0;
                if gathered.len() as u64 > MESSAGE_LIMIT {
                    return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
                }
            }
            whole = gathered.freeze();
        }
        let length = usize::try_from(header.extra).unwrap_or(usize::MAX);
        if length > whole.len() {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        }
        Ok(Some(Packed {
            kind: header.kind,
            head: whole.split_to(length),
            body: whole,
        }))
    }

    /// The next frame that says something.
    async fn frame(&mut self) -> Result<Option<Frame>, FrameError> {
        // In parts: whoever has slept through all of the silence has not listened to it.
        let mut silent = 0;
        while silent < PARTS {
            match timeout(self.silence / PARTS, next(&mut self.frames)).await {
                Ok(Some(Ok(frame))) if frame.header.kind == ALIVE => silent = 0,
                Ok(Some(frame)) => return frame.map(Some),
                Ok(None) => return Ok(None),
                Err(_) => silent += 1,
            }
        }
        Err(io::Error::from(io::ErrorKind::TimedOut).into())
    }
}

/// The next item of a stream.
fn next<S: Stream + Unpin>(stream: &mut S) -> impl Future<Output = Option<S::Item>> {
    std::future::poll_fn(move |context| std::pin::Pin::new(&mut *stream).poll_next(context))
}

/// Moves messages both ways until the connection ends; why it did.
pub async fn attend(
    mut reader: Reader,
    writer: Writer,
    queue: UnboundedReceiver<Message>,
    timing: Timing,
    mut take_in: impl FnMut(Message) -> Result<(), String>,
) -> String {
    let reading = async {
        loop {
            let packed = match reader.next().await {
                Ok(Some(packed)) => packed,
                Ok(None) => return "its process has ended, or ended the connection".to_owned(),
                Err(error) => return reason(&error, timing),
            };
            let taken = Message::decode(packed).map_err(|malformed| malformed.to_string());
            if let Err(reason) = taken.and_then(&mut take_in) {
                return reason;
            }
        }
    };
    let writing = async {
        match writer.carry(queue, timing).await {
            Ok(()) => "the connection was ended here".to_owned(),
            Err(error) => reason(&error.into(), timing),
        }
    };
    tokio::select! {
        reason = reading => reason,
        reason = writing => reason,
    }
}

/// Why a connection failed, for people.
pub fn reason(error: &FrameError, timing: Timing) -> String {
    let silence = timing.silence.as_secs_f32();
    match error {
        FrameError::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut => format!("no sign of life for {silence} s"),
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => "its process has ended".to_owned(),
            _ => error.to_string(),
        },
        other => other.to_string(),
    }
}
