//! Reads under way: what each of them waits for, and how it ends.
//!
//! A table that caches is read from its cache once all rows there are fresh enough; what is
//! lacking is asked for. A table that does not is read past the cache, part by part.

use super::cache::State;
use super::{Client, Failure, Outcome, Output, Piece, Ticket};
use crate::batch::Batch;
use crate::message::{PartId, ToShard};
use crate::placement::{Part, Positions};
use crate::rows::RowSet;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::sync::Arc;
use strads_common::ids::{Clock, ShardId, TableId};

/// The reads of a worker that have begun and not ended.
#[derive(Default)]
pub(super) struct Reads {
    under_way: BTreeMap<Ticket, Read>,
    parts: BTreeMap<PartId, (Ticket, Part)>,
    next_part: u64,
}

struct Read {
    table: TableId,
    rows: Arc<RowSet>,
    /// The worker's clock when the read began, and the table clock that it needs.
    clock: Clock,
    need: Clock,
    operation: Option<u64>,
    outstanding: usize,
    least_fresh: Clock,
}

impl Reads {
    /// Whether a read of `table` is under way.
    pub fn any_of(&self, table: TableId) -> bool {
        self.under_way.values().any(|read| read.table == table)
    }

    /// The rows of `table` that reads are waiting for or have to give.
    pub fn wanted(&self, table: TableId) -> FxHashSet<u64> {
        let reads = self.under_way.values().filter(|read| read.table == table);
        reads.flat_map(|read| read.rows.keys()).collect()
    }

    /// The rows of `table` that shards have been asked for.
    pub fn asked(&self, table: TableId) -> FxHashSet<u64> {
        let of_table = |ticket| {
            self.under_way
                .get(ticket)
                .is_some_and(|read| read.table == table)
        };
        let parts = self.parts.values().filter(|(ticket, _)| of_table(ticket));
        parts.flat_map(|(_, part)| part.rows.keys()).collect()
    }
}

impl Client {
    pub(super) fn start_read(&mut self, ticket: Ticket, id: TableId, rows: Arc<RowSet>) {
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        let (clock, need) = (table.clock, table.spec.consistency.needs(table.clock));
        let mut read = Read {
            table: id,
            rows: rows.clone(),
            clock,
            need,
            operation: None,
            outstanding: 0,
            least_fresh: Clock(u64::MAX),
        };
        if table.spec.consistency.caches() {
            self.reads.under_way.insert(ticket, read);
            return self.continue_read(ticket);
        }
        let parts = table.split(&rows);
        // A read is one thing to wait for, however many messages it takes.
        read.operation = Some(table.operations.start(usize::from(!parts.is_empty())));
        read.outstanding = parts.len();
        self.reads.under_way.insert(ticket, read);
        self.ask(ticket, id, &parts, need);
        self.finish_if_complete(ticket);
    }

    fn ask(&mut self, ticket: Ticket, table: TableId, parts: &[Part], need: Clock) {
        for part in parts {
            let id = PartId(self.reads.next_part);
            self.reads.next_part += 1;
            self.reads.parts.insert(id, (ticket, part.clone()));
            let message = ToShard::Get {
                part: id,
                table,
                rows: part.rows.clone(),
                need,
            };
            if self.links[part.shard.index()].keep_question(id, message.clone()) {
                self.out.push(Output::Send(part.shard, message));
            }
        }
    }

    /// Reads from the cache, or asks for what is lacking.
    fn continue_read(&mut self, ticket: Ticket) {
        let Some(read) = self.reads.under_way.get_mut(&ticket) else {
            return;
        };
        if read.outstanding > 0 {
            return;
        }
        let (id, need, rows) = (read.table, read.need, read.rows.clone());
        let table = self.tables.get_mut(&id).expect("a read's table");
        let lacking = table.cache.lacking(&rows, need);
        if lacking.absent.is_empty() && lacking.stale.is_empty() {
            let batch = table.read_cached(&rows);
            let positions = Positions::Run(0..rows.len());
            self.finish(ticket, vec![Piece { positions, batch }]);
            return self.evict(id);
        }
        // The whole set, if all of it is lacking, is recognised where it was seen before.
        let absent = match lacking.absent.len() == rows.len() {
            true => rows,
            false => Arc::new(
                RowSet::ascending(lacking.absent).expect("a part of an ascending set ascends"),
            ),
        };
        let parts = table.split(&absent);
        read.outstanding = parts.len();
        self.ask(ticket, id, &parts, need);
    }

    /// Asks the shards whose changes reads are waiting for when they will be there: one that waits in
    /// vain for a worker says so to those who ask.
    pub(super) fn ask_after_changes(&mut self) {
        let idle = self.reads.under_way.iter();
        let idle = idle.filter(|(_, read)| read.outstanding == 0);
        let tickets: Vec<Ticket> = idle.map(|(&ticket, _)| ticket).collect();
        for ticket in tickets {
            let Some(read) = self.reads.under_way.get_mut(&ticket) else {
                continue;
            };
            let (id, need) = (read.table, read.need);
            let cache = &self.tables[&id].cache;
            let nothing = Arc::new(RowSet::range(0, 0));
            let of_no_row = |shard| Part {
                shard,
                rows: nothing.clone(),
                positions: Positions::Run(0..0),
            };
            let stale = cache.lacking(&read.rows, need).stale;
            let parts: Vec<Part> = stale.into_iter().map(of_no_row).collect();
            read.outstanding = parts.len();
            self.ask(ticket, id, &parts, need);
        }
    }

    pub(super) fn continue_reads(&mut self, id: TableId) {
        let under_way = self.reads.under_way.iter();
        let tickets: Vec<Ticket> = under_way
            .filter(|(_, read)| read.table == id)
            .map(|(&ticket, _)| ticket)
            .collect();
        tickets
            .into_iter()
            .for_each(|ticket| self.continue_read(ticket));
    }

    /// Takes in the answer to one part of a read.
    pub(super) fn take_rows(
        &mut self,
        shard: ShardId,
        id: PartId,
        table: TableId,
        state: State,
        batch: Batch,
    ) {
        // An answer may come twice, when its question was repeated after a reconnection.
        let Some((ticket, part)) = self.reads.parts.remove(&id) else {
            return;
        };
        self.links[shard.index()].answered(id);
        let (Some(state_of), Some(read)) = (
            self.tables.get_mut(&table),
            self.reads.under_way.get_mut(&ticket),
        ) else {
            return;
        };
        let batch = Batch {
            rows: part.rows.clone(),
            ..batch
        };
        if part.shard != shard || read.table != table || state_of.spec.check_batch(&batch).is_err()
        {
            return self.fail(ticket, Failure::Protocol(shard));
        }
        state_of.heard = state_of.heard.max(state.fresh);
        read.outstanding -= 1;
        if state_of.spec.consistency.caches() {
            state_of.cache.insert(shard, &batch, state);
            return self.continue_reads(table);
        }
        let batch = state_of.complete(shard, batch, state.includes);
        read.least_fresh = read.least_fresh.min(state.fresh);
        let positions = part.positions;
        self.out
            .push(Output::Piece(ticket, Piece { positions, batch }));
        self.finish_if_complete(ticket);
    }

    fn finish_if_complete(&mut self, ticket: Ticket) {
        let Some(read) = self
            .reads
            .under_way
            .get_mut(&ticket)
            .filter(|read| read.outstanding == 0)
        else {
            return;
        };
        let table = self.tables.get_mut(&read.table).expect("a read's table");
        table
            .lags
            .count(read.clock.0.saturating_sub(read.least_fresh.0));
        self.finish(ticket, Vec::new());
    }

    fn finish(&mut self, ticket: Ticket, pieces: Vec<Piece>) {
        self.out
            .push(Output::Done(ticket, Ok(Outcome::Rows(pieces))));
        self.end(ticket);
    }

    fn fail(&mut self, ticket: Ticket, failure: Failure) {
        self.out.push(Output::Done(ticket, Err(failure)));
        self.end(ticket);
    }

    /// Forgets a read, and lets what waited for it begin.
    fn end(&mut self, ticket: Ticket) {
        let Some(read) = self.reads.under_way.remove(&ticket) else {
            return;
        };
        if read.outstanding > 0 {
            self.forget_questions(ticket);
        }
        if let (Some(operation), Some(table)) = (read.operation, self.tables.get_mut(&read.table)) {
            table.operations.finish_part(operation);
        }
        self.pump(read.table);
    }

    /// Waits no more for answers to what a read has asked.
    fn forget_questions(&mut self, ticket: Ticket) {
        let links = &mut self.links;
        self.reads.parts.retain(|&id, (of, part)| {
            if *of == ticket {
                links[part.shard.index()].answered(id);
            }
            *of != ticket
        });
    }

    pub(super) fn fail_part(&mut self, id: PartId, failure: Failure) {
        if let Some(&(ticket, _)) = self.reads.parts.get(&id) {
            self.fail(ticket, failure);
        }
    }

    pub(super) fn fail_reads(&mut self, failure: Failure, concerned: impl Fn(TableId) -> bool) {
        let under_way = self.reads.under_way.iter();
        let tickets: Vec<Ticket> = under_way
            .filter(|(_, read)| concerned(read.table))
            .map(|(&ticket, _)| ticket)
            .collect();
        tickets
            .into_iter()
            .for_each(|ticket| self.fail(ticket, failure));
    }
}
