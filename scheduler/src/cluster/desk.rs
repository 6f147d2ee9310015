//! What a node does next: tasks wait for their worker and their blocks, blocks for their turn.
//!
//! The coordinator's instructions (use this block in that task, send it there) are carried out
//! block by block in the order in which they came, whenever the block is here. Since all
//! instructions come from one coordinator, in an order in which they could be carried out one after
//! the other, waiting never closes a circle: no locks, no priorities, no retries.
//!
//! This is the whole of a node's deciding; it knows names only, neither bytes nor sockets.

use std::collections::{BTreeMap, VecDeque};

use super::cabinet::BlockId;
use super::message::Party;

/// A task, numbered as it came.
pub type Ticket = u64;

/// Something to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Do this task.
    Push(Ticket),
    /// Send this block away.
    Send(BlockId, Party),
}

/// What waits for what.
#[derive(Debug, Default)]
pub struct Desk {
    next: Ticket,
    tasks: BTreeMap<Ticket, Waiting>,
    workers: BTreeMap<usize, Worker>,
    blocks: BTreeMap<BlockId, Block>,
}

#[derive(Debug)]
struct Waiting {
    worker: usize,
    loans: Vec<BlockId>,
}

#[derive(Debug, Default)]
struct Worker {
    queue: VecDeque<Ticket>,
    busy: bool,
}

#[derive(Debug, Default)]
struct Block {
    here: bool,
    in_use: bool,
    turns: VecDeque<Turn>,
}

/// An instruction that waits for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Use(Ticket),
    Send(Party),
}

impl Desk {
    /// A task for `worker` that needs `loans`.
    pub fn push(&mut self, worker: usize, loans: &[BlockId]) -> Ticket {
        let ticket = self.next;
        self.next += 1;
        for &block in loans {
            let turns = &mut self.blocks.entry(block).or_default().turns;
            turns.push_back(Turn::Use(ticket));
        }
        self.workers
            .entry(worker)
            .or_default()
            .queue
            .push_back(ticket);
        let loans = loans.to_vec();
        self.tasks.insert(ticket, Waiting { worker, loans });
        ticket
    }

    /// The block is wanted elsewhere when everybody here who asked before has had it.
    pub fn send(&mut self, block: BlockId, to: Party) {
        let turns = &mut self.blocks.entry(block).or_default().turns;
        turns.push_back(Turn::Send(to));
    }

    /// A block is here; false if it was already.
    pub fn arrived(&mut self, block: BlockId) -> bool {
        !std::mem::replace(&mut self.blocks.entry(block).or_default().here, true)
    }

    /// Something that can be done now, taken off the desk; its end is told to [`done`](Self::done)
    /// or [`sent`](Self::sent).
    pub fn next(&mut self) -> Option<Job> {
        self.next_send().or_else(|| self.next_push())
    }

    /// Others wait for what is to be sent, so it goes first.
    fn next_send(&mut self) -> Option<Job> {
        let ready = |block: &Block| block.here && !block.in_use;
        self.blocks.iter_mut().find_map(|(&id, block)| {
            let Some(&Turn::Send(to)) = block.turns.front().filter(|_| ready(block)) else {
                return None;
            };
            block.in_use = true;
            Some(Job::Send(id, to))
        })
    }

    fn next_push(&mut self) -> Option<Job> {
        let front = |worker: &Worker| worker.queue.front().copied().filter(|_| !worker.busy);
        let mut fronts = self.workers.values().filter_map(front);
        let ticket = fronts.find(|&ticket| self.is_ready(ticket))?;
        let task = &self.tasks[&ticket];
        for block in &task.loans {
            if let Some(block) = self.blocks.get_mut(block) {
                block.in_use = true;
            }
        }
        if let Some(worker) = self.workers.get_mut(&task.worker) {
            worker.busy = true;
        }
        Some(Job::Push(ticket))
    }

    fn is_ready(&self, ticket: Ticket) -> bool {
        self.tasks[&ticket].loans.iter().all(|id| {
            let block = &self.blocks[id];
            block.here && !block.in_use && block.turns.front() == Some(&Turn::Use(ticket))
        })
    }

    /// A task has been done.
    pub fn done(&mut self, ticket: Ticket) {
        let Some(task) = self.tasks.remove(&ticket) else {
            return;
        };
        for id in task.loans {
            if let Some(block) = self.blocks.get_mut(&id) {
                block.in_use = false;
                block.turns.pop_front();
            }
        }
        if let Some(worker) = self.workers.get_mut(&task.worker) {
            worker.busy = false;
            worker.queue.pop_front();
        }
    }

    /// A block has left.
    pub fn sent(&mut self, id: BlockId) {
        if let Some(block) = self.blocks.get_mut(&id) {
            (block.here, block.in_use) = (false, false);
            block.turns.pop_front();
            if block.turns.is_empty() {
                self.blocks.remove(&id);
            }
        }
    }

    /// The blocks of `lender` are of no interest any more.
    pub fn clear(&mut self, lender: u64) {
        self.blocks.retain(|id, _| id.lender != lender);
    }
}

#[cfg(test)]
mod tests {
    //! Instructions for a block are carried out in the order in which they came, and only while
    //! it is here; a worker does one task at a time, in order.
    use super::*;

    fn block(block: u64) -> BlockId {
        BlockId { lender: 0, block }
    }

    #[test]
    fn a_task_waits_for_its_block_and_the_block_then_moves_on() {
        let mut desk = Desk::default();
        let first = desk.push(0, &[block(1)]);
        desk.send(block(1), Party::Node(2));
        let second = desk.push(0, &[block(1)]);
        assert_eq!(desk.next(), None);
        assert!(desk.arrived(block(1)));
        assert_eq!(desk.next(), Some(Job::Push(first)));
        assert_eq!(desk.next(), None);
        desk.done(first);
        assert_eq!(desk.next(), Some(Job::Send(block(1), Party::Node(2))));
        desk.sent(block(1));
        assert_eq!(desk.next(), None);
        assert!(desk.arrived(block(1)));
        assert_eq!(desk.next(), Some(Job::Push(second)));
    }

    #[test]
    fn workers_do_their_own_tasks_in_order_and_side_by_side() {
        let mut desk = Desk::default();
        let tasks = [(0, 1), (0, 2), (1, 3)].map(|(w, b)| desk.push(w, &[block(b)]));
        for b in [3, 2, 1] {
            desk.arrived(block(b));
        }
        assert_eq!(desk.next(), Some(Job::Push(tasks[0])));
        assert_eq!(desk.next(), Some(Job::Push(tasks[2])));
        assert_eq!(desk.next(), None);
        desk.done(tasks[0]);
        assert_eq!(desk.next(), Some(Job::Push(tasks[1])));
    }

    #[test]
    fn a_block_is_in_one_place() {
        let mut desk = Desk::default();
        assert!(desk.arrived(block(0)));
        assert!(!desk.arrived(block(0)));
    }
}
