//! The simulated network: connections that keep order while they last.
//!
//! A message on a connection arrives after a random delay, never before one sent earlier on the
//! same connection and in the same direction; different connections overtake each other. A
//! connection breaks at a random message: that one and all later ones are lost, earlier ones
//! still arrive, and each end learns of it at a time of its own — the shard possibly after the
//! worker has connected again. A parted pair cannot connect until the partition heals.

use crate::message::LinkId;
use rand::RngExt;
use std::time::Duration;
use strads_common::ids::{ShardId, WorkerId};
use strads_common::random::{Stream, stream};

/// What a network does to its messages.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The greatest delay of a message.
    pub delay: Duration,
    /// Bytes of frames that a connection carries a second in each direction; 0 for any amount.
    pub bytes_per_second: u64,
    /// A connection breaks at one in so many messages; 0 for never.
    pub breaks_one_in: u32,
    /// A break is a partition of its two ends one time in so many; 0 for never.
    pub partitions_one_in: u32,
    /// From then on the sun shines: nothing breaks, partitions heal.
    pub clears_at: Duration,
}

/// When the two ends of a broken connection learn of it.
pub(super) struct Break {
    pub shard_learns: Duration,
    pub worker_learns: Duration,
}

pub(super) struct Network {
    weather: Weather,
    shards: u32,
    random: Stream,
    connections: Vec<Connection>,
    /// By worker and shard.
    pairs: Vec<Pair>,
    sent_bytes: u64,
}

#[derive(Clone, Copy, Default)]
struct Pair {
    current: Option<LinkId>,
    parted_until: Duration,
}

struct Connection {
    worker: WorkerId,
    shard: ShardId,
    broken: bool,
    to_shard: Direction,
    to_worker: Direction,
}

/// One direction of a connection.
#[derive(Default)]
struct Direction {
    /// When the wire is free again.
    free: Duration,
    last_arrival: Duration,
}

impl Network {
    pub fn new(seed: u64, workers: u32, shards: u32, weather: Weather) -> Network {
        let pairs = vec![Pair::default(); (workers * shards) as usize];
        let random = stream(seed, "network", 0);
        Network {
            weather,
            shards,
            random,
            connections: Vec::new(),
            pairs,
            sent_bytes: 0,
        }
    }

    pub fn ends(&self, link: LinkId) -> (WorkerId, ShardId) {
        let connection = &self.connections[link.0 as usize];
        (connection.worker, connection.shard)
    }

    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// The connection that the worker holds to the shard.
    pub fn current(&self, worker: WorkerId, shard: ShardId) -> Option<LinkId> {
        self.pairs[self.pair(worker, shard)].current
    }

    /// All connections that are held.
    pub fn all_current(&self) -> impl Iterator<Item = LinkId> + '_ {
        self.pairs.iter().filter_map(|pair| pair.current)
    }

    pub fn is_current(&self, link: LinkId) -> bool {
        let (worker, shard) = self.ends(link);
        self.current(worker, shard) == Some(link)
    }

    pub fn close(&mut self, link: LinkId) {
        let (worker, shard) = self.ends(link);
        let pair = self.pair(worker, shard);
        self.pairs[pair].current = None;
    }

    /// A new connection, or the time after which to try again.
    pub fn connect(
        &mut self,
        worker: WorkerId,
        shard: ShardId,
        now: Duration,
    ) -> Result<LinkId, Duration> {
        let pair = self.pair(worker, shard);
        if self.pairs[pair].parted_until > now {
            return Err(self.retry(worker, shard, now));
        }
        let link = LinkId(self.connections.len() as u64);
        let direction = || Direction {
            free: now,
            last_arrival: now,
        };
        self.connections.push(Connection {
            worker,
            shard,
            broken: false,
            to_shard: direction(),
            to_worker: direction(),
        });
        self.pairs[pair].current = Some(link);
        Ok(link)
    }

    /// When to try to connect again.
    pub fn retry(&mut self, worker: WorkerId, shard: ShardId, now: Duration) -> Duration {
        let heals = self.pairs[self.pair(worker, shard)]
            .parted_until
            .saturating_sub(now);
        heals + self.delay()
    }

    /// When a message to the shard arrives; if it does not, and nobody knows yet, how that shows.
    pub fn send_to_shard(
        &mut self,
        link: LinkId,
        bytes: usize,
        now: Duration,
    ) -> Result<Duration, Option<Break>> {
        self.send(link, bytes, now, |connection| &mut connection.to_shard)
    }

    /// The same for a message to the worker.
    pub fn send_to_worker(
        &mut self,
        link: LinkId,
        bytes: usize,
        now: Duration,
    ) -> Result<Duration, Option<Break>> {
        self.send(link, bytes, now, |connection| &mut connection.to_worker)
    }

    fn send(
        &mut self,
        link: LinkId,
        bytes: usize,
        now: Duration,
        direction: impl Fn(&mut Connection) -> &mut Direction,
    ) -> Result<Duration, Option<Break>> {
        if self.connections[link.0 as usize].broken {
            return Err(None);
        }
        if now < self.weather.clears_at && self.one_in(self.weather.breaks_one_in) {
            return Err(Some(self.break_up(link, now)));
        }
        self.sent_bytes += bytes as u64;
        let delay = self.delay();
        let transfer = match self.weather.bytes_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_nanos(bytes as u64 * 1_000_000_000 / rate),
        };
        let direction = direction(&mut self.connections[link.0 as usize]);
        direction.free = direction.free.max(now) + transfer;
        direction.last_arrival = direction.last_arrival.max(direction.free + delay);
        Ok(direction.last_arrival)
    }

    fn break_up(&mut self, link: LinkId, now: Duration) -> Break {
        self.connections[link.0 as usize].broken = true;
        if self.one_in(self.weather.partitions_one_in) {
            let (worker, shard) = self.ends(link);
            let pair = self.pair(worker, shard);
            let healed = now + 20 * self.delay();
            self.pairs[pair].parted_until = healed.min(self.weather.clears_at);
        }
        Break {
            shard_learns: now + 3 * self.delay(),
            worker_learns: now + 3 * self.delay(),
        }
    }

    fn delay(&mut self) -> Duration {
        Duration::from_nanos(
            self.random
                .random_range(0..=self.weather.delay.as_nanos() as u64),
        )
    }

    fn one_in(&mut self, times: u32) -> bool {
        times > 0 && self.random.random_range(0..times) == 0
    }

    fn pair(&self, worker: WorkerId, shard: ShardId) -> usize {
        (worker.0 * self.shards + shard.0) as usize
    }
}
