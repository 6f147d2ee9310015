//! Which rows a worker keeps between reads: those that it does not keep it forgets, and lets the
//! shards that send their changes know.

use super::{Client, Outcome, Output, Ticket};
use crate::message::ToShard;
use crate::rows::RowSet;
use std::sync::Arc;
use strads_common::ids::TableId;

impl Client {
    pub(super) fn forget(&mut self, ticket: Ticket, id: TableId, rows: &RowSet) {
        // A row that is being asked for is about to be subscribed to again.
        let asked = self.reads.asked(id);
        self.drop_rows(id, rows, |key| !asked.contains(&key));
        self.out.push(Output::Done(ticket, Ok(Outcome::Accepted)));
        self.continue_reads(id);
    }

    pub(super) fn keep(&mut self, ticket: Ticket, id: TableId, rows: Option<usize>) {
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        table.cache.keep(rows);
        self.out.push(Output::Done(ticket, Ok(Outcome::Accepted)));
        self.evict(id);
    }

    /// Forgets the rows that are too many, but for those that a read is gathering.
    pub(super) fn evict(&mut self, id: TableId) {
        let surplus = match self.tables.get(&id) {
            Some(table) => table.cache.surplus(),
            None => return,
        };
        if !surplus.is_empty() {
            let wanted = self.reads.wanted(id);
            let rows = RowSet::ascending(surplus).expect("surplus keys are sorted");
            self.drop_rows(id, &rows, |key| !wanted.contains(&key));
        }
    }

    fn drop_rows(&mut self, id: TableId, rows: &RowSet, may: impl Fn(u64) -> bool) {
        let table = self.tables.get_mut(&id).expect("a table with rows");
        let forgotten = table.cache.forget(rows, may);
        if !table.spec.consistency.pushes() || forgotten.is_empty() {
            return;
        }
        let rows = Arc::new(RowSet::ascending(forgotten).expect("forgotten keys are sorted"));
        for part in table.split(&rows).iter() {
            if self.links[part.shard.index()].is_up() {
                let message = ToShard::Unsubscribe {
                    table: id,
                    rows: part.rows.clone(),
                };
                self.out.push(Output::Send(part.shard, message));
            }
        }
    }
}
