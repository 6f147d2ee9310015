//! A shard behind a listening socket: one thread, which reads, lets the shard decide, and writes.

use super::paced;
use super::pipe::{self, Queue};
use super::traffic::{Counters, Traffic};
use super::{TcpError, Timing};
use crate::comm::{Budget, Order};
use crate::message::{LinkId, ToWorker};
use crate::shard::{Event, Patience, Shard};
use crate::wire::{Outgoing, Recalled, kind, read_to_shard};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use strads_common::auth::Secret;
use strads_common::channel::{self, Reading, Writing};
use strads_common::frame::FrameError;
use strads_common::ids::{ShardId, WorkerId};
use strads_common::socket;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::task::LocalSet;
use tokio::time::{Instant, interval, timeout};

/// What a server is told.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Which shard it is.
    pub shard: ShardId,
    /// How many shards there are.
    pub shards: u32,
    /// How many workers there are.
    pub workers: u32,
    /// The job's secret.
    pub secret: Secret,
    /// How soon things are noticed.
    pub timing: Timing,
}

/// Connections that may be proving themselves at the same time.
const STRANGERS: usize = 32;
/// The longest frame before a worker has said who it is.
const HELLO_LIMIT: u32 = 0;

/// A running shard. It ends when it is dropped, or when every worker has left.
pub struct Server {
    address: SocketAddr,
    stop: Arc<Notify>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Serves a shard at `listener`, in a thread of its own.
    pub fn start(listener: TcpListener, options: ServerOptions) -> Result<Server, TcpError> {
        Self::launch(listener, options, None)
    }

    /// The same with managed communication: what goes to each worker stays within `budget`, and
    /// changes that workers need not know yet go early while there is some left.
    pub fn managed(
        listener: TcpListener,
        options: ServerOptions,
        budget: Budget,
    ) -> Result<Server, TcpError> {
        Self::launch(listener, options, Some(budget))
    }

    fn launch(
        listener: TcpListener,
        options: ServerOptions,
        budget: Option<Budget>,
    ) -> Result<Server, TcpError> {
        let system = |what| move |source| TcpError::System { what, source };
        let address = listener
            .local_addr()
            .map_err(system("address of the listening socket"))?;
        listener
            .set_nonblocking(true)
            .map_err(system("listening socket"))?;
        let stop = Arc::new(Notify::new());
        let counters = Arc::new(Counters::default());
        let (stopped, counting) = (stop.clone(), counters.clone());
        let thread = std::thread::Builder::new()
            .name(format!("bosen-{}", options.shard.0))
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                LocalSet::new().block_on(
                    &runtime,
                    serve(listener, options, budget, counting, stopped),
                )
            })
            .map_err(system("server thread"))?;
        Ok(Server {
            address,
            stop,
            counters,
            thread: Some(thread),
        })
    }

    /// What has been sent to workers so far, and what has not had to be.
    pub fn traffic(&self) -> Traffic {
        self.counters.traffic()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until every worker has left.
    pub fn join(mut self) -> Result<(), TcpError> {
        let thread = self.thread.take().expect("a server is joined once");
        let ended = thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        ended.map_err(|source| TcpError::System {
            what: "server",
            source,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stop.notify_one();
            // Its result is of interest to those who join.
            let _ = thread.join();
        }
    }
}

/// Where to put what is for a connection, and whose connection it is.
type Queues = BTreeMap<LinkId, (WorkerId, Arc<Queue<ToWorker>>)>;

/// What the connections of a server share.
struct Service {
    options: ServerOptions,
    /// What may go to each worker.
    budget: Option<Budget>,
    counters: Arc<Counters>,
    started: Instant,
    shard: RefCell<Shard>,
    queues: RefCell<Queues>,
    links: Cell<u64>,
    deserted: Notify,
}

async fn serve(
    listener: TcpListener,
    options: ServerOptions,
    budget: Option<Budget>,
    counters: Arc<Counters>,
    stop: Arc<Notify>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let Timing {
        join,
        patience,
        heartbeat,
        silence,
        wait,
    } = options.timing;
    let started = Instant::now();
    let patience = Patience {
        join,
        rejoin: patience,
    };
    let shard = Shard::new(options.workers, patience, std::time::Duration::ZERO);
    let shard = shard.order(budget.map_or(Order::Fixed, |budget| budget.order));
    let shard = shard.limit(wait);
    let service = Rc::new(Service {
        options,
        budget,
        counters,
        started,
        shard: RefCell::new(shard),
        queues: RefCell::default(),
        links: Cell::new(0),
        deserted: Notify::new(),
    });
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    let mut ticks = interval(heartbeat);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // Beyond the limit strangers are turned away, so that they cannot keep others out.
                    let Ok(permit) = strangers.clone().try_acquire_owned() else {
                        tracing::warn!(%peer, "refused a connection: {STRANGERS} others are proving themselves");
                        continue;
                    };
                    let service = service.clone();
                    tokio::task::spawn_local(async move {
                        let met = timeout(silence, service.meet(stream)).await;
                        drop(permit);
                        match met {
                            Ok(Ok((stream, worker))) => service.attend(stream, worker).await,
                            Ok(Err(refusal)) => tracing::warn!(%peer, %refusal, "refused a connection"),
                            Err(_) => tracing::warn!(%peer, "refused a connection that did not prove itself in time"),
                        }
                    });
                }
                Err(error) => {
                    // Out of file descriptors, or a connection that ended before it was accepted.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            },
            _ = ticks.tick() => service.happen(Event::Tick),
            () = service.deserted.notified() => return Ok(()),
            () = stop.notified() => return Ok(()),
        }
    }
}

/// Why a connection is not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Auth(#[from] strads_common::auth::AuthError),
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the peer did not say who it is")]
    NoHello,
    #[error(
        "the peer is of a job of {workers} workers and {shards} shards, and speaks to shard {shard}"
    )]
    OtherJob {
        workers: u64,
        shards: u64,
        shard: u64,
    },
    #[error("{0} is not one of the job's")]
    NoSuchWorker(WorkerId),
}

type Frames = tokio_util::codec::FramedRead<Reading, strads_common::frame::FrameDecoder>;

impl Service {
    /// Finds out who a caller is.
    async fn meet(&self, stream: TcpStream) -> Result<((Frames, Writing), WorkerId), Refused> {
        socket::prepare(&stream, self.options.timing.silence)?;
        paced::prepare(&stream, self.budget)?;
        let (reading, writing) = channel::accept(stream, &self.options.secret).await?;
        let mut frames = pipe::frames(reading, HELLO_LIMIT);
        let hello = pipe::next_frame(&mut frames, self.options.timing)
            .await?
            .header;
        frames.decoder_mut().limit = pipe::BODY_LIMIT;
        if hello.kind != kind::HELLO {
            return Err(Refused::NoHello);
        }
        let (workers, shard, shards) = (hello.clock, hello.sequence, hello.extra);
        let ServerOptions {
            shard: own,
            shards: all,
            workers: expected,
            ..
        } = self.options;
        if (workers, shard, shards) != (u64::from(expected), u64::from(own.0), u64::from(all)) {
            return Err(Refused::OtherJob {
                workers,
                shards,
                shard,
            });
        }
        let worker = WorkerId(hello.table);
        if worker.0 >= expected {
            return Err(Refused::NoSuchWorker(worker));
        }
        Ok(((frames, writing), worker))
    }

    /// Makes `link` the worker's connection; it has given older ones up.
    fn replace_queue(&self, link: LinkId, worker: WorkerId, queue: Arc<Queue<ToWorker>>) {
        let mut queues = self.queues.borrow_mut();
        for (_, old) in queues.values().filter(|(owner, _)| *owner == worker) {
            old.close();
        }
        queues.insert(link, (worker, queue));
    }

    /// Serves a worker's connection until it ends.
    async fn attend(&self, (frames, writing): (Frames, Writing), worker: WorkerId) {
        let link = LinkId(self.links.replace(self.links.get() + 1));
        let queue = Queue::new();
        self.replace_queue(link, worker, queue.clone());
        self.happen(Event::Connected { link, worker });
        let mut counted = self.counters.connection();
        let room = |bytes| self.happen(Event::Room { link, bytes });
        let encode = |message: &ToWorker| counted.encode(message, Outgoing::to_worker);
        let timing = self.options.timing;
        let reason = tokio::select! {
            Err(error) = self.read(frames, link, &queue) => error.to_string(),
            Err(error) = paced::write(writing, &queue, timing, self.budget, room, encode) => error.to_string(),
        };
        tracing::info!(%worker, reason, "a connection has ended");
        self.queues.borrow_mut().remove(&link);
        self.happen(Event::Lost { link });
        if self.shard.borrow().is_deserted() {
            self.deserted.notify_one();
        }
    }

    async fn read(
        &self,
        mut frames: Frames,
        link: LinkId,
        answers: &Queue<ToWorker>,
    ) -> Result<(), Refused> {
        let mut known = Recalled::default();
        loop {
            let frame = pipe::next_frame(&mut frames, self.options.timing)
                .await
                .inspect_err(|error| warn_of(error, link))?;
            let message = read_to_shard(frame, &mut known)
                .inspect_err(|error| tracing::warn!(link = link.0, %error, "refused a message"))
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.happen(Event::Received { link, message });
            if self.budget.is_some() {
                // There may be something now of which others could hear early.
                let queues = self.queues.borrow();
                queues.values().for_each(|(_, queue)| queue.poke());
            }
            answers.room().await;
        }
    }

    /// Lets the shard take something in, and sends what comes of it.
    fn happen(&self, event: Event) {
        let messages = self
            .shard
            .borrow_mut()
            .on_event(event, self.started.elapsed());
        let queues = self.queues.borrow();
        for (link, message) in messages {
            let Some((_, queue)) = queues.get(&link) else {
                continue;
            };
            let bytes = 64
                + match &message {
                    ToWorker::Rows { batch, .. } | ToWorker::Changes { batch, .. } => batch.bytes(),
                    _ => 0,
                };
            // Of acknowledgements that follow each other the last one says it all.
            let acknowledges = |message: &ToWorker| matches!(message, ToWorker::Ack { .. });
            let supersedes = acknowledges(&message);
            queue.push(message, bytes, |last| supersedes && acknowledges(last));
        }
    }
}

/// Says what frame is refused; that a connection ends is no offence.
fn warn_of(error: &FrameError, link: LinkId) {
    if !matches!(error, FrameError::Io(_)) {
        tracing::warn!(link = link.0, %error, "refused a frame");
    }
}
