//! Increments that go before they have to.
//!
//! A table with slack keeps its increments until the clock. When a link has room before that, the
//! rows that matter most go early: of tables, those whose readers need them soonest; of a table's
//! rows, the most important. What is unacknowledged stays below half of the window, so that early
//! increments never make the program wait.

use super::Client;
use crate::batch::Batch;
use crate::filter::Coding;
use crate::placement::PART_BYTES;
use strads_common::ids::{ShardId, TableId};

impl Client {
    /// Sends up to `bytes` to `shard` of what need not go yet.
    pub(super) fn send_early(&mut self, shard: ShardId, bytes: usize) {
        let link = &self.links[shard.index()];
        if !link.is_up() || link.unacknowledged_bytes() >= self.limits.window_bytes / 2 {
            return;
        }
        let mut tables: Vec<(Option<u64>, TableId)> = self
            .tables
            .iter()
            .filter(|(_, table)| {
                let backlog = table.backlogs.get(shard.index());
                backlog.is_some_and(|backlog| backlog.is_worth(bytes))
            })
            .map(|(&id, table)| (table.spec.consistency.slack(), id))
            .collect();
        tables.sort_unstable();
        for (_, id) in tables {
            if let Some((batch, coding)) = self.most_important(id, shard, bytes) {
                return self.send_part(id, shard, batch, coding, None);
            }
        }
    }

    /// Up to `bytes` of a table's backlog for `shard`, filtered.
    fn most_important(
        &mut self,
        id: TableId,
        shard: ShardId,
        bytes: usize,
    ) -> Option<(Batch, Coding)> {
        let table = self.tables.get_mut(&id).expect("one of the tables");
        let (backlog, cache) = (&mut table.backlogs[shard.index()], &mut table.cache);
        while let Some(batch) = backlog.take(bytes, |rows| cache.read(rows)) {
            if let Some(passed) = table.residual.pass(&batch) {
                return Some(passed);
            }
        }
        None
    }

    /// Sends all that need not have gone until now, most important rows first.
    pub(super) fn flush_backlogs(&mut self, id: TableId) {
        for shard in (0..self.links.len() as u32).map(ShardId) {
            let table = self.tables.get_mut(&id).expect("one of the tables");
            let Some(backlog) = table.backlogs.get_mut(shard.index()) else {
                return;
            };
            let cache = &mut table.cache;
            backlog.arrange_all(|rows| cache.read(rows));
            while let Some((batch, coding)) = self.most_important(id, shard, PART_BYTES) {
                self.send_part(id, shard, batch, coding, None);
            }
        }
    }
}
