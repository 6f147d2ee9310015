//! How processes that an engine has started find each other.
//!
//! Rank 0 listens; the others call it, say where they listen, and stay connected: a sign of life
//! every second tells them that the job goes on, and the last message that it is over. Where rank 0
//! listens and which secret it knows is either in a file that all of them see, in a directory that
//! only their user can read, or given by options to all of them.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use strads_common::auth::Secret;

use super::engine::Place;
use crate::cluster::job::HEARTBEAT;
use crate::cluster::secret_file;
use crate::cluster::talk::Talk;
use crate::failure::Failure;

/// Where the processes of a job meet.
#[derive(Clone, Debug)]
pub enum Meeting {
    /// Where this file says, which rank 0 writes.
    File(PathBuf),
    /// At this host and port, with this secret.
    At(String, Secret),
}

/// What is in such a file.
#[derive(Serialize, Deserialize)]
struct Notice {
    address: SocketAddr,
    secret: String,
}

/// A notice that is up until this is dropped.
#[derive(Debug)]
pub struct Posted(Option<PathBuf>);

impl Drop for Posted {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Who has taken it down has done what is to be done.
            let _ = fs::remove_file(path);
        }
    }
}

impl Meeting {
    /// Where the processes of `place` meet, in `directory` or the user's cache.
    pub fn in_directory(place: &Place, directory: Option<&Path>) -> Result<Meeting, Failure> {
        let directory = match directory {
            Some(directory) => directory.to_owned(),
            None => cache().ok_or_else(|| {
                Failure::input(
                    "neither XDG_CACHE_HOME nor HOME is set; give a directory that all hosts see: \
                     --meet-in DIR",
                )
            })?,
        };
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory);
        let shown = directory.display();
        let about = made.and_then(|()| fs::metadata(&directory));
        let about = about.map_err(|error| Failure::input(format!("{shown}: {error}")))?;
        if about.mode() & 0o077 != 0 || about.uid() != rustix::process::geteuid().as_raw() {
            return Err(Failure::input(format!(
                "{shown}: others can look into this directory, and a secret is to meet there\n\
                 Try: chmod 700 {shown}; or give another one: --meet-in DIR"
            )));
        }
        Ok(Meeting::File(directory.join(&place.job)))
    }

    /// Listens as rank 0 and says so; also the secret that callers prove.
    pub fn open(&self, place: &Place) -> Result<(std::net::TcpListener, Secret, Posted), Failure> {
        let cannot = |error: io::Error| Failure::world(format!("cannot listen: {error}"));
        match self {
            Meeting::At(host, secret) => {
                let listener = std::net::TcpListener::bind(resolve(host)?.as_slice());
                let listener = listener.map_err(|error| {
                    Failure::world(format!("{host} is no address of this host: {error}"))
                })?;
                Ok((listener, secret.clone(), Posted(None)))
            }
            Meeting::File(path) => {
                let secret = Secret::generate().map_err(Failure::world)?;
                let own = own_address(&place.origin);
                let listener = std::net::TcpListener::bind((own, 0)).map_err(cannot)?;
                let notice = Notice {
                    address: listener.local_addr().map_err(cannot)?,
                    secret: secret.to_hexadecimal(),
                };
                post(path, &notice)
                    .map_err(|error| Failure::world(format!("{}: {error}", path.display())))?;
                Ok((listener, secret, Posted(Some(path.clone()))))
            }
        }
    }

    /// Calls rank 0, again and again while it is not there.
    pub async fn call(&self, place: &Place) -> Result<(Talk, Secret), Failure> {
        let began = Instant::now();
        loop {
            let failed = match self.try_call().await {
                Ok(called) => return Ok(called),
                Err(failed) => failed,
            };
            if began.elapsed() >= place.patience {
                return Err(Failure::world(format!(
                    "rank 0 has not been found in {} s: {failed}\n\
                     If the hosts do not share a home directory: --meet-in DIR, or --meet HOST:PORT \
                     with --secret-file FILE",
                    place.patience.as_secs()
                )));
            }
            tokio::time::sleep(HEARTBEAT / 4).await;
        }
    }

    async fn try_call(&self) -> Result<(Talk, Secret), String> {
        let (addresses, secret) = match self {
            Meeting::At(host, secret) => {
                let addresses = resolve(host).map_err(|failure| failure.to_string())?;
                (addresses, secret.clone())
            }
            Meeting::File(path) => {
                refresh(path);
                let text = fs::read_to_string(path)
                    .map_err(|error| format!("{}: {error}", path.display()))?;
                let notice: Notice =
                    serde_json::from_str(&text).map_err(|error| error.to_string())?;
                let secret = Secret::from_hexadecimal(&notice.secret);
                (
                    vec![notice.address],
                    secret.ok_or("a notice without a secret")?,
                )
            }
        };
        let mut failed = "no address".to_owned();
        for address in addresses {
            match Talk::call(address, &secret).await {
                Ok(talk) => return Ok((talk, secret)),
                Err(silence) => failed = format!("{address}: {silence}"),
            }
        }
        Err(failed)
    }
}

/// The secret of a meeting at a known place.
pub fn at(host: &str, secret: Option<&Path>, clear: bool) -> Result<Meeting, Failure> {
    let path = secret.ok_or_else(|| {
        Failure::input("--meet goes with --secret-file FILE, the same secret for all")
    })?;
    let secret = secret_file::read(path)?;
    let secret = if clear { secret.in_clear() } else { secret };
    Ok(Meeting::At(host.to_owned(), secret))
}

fn cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&set("HOME")?).join(".cache")))?;
    Some(cache.join("strads/meet"))
}

fn resolve(host: &str) -> Result<Vec<SocketAddr>, Failure> {
    let found = host.to_socket_addrs();
    let found = found.map_err(|error| Failure::input(format!("{host}: {error}")))?;
    Ok(found.collect())
}

/// Writes the notice where nobody sees it in part.
fn post(path: &Path, notice: &Notice) -> io::Result<()> {
    let partial = path.with_extension("partial");
    // What a killed job has left under this name is of no use to anybody.
    let _ = fs::remove_file(&partial);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)?;
    serde_json::to_writer(&mut file, notice)?;
    file.flush()?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

/// Makes a network file system look at the directory again: a change of one's own does that.
fn refresh(path: &Path) {
    let mark = path.with_extension(format!("look-{}", std::process::id()));
    if fs::write(&mark, []).is_ok() {
        let _ = fs::remove_file(&mark);
    }
}

/// The address by which this host reaches where the engine is, or loopback if there is no way out.
fn own_address(origin: &[IpAddr]) -> IpAddr {
    let towards = |address: &IpAddr| {
        let any: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        // Nothing is sent: the system only chooses a way.
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((*address, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let mut found = origin.iter().filter_map(towards);
    found.next().unwrap_or(Ipv4Addr::LOCALHOST.into())
}
