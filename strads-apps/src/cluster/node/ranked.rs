//! Nodes that an engine has started: rank 0 also runs the app, the others serve until it is over.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;

use serde::{Deserialize, Serialize};
use strads_common::auth::Secret;
use strads_common::members::{Member, Members};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{Instant, interval, timeout, timeout_at};

use super::engine::Place;
use super::meet::Meeting;
use super::worker::{cores, work};
use crate::cluster::handed;
use crate::cluster::job::{HEARTBEAT, Purpose, SILENCE};
use crate::cluster::talk::Talk;
use crate::failure::Failure;
use crate::standard::to_standard_error;

/// What a follower says first.
#[derive(Serialize, Deserialize)]
struct Hello {
    rank: usize,
    address: SocketAddr,
    workers: usize,
}

/// What it is told from then on.
#[derive(Serialize, Deserialize)]
enum News {
    /// The job goes on.
    Alive,
    /// The app has ended with this code.
    Over(i32),
}

/// Runs `app` on all processes of `place`, this one among them.
pub fn run(
    place: &Place,
    meeting: &Meeting,
    workers: Option<usize>,
    app: &[String],
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::world)?;
    let service = Service {
        workers: workers.unwrap_or_else(cores),
        purpose: match app {
            [first, second, ..] if first == "cluster" && second == "check" => Purpose::Check,
            _ => Purpose::Train,
        },
    };
    let code = if place.rank == 0 {
        lead(&runtime, place, meeting, service, app)?
    } else {
        runtime.block_on(follow(place, meeting, service))?
    };
    match code {
        0 => Ok(()),
        // The app has said why.
        code => std::process::exit(code),
    }
}

/// What each of the processes does for the app.
#[derive(Clone, Copy)]
struct Service {
    workers: usize,
    purpose: Purpose,
}

/// Serves at `own`, in a thread of its own.
fn serve(own: IpAddr, secret: &Secret, purpose: Purpose) -> Result<SocketAddr, Failure> {
    let cannot = |error| Failure::world(format!("cannot listen at {own}: {error}"));
    let listener = TcpListener::bind((own, 0)).map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let secret = secret.clone();
    thread::spawn(move || {
        if let Err(failure) = work(listener, &secret, purpose) {
            to_standard_error(format_args!("strads: {failure}\n"));
            std::process::exit(i32::from(failure.exit_code()));
        }
    });
    Ok(address)
}

async fn follow(place: &Place, meeting: &Meeting, service: Service) -> Result<i32, Failure> {
    let (mut talk, secret) = meeting.call(place).await?;
    let address = serve(talk.own, &secret, service.purpose)?;
    let rank = place.rank;
    let hello = Hello {
        rank,
        address,
        workers: service.workers,
    };
    talk.say(&hello).await.map_err(Failure::world)?;
    // Nothing is said before all have come.
    let mut patience = place.patience;
    loop {
        match timeout(patience, talk.hear()).await {
            Ok(Ok(News::Alive)) => patience = SILENCE,
            Ok(Ok(News::Over(code))) => return Ok(code),
            Ok(Err(silence)) => {
                return Err(Failure::world(format!(
                    "rank {rank}: rank 0 is lost: {silence}"
                )));
            }
            Err(_) => return Err(Failure::world(format!("rank {rank}: rank 0 is silent"))),
        }
    }
}

fn lead(
    runtime: &Runtime,
    place: &Place,
    meeting: &Meeting,
    service: Service,
    app: &[String],
) -> Result<i32, Failure> {
    let (listener, secret, posted) = meeting.open(place)?;
    let own = listener.local_addr().map_err(Failure::world)?.ip();
    let address = serve(own, &secret, service.purpose)?;
    let gathered = LocalSet::new().block_on(runtime, gather(listener, &secret, place));
    drop(posted);
    let (mut nodes, followers) = gathered?;
    nodes[0] = Some(member(0, address, service.workers));
    let members = Members {
        nodes: nodes.into_iter().flatten().collect(),
        secret,
    };
    let ended = start_app(app, &members)?;
    Ok(runtime.block_on(tell(followers, ended)))
}

fn member(rank: usize, address: SocketAddr, workers: usize) -> Member {
    Member {
        name: format!("rank {rank}"),
        address,
        workers,
    }
}

/// Hears who the others are, until all have come. Who does not know the secret is not heard.
async fn gather(
    listener: TcpListener,
    secret: &Secret,
    place: &Place,
) -> Result<(Vec<Option<Member>>, Vec<Talk>), Failure> {
    listener.set_nonblocking(true).map_err(Failure::world)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(Failure::world)?;
    let mut nodes = vec![None; place.size];
    let mut followers = Vec::new();
    let (came, mut coming) = mpsc::unbounded_channel();
    let secret = Rc::new(secret.clone());
    let deadline = Instant::now() + place.patience;
    while followers.len() + 1 < place.size {
        tokio::select! {
            accepted = listener.accept() => {
                let (Ok((stream, _)), secret, came) = (accepted, secret.clone(), came.clone()) else {
                    continue;
                };
                tokio::task::spawn_local(async move {
                    let Ok(mut talk) = Talk::accept(stream, &secret).await else { return };
                    if let Ok(Ok(hello)) = timeout(SILENCE, talk.hear::<Hello>()).await {
                        let _ = came.send((hello, talk));
                    }
                });
            }
            Some((hello, talk)) = coming.recv() => {
                let Hello { rank, address, workers } = hello;
                match nodes.get_mut(rank) {
                    Some(node @ None) if rank > 0 => *node = Some(member(rank, address, workers)),
                    _ => return Err(Failure::world(format!(
                        "two processes say that they are rank {rank}, or there is no such rank"
                    ))),
                }
                followers.push(talk);
            }
            () = tokio::time::sleep_until(deadline) => {
                let missing = (1..place.size).filter(|&rank| nodes[rank].is_none());
                let missing: Vec<String> = missing.map(|rank| rank.to_string()).collect();
                return Err(Failure::world(format!(
                    "rank {} has not come within {} s",
                    missing.join(", "),
                    place.patience.as_secs()
                )));
            }
        }
    }
    Ok((nodes, followers))
}

/// The app, with the members on its standard input; its code comes when it has ended.
fn start_app(app: &[String], members: &Members) -> Result<mpsc::UnboundedReceiver<i32>, Failure> {
    let program = std::env::current_exe().map_err(Failure::world)?;
    let mut child = Command::new(program)
        .args(app)
        .args(["--hostfile", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(Failure::world)?;
    let mut stdin = child.stdin.take().expect("the app's input is piped");
    // An app that does not want members has said so by now, or will.
    let _ = handed::give(members, &mut stdin);
    let (ended, end) = mpsc::unbounded_channel();
    thread::spawn(move || {
        let status = child.wait();
        drop(stdin);
        let _ = ended.send(status.ok().and_then(|status| status.code()).unwrap_or(3));
    });
    Ok(end)
}

/// Tells the others that the job goes on, and when it is over.
async fn tell(mut followers: Vec<Talk>, mut ended: mpsc::UnboundedReceiver<i32>) -> i32 {
    let mut beat = interval(HEARTBEAT);
    loop {
        let (news, code) = tokio::select! {
            code = ended.recv() => {
                let code = code.unwrap_or(3);
                (News::Over(code), Some(code))
            }
            _ = beat.tick() => (News::Alive, None),
        };
        let late = Instant::now() + HEARTBEAT;
        for follower in &mut followers {
            // One that is lost is missed by the app, which decides what that means.
            let _ = timeout_at(late, follower.say(&news)).await;
        }
        if let Some(code) = code {
            return code;
        }
    }
}
