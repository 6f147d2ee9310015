//! A node without its sockets: takes messages in, does jobs, hands messages out.
//!
//! [`Desk`] decides what comes next; a node adds the bytes that go with the names. Whoever drives it
//! (threads beside a socket, or the simulated network) calls [`Node::take_in`] for every message and
//! [`Node::next`] and [`Node::perform`] for as long as there is something to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::cabinet::{BlockId, Cabinets};
use super::desk::{Desk, Job, Ticket};
use super::message::{Message, Party};
use super::parcel::{Malformed, Packer, Parcel, Sharing, Unpacker};
use super::remote::{Hands, Opened, Programs};
use super::shared::Received;

/// A node of one job.
pub struct Node {
    programs: Programs,
    state: Mutex<State>,
    news: Condvar,
    cabinets: Cabinets,
    received: Received,
}

#[derive(Default)]
struct State {
    desk: Desk,
    crew: Option<Arc<dyn Hands>>,
    tasks: BTreeMap<Ticket, Task>,
    /// Blocks that have not been opened since they came.
    packed: BTreeMap<BlockId, Bytes>,
    /// Bytes of blocks sent to other nodes and not yet told of.
    sent: BTreeMap<usize, u64>,
    closed: bool,
}

/// What a worker is to do. Unpacking and packing of what may be large is a task too: it does not
/// belong into the thread that keeps connections alive.
enum Task {
    Hire(usize, Parcel),
    Push {
        position: usize,
        worker: usize,
        parcel: Parcel,
    },
    Dismiss(usize),
}

/// A job with all that it needs, in the hands of a thread.
pub struct Work {
    job: Job,
    /// Of a push.
    task: Option<(Arc<dyn Hands>, Task)>,
    /// The packed blocks that it needs.
    packed: Vec<(BlockId, Bytes)>,
}

/// A message and who gets it.
pub type Addressed = (Party, Message);

impl Node {
    /// A node that can run `programs`.
    pub fn new(programs: Programs) -> Self {
        Self {
            programs,
            state: Mutex::default(),
            news: Condvar::new(),
            cabinets: Cabinets::default(),
            received: Received::default(),
        }
    }

    /// No program's code runs under the lock, so a poisoned one is as good as another.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message in; returns what has to be said to it at once.
    pub fn take_in(&self, message: Message) -> Result<Option<Addressed>, Malformed> {
        let mut answer = None;
        match message {
            Message::Begin(program) => match self.programs.crew(&program) {
                Some(crew) => self.lock().crew = Some(crew),
                None => {
                    let reason = format!("does not know the program `{program}`");
                    answer = Some((Party::Coordinator, Message::Stuck(reason)));
                }
            },
            Message::Hire(worker, shard) => {
                self.received.hold(&shard.shared)?;
                self.lock().add(worker, &[], Task::Hire(worker, shard));
            }
            Message::Push {
                position,
                worker,
                task: parcel,
                ..
            } => {
                self.received.hold(&parcel.shared)?;
                let loans = parcel.loans.clone();
                let task = Task::Push {
                    position,
                    worker,
                    parcel,
                };
                self.lock().add(worker, &loans, task);
            }
            Message::Send(block, to) => self.lock().desk.send(block, to),
            Message::Block(block, bytes) => {
                let mut state = self.lock();
                if !state.desk.arrived(block) {
                    return Err(Malformed("a block that was elsewhere"));
                }
                state.packed.insert(block, bytes);
            }
            Message::Shared(name, bytes) => self.received.put(name, bytes),
            Message::Forget(shared, lenders) => {
                self.received.forget(&shared);
                let mut state = self.lock();
                for lender in lenders {
                    state.desk.clear(lender);
                    state.packed.retain(|block, _| block.lender != lender);
                    self.cabinets.clear(lender);
                }
            }
            Message::Dismiss(worker) => self.lock().add(worker, &[], Task::Dismiss(worker)),
            _ => return Err(Malformed("a message to a node")),
        }
        self.news.notify_all();
        Ok(answer)
    }

    /// Shows `look` what is in a parcel, and lets go of what it refers to.
    fn unpacking<R>(
        &self,
        parcel: &Parcel,
        look: impl FnOnce(&mut Unpacker<'_>) -> Result<R, Malformed>,
    ) -> Result<R, Malformed> {
        let mut from = Unpacker::new(&parcel.bytes);
        from.cabinets = Some(&self.cabinets);
        from.received = Some(&self.received);
        let seen = look(&mut from);
        self.received.release(&parcel.shared);
        seen
    }

    /// Something to do, if there is any now.
    pub fn next(&self) -> Option<Work> {
        self.lock().next()
    }

    /// Something to do, as soon as there is; none when the node is closed.
    pub fn wait(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(work) = state.next() {
                return Some(work);
            }
            state = self
                .news
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the workers of the present run wait for each other, and so need a thread each.
    pub fn works_together(&self) -> bool {
        let state = self.lock();
        state.crew.as_ref().is_some_and(|crew| crew.together())
    }

    /// Nothing more is to be done.
    pub fn close(&self) {
        self.lock().closed = true;
        self.news.notify_all();
    }

    /// Does it, and says what it came to.
    pub fn perform(&self, work: Work) -> Result<Option<Addressed>, Malformed> {
        let Work { job, task, packed } = work;
        let said = match (job, task) {
            (Job::Push(_), Some((crew, task))) => {
                let said = self.labour(&*crew, task, packed)?;
                said.map(|message| (Party::Coordinator, message))
            }
            (Job::Send(block, to), _) => {
                let bytes = self.send(block, packed)?;
                if let Party::Node(rank) = to {
                    *self.lock().sent.entry(rank).or_default() += bytes.len() as u64;
                }
                Some((to, Message::Block(block, bytes)))
            }
            (Job::Push(_), None) => return Err(Malformed("within a run")),
        };
        let mut state = self.lock();
        match job {
            Job::Push(ticket) => state.desk.done(ticket),
            Job::Send(block, _) => state.desk.sent(block),
        }
        drop(state);
        self.news.notify_all();
        Ok(said)
    }

    fn labour(
        &self,
        crew: &dyn Hands,
        task: Task,
        packed: Vec<(BlockId, Bytes)>,
    ) -> Result<Option<Message>, Malformed> {
        match task {
            Task::Hire(worker, parcel) => {
                self.unpacking(&parcel, |from| crew.hire(worker, from))?;
                Ok(None)
            }
            Task::Push {
                position,
                worker,
                parcel,
            } => {
                let open = self.unpacking(&parcel, |from| crew.open(worker, from))?;
                self.push(position, open, packed).map(Some)
            }
            Task::Dismiss(worker) => {
                let mut out = Packer::new(Sharing::Returned(&self.received));
                crew.dismiss(worker, &mut out)?;
                let sent = std::mem::take(&mut self.lock().sent);
                let sent = sent.into_iter().collect();
                Ok(Some(Message::Dismissed(worker, out.finish().0, sent)))
            }
        }
    }

    fn push(
        &self,
        position: usize,
        open: Opened<'_>,
        packed: Vec<(BlockId, Bytes)>,
    ) -> Result<Message, Malformed> {
        for (block, bytes) in packed {
            let cabinet = self.cabinets.find(block.lender);
            let cabinet = cabinet.ok_or(Malformed("a block that its task mentions"))?;
            let mut from = Unpacker::new(&bytes);
            cabinet.put(block.block, &mut from)?;
            from.end()?;
        }
        let mut out = Packer::new(Sharing::Returned(&self.received));
        let began = Instant::now();
        let outcome = open(&mut out);
        let seconds = began.elapsed().as_secs_f64();
        Ok(match outcome {
            Ok(()) => Message::Done {
                position,
                seconds,
                share: out.finish().0,
            },
            Err(message) => Message::Panicked { position, message },
        })
    }

    fn send(&self, block: BlockId, packed: Vec<(BlockId, Bytes)>) -> Result<Bytes, Malformed> {
        // What has not been opened here goes on as it came.
        if let Some((_, bytes)) = packed.into_iter().next() {
            return Ok(bytes);
        }
        let cabinet = self.cabinets.find(block.lender);
        let cabinet = cabinet.ok_or(Malformed("a block that is here"))?;
        let mut out = Packer::new(Sharing::Copied);
        cabinet.take(block.block, &mut out);
        Ok(out.finish().0.bytes)
    }
}

impl State {
    fn add(&mut self, worker: usize, loans: &[BlockId], task: Task) {
        let ticket = self.desk.push(worker, loans);
        self.tasks.insert(ticket, task);
    }

    fn next(&mut self) -> Option<Work> {
        let job = self.desk.next()?;
        let (task, blocks) = match job {
            Job::Push(ticket) => {
                let task = self.tasks.remove(&ticket)?;
                let blocks = match &task {
                    Task::Push { parcel, .. } => parcel.loans.clone(),
                    Task::Hire(..) | Task::Dismiss(_) => Vec::new(),
                };
                (self.crew.clone().map(|crew| (crew, task)), blocks)
            }
            Job::Send(block, _) => (None, vec![block]),
        };
        let packed = blocks.into_iter();
        let packed = packed.filter_map(|block| Some((block, self.packed.remove(&block)?)));
        Some(Work {
            job,
            task,
            packed: packed.collect(),
        })
    }
}
