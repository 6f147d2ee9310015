//! A node's connections: its coordinator's call begins a job and its end ends it.
//!
//! A node does one job at a time, and waits for the next one afterwards. When the coordinator is
//! gone, whatever was being computed for it is thrown away.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strads_common::auth::Secret;
use strads_common::{channel, socket};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use super::Timing;
use super::join::{Caller, Greeting, answer};
use super::link::{Reader, Writer, attend};
use super::peers::Peers;
use crate::cluster::here::{Here, settle};
use crate::cluster::message::Message;
use crate::cluster::node::Node;
use crate::cluster::remote::Programs;

/// How many strangers are heard at a time.
const STRANGERS: usize = 32;

/// Runs `programs` for coordinators that call at `listener` and know the secret, for ever.
pub fn serve(
    listener: std::net::TcpListener,
    secret: &Secret,
    programs: Programs,
    timing: Timing,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        let service = Arc::new(Service {
            secret: secret.clone(),
            programs,
            timing,
            job: Mutex::new(None),
        });
        let strangers = Arc::new(Semaphore::new(STRANGERS));
        loop {
            let permit = Arc::clone(&strangers).acquire_owned().await;
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                // A connection that failed before it was accepted is its caller's affair; too
                // many open files are not, but they may be fewer in a moment.
                Err(_) => {
                    tokio::time::sleep(timing.heartbeat).await;
                    continue;
                }
            };
            let service = Arc::clone(&service);
            tokio::spawn(async move {
                let met = service.meet(stream).await;
                drop(permit);
                if let Some((caller, reader, writer)) = met {
                    service.attend(caller, reader, writer).await;
                }
            });
        }
    })
}

struct Service {
    secret: Secret,
    programs: Programs,
    timing: Timing,
    job: Mutex<Option<Job>>,
}

/// The job that a node is part of.
struct Job {
    id: u64,
    node: Arc<Node>,
    peers: Arc<Peers>,
}

impl Service {
    fn job(&self) -> MutexGuard<'_, Option<Job>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds out who calls; nobody, if he cannot prove that he may.
    async fn meet(&self, stream: TcpStream) -> Option<(Caller, Reader, Writer)> {
        let silence = self.timing.silence;
        socket::prepare(&stream, silence).ok()?;
        let accepted = timeout(silence, channel::accept(stream, &self.secret)).await;
        let (reading, writing) = accepted.ok()?.ok()?;
        let mut reader = Reader::new(reading, silence);
        let packed = reader.next().await.ok()??;
        Some((Caller::decode(&packed).ok()?, reader, Writer::new(writing)))
    }

    async fn attend(&self, caller: Caller, reader: Reader, writer: Writer) {
        match caller {
            Caller::Coordinator(greeting) => self.work(greeting, reader, writer).await,
            Caller::Peer(id, rank) => self.hear(id, rank, reader, writer).await,
        }
    }

    /// Works for a coordinator until it is gone.
    async fn work(&self, greeting: Greeting, reader: Reader, mut writer: Writer) {
        let (outbox, queue) = unbounded_channel();
        let node = Arc::new(Node::new(self.programs.clone()));
        let peers = Arc::new(Peers {
            coordinator: outbox,
            nodes: Mutex::new(vec![None; greeting.addresses.len()]),
            secret: self.secret.clone(),
            timing: self.timing,
            runtime: Handle::current(),
            greeting,
        });
        let refusal = self.begin(&node, &peers).err();
        let begun = refusal.is_none();
        let told = async {
            writer.write(answer(refusal)).await?;
            writer.flush().await
        };
        let told = told.await.is_ok();
        if begun && told {
            let mut threads = peers.greeting.threads;
            for _ in 0..threads {
                hire(&node, &peers);
            }
            let mut workers = BTreeSet::new();
            attend(reader, writer, queue, self.timing, |message| {
                if let Message::Hire(worker, _) = &message {
                    workers.insert(*worker);
                    if node.works_together() && workers.len() > threads {
                        hire(&node, &peers);
                        threads += 1;
                    }
                }
                let answer = node
                    .take_in(message)
                    .map_err(|malformed| malformed.to_string())?;
                if let Some(answer) = answer {
                    peers.send(answer);
                }
                Ok(())
            })
            .await;
            node.close();
        }
        if begun {
            *self.job() = None;
        }
    }

    /// Takes the job on, unless there is one already.
    fn begin(&self, node: &Arc<Node>, peers: &Arc<Peers>) -> Result<(), String> {
        let mut job = self.job();
        if job.is_some() {
            return Err("works for another job".to_owned());
        }
        *job = Some(Job {
            id: peers.greeting.job,
            node: Arc::clone(node),
            peers: Arc::clone(peers),
        });
        Ok(())
    }

    /// Takes in what another node of the job sends.
    async fn hear(&self, id: u64, rank: usize, reader: Reader, writer: Writer) {
        let (node, peers) = match &*self.job() {
            Some(job) if job.id == id => (Arc::clone(&job.node), Arc::clone(&job.peers)),
            _ => return,
        };
        // Nothing goes back but signs of life.
        let (_outbox, queue) = unbounded_channel();
        let reason = attend(
            reader,
            writer,
            queue,
            self.timing,
            |message| match message {
                block @ Message::Block(..) => match node.take_in(block) {
                    Ok(_) => Ok(()),
                    Err(malformed) => Err(malformed.to_string()),
                },
                _ => Err("sent what is not for it to send".to_owned()),
            },
        )
        .await;
        let _ = peers.say(Message::Cut(rank, reason));
    }
}

/// A thread that does what there is to do.
fn hire(node: &Arc<Node>, peers: &Arc<Peers>) {
    let (own_node, own_peers) = (Arc::clone(node), Arc::clone(peers));
    let own_address = peers.greeting.addresses.get(peers.greeting.rank);
    let own_address = own_address.and_then(|address| address.parse().ok());
    let here = own_address.map(|address| Here {
        address,
        secret: peers.secret.clone(),
    });
    let work = move || {
        settle(here);
        while let Some(work) = own_node.wait() {
            match own_node.perform(work) {
                Ok(Some(said)) => own_peers.send(said),
                Ok(None) => {}
                Err(malformed) => {
                    let _ = own_peers.say(Message::Stuck(malformed.to_string()));
                }
            }
        }
    };
    let thread = std::thread::Builder::new().name("strads-worker".to_owned());
    if let Err(error) = thread.spawn(work) {
        let _ = peers.say(Message::Stuck(format!(
            "no thread to compute with: {error}"
        )));
    }
}
