//! Peers over TCP: one connection between each pair of neighbours, opened by the lower number.
//!
//! A connection begins with the mutual proof of the job's secret, then carries frames, as those of
//! the store do ([`crate::tcp`]); its two ends send signs of life. What to say, to whom, and what a
//! loss means is [`Peer`]'s to decide; here it is carried.

use super::wire;
use super::{Event, Failure, Home, MERGED_BYTES, OnLoss, Peer, Setting};
use crate::consistency::Consistency;
use crate::tcp::driver::Driver;
use crate::tcp::{TcpError, Timing, pipe};
use crate::topology::Topology;
use crate::wire::Outgoing;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use strads_common::auth::Secret;
use strads_common::channel::{self, Reading, Writing};
use strads_common::ids::WorkerId;
use strads_common::socket;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// What a node is told.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Who it is.
    pub me: WorkerId,
    /// Where each worker listens, in the order of their numbers.
    pub addresses: Vec<SocketAddr>,
    /// Who talks to whom.
    pub topology: Topology,
    /// How far apart workers may be.
    pub consistency: Consistency,
    /// What becomes of the others when one is lost.
    pub on_loss: OnLoss,
    /// The job's secret.
    pub secret: Secret,
    /// How soon things are noticed.
    pub timing: Timing,
}

/// How long to wait before a connection is tried again.
const RETRY: Duration = Duration::from_millis(50);
/// Connections that may be proving themselves at the same time.
const STRANGERS: usize = 32;

/// A worker's end of a broadcast over TCP. Dropping it without having left looks like its loss.
pub struct Node {
    driver: Driver,
    desk: Arc<Desk>,
}

/// Where the program and the connections meet.
struct Desk {
    options: NodeOptions,
    started: Instant,
    state: Mutex<State>,
    /// Something has changed that the program may wait for.
    changed: Notify,
    /// There may be neighbours to connect to.
    relinked: Notify,
    sent_bytes: AtomicU64,
}

struct State {
    peer: Peer,
    /// How many members there were when links last changed.
    members: usize,
    connections: BTreeMap<WorkerId, Arc<Connection>>,
    dialled: BTreeMap<WorkerId, Arc<Notify>>,
}

/// The present connection to a neighbour.
#[derive(Default)]
struct Connection {
    /// There may be something to send.
    wake: Notify,
    /// Another one has taken its place.
    replaced: Notify,
}

impl Node {
    /// A node that listens at `listener`, connects to its neighbours, and goes on trying while they
    /// are away.
    pub fn start(listener: TcpListener, options: NodeOptions) -> Result<Node, TcpError> {
        let system = |what| move |source| TcpError::System { what, source };
        listener
            .set_nonblocking(true)
            .map_err(system("listening socket"))?;
        let setting = Setting {
            me: options.me,
            workers: options.addresses.len() as u32,
            topology: options.topology,
            consistency: options.consistency,
            on_loss: options.on_loss,
            patience: options.timing.patience,
            join: options.timing.join,
        };
        let desk = Arc::new(Desk {
            options,
            started: Instant::now(),
            state: Mutex::new(State {
                peer: Peer::new(setting, Duration::ZERO),
                members: setting.workers as usize,
                connections: BTreeMap::new(),
                dialled: BTreeMap::new(),
            }),
            changed: Notify::new(),
            relinked: Notify::new(),
            sent_bytes: AtomicU64::new(0),
        });
        let driver = Driver::start().map_err(system("input and output"))?;
        let listening = desk.clone();
        driver.spawn(async move {
            if let Err(error) = listening.listen(listener).await {
                tracing::error!(%error, "cannot listen");
            }
        });
        let dialling = desk.clone();
        driver.spawn(async move { dialling.dial_neighbours().await });
        let ticking = desk.clone();
        driver.spawn(async move {
            loop {
                tokio::time::sleep(ticking.options.timing.heartbeat).await;
                ticking.happen(Event::Tick);
            }
        });
        Ok(Node { driver, desk })
    }

    /// Bytes of frames that have been sent, headers and signs of life included.
    pub fn sent_bytes(&self) -> u64 {
        self.desk.sent_bytes.load(Ordering::Relaxed)
    }

    /// Waits until all that can be sent has been, but not for ever.
    fn flush(&self) {
        let within = self.desk.options.timing.silence;
        let flushed = async {
            while self.desk.lock().has_messages() {
                self.desk.changed.notified().await;
            }
        };
        // A neighbour that does not read cannot hold this one up.
        self.driver
            .wait(async { timeout(within, flushed).await.ok() });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Others are to hear from this one why it stops.
        if self.desk.lock().peer.failure().is_some() {
            self.flush();
        }
    }
}

impl Home for Node {
    fn with<T>(&self, act: impl FnOnce(&mut Peer) -> T) -> T {
        let mut state = self.desk.lock();
        let result = act(&mut state.peer);
        self.desk.attend_to(&mut state);
        result
    }

    fn wait(&self, mut until: impl FnMut(&mut Peer) -> bool) -> Result<(), Failure> {
        let mut look = || {
            let peer = &mut self.desk.lock().peer;
            match peer.failure() {
                Some(failure) => Some(Err(failure)),
                None => until(peer).then_some(Ok(())),
            }
        };
        if let Some(found) = look() {
            return found;
        }
        self.driver.wait(async {
            loop {
                let changed = self.desk.changed.notified();
                if let Some(found) = look() {
                    return found;
                }
                changed.await;
            }
        })
    }

    /// Says so to the neighbours, when they have got all else that was to be said.
    fn leave(self) {
        self.with(Peer::leave);
        self.flush();
    }
}

impl State {
    /// Whether there is something to say to somebody who can be reached.
    fn has_messages(&self) -> bool {
        let mut waiting = self.peer.waiting();
        waiting.any(|neighbour| self.connections.contains_key(&neighbour))
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds the desk")
    }

    fn happen(&self, event: Event) {
        let mut state = self.lock();
        state.peer.on_event(event, self.started.elapsed());
        self.attend_to(&mut state);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Wakes the connections that have something to send, and the dialler if links have changed.
    fn attend_to(&self, state: &mut State) {
        for neighbour in state.peer.waiting() {
            if let Some(connection) = state.connections.get(&neighbour) {
                connection.wake.notify_one();
            }
        }
        if state.peer.members().len() != state.members {
            state.members = state.peer.members().len();
            self.relinked.notify_one();
        }
    }

    /// Keeps a connection to each neighbour with a higher number, and gives up the others.
    async fn dial_neighbours(self: &Arc<Self>) {
        loop {
            self.dial_new_neighbours();
            self.relinked.notified().await;
        }
    }

    fn dial_new_neighbours(self: &Arc<Self>) {
        let mut state = self.lock();
        let wanted = state
            .peer
            .neighbours()
            .filter(|other| *other > self.options.me);
        let wanted: Vec<WorkerId> = wanted.collect();
        for (_, stop) in state
            .dialled
            .extract_if(.., |neighbour, _| !wanted.contains(neighbour))
        {
            stop.notify_one();
        }
        for neighbour in wanted {
            if state.dialled.contains_key(&neighbour) {
                continue;
            }
            let stop = Arc::new(Notify::new());
            state.dialled.insert(neighbour, stop.clone());
            let desk = self.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = desk.keep_connected(neighbour) => {}
                    () = stop.notified() => {}
                }
            });
        }
    }

    async fn keep_connected(&self, neighbour: WorkerId) {
        let silence = self.options.timing.silence;
        loop {
            match timeout(silence, self.call(neighbour)).await {
                Ok(Ok((reading, writing))) => {
                    let frames = pipe::frames(reading, pipe::BODY_LIMIT);
                    self.attend(frames, writing, neighbour).await;
                }
                Ok(Err(error)) => tracing::debug!(%neighbour, %error, "not connected"),
                Err(_) => tracing::debug!(%neighbour, "not connected in time"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn call(&self, neighbour: WorkerId) -> io::Result<(Reading, Writing)> {
        let NodeOptions {
            me,
            addresses,
            secret,
            timing,
            ..
        } = &self.options;
        let stream = TcpStream::connect(addresses[neighbour.index()]).await?;
        socket::prepare(&stream, timing.silence)?;
        let (reading, mut writing) = channel::call(stream, secret)
            .await
            .map_err(io::Error::other)?;
        let hello = wire::hello(*me, addresses.len() as u32);
        pipe::write_frames(&mut writing, std::iter::once(hello)).await?;
        Ok((reading, writing))
    }

    async fn listen(self: &Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let strangers = Arc::new(Semaphore::new(STRANGERS));
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // Out of file descriptors, or a connection that ended before it was accepted.
                tokio::time::sleep(RETRY).await;
                continue;
            };
            // Beyond the limit strangers are turned away, so that they cannot keep others out.
            let Ok(permit) = strangers.clone().try_acquire_owned() else {
                continue;
            };
            let desk = self.clone();
            tokio::spawn(async move {
                let met = timeout(desk.options.timing.silence, desk.meet(stream)).await;
                drop(permit);
                match met {
                    Ok(Ok((frames, writing, caller))) => desk.attend(frames, writing, caller).await,
                    Ok(Err(error)) => tracing::warn!(%peer, %error, "refused a connection"),
                    Err(_) => {
                        tracing::warn!(%peer, "refused a connection that did not prove itself")
                    }
                }
            });
        }
    }

    /// Finds out who a caller is.
    async fn meet(&self, stream: TcpStream) -> io::Result<(Frames, Writing, WorkerId)> {
        socket::prepare(&stream, self.options.timing.silence)?;
        let (reading, writing) = channel::accept(stream, &self.options.secret)
            .await
            .map_err(io::Error::other)?;
        let mut frames = pipe::frames(reading, 0);
        let hello = pipe::next_frame(&mut frames, self.options.timing);
        let hello = hello.await.map_err(io::Error::other)?.header;
        let workers = self.options.addresses.len() as u64;
        let of_this_job = hello.kind == wire::HELLO && hello.extra == workers;
        if !of_this_job || u64::from(hello.table) >= workers {
            return Err(io::Error::other("the caller is not of this job"));
        }
        frames.decoder_mut().limit = pipe::BODY_LIMIT;
        Ok((frames, writing, WorkerId(hello.table)))
    }

    /// Moves messages until the connection ends or another one takes its place.
    async fn attend(&self, frames: Frames, writing: Writing, neighbour: WorkerId) {
        let connection = Arc::new(Connection::default());
        let before = self
            .lock()
            .connections
            .insert(neighbour, connection.clone());
        if let Some(before) = before {
            before.replaced.notify_one();
            self.happen(Event::Disconnected(neighbour));
        }
        self.happen(Event::Connected(neighbour));
        tokio::select! {
            Err(error) = self.read(frames, neighbour) => tracing::info!(%neighbour, %error, "a connection has ended"),
            Err(error) = self.write(writing, neighbour, &connection) => tracing::info!(%neighbour, %error, "a connection has ended"),
            () = connection.replaced.notified() => return,
        }
        let is_current = |present: &Arc<Connection>| Arc::ptr_eq(present, &connection);
        let mut state = self.lock();
        if state.connections.get(&neighbour).is_some_and(is_current) {
            state.connections.remove(&neighbour);
            drop(state);
            self.happen(Event::Disconnected(neighbour));
        }
    }

    async fn read(&self, mut frames: Frames, from: WorkerId) -> io::Result<()> {
        loop {
            let frame = pipe::next_frame(&mut frames, self.options.timing);
            let frame = frame.await.map_err(io::Error::other)?;
            let message = wire::decode(frame).map_err(io::Error::other)?;
            self.happen(Event::Received { from, message });
        }
    }

    async fn write(
        &self,
        mut half: Writing,
        neighbour: WorkerId,
        connection: &Connection,
    ) -> io::Result<()> {
        let mut beat = interval(self.options.timing.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let message = self.lock().peer.next_message(neighbour, MERGED_BYTES);
            let (frame, bytes) = match &message {
                Some(message) => (wire::encode(message), wire::bytes(message)),
                None => {
                    self.changed.notify_waiters();
                    tokio::select! {
                        () = connection.wake.notified() => continue,
                        _ = beat.tick() => (Outgoing::alive(), strads_common::frame::HEADER_BYTES),
                    }
                }
            };
            pipe::write_frames(&mut half, std::iter::once(frame)).await?;
            self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

type Frames = tokio_util::codec::FramedRead<Reading, strads_common::frame::FrameDecoder>;
