//! Channels: connections whose ends have proven who they are, sealed where they leave the host.
//!
//! A link stays on its host if both of its addresses are loopback, or the same; the kernel takes
//! no packet from outside that says so. Both ends see the same two addresses and come to the same
//! conclusion, so nothing is negotiated and nothing can be talked down. Links that leave go through
//! TLS 1.3 ([`crate::tls`]) unless the job's secret says that they go in clear. In either case both
//! ends prove knowledge of the secret ([`crate::auth`]) before the first frame; until then neither
//! end sets anything aside for what the other one sends.
//!
//! Neither [`call`] nor [`accept`] limits its own time: a stranger may be silent, and the caller
//! knows for how long that is of interest.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::TlsStream;

use crate::auth::{AuthError, Secret};
use crate::tls;

/// The first byte of TLS: a record of a handshake.
const TLS_RECORD: u8 = 0x16;

/// The half of a channel that bytes come out of.
#[derive(Debug)]
pub enum Reading {
    /// Of a link that stays on its host, or goes in clear.
    Clear(OwnedReadHalf),
    /// Of a link that goes through TLS.
    Sealed(ReadHalf<TlsStream<TcpStream>>),
}

/// The half of a channel that bytes go into. What is written leaves when it is flushed.
#[derive(Debug)]
pub enum Writing {
    /// Of a link that stays on its host, or goes in clear.
    Clear(OwnedWriteHalf),
    /// Of a link that goes through TLS.
    Sealed(WriteHalf<TlsStream<TcpStream>>),
}

/// Makes a channel of a connection that has been opened.
pub async fn call(stream: TcpStream, secret: &Secret) -> Result<(Reading, Writing), AuthError> {
    if goes_clear(&stream, secret)? {
        return call_in_clear(stream, secret).await;
    }
    let mut stream = tls::call(stream, secret).await.map_err(AuthError::Tls)?;
    secret.call(&mut stream).await?;
    Ok(sealed(stream))
}

/// Makes a channel of a connection that has been accepted.
pub async fn accept(
    mut stream: TcpStream,
    secret: &Secret,
) -> Result<(Reading, Writing), AuthError> {
    if goes_clear(&stream, secret)? {
        secret.listen(&mut stream).await?;
        return Ok(clear(stream));
    }
    accept_sealed(stream, secret).await
}

async fn call_in_clear(
    mut stream: TcpStream,
    secret: &Secret,
) -> Result<(Reading, Writing), AuthError> {
    secret.call(&mut stream).await?;
    Ok(clear(stream))
}

async fn accept_sealed(
    stream: TcpStream,
    secret: &Secret,
) -> Result<(Reading, Writing), AuthError> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0] != TLS_RECORD {
        return Err(AuthError::PlainText);
    }
    let mut stream = tls::accept(stream, secret).await.map_err(AuthError::Tls)?;
    secret.listen(&mut stream).await?;
    Ok(sealed(stream))
}

fn goes_clear(stream: &TcpStream, secret: &Secret) -> io::Result<bool> {
    Ok(secret.is_clear() || stays_on_host(stream.local_addr()?, stream.peer_addr()?))
}

/// Whether a link between these addresses is within one host.
fn stays_on_host(own: SocketAddr, peer: SocketAddr) -> bool {
    let (own, peer) = (own.ip().to_canonical(), peer.ip().to_canonical());
    own == peer || own.is_loopback() && peer.is_loopback()
}

fn clear(stream: TcpStream) -> (Reading, Writing) {
    let (reading, writing) = stream.into_split();
    (Reading::Clear(reading), Writing::Clear(writing))
}

fn sealed(stream: TlsStream<TcpStream>) -> (Reading, Writing) {
    let (reading, writing) = tokio::io::split(stream);
    (Reading::Sealed(reading), Writing::Sealed(writing))
}

impl AsyncRead for Reading {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Reading::Clear(half) => Pin::new(half).poll_read(context, buffer),
            Reading::Sealed(half) => Pin::new(half).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Writing {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Writing::Clear(half) => Pin::new(half).poll_write(context, bytes),
            Writing::Sealed(half) => Pin::new(half).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Writing::Clear(half) => Pin::new(half).poll_write_vectored(context, slices),
            Writing::Sealed(half) => Pin::new(half).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Writing::Clear(half) => half.is_write_vectored(),
            Writing::Sealed(half) => half.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Writing::Clear(half) => Pin::new(half).poll_flush(context),
            Writing::Sealed(half) => Pin::new(half).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Writing::Clear(half) => Pin::new(half).poll_shutdown(context),
            Writing::Sealed(half) => Pin::new(half).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests;
