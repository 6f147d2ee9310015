//! Where every block is, and who has to send it to whom so that rounds find what they need.
//!
//! A plan is told to the ledger as soon as it is made ([`foresee`](Ledger::foresee)), and again when
//! its round begins ([`begin`](Ledger::begin)). A block that a later round needs is ordered to move
//! as soon as no earlier round that is still waiting needs it somewhere else: so it leaves its last
//! holder the moment that one has finished with it, while others are still at work on that round.

use std::collections::{BTreeMap, BTreeSet};

use super::cabinet::BlockId;
use super::message::Party;

/// An order to move a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The block.
    pub block: BlockId,
    /// Who has it, or will have had it by then.
    pub from: Party,
    /// Who gets it.
    pub to: Party,
}

/// Which blocks a task needs, and the node that does it.
pub type Use = (BlockId, usize);

/// The coordinator's knowledge of where blocks are.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Where blocks are once all orders so far have been carried out; what is not mentioned is
    /// with the coordinator.
    at: BTreeMap<BlockId, usize>,
    /// What rounds that have not begun will need.
    ahead: BTreeMap<u64, Vec<Use>>,
}

impl Ledger {
    /// A plan was made: `uses` will be needed in `round`. Returns what can move already.
    pub fn foresee(&mut self, round: u64, uses: Vec<Use>) -> Vec<Order> {
        self.ahead.insert(round, uses);
        self.orders()
    }

    /// A round begins, and needs `uses`. Returns what still has to move for it, and then what can
    /// move for later ones.
    ///
    /// The orders for later rounds take effect after the tasks of this one; the caller gives the
    /// nodes the first part, then the tasks, then the second part.
    pub fn begin(&mut self, round: u64, uses: &[Use]) -> Vec<Order> {
        self.ahead.remove(&round);
        uses.iter()
            .filter_map(|&(block, node)| self.bring(block, node))
            .collect()
    }

    /// What can move for the rounds that have not begun.
    pub fn orders(&mut self) -> Vec<Order> {
        let mut spoken_for = BTreeSet::new();
        let mut wanted = Vec::new();
        for uses in self.ahead.values() {
            wanted.extend(
                uses.iter()
                    .copied()
                    .filter(|use_| spoken_for.insert(use_.0)),
            );
        }
        let bring = |(block, node)| self.bring(block, node);
        wanted.into_iter().filter_map(bring).collect()
    }

    /// The run is over: plans that never began need nothing.
    pub fn end(&mut self) {
        self.ahead.clear();
    }

    /// Orders home all blocks of `lender`.
    pub fn recall(&mut self, lender: u64) -> Vec<Order> {
        let away = self.at.iter().filter(|(block, _)| block.lender == lender);
        let orders: Vec<Order> = away
            .map(|(&block, &node)| Order {
                block,
                from: Party::Node(node),
                to: Party::Coordinator,
            })
            .collect();
        self.clear(lender);
        orders
    }

    /// The blocks of `lender` are of no interest any more.
    pub fn clear(&mut self, lender: u64) {
        self.at.retain(|block, _| block.lender != lender);
    }

    fn bring(&mut self, block: BlockId, node: usize) -> Option<Order> {
        let from = match self.at.insert(block, node) {
            Some(holder) if holder == node => return None,
            Some(holder) => Party::Node(holder),
            None => Party::Coordinator,
        };
        let to = Party::Node(node);
        Some(Order { block, from, to })
    }
}

#[cfg(test)]
mod tests {
    //! Blocks move as early as they can, and never past a round that needs them elsewhere.
    use super::*;

    const B: BlockId = BlockId {
        lender: 0,
        block: 0,
    };

    fn order(from: Party, to: Party) -> Order {
        Order { block: B, from, to }
    }

    #[test]
    fn a_block_moves_ahead_for_the_next_round_that_needs_it() {
        use Party::{Coordinator, Node};
        let mut ledger = Ledger::default();
        assert_eq!(ledger.begin(0, &[(B, 1)]), [order(Coordinator, Node(1))]);
        assert_eq!(ledger.foresee(1, vec![(B, 2)]), [order(Node(1), Node(2))]);
        assert_eq!(ledger.foresee(2, vec![(B, 3)]), []);
        assert_eq!(ledger.begin(1, &[(B, 2)]), []);
        assert_eq!(ledger.orders(), [order(Node(2), Node(3))]);
        assert_eq!(ledger.begin(2, &[(B, 3)]), []);
        assert_eq!(ledger.recall(0), [order(Node(3), Coordinator)]);
    }

    #[test]
    fn a_round_that_changed_its_mind_gets_what_it_needs() {
        let mut ledger = Ledger::default();
        ledger.foresee(0, vec![(B, 1)]);
        let moved = ledger.begin(0, &[(B, 2)]);
        assert_eq!(moved, [order(Party::Node(1), Party::Node(2))]);
    }
}
