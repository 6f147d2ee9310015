//! A worker's end of the store over TCP: commands in, results out, sockets behind.

use super::driver::Driver;
use super::gather::Destination;
use super::paced;
use super::pipe::{self, Queue};
use super::traffic::{Counters, Traffic};
use super::{TcpError, Timing};
use crate::batch::{Batch, Layout, Misfit};
use crate::client::{Client, Command, Event, Failure, Limits, Outcome, Output, Ticket};
use crate::comm::Budget;
use crate::element::Element;
use crate::message::ToShard;
use crate::rows::RowSet;
use crate::spec::TableSpec;
use crate::wire::{Outgoing, Recalled, read_to_worker};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use strads_common::auth::Secret;
use strads_common::channel::{self, Reading, Writing};
use strads_common::ids::{Clock, ShardId, TableId, WorkerId};
use strads_common::lags::Lags;
use strads_common::socket;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

/// What a worker is told.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Who it is.
    pub worker: WorkerId,
    /// How many workers there are.
    pub workers: u32,
    /// Where each shard listens, in the order of their numbers.
    pub shards: Vec<SocketAddr>,
    /// The job's secret.
    pub secret: Secret,
    /// How soon things are noticed.
    pub timing: Timing,
    /// Unacknowledged bytes a shard from which on increments wait.
    pub window_bytes: usize,
}

/// How long to wait before a connection is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// A worker's end of the store. Dropping it makes the worker leave.
pub struct Worker {
    driver: Driver,
    desk: Arc<Desk>,
}

/// Where the program and the connections meet.
struct Desk {
    options: WorkerOptions,
    /// What may go to each shard.
    budget: Option<Budget>,
    counters: Counters,
    started: Instant,
    state: Mutex<State>,
    /// Something has been done.
    done: Notify,
}

struct State {
    client: Client,
    queues: Vec<Option<Arc<Queue<ToShard>>>>,
    results: FxHashMap<Ticket, Result<Outcome, Failure>>,
    /// Of reads whose handles are held: their rows so far.
    reads: FxHashMap<Ticket, (Destination, Layout)>,
    /// Reads under way whose handles are gone.
    abandoned: FxHashSet<Ticket>,
    tables: BTreeMap<TableId, TableSpec>,
    tickets: u64,
}

/// A read under way. What comes of it is dropped with its handle.
#[must_use = "rows are asked for to be looked at"]
pub struct Handle {
    ticket: Ticket,
    desk: Arc<Desk>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.desk.lock();
        let was_read = state.reads.remove(&self.ticket).is_none();
        if !was_read && state.results.remove(&self.ticket).is_none() {
            state.abandoned.insert(self.ticket);
        }
    }
}

impl Worker {
    /// A worker that connects to all shards, and goes on trying while they are away.
    pub fn start(options: WorkerOptions) -> Result<Worker, TcpError> {
        Self::launch(options, None)
    }

    /// The same with managed communication: what goes to each shard stays within `budget`, and
    /// increments of tables with slack go early while there is some left. Unsent increments are
    /// summed by row; the window should have room for those of a clock.
    pub fn managed(options: WorkerOptions, budget: Budget) -> Result<Worker, TcpError> {
        Self::launch(options, Some(budget))
    }

    fn launch(options: WorkerOptions, budget: Option<Budget>) -> Result<Worker, TcpError> {
        let shards = options.shards.len() as u32;
        let limits = Limits {
            window_bytes: options.window_bytes,
            patience: options.timing.patience,
            join: options.timing.join,
        };
        let client = Client::new(options.worker, shards, limits, Duration::ZERO);
        let state = State {
            client: match budget {
                Some(budget) => client.early(budget.order),
                None => client,
            },
            queues: vec![None; shards as usize],
            results: FxHashMap::default(),
            reads: FxHashMap::default(),
            abandoned: FxHashSet::default(),
            tables: BTreeMap::new(),
            tickets: 0,
        };
        let desk = Arc::new(Desk {
            options,
            budget,
            counters: Counters::default(),
            started: Instant::now(),
            state: Mutex::new(state),
            done: Notify::new(),
        });
        let driver = Driver::start().map_err(|source| TcpError::System {
            what: "input and output",
            source,
        })?;
        for shard in (0..shards).map(ShardId) {
            let desk = desk.clone();
            driver.spawn(async move { desk.keep_connected(shard).await });
        }
        let clock = desk.clone();
        driver.spawn(async move {
            loop {
                tokio::time::sleep(clock.options.timing.heartbeat).await;
                clock.happen(Event::Tick);
            }
        });
        Ok(Worker { driver, desk })
    }

    /// Makes `table` exist.
    pub fn create(&self, table: TableId, spec: TableSpec) -> Result<(), TcpError> {
        self.command(table, Command::Create(spec))?;
        self.desk.lock().tables.insert(table, spec);
        Ok(())
    }

    /// Adds `values`, row after row, to dense `rows`; they are taken over without a copy. Waits
    /// only while too much is on its way.
    pub fn inc<E: Element>(
        &self,
        table: TableId,
        rows: &Arc<RowSet>,
        values: Vec<E>,
    ) -> Result<(), TcpError> {
        self.inc_batch::<E>(table, Batch::dense(rows.clone(), values))
    }

    /// Adds some cells of some rows.
    pub fn inc_batch<E: Element>(&self, table: TableId, batch: Batch) -> Result<(), TcpError> {
        self.check_kind::<E>(table)?;
        self.command(table, Command::Inc(batch)).map(drop)
    }

    /// Dense rows, row after row.
    pub fn get<E: Element>(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Vec<E>, TcpError> {
        let handle = self.prefetch(table, rows)?;
        self.wait_for(handle, table, rows)
    }

    /// Asks for rows without waiting for them.
    pub fn prefetch(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Handle, TcpError> {
        let layout = self.layout(table)?;
        let command = Command::Get(rows.clone());
        let mut state = self.desk.lock();
        let ticket = state.next_ticket();
        let read = (Destination::new(layout, rows.len()), layout);
        state.reads.insert(ticket, read);
        let event = Event::Command {
            ticket,
            table,
            command,
        };
        self.desk.carry_out(&mut state, event);
        Ok(Handle {
            ticket,
            desk: self.desk.clone(),
        })
    }

    /// The dense rows that a prefetch has asked for.
    pub fn wait_for<E: Element>(
        &self,
        handle: Handle,
        table: TableId,
        _: &RowSet,
    ) -> Result<Vec<E>, TcpError> {
        self.check_kind::<E>(table)?;
        let (read, _) = self.end_of(handle)?;
        let sparse = Failure::Misfit(Misfit::DenseForSparse);
        read.into_cells().ok_or_else(|| sparse.into())
    }

    /// Rows, dense or sparse.
    pub fn get_batch(&self, table: TableId, rows: &Arc<RowSet>) -> Result<Batch, TcpError> {
        let (read, layout) = self.end_of(self.prefetch(table, rows)?)?;
        Ok(read.into_batch(rows, layout))
    }

    /// Waits until all pieces of a read are there.
    fn end_of(&self, handle: Handle) -> Result<(Destination, Layout), TcpError> {
        self.result(handle.ticket)?;
        let read = self.desk.lock().reads.remove(&handle.ticket);
        Ok(read.expect("a read is there for as long as its handle"))
    }

    /// Begins the next clock of `table`.
    pub fn clock(&self, table: TableId) -> Result<Clock, TcpError> {
        match self.command(table, Command::Clock)? {
            Outcome::Clock(clock) => Ok(clock),
            other => unreachable!("{other:?} for a clock"),
        }
    }

    /// Drops what is cached of `rows`; the next read asks for them.
    pub fn forget(&self, table: TableId, rows: &Arc<RowSet>) -> Result<(), TcpError> {
        self.command(table, Command::Forget(rows.clone())).map(drop)
    }

    /// Keeps at most `rows` rows of `table` between reads, those that were read last; all, if there
    /// is no number. Where a shard sends changes, it sends none of the others.
    pub fn keep(&self, table: TableId, rows: Option<usize>) -> Result<(), TcpError> {
        self.command(table, Command::Keep(rows)).map(drop)
    }

    /// Waits until everything that was incremented has arrived.
    pub fn settle(&self) -> Result<(), TcpError> {
        let ticket = self.desk.give(|ticket| Event::Settle { ticket });
        self.result(ticket).map(drop)
    }

    /// How many reads of `table` were behind the worker's clock by 0, 1, … rounds.
    pub fn staleness(&self, table: TableId) -> Lags {
        self.desk.lock().client.staleness(table)
    }

    /// What has been sent so far, and what has not had to be.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            withheld: self.desk.lock().client.withheld_bytes(),
            ..self.desk.counters.traffic()
        }
    }

    fn command(&self, table: TableId, command: Command) -> Result<Outcome, TcpError> {
        let ticket = self.desk.give(|ticket| Event::Command {
            ticket,
            table,
            command,
        });
        self.result(ticket)
    }

    fn layout(&self, table: TableId) -> Result<Layout, TcpError> {
        match self.desk.lock().tables.get(&table) {
            Some(spec) => Ok(spec.layout),
            None => Err(Failure::NoTable(table).into()),
        }
    }

    fn check_kind<E: Element>(&self, table: TableId) -> Result<(), TcpError> {
        match self.desk.lock().tables.get(&table) {
            None => Err(Failure::NoTable(table).into()),
            Some(spec) if spec.kind() != E::KIND => Err(Failure::Kind {
                table: spec.kind(),
                asked: E::KIND,
            }
            .into()),
            Some(_) => Ok(()),
        }
    }

    fn result(&self, ticket: Ticket) -> Result<Outcome, TcpError> {
        if let Some(result) = self.desk.lock().results.remove(&ticket) {
            return Ok(result?);
        }
        let result = self.driver.wait(async {
            loop {
                let done = self.desk.done.notified();
                if let Some(result) = self.desk.lock().results.remove(&ticket) {
                    return result;
                }
                done.await;
            }
        });
        Ok(result?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The shards find out by themselves if this does not reach them.
        let ticket = self.desk.give(|ticket| Event::Leave { ticket });
        let _ = self.result(ticket);
    }
}

impl State {
    fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// A command has a result; that of a read whose handle is gone is of interest to nobody.
    fn end(&mut self, ticket: Ticket, mut result: Result<Outcome, Failure>) {
        if self.abandoned.remove(&ticket) {
            return;
        }
        if let Ok(Outcome::Rows(pieces)) = &mut result
            && let Some((read, layout)) = self.reads.get_mut(&ticket)
        {
            pieces.drain(..).for_each(|piece| read.put(piece, *layout));
        }
        self.results.insert(ticket, result);
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds the desk")
    }

    fn give(&self, event: impl FnOnce(Ticket) -> Event) -> Ticket {
        let mut state = self.lock();
        let ticket = state.next_ticket();
        self.carry_out(&mut state, event(ticket));
        if self.budget.is_some() {
            // There may be something now that could go early.
            state.queues.iter().flatten().for_each(|queue| queue.poke());
        }
        ticket
    }

    fn happen(&self, event: Event) {
        self.carry_out(&mut self.lock(), event);
    }

    /// Lets the client take something in, and sends and tells what comes of it.
    fn carry_out(&self, state: &mut State, event: Event) {
        let mut done = false;
        for output in state.client.on_event(event, self.started.elapsed()) {
            match output {
                Output::Send(shard, message) => {
                    if let Some(queue) = &state.queues[shard.index()] {
                        // What a client has on its way is bounded by its window.
                        match self.budget {
                            Some(_) => queue.push_in(message.lane(), message),
                            None => queue.push(message, 0, |_| false),
                        }
                    }
                }
                Output::Piece(ticket, piece) => {
                    if let Some((read, layout)) = state.reads.get_mut(&ticket) {
                        read.put(piece, *layout);
                    }
                }
                Output::Done(ticket, result) => {
                    state.end(ticket, result);
                    done = true;
                }
            }
        }
        if done {
            self.done.notify_waiters();
        }
    }

    /// Connects to a shard, again and again.
    async fn keep_connected(&self, shard: ShardId) {
        loop {
            let error = match timeout(self.options.timing.silence, self.connect(shard)).await {
                Ok(Ok(stream)) => self.attend(stream, shard).await,
                Ok(Err(error)) => error,
                Err(_) => io::ErrorKind::TimedOut.into(),
            };
            tracing::debug!(%shard, %error, "not connected");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn connect(&self, shard: ShardId) -> io::Result<(Reading, Writing)> {
        let WorkerOptions {
            worker,
            workers,
            shards,
            secret,
            timing,
            ..
        } = &self.options;
        let stream = TcpStream::connect(shards[shard.index()]).await?;
        socket::prepare(&stream, timing.silence)?;
        paced::prepare(&stream, self.budget)?;
        let called = channel::call(stream, secret).await;
        let (reading, mut writing) = called.map_err(io::Error::other)?;
        let hello = Outgoing::hello(*worker, *workers, shard.0, shards.len() as u32);
        pipe::write_frames(&mut writing, std::iter::once(hello)).await?;
        Ok((reading, writing))
    }

    /// Moves messages until the connection ends; returns why it did.
    async fn attend(&self, (reading, writing): (Reading, Writing), shard: ShardId) -> io::Error {
        let queue = Queue::new();
        self.lock().queues[shard.index()] = Some(queue.clone());
        let mut counted = self.counters.connection();
        let room = |bytes| self.happen(Event::Room { shard, bytes });
        let encode = |message: &ToShard| counted.encode(message, Outgoing::to_shard);
        let timing = self.options.timing;
        let writing = paced::write(writing, &queue, timing, self.budget, room, encode);
        let error = tokio::select! {
            Err(error) = self.read(reading, shard) => error,
            Err(error) = writing => error,
        };
        self.lock().queues[shard.index()] = None;
        self.happen(Event::Lost { shard });
        error
    }

    async fn read(&self, half: Reading, shard: ShardId) -> io::Result<()> {
        let mut frames = pipe::frames(half, pipe::BODY_LIMIT);
        let mut known = Recalled::default();
        loop {
            let frame = pipe::next_frame(&mut frames, self.options.timing)
                .await
                .map_err(io::Error::other)?;
            let message = read_to_worker(frame, &mut known).map_err(io::Error::other)?;
            self.happen(Event::Received { shard, message });
        }
    }
}
