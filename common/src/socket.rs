//! Sockets that notice when the other end is gone.

use socket2::SockRef;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// Sets `stream` to send at once, and to fail when what it sent is not acknowledged `within`.
pub fn prepare(stream: &TcpStream, within: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(within))?;
    #[cfg(not(target_os = "linux"))]
    socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(within))?;
    Ok(())
}
