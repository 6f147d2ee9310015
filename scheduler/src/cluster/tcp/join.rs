//! The coordinator's connections: calls every node, and then carries what is said.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use strads_common::auth::{AuthError, Secret};
use strads_common::members::{Member, Members};
use strads_common::{channel, socket};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};

use super::Timing;
use super::link::{Outbox, Reader, Writer, attend, reason};
use crate::cluster::message::{Message, Packed};
use crate::cluster::parcel::{Malformed, pack, unpack};
use crate::cluster::session::{Event, Post, Session};
use crate::error::Error;

/// Between two calls of a node that does not answer.
const AGAIN: Duration = Duration::from_millis(100);

/// What may be the matter with a host that is silent, and what to do.
const BLOCKED: &str = "is a firewall between? nodes listen on ports that the system chooses; \
                       lines `id ip port` of a hostfile fix them";

/// The coordinator's first message, and another node's.
const TO_NODE: u8 = 100;
const TO_PEER: u8 = 101;
/// The answer to the coordinator's.
const ANSWER: u8 = 102;

/// What a node is told when a job begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Which job; different each time.
    pub job: u64,
    /// Which node this is.
    pub rank: usize,
    /// How many threads it is to compute with.
    pub threads: usize,
    /// Where all nodes listen.
    pub addresses: Vec<String>,
}

crate::travel_by_fields!(Greeting {
    job,
    rank,
    threads,
    addresses
});

/// Who calls a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The coordinator of a job.
    Coordinator(Greeting),
    /// A node of this job, with its rank.
    Peer(u64, usize),
}

fn first(kind: u8, head: Bytes) -> Packed {
    let body = Bytes::new();
    Packed { kind, head, body }
}

impl Greeting {
    /// As the coordinator says it.
    pub fn to_node(&self) -> Packed {
        first(TO_NODE, pack(self))
    }

    /// As one node of the job says it to another.
    pub fn to_peer(&self) -> Packed {
        first(TO_PEER, pack(&(self.job, self.rank)))
    }
}

impl Caller {
    /// Who says `packed`.
    pub fn decode(packed: &Packed) -> Result<Self, Malformed> {
        match packed.kind {
            TO_NODE => unpack(&packed.head).map(Self::Coordinator),
            TO_PEER => unpack(&packed.head).map(|(job, rank)| Self::Peer(job, rank)),
            _ => Err(Malformed("a greeting")),
        }
    }
}

/// A node's answer: none, or why it cannot take part.
pub fn answer(refusal: Option<String>) -> Packed {
    first(ANSWER, pack(&refusal))
}

/// Connects to all members; they are ready when this returns.
pub fn join(members: &Members, timing: Timing) -> Result<Session, Error> {
    let (events_out, events) = channel();
    let (ready_out, ready) = channel();
    let coordinator = Coordinator {
        members: members.clone(),
        timing,
        events: events_out,
    };
    let thread = std::thread::Builder::new().name("strads-links".to_owned());
    let started = thread.spawn(move || coordinator.run(&ready_out));
    let outboxes = match (started, ready.recv()) {
        (Ok(_), Ok(outboxes)) => outboxes?,
        (Err(error), _) => return Err(unreachable_node("this one", error.to_string())),
        (_, Err(_)) => {
            return Err(unreachable_node(
                "this one",
                "no thread for links".to_owned(),
            ));
        }
    };
    let names = members
        .nodes
        .iter()
        .map(|node| (node.name.clone(), node.workers));
    let names = names.collect();
    Ok(Session::new(Box::new(Links { outboxes, events }), names))
}

fn unreachable_node(node: &str, reason: String) -> Error {
    Error::Unreachable {
        node: node.to_owned(),
        reason,
        others: Vec::new(),
    }
}

/// The coordinator's end of all links.
struct Links {
    outboxes: Vec<Outbox>,
    events: Receiver<Event>,
}

impl Post for Links {
    fn send(&mut self, node: usize, message: Message) {
        // A link that has ended says so among the events.
        let _ = self.outboxes[node].send(message);
    }

    fn receive(&mut self) -> Event {
        let ended = |_| Event::Lost(0, "all connections have ended".to_owned());
        self.events.recv().unwrap_or_else(ended)
    }
}

struct Coordinator {
    members: Members,
    timing: Timing,
    events: Sender<Event>,
}

type Joined = (Reader, Writer);

impl Coordinator {
    /// Joins, reports, and carries messages until the session is dropped.
    fn run(self, ready: &Sender<Result<Vec<Outbox>, Error>>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = ready.send(Err(unreachable_node("this one", error.to_string())));
                return;
            }
        };
        runtime.block_on(async {
            let joined = match self.join_all().await {
                Ok(joined) => joined,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return;
                }
            };
            let channels = joined.iter().map(|_| unbounded_channel());
            let (outboxes, queues): (Vec<_>, Vec<_>) = channels.unzip();
            if ready.send(Ok(outboxes)).is_err() {
                return;
            }
            let links = joined.into_iter().zip(queues).enumerate();
            let links = links.map(|(node, (joined, queue))| self.attend(node, joined, queue));
            let links: Vec<_> = links.map(|link| tokio::spawn(link)).collect();
            for link in links {
                let _ = link.await;
            }
        });
    }

    fn attend(
        &self,
        node: usize,
        (reader, writer): Joined,
        queue: UnboundedReceiver<Message>,
    ) -> impl Future<Output = ()> + use<> {
        let (events, timing) = (self.events.clone(), self.timing);
        async move {
            let said = |message| {
                let _ = events.send(Event::Said(node, message));
                Ok(())
            };
            let reason = attend(reader, writer, queue, timing, said).await;
            let _ = events.send(Event::Lost(node, reason));
        }
    }

    async fn join_all(&self) -> Result<Vec<Joined>, Error> {
        let job =
            Secret::generate().map_err(|error| unreachable_node("this one", error.to_string()))?;
        let (job, _) = job
            .bytes()
            .split_first_chunk()
            .expect("a secret has 32 bytes");
        let job = u64::from_le_bytes(*job);
        let addresses = self
            .members
            .nodes
            .iter()
            .map(|node| node.address.to_string());
        let addresses: Vec<String> = addresses.collect();
        let calls: Vec<_> = self
            .members
            .nodes
            .iter()
            .enumerate()
            .map(|(rank, member)| {
                let greeting = Greeting {
                    job,
                    rank,
                    threads: member.workers.max(1),
                    addresses: addresses.clone(),
                };
                let (member, secret) = (member.clone(), self.members.secret.clone());
                tokio::spawn(greet(member, greeting, secret, self.timing))
            })
            .collect();
        // All are heard, so that who goes on without those that are absent asks once.
        let (mut joined, mut absent) = (Vec::new(), Vec::new());
        for (call, member) in calls.into_iter().zip(&self.members.nodes) {
            match call.await.map_err(|error| error.to_string()).flatten() {
                Ok(called) => joined.push(called),
                Err(reason) => absent.push((member.name.clone(), reason)),
            }
        }
        let mut absent = absent.into_iter();
        match absent.next() {
            None => Ok(joined),
            Some((node, reason)) => Err(Error::Unreachable {
                node,
                reason,
                others: absent.map(|(node, _)| node).collect(),
            }),
        }
    }
}

/// Calls a node until it takes part or time is up.
async fn greet(
    member: Member,
    greeting: Greeting,
    secret: Secret,
    timing: Timing,
) -> Result<Joined, String> {
    let end = Instant::now() + timing.patience;
    loop {
        let attempt = timeout(
            timing.answer,
            try_to_greet(&member, &greeting, &secret, timing),
        );
        let refusal = match attempt.await {
            Ok(Ok(joined)) => return Ok(joined),
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal::Perhaps(format!("no answer\n{BLOCKED}")),
        };
        match refusal {
            Refusal::Perhaps(_) if Instant::now() < end => sleep(AGAIN).await,
            Refusal::Perhaps(reason) | Refusal::Final(reason) => {
                return Err(format!("{}: {reason}", member.address));
            }
        }
    }
}

enum Refusal {
    /// It may be otherwise in a moment: the node is just starting, or has not noticed that its last
    /// job is over.
    Perhaps(String),
    Final(String),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Perhaps(
                "nobody listens there\nis `strads node` running, with this address?".to_owned(),
            ),
            io::ErrorKind::HostUnreachable | io::ErrorKind::TimedOut => {
                Self::Perhaps(format!("{error}\n{BLOCKED}"))
            }
            _ => Self::Perhaps(error.to_string()),
        }
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Io(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Self::Final(
                    "the node ended the conversation, most likely for want of the same secret\n\
                     give all the same --secret-file, and --no-tls to all of them or to none"
                        .to_owned(),
                ),
                _ => error.into(),
            },
            other => Self::Final(other.to_string()),
        }
    }
}

async fn try_to_greet(
    member: &Member,
    greeting: &Greeting,
    secret: &Secret,
    timing: Timing,
) -> Result<Joined, Refusal> {
    let stream = TcpStream::connect(member.address).await?;
    socket::prepare(&stream, timing.silence)?;
    let (reading, writing) = channel::call(stream, secret).await?;
    let (mut reader, mut writer) = (Reader::new(reading, timing.silence), Writer::new(writing));
    writer.write(greeting.to_node()).await?;
    writer.flush().await?;
    let answer = reader
        .next()
        .await
        .map_err(|error| Refusal::Perhaps(reason(&error, timing)))?;
    let answer = answer.filter(|answer| answer.kind == ANSWER);
    let answer = answer.ok_or_else(|| Refusal::Final("it speaks another version".to_owned()))?;
    match unpack::<Option<String>>(&answer.head) {
        Ok(None) => Ok((reader, writer)),
        Ok(Some(reason)) => Err(Refusal::Perhaps(reason)),
        Err(malformed) => Err(Refusal::Final(malformed.to_string())),
    }
}
