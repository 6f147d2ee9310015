//! Conversations between processes of a job about the job: lines of JSON over a channel.
//!
//! Programs do not talk this way; it is for what happens seldom. A line is short, and who speaks has
//! proven that it knows the job's secret.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
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
/// Bytes of a piece where pieces are counted.
pub const PIECE: usize = 64 << 10;

/// Why a conversation ends.
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
    /// The address of this end.
    pub own: IpAddr,
    reading: BufReader<Reading>,
    writing: Writing,
}

impl Talk {
    /// Calls the node that listens at `address`.
    pub async fn call(address: SocketAddr, secret: &Secret) -> Result<Talk, Silence> {
        let called = async {
            let stream = TcpStream::connect(address).await?;
            socket::prepare(&stream, PATIENCE)?;
            let own = stream.local_addr()?.ip();
            Ok::<_, Silence>(Talk::over(own, channel::call(stream, secret).await?))
        };
        timeout(PATIENCE, called).await.map_err(|_| Silence::Late)?
    }

    /// Answers one who has called.
    pub async fn accept(stream: TcpStream, secret: &Secret) -> Result<Talk, Silence> {
        let accepted = async {
            socket::prepare(&stream, PATIENCE)?;
            let own = stream.local_addr()?.ip();
            Ok::<_, Silence>(Talk::over(own, channel::accept(stream, secret).await?))
        };
        timeout(PATIENCE, accepted)
            .await
            .map_err(|_| Silence::Late)?
    }

    fn over(own: IpAddr, (reading, writing): (Reading, Writing)) -> Talk {
        Talk {
            own,
            reading: BufReader::with_capacity(PIECE, reading),
            writing,
        }
    }

    /// Asks, and waits for the answer for as long as it may take.
    pub async fn ask<A: DeserializeOwned>(
        &mut self,
        question: &impl Serialize,
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
