//! The coordinator's side of a cluster: what it says to the nodes, and what it makes of their
//! answers.
//!
//! A session lasts over many runs, so that blocks and shared values stay where they are from one
//! run to the next. It has no sockets: [`Post`] carries its messages.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::cabinet::{BlockId, Cabinet};
use super::ledger::{Ledger, Order, Use};
use super::message::{Message, Party};
use super::parcel::{Lent, Malformed, Packer, Parcel, Sharing, Unpacker};
use super::shared::Sent;
use super::traffic::Accounts;
use crate::error::Error;
use crate::record::Traffic;

/// What carries messages between the coordinator and its nodes.
pub trait Post: Send {
    /// Sends a message. Messages to one node arrive in order, or the node is lost.
    fn send(&mut self, node: usize, message: Message);
    /// Waits for whatever happens next.
    fn receive(&mut self) -> Event;
}

/// What happens to a coordinator.
#[derive(Debug)]
pub enum Event {
    /// A node says something.
    Said(usize, Message),
    /// A node is gone, and why one thinks so.
    Lost(usize, String),
}

/// The post, with a note of all that it carries.
struct Counted {
    post: Box<dyn Post>,
    accounts: Accounts,
}

impl Counted {
    fn send(&mut self, node: usize, message: Message) {
        self.accounts
            .note(Party::Coordinator, Party::Node(node), &message);
        self.post.send(node, message);
    }

    fn receive(&mut self) -> Event {
        let event = self.post.receive();
        if let Event::Said(node, message) = &event {
            self.accounts
                .note(Party::Node(*node), Party::Coordinator, message);
        }
        event
    }
}

/// The coordinator's side.
pub struct Session {
    post: Counted,
    nodes: Vec<Member>,
    ledger: Ledger,
    cabinets: BTreeMap<u64, Weak<dyn Cabinet>>,
    /// A lost node ends the session: what it had is gone.
    lost: Option<(usize, String)>,
}

struct Member {
    name: String,
    slots: usize,
    sent: Sent,
}

/// An answer of a node.
pub(super) enum Answer {
    Done {
        position: usize,
        seconds: f64,
        share: Parcel,
    },
    Panicked {
        position: usize,
        message: String,
    },
    Dismissed(usize, Parcel),
    /// A block came home.
    Home,
}

impl Session {
    /// A session with nodes of these names and slots.
    pub fn new(post: Box<dyn Post>, nodes: Vec<(String, usize)>) -> Self {
        let member = |(name, slots): (String, usize)| Member {
            name,
            slots: slots.max(1),
            sent: Sent::default(),
        };
        let accounts = Accounts::default();
        Self {
            post: Counted { post, accounts },
            nodes: nodes.into_iter().map(member).collect(),
            ledger: Ledger::default(),
            cabinets: BTreeMap::new(),
            lost: None,
        }
    }

    /// How many workers the nodes have room for.
    pub fn slots(&self) -> usize {
        self.nodes.iter().map(|node| node.slots).sum()
    }

    /// The node of each of `workers` workers: neighbours together, as many as there are slots.
    pub fn homes(&self, workers: usize) -> Vec<usize> {
        let slots = self.slots();
        let all = self.nodes.iter().enumerate();
        let seats: Vec<usize> = all
            .flat_map(|(node, member)| std::iter::repeat_n(node, member.slots))
            .collect();
        (0..workers)
            .map(|worker| seats[worker * slots / workers])
            .collect()
    }

    /// The error that ended the session, if one did.
    pub fn check(&self) -> Result<(), Error> {
        match &self.lost {
            None => Ok(()),
            Some((node, reason)) => Err(Error::Lost {
                node: self.nodes[*node].name.clone(),
                reason: reason.clone(),
            }),
        }
    }

    /// What has gone over links since this was last asked.
    pub fn traffic(&mut self) -> Vec<Traffic> {
        let nodes = &self.nodes;
        self.post.accounts.settle(|node| nodes[node].name.clone())
    }

    /// Tells all nodes that a run of `program` begins.
    pub fn begin(&mut self, program: &str) {
        self.tidy();
        for node in 0..self.nodes.len() {
            self.post.send(node, Message::Begin(program.to_owned()));
        }
    }

    /// Makes `worker` the owner of a shard.
    pub fn hire(&mut self, node: usize, worker: usize, pack: impl FnOnce(&mut Packer<'_>)) {
        let (shard, _) = self.pack_for(node, pack);
        self.post.send(node, Message::Hire(worker, shard));
    }

    /// Asks for a shard back.
    pub fn dismiss(&mut self, node: usize, worker: usize) {
        self.post.send(node, Message::Dismiss(worker));
    }

    /// A plan was made that will need these loans.
    pub fn foresee(&mut self, round: u64, loans: Vec<(usize, Vec<Lent>)>) {
        let uses = self.note(loans);
        for order in self.ledger.foresee(round, uses) {
            self.carry(order);
        }
    }

    /// Lets the blocks of a task that is to go out come to its node.
    pub fn bring(&mut self, round: u64, loans: Vec<(usize, Vec<Lent>)>) {
        let uses = self.note(loans);
        for order in self.ledger.begin(round, &uses) {
            self.carry(order);
        }
    }

    /// Sends a task out.
    pub fn push(
        &mut self,
        node: usize,
        (round, position, worker): (u64, usize, usize),
        pack: impl FnOnce(&mut Packer<'_>),
    ) {
        let (task, _) = self.pack_for(node, pack);
        let message = Message::Push {
            round,
            position,
            worker,
            task,
        };
        self.post.send(node, message);
    }

    /// All tasks of a round are out: lets blocks move on to later rounds.
    pub fn move_ahead(&mut self) {
        for order in self.ledger.orders() {
            self.carry(order);
        }
        self.tidy();
    }

    /// The run is over.
    pub fn end(&mut self) {
        self.ledger.end();
    }

    /// Brings all blocks of `lender` home.
    pub fn recall(&mut self, lender: u64) -> Result<(), Error> {
        self.check()?;
        let orders = self.ledger.recall(lender);
        for &order in &orders {
            self.carry(order);
        }
        for _ in orders {
            while !matches!(self.next()?, (_, Answer::Home)) {}
        }
        Ok(())
    }

    /// The next answer, and whose it is.
    pub fn next(&mut self) -> Result<(usize, Answer), Error> {
        self.check()?;
        let (node, reason) = match self.post.receive() {
            Event::Lost(node, reason) => (node, reason),
            Event::Said(node, message) => match self.understand(node, message) {
                Ok(Ok(answer)) => return Ok((node, answer)),
                Ok(Err((lost, reason))) => (lost.unwrap_or(node), reason),
                Err(malformed) => (node, malformed.to_string()),
            },
        };
        self.lost = Some((node, reason));
        self.check()?;
        unreachable!("a lost node is an error")
    }

    /// What a message means; if it is the end, of which node (none: of the one that says it).
    #[allow(clippy::type_complexity)]
    fn understand(
        &mut self,
        node: usize,
        message: Message,
    ) -> Result<Result<Answer, (Option<usize>, String)>, Malformed> {
        Ok(Ok(match message {
            Message::Done {
                position,
                seconds,
                share,
            } => Answer::Done {
                position,
                seconds,
                share,
            },
            Message::Panicked { position, message } => Answer::Panicked { position, message },
            Message::Dismissed(worker, shard, blocks) => {
                if blocks.iter().any(|&(to, _)| to >= self.nodes.len()) {
                    return Err(Malformed("a node of this job"));
                }
                self.post.accounts.note_blocks(node, &blocks);
                Answer::Dismissed(worker, shard)
            }
            Message::Block(block, bytes) => {
                // A lender that is gone has no use for its blocks.
                if let Some(cabinet) = self.cabinets.get(&block.lender).and_then(Weak::upgrade) {
                    let mut from = Unpacker::new(&bytes);
                    cabinet.put(block.block, &mut from)?;
                    from.end()?;
                }
                Answer::Home
            }
            Message::Cut(other, reason) if other < self.nodes.len() => {
                let witness = &self.nodes[node].name;
                return Ok(Err((Some(other), format!("{reason}, says {witness}"))));
            }
            Message::Stuck(reason) => return Ok(Err((None, reason))),
            _ => return Err(Malformed("a message to the coordinator")),
        }))
    }

    /// Reads an answer of `node`.
    pub fn unpack<T>(
        &mut self,
        node: usize,
        parcel: &Parcel,
        unpack: impl FnOnce(&mut Unpacker<'_>) -> Result<T, Malformed>,
    ) -> Result<T, Error> {
        let mut from = Unpacker::new(&parcel.bytes);
        from.sent = Some(&self.nodes[node].sent);
        let value = unpack(&mut from).and_then(|value| from.end().map(|()| value));
        value.map_err(|malformed| {
            self.lost = Some((node, malformed.to_string()));
            Error::Lost {
                node: self.nodes[node].name.clone(),
                reason: malformed.to_string(),
            }
        })
    }

    /// Packs for `node`, after sending it what the parcel refers to.
    fn pack_for(&mut self, node: usize, pack: impl FnOnce(&mut Packer<'_>)) -> (Parcel, Vec<Lent>) {
        let sent = &mut self.nodes[node].sent;
        let mut out = Packer::new(Sharing::Sent(sent));
        pack(&mut out);
        let packed = out.finish();
        for (name, bytes) in sent.take_new() {
            self.post.send(node, Message::Shared(name, bytes));
        }
        packed
    }

    /// Remembers the cabinets of loans.
    fn note(&mut self, loans: Vec<(usize, Vec<Lent>)>) -> Vec<Use> {
        let mut uses = Vec::new();
        for (node, lent) in loans {
            for Lent { block, cabinet } in lent {
                self.cabinets
                    .entry(block.lender)
                    .or_insert_with(|| Arc::downgrade(&cabinet));
                uses.push((block, node));
            }
        }
        uses
    }

    fn carry(&mut self, order: Order) {
        let Order { block, from, to } = order;
        match (from, to) {
            (Party::Node(holder), to) => self.post.send(holder, Message::Send(block, to)),
            (Party::Coordinator, Party::Node(node)) => {
                let bytes = self.take(block);
                self.post.send(node, Message::Block(block, bytes));
            }
            (Party::Coordinator, Party::Coordinator) => {}
        }
    }

    fn take(&self, block: BlockId) -> bytes::Bytes {
        let cabinet = self.cabinets[&block.lender].upgrade();
        let cabinet = cabinet.expect("a task that is to go out holds its lender");
        let mut out = Packer::new(Sharing::Copied);
        cabinet.take(block.block, &mut out);
        out.finish().0.bytes
    }

    /// Tells nodes what nobody here can ask for any more.
    fn tidy(&mut self) {
        let gone = self
            .cabinets
            .iter()
            .filter(|(_, cabinet)| cabinet.strong_count() == 0);
        let lenders: Vec<u64> = gone.map(|(&lender, _)| lender).collect();
        for lender in &lenders {
            self.cabinets.remove(lender);
            self.ledger.clear(*lender);
        }
        for (node, member) in self.nodes.iter_mut().enumerate() {
            let shared = member.sent.take_gone();
            if !shared.is_empty() || !lenders.is_empty() {
                self.post
                    .send(node, Message::Forget(shared, lenders.clone()));
            }
        }
    }
}
