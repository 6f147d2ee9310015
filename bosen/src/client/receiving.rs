//! What a worker's side does with what comes from the shards, and with their silence.

use super::cache::State;
use super::{Client, Failure, Output};
use crate::message::{Refusal, Sequence, ToShard, ToWorker};
use std::time::Duration;
use strads_common::ids::{ShardId, TableId};

impl Client {
    pub(super) fn receive(&mut self, shard: ShardId, message: ToWorker) {
        if self.links[shard.index()].has_failed() {
            return;
        }
        match message {
            ToWorker::Welcome { received } => self.resume(shard, received),
            ToWorker::Ack { received } => self.acknowledge(shard, received),
            ToWorker::Rows {
                part,
                table,
                fresh,
                includes,
                batch,
                coding: _,
            } => {
                self.take_rows(shard, part, table, State { fresh, includes }, batch);
            }
            ToWorker::Changes {
                table: id,
                fresh,
                whole,
                batch,
                coding: _,
            } => {
                let Some(table) = self.tables.get_mut(&id) else {
                    return;
                };
                if table.spec.check_batch(&batch).is_ok() {
                    table.heard = table.heard.max(fresh);
                    table.cache.change(shard, &batch, whole, fresh);
                    self.continue_reads(id);
                }
            }
            ToWorker::Refused {
                table,
                part: Some(part),
                reason,
            } => {
                self.fail_part(part, Failure::Refused { table, reason });
                self.pump(table);
            }
            ToWorker::Refused {
                table,
                part: None,
                reason,
            } => self.refuse_table(table, reason),
        }
    }

    /// A connection stands: everything that the shard may not have is sent again.
    fn resume(&mut self, shard: ShardId, received: Sequence) {
        self.acknowledge(shard, received);
        for (&table, state) in &self.tables {
            let message = ToShard::Create {
                table,
                spec: state.spec,
            };
            self.out.push(Output::Send(shard, message));
        }
        let again = self.links[shard.index()].resume();
        self.out
            .extend(again.map(|message| Output::Send(shard, message)));
        let pushed: Vec<TableId> = self
            .tables
            .iter_mut()
            .filter(|(_, table)| table.spec.consistency.pushes())
            .map(|(&id, table)| {
                table.cache.forget_shard(shard);
                id
            })
            .collect();
        pushed.into_iter().for_each(|id| self.continue_reads(id));
    }

    fn acknowledge(&mut self, shard: ShardId, received: Sequence) {
        self.links[shard.index()].acknowledge(received);
        for table in self.tables.values_mut() {
            table.acknowledge(shard, received);
        }
        let waiting: Vec<TableId> = self
            .tables
            .iter()
            .filter(|(_, table)| !table.waiting.is_empty())
            .map(|(&id, _)| id)
            .collect();
        waiting.into_iter().for_each(|id| self.pump(id));
        self.tell_settled();
    }

    fn refuse_table(&mut self, id: TableId, reason: Refusal) {
        let Some(table) = self.tables.get_mut(&id) else {
            return;
        };
        table.refused = Some(reason);
        let failure = Failure::Refused { table: id, reason };
        let waiting = std::mem::take(&mut table.waiting);
        self.out.extend(
            waiting
                .into_iter()
                .map(|(ticket, _)| Output::Done(ticket, Err(failure))),
        );
        self.fail_reads(failure, |read| read == id);
    }

    /// Fails what waits for shards that have been away for too long.
    pub(super) fn give_up(&mut self, now: Duration) {
        let patience = self.limits.patience;
        let mut links = self.links.iter_mut();
        let lost = links.position(|link| link.gives_up(now, patience));
        let Some(shard) = lost else { return };
        let failure = Self::shard_lost(shard);
        for table in self.tables.values_mut() {
            let waiting = std::mem::take(&mut table.waiting);
            self.out.extend(
                waiting
                    .into_iter()
                    .map(|(ticket, _)| Output::Done(ticket, Err(failure))),
            );
        }
        self.fail_reads(failure, |_| true);
        self.tell_settled();
    }
}
