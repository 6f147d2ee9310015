//! Updates from every worker to every other one, without a server.
//!
//! An update is what a worker adds in one clock: one or more [`Piece`]s, which leave as soon as
//! they exist, the most urgent first, and travel over a [`Topology`](crate::topology::Topology).
//! [`Peer`] is one worker's part in it, a state machine without sockets and clocks; it sees to
//! this:
//!
//! - *Once.* Each update is handed out once by every peer, however it travelled and however often
//!   connections broke on the way.
//! - *Bounded.* A worker begins clock `c` only when it *has* all updates before `c − s`
//!   ([`Consistency::needs`](crate::consistency::Consistency::needs)): time spent on the way, over
//!   however many hops, counts against the bound.
//! - *Equal.* Under [`Bsp`](crate::consistency::Consistency::Bsp) updates are handed out clock by
//!   clock in the order of workers, the same everywhere; otherwise as they come, and each origin's
//!   in order.
//! - *Whole or not at all.* What a lost worker said last is handed out by all survivors or by none
//!   of them ([`view`]).
//!
//! Peers live on sockets ([`tcp`]), in one process ([`room`]) or in virtual time ([`sim`]).

mod link;
mod links;
mod peer;
mod ring;
pub mod room;
pub mod sim;
mod stream;
pub mod tcp;
mod view;
mod wire;

pub use peer::{Event, Failure, OnLoss, Peer, Setting};
pub use ring::Chunk;
pub use view::Report;

use bytes::Bytes;
use strads_common::ids::{Clock, WorkerId};

/// Content that is merged into one message; a relay passes on what it has of it.
const MERGED_BYTES: usize = 1 << 20;

/// A worker's end of a broadcast: its [`Peer`], in a place where messages are moved for it.
pub trait Home {
    /// Lets `act` do something with the peer, and moves what comes of it.
    fn with<T>(&self, act: impl FnOnce(&mut Peer) -> T) -> T;

    /// Waits until `until` is true, or the peer cannot go on.
    fn wait(&self, until: impl FnMut(&mut Peer) -> bool) -> Result<(), Failure>;

    /// Done: nobody waits for this worker any more. Dropping a home without this counts as a loss.
    fn leave(self);

    /// Waits until this worker may begin its clock; what has become due by then.
    fn begin(&self) -> Result<Vec<Update>, Failure> {
        self.wait(|peer| peer.may_begin())?;
        Ok(self.with(Peer::begin))
    }

    /// Waits until all updates before this worker's clock are here; what has become due by then.
    fn settle(&self) -> Result<Vec<Update>, Failure> {
        self.wait(|peer| peer.is_settled())?;
        Ok(self.with(Peer::take_updates))
    }

    /// The sum of everybody's `values`.
    fn reduce(&self, values: Vec<f32>) -> Result<Vec<f32>, Failure> {
        self.with(|peer| peer.reduce(values));
        let mut sum = None;
        self.wait(|peer| {
            sum = peer.reduced();
            sum.is_some()
        })?;
        Ok(sum.expect("waited for"))
    }
}

/// A part of an update, as it travels.
#[derive(Clone, PartialEq, Debug)]
pub struct Piece {
    /// Whose update it is.
    pub origin: WorkerId,
    /// The clock in which it was made.
    pub clock: Clock,
    /// Its place in the update.
    pub index: u32,
    /// Nothing comes behind it in this update.
    pub last: bool,
    /// All updates before this clock had arrived at the origin when it made this one.
    pub seen: Clock,
    /// How many workers the origin knew to be lost.
    pub epoch: u32,
    /// Among pieces of one clock those with lower numbers go first.
    pub urgency: u16,
    /// How the content is to be read.
    pub form: u8,
    /// What is to be added.
    pub content: Bytes,
}

/// A whole update, as it is handed out.
#[derive(Clone, PartialEq, Debug)]
pub struct Update {
    /// Whose it is.
    pub origin: WorkerId,
    /// The clock in which it was made.
    pub clock: Clock,
    /// Its pieces, in their order.
    pub pieces: Vec<Piece>,
}

/// What peers say to each other.
#[derive(Clone, PartialEq, Debug)]
pub enum Message {
    /// Pieces of the sender or relayed by it, merged into one frame.
    Pieces(Vec<Piece>),
    /// Who is lost, and how far what they said has come.
    View(Report),
    /// A part of a sum that goes round.
    Chunk(Chunk),
    /// The sender has everything and is done.
    Goodbye,
}
