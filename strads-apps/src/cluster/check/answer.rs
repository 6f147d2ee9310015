//! A node that is there to be checked: it answers questions about its host and its links.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::{Duration, Instant};

use strads_common::auth::Secret;
use tokio::task::LocalSet;

use super::question::{Facts, Link, Question};
use crate::cluster::job::VERSION;
use crate::cluster::node::worker::cores;
use crate::cluster::talk::{PATIENCE, PIECE, Silence, Talk};

/// Round trips of which the median is told.
const PINGS: usize = 21;
/// How long bytes are counted, about.
const COUNTED: Duration = Duration::from_millis(250);

/// Answers whoever calls at `listener` and knows the secret, for ever.
pub fn serve(listener: TcpListener, secret: &Secret) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let secret = Rc::new(secret.clone());
    LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let secret = secret.clone();
            tokio::task::spawn_local(async move {
                // Why a conversation ends is for the one who asks.
                if let Ok(mut talk) = Talk::accept(stream, &secret).await {
                    while answer(&mut talk, &secret).await.is_ok() {}
                }
            });
        }
    })
}

async fn answer(talk: &mut Talk, secret: &Secret) -> Result<(), Silence> {
    match talk.hear().await? {
        Question::Ping => talk.say(&()).await,
        Question::Facts => talk.say(&facts()).await,
        Question::Take(pieces) => {
            talk.take_pieces(pieces).await?;
            talk.say(&()).await
        }
        Question::Measure(address) => {
            let measured = measure(address, secret).await;
            talk.say(&measured.map_err(|silence| silence.to_string()))
                .await
        }
    }
}

/// What this host is.
pub fn facts() -> Facts {
    let memory = rustix::system::sysinfo();
    Facts {
        cores: cores(),
        memory_bytes: memory.totalram as u64 * u64::from(memory.mem_unit),
        version: VERSION.to_owned(),
        system: own_system(),
        clock_seconds: clock_seconds(),
    }
}

/// What `uname -sm` says here.
pub fn own_system() -> String {
    let own = rustix::system::uname();
    let (system, machine) = (own.sysname(), own.machine());
    format!("{} {}", system.to_string_lossy(), machine.to_string_lossy())
}

/// What this host's clock says: seconds since 1970.
pub fn clock_seconds() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// How the link from here to the node at `address` does.
pub async fn measure(address: SocketAddr, secret: &Secret) -> Result<Link, Silence> {
    let mut talk = Talk::call(address, secret).await?;
    let mut trips = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let asked = Instant::now();
        let () = talk.ask(&Question::Ping, PATIENCE).await?;
        trips.push(asked.elapsed());
    }
    trips.sort_unstable();
    Ok(Link {
        round_trip_seconds: trips[PINGS / 2].as_secs_f64(),
        bytes_per_second: bandwidth(&mut talk).await?,
    })
}

/// Sends ever more until it takes long enough to tell how fast that goes.
async fn bandwidth(talk: &mut Talk) -> Result<f64, Silence> {
    let mut pieces = 1;
    loop {
        let began = Instant::now();
        let sent = async {
            talk.say(&Question::Take(pieces)).await?;
            talk.send_pieces(pieces).await?;
            talk.hear::<()>().await
        };
        let sent = tokio::time::timeout(4 * PATIENCE, sent).await;
        sent.map_err(|_| Silence::Late)??;
        let took = began.elapsed();
        if took >= COUNTED || pieces >= 1 << 16 {
            return Ok(f64::from(pieces) * PIECE as f64 / took.as_secs_f64());
        }
        // At least twice as many, and about as many as should be enough, but not rashly more.
        let enough = COUNTED.as_secs_f64() / took.as_secs_f64() * 1.2;
        pieces = (f64::from(pieces) * enough.clamp(2.0, 16.0)) as u32;
    }
}
