//! What the coordinator and the nodes say to each other.
//!
//! A message is a kind, a small head and a body of bytes that are not looked into here: packed
//! shards, tasks, shares and blocks.

use bytes::Bytes;

use super::cabinet::BlockId;
use super::parcel::{Malformed, Parcel, Travel, Unpacker, pack};

/// A process of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// Where the program is.
    Coordinator,
    /// A node, by its place in the list of members.
    Node(usize),
}

/// A message between two processes of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// To a node: a run of this program begins.
    Begin(String),
    /// To a node: a worker with its shard.
    Hire(usize, Parcel),
    /// To a node: a task.
    Push {
        /// The round.
        round: u64,
        /// The task's place in the plan.
        position: usize,
        /// Whose task it is.
        worker: usize,
        /// The task.
        task: Parcel,
    },
    /// To a node: send this block on, when those who asked before have had it.
    Send(BlockId, Party),
    /// To a node: a value that parcels will refer to by this name.
    Shared(u64, Bytes),
    /// To a node: these shared values and lenders are gone.
    Forget(Vec<u64>, Vec<u64>),
    /// To a node: send this worker's shard home.
    Dismiss(usize),
    /// To whom it was promised: a block.
    Block(BlockId, Bytes),
    /// To the coordinator: a share.
    Done {
        /// The task's place in the plan.
        position: usize,
        /// How long it took.
        seconds: f64,
        /// The share.
        share: Parcel,
    },
    /// To the coordinator: a task panicked.
    Panicked {
        /// The task's place in the plan.
        position: usize,
        /// What the panic said.
        message: String,
    },
    /// To the coordinator: the shard of a dismissed worker, and how many bytes of blocks the node has
    /// sent to which others since it last said so.
    Dismissed(usize, Parcel, Vec<(usize, u64)>),
    /// To the coordinator: another node cannot be reached.
    Cut(usize, String),
    /// To the coordinator: this node cannot go on.
    Stuck(String),
}

/// A message in two parts, as links carry it.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// Which message.
    pub kind: u8,
    /// All that is small.
    pub head: Bytes,
    /// All that may be large.
    pub body: Bytes,
}

impl Travel for Party {
    fn pack(&self, out: &mut super::Packer<'_>) {
        match self {
            Self::Coordinator => None::<usize>,
            Self::Node(rank) => Some(*rank),
        }
        .pack(out);
    }
    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        Ok(Option::unpack(from)?.map_or(Self::Coordinator, Self::Node))
    }
}

/// What a parcel needs beside its bytes.
type Names = (Vec<BlockId>, Vec<u64>);

fn names(parcel: &Parcel) -> Names {
    (parcel.loans.clone(), parcel.shared.clone())
}

fn parcel((loans, shared): Names, bytes: Bytes) -> Parcel {
    Parcel {
        bytes,
        loans,
        shared,
    }
}

impl Message {
    /// The message as bytes.
    pub fn encode(self) -> Packed {
        let packed = |kind, head, body| Packed { kind, head, body };
        let none = Bytes::new();
        match self {
            Self::Begin(program) => packed(1, pack(&program), none),
            Self::Hire(worker, shard) => packed(2, pack(&(worker, names(&shard))), shard.bytes),
            Self::Push {
                round,
                position,
                worker,
                task,
            } => packed(
                3,
                pack(&((round, position, worker), names(&task))),
                task.bytes,
            ),
            Self::Send(block, to) => packed(4, pack(&(block, to)), none),
            Self::Shared(name, bytes) => packed(5, pack(&name), bytes),
            Self::Forget(shared, lenders) => packed(6, pack(&(shared, lenders)), none),
            Self::Dismiss(worker) => packed(7, pack(&worker), none),
            Self::Block(block, bytes) => packed(8, pack(&block), bytes),
            Self::Done {
                position,
                seconds,
                share,
            } => packed(9, pack(&(position, seconds, names(&share))), share.bytes),
            Self::Panicked { position, message } => packed(10, pack(&(position, message)), none),
            Self::Dismissed(worker, shard, blocks) => {
                packed(11, pack(&(worker, names(&shard), blocks)), shard.bytes)
            }
            Self::Cut(rank, reason) => packed(12, pack(&(rank, reason)), none),
            Self::Stuck(reason) => packed(13, pack(&reason), none),
        }
    }

    /// The message that `packed` is.
    pub fn decode(packed: Packed) -> Result<Self, Malformed> {
        let Packed { kind, head, body } = packed;
        let mut from = Unpacker::new(&head);
        let message = match kind {
            1 => Self::Begin(Travel::unpack(&mut from)?),
            2 => {
                let (worker, names) = Travel::unpack(&mut from)?;
                Self::Hire(worker, parcel(names, body))
            }
            3 => {
                let ((round, position, worker), names) = Travel::unpack(&mut from)?;
                Self::Push {
                    round,
                    position,
                    worker,
                    task: parcel(names, body),
                }
            }
            4 => {
                let (block, to) = Travel::unpack(&mut from)?;
                Self::Send(block, to)
            }
            5 => Self::Shared(Travel::unpack(&mut from)?, body),
            6 => {
                let (shared, lenders) = Travel::unpack(&mut from)?;
                Self::Forget(shared, lenders)
            }
            7 => Self::Dismiss(Travel::unpack(&mut from)?),
            8 => Self::Block(Travel::unpack(&mut from)?, body),
            9 => {
                let (position, seconds, names) = Travel::unpack(&mut from)?;
                Self::Done {
                    position,
                    seconds,
                    share: parcel(names, body),
                }
            }
            10 => {
                let (position, message) = Travel::unpack(&mut from)?;
                Self::Panicked { position, message }
            }
            11 => {
                let (worker, names, blocks) = Travel::unpack(&mut from)?;
                Self::Dismissed(worker, parcel(names, body), blocks)
            }
            12 => {
                let (rank, reason) = Travel::unpack(&mut from)?;
                Self::Cut(rank, reason)
            }
            13 => Self::Stuck(Travel::unpack(&mut from)?),
            _ => return Err(Malformed("a message of this version")),
        };
        from.end()?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    //! Every message arrives as it was sent; noise is refused without harm.
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_round_trip() {
        let block = BlockId {
            lender: 7,
            block: 3,
        };
        let parcel = Parcel {
            bytes: Bytes::from_static(b"body"),
            loans: vec![block],
            shared: vec![9],
        };
        let messages = [
            Message::Begin("toy".to_owned()),
            Message::Hire(1, parcel.clone()),
            Message::Push {
                round: 5,
                position: 6,
                worker: 7,
                task: parcel.clone(),
            },
            Message::Send(block, Party::Node(4)),
            Message::Send(block, Party::Coordinator),
            Message::Shared(8, parcel.bytes.clone()),
            Message::Forget(vec![1, 2], vec![3]),
            Message::Dismiss(2),
            Message::Block(block, parcel.bytes.clone()),
            Message::Done {
                position: 1,
                seconds: 0.5,
                share: parcel.clone(),
            },
            Message::Panicked {
                position: 1,
                message: "no".to_owned(),
            },
            Message::Dismissed(3, parcel, vec![(1, 4096)]),
            Message::Cut(2, "gone".to_owned()),
            Message::Stuck("odd".to_owned()),
        ];
        for message in messages {
            assert_eq!(Message::decode(message.clone().encode()), Ok(message));
        }
    }

    proptest! {
        #[test]
        fn noise_is_refused(kind: u8, head: Vec<u8>) {
            let (head, body) = (Bytes::from(head), Bytes::new());
            let _ = Message::decode(Packed { kind, head, body });
        }
    }
}
