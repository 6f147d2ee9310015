//! What is asked and answered in a check: lines of JSON over a channel, and bytes to count.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strads_common::auth::{AuthError, Secret};
use strads_common::channel::{self, Reading, Writing};
use strads_common::socket;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Without an answer for so long, a link does not work.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The longest line that is read.
const LONGEST_LINE: u64 = 16 << 10;
/// Bytes that are sent at once where they are counted.
pub const PIECE: usize = 64 << 10;

/// What is asked of a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Answered by `()`; how long that takes is the latency.
    Ping,
    /// What the host is: [`Facts`].
    Facts,
    /// Answered by `()` once pieces have come: so many, of [`PIECE`] bytes each.
    Take(u32),
    /// How the link from here to there does: `Result<Link, String>`.
    Measure(SocketAddr),
}

/// What a host is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// Processors that a process can use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Version of strads.
    pub version: String,
    /// Kind of system and processor.
    pub system: String,
    /// What its clock says: seconds since 1970.
    pub clock_seconds: f64,
}

/// How a link does.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// From a question to its answer: the median.
    pub round_trip_seconds: f64,
    /// What goes through in this direction.
    pub bytes_per_second: f64,
}

/// Why a link does not work.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// The connection fails.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Its ends do not trust each other.
    #[error("{0}")]
    Auth(#[from] AuthError),
    /// No answer in time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
}

/// One end of a conversation.
pub struct Talk {
    reading: BufReader<Reading>,
    writing: Writing,
}

impl Talk {
    /// Calls the node that listens at `address`.
    pub async fn call(address: SocketAddr, secret: &Secret) -> Result<Talk, Silence> {
        let called = async {
            let stream = TcpStream::connect(address).await?;
            socket::prepare(&stream, PATIENCE)?;
            Ok::<_, Silence>(Talk::over(channel::call(stream, secret).await?))
        };
        timeout(PATIENCE, called).await.map_err(|_| Silence::Late)?
    }

    /// Answers one who has called.
    pub async fn accept(stream: TcpStream, secret: &Secret) -> Result<Talk, Silence> {
        let accepted = async {
            socket::prepare(&stream, PATIENCE)?;
            Ok::<_, Silence>(Talk::over(channel::accept(stream, secret).await?))
        };
        timeout(PATIENCE, accepted)
            .await
            .map_err(|_| Silence::Late)?
    }

    fn over((reading, writing): (Reading, Writing)) -> Talk {
        Talk {
            reading: BufReader::with_capacity(PIECE, reading),
            writing,
        }
    }

    /// Asks, and waits for the answer for as long as it may take.
    pub async fn ask<A: DeserializeOwned>(
        &mut self,
        question: &Question,
        patience: Duration,
    ) -> Result<A, Silence> {
        let answer = async {
            self.say(question).await?;
            self.hear().await
        };
        timeout(patience, answer).await.map_err(|_| Silence::Late)?
    }

    /// Says something.
    pub async fn say(&mut self, what: &impl Serialize) -> Result<(), Silence> {
        let mut line = serde_json::to_vec(what).expect("what is said is plain data");
        line.push(b'\n');
        self.writing.write_all(&line).await?;
        Ok(self.writing.flush().await?)
    }

    /// Hears what the other end says.
    pub async fn hear<T: DeserializeOwned>(&mut self) -> Result<T, Silence> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reading).take(LONGEST_LINE);
        limited.read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(serde_json::from_slice(&line).map_err(io::Error::other)?)
    }

    /// Sends pieces to be counted.
    pub async fn send_pieces(&mut self, pieces: u32) -> Result<(), Silence> {
        let piece = vec![0; PIECE];
        for _ in 0..pieces {
            self.writing.write_all(&piece).await?;
        }
        Ok(self.writing.flush().await?)
    }

    /// Takes pieces.
    pub async fn take_pieces(&mut self, pieces: u32) -> Result<(), Silence> {
        let mut piece = vec![0; PIECE];
        for _ in 0..pieces {
            self.reading.read_exact(&mut piece).await?;
        }
        Ok(())
    }
}
