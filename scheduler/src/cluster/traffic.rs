//! What has gone over the links of a job, by sender, receiver and kind of content.
//!
//! The coordinator counts what it says and hears; nodes count the blocks that go from one to
//! another, and say so when a run ends.

use std::collections::BTreeMap;

use strads_common::frame::HEADER_BYTES;

use super::message::{Message, Party};
use crate::record::Traffic;

/// Bytes that were sent, since they were last asked for.
#[derive(Debug, Default)]
pub struct Accounts(BTreeMap<(Party, Party, &'static str), u64>);

impl Accounts {
    /// Notes a message on its way.
    pub fn note(&mut self, from: Party, to: Party, message: &Message) {
        let (kind, bytes) = content(message);
        self.add((from, to, kind), (bytes + HEADER_BYTES) as u64);
    }

    /// Notes the blocks that went from `node` to other nodes.
    pub fn note_blocks(&mut self, node: usize, sent: &[(usize, u64)]) {
        for &(to, bytes) in sent {
            self.add((Party::Node(node), Party::Node(to), BLOCKS), bytes);
        }
    }

    /// All of it, with the nodes' names; from now on the count is nothing.
    pub fn settle(&mut self, name: impl Fn(usize) -> String) -> Vec<Traffic> {
        let name = |party| match party {
            Party::Coordinator => "coordinator".to_owned(),
            Party::Node(node) => name(node),
        };
        let all = std::mem::take(&mut self.0).into_iter();
        all.map(|((from, to, kind), bytes)| Traffic {
            from: name(from),
            to: name(to),
            kind: kind.to_owned(),
            bytes,
        })
        .collect()
    }

    fn add(&mut self, link: (Party, Party, &'static str), bytes: u64) {
        *self.0.entry(link).or_default() += bytes;
    }
}

const BLOCKS: &str = "blocks";

/// What kind of content a message has, and how many bytes of it.
fn content(message: &Message) -> (&'static str, usize) {
    match message {
        Message::Hire(_, shard) | Message::Dismissed(_, shard, _) => ("shards", shard.bytes.len()),
        Message::Push { task, .. } => ("tasks", task.bytes.len()),
        Message::Done { share, .. } => ("shares", share.bytes.len()),
        Message::Shared(_, bytes) => ("shared values", bytes.len()),
        Message::Block(_, bytes) => (BLOCKS, bytes.len()),
        Message::Begin(_)
        | Message::Send(..)
        | Message::Forget(..)
        | Message::Dismiss(_)
        | Message::Panicked { .. }
        | Message::Cut(..)
        | Message::Stuck(_) => ("orders", 0),
    }
}
