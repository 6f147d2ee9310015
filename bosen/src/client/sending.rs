//! Increments on their way to the shards: kept back and summed, cut by shard, given their places,
//! and waited for.

use super::link::Link;
use super::{Client, Failure, Outcome, Output, Ticket};
use crate::batch::Batch;
use crate::filter::Coding;
use crate::message::{Sequence, ToShard};
use crate::placement::part_of;
use strads_common::ids::{ShardId, TableId};

impl Client {
    pub(super) fn increment(&mut self, id: TableId, batch: Batch) {
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        if !table.spec.consistency.caches() {
            let parts = table.split(&batch.rows).len();
            let operation = table.operations.start(parts);
            if table.bounds_values().is_some() {
                table.hide(&batch);
            }
            return self.send_update(id, &batch, Some(operation));
        }
        table.keep_back(&batch);
        if table.unsent_bytes() >= self.limits.window_bytes {
            self.flush(id);
        }
    }

    /// Sends the increments that have been kept back.
    pub(super) fn flush(&mut self, id: TableId) {
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        for batch in table.pending.drain() {
            self.send_update(id, &batch, None);
        }
        self.flush_backlogs(id);
    }

    /// Sends all that has not been sent, also what filters keep back.
    fn flush_all(&mut self) {
        let ids: Vec<TableId> = self.tables.keys().copied().collect();
        for id in ids {
            self.flush(id);
            let table = self.tables.get_mut(&id).expect("one of the tables");
            let Some((batch, coding)) = table.residual.drain() else {
                continue;
            };
            for part in table.split(&batch.rows).iter() {
                let spec = self.tables[&id].spec;
                self.send_part(id, part.shard, part_of(&batch, part, &spec), coding, None);
            }
        }
    }

    fn send_update(&mut self, id: TableId, batch: &Batch, operation: Option<u64>) {
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        for part in table.split(&batch.rows).iter() {
            let table = self.tables.get_mut(&id).expect("one of the tables");
            let batch = part_of(batch, part, &table.spec);
            match table.residual.pass(&batch) {
                Some((batch, coding)) => self.send_part(id, part.shard, batch, coding, operation),
                None => operation
                    .into_iter()
                    .for_each(|it| table.operations.finish_part(it)),
            }
        }
    }

    /// Gives an update to one shard its place, and sends it.
    pub(super) fn send_part(
        &mut self,
        id: TableId,
        shard: ShardId,
        batch: Batch,
        coding: Coding,
        operation: Option<u64>,
    ) {
        let table = self.tables.get_mut(&id).expect("one of the tables");
        let clock = table.clock;
        let link = &mut self.links[shard.index()];
        let sequence = link.next();
        table.keep(shard, sequence, operation, batch.clone());
        let bytes = batch.bytes();
        let message = ToShard::Update {
            sequence,
            table: id,
            clock,
            batch,
            coding,
        };
        if link.keep_update(bytes, message.clone()) {
            self.out.push(Output::Send(shard, message));
        }
    }

    pub(super) fn tick(&mut self, ticket: Ticket, id: TableId) {
        self.flush(id);
        let table = self
            .tables
            .get_mut(&id)
            .expect("the table of a command that was checked");
        table.tick();
        let clock = table.clock;
        self.send_to_all(|sequence| ToShard::Clock {
            sequence,
            table: id,
            clock,
        });
        self.out
            .push(Output::Done(ticket, Ok(Outcome::Clock(clock))));
    }

    fn send_to_all(&mut self, message: impl Fn(Sequence) -> ToShard) {
        for (shard, link) in self.links.iter_mut().enumerate() {
            let message = message(link.next());
            if link.keep_update(0, message.clone()) {
                self.out.push(Output::Send(ShardId(shard as u32), message));
            }
        }
    }

    pub(super) fn settle(&mut self, ticket: Ticket) {
        self.flush_all();
        self.settling
            .push((ticket, self.links.iter().map(Link::last).collect()));
        self.tell_settled();
    }

    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.fail_reads(Failure::Left, |_| true);
        self.flush_all();
        self.send_to_all(|sequence| ToShard::Leave { sequence });
        self.settle(ticket);
    }

    pub(super) fn tell_settled(&mut self) {
        let failed = self
            .links
            .iter()
            .position(Link::has_failed)
            .map(Self::shard_lost);
        let links = &self.links;
        let arrived = |lasts: &[Sequence]| {
            links
                .iter()
                .zip(lasts)
                .all(|(link, &last)| link.acknowledged() >= last)
        };
        let settled = self
            .settling
            .extract_if(.., |(_, lasts)| failed.is_some() || arrived(lasts));
        let result = failed.map_or(Ok(Outcome::Accepted), Err);
        self.out
            .extend(settled.map(|(ticket, _)| Output::Done(ticket, result.clone())));
    }
}
