//! Programs that can run on a cluster, and the nodes' side of them.
//!
//! The boundary between processes is the one that the types of [`Program`] draw: what has to
//! travel is a shard, a task or a share. A program that says how ([`Remote`]) runs on nodes that
//! know it by name ([`Programs`]).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::parcel::{Malformed, Packer, Travel, Unpacker};
use crate::error::panic_message;
use crate::program::Program;

/// A program whose shards, tasks and shares can travel.
pub trait Remote: Program<Shard: Travel, Task: Travel, Share: Travel> {
    /// What nodes know it by; different for every program.
    const NAME: &'static str;
    /// Its workers wait for each other within a push: every one of them needs a thread, also on a
    /// node with fewer slots than workers.
    const TOGETHER: bool = false;
}

/// How a program's shards, tasks and shares travel: what
/// [`Program::passport`](crate::Program::passport) returns.
pub struct Passport<P: Program> {
    pub(super) name: &'static str,
    pub(super) pack_shard: fn(&P::Shard, &mut Packer<'_>),
    pub(super) unpack_shard: fn(&mut Unpacker<'_>) -> Result<P::Shard, Malformed>,
    pub(super) pack_task: fn(&P::Task, &mut Packer<'_>),
    pub(super) loans: fn(&P::Task) -> Vec<super::parcel::Lent>,
    pub(super) unpack_share: fn(&mut Unpacker<'_>) -> Result<P::Share, Malformed>,
}

impl<P: Remote> Passport<P> {
    /// The passport of `P`.
    pub fn new() -> Self {
        Self {
            name: P::NAME,
            pack_shard: P::Shard::pack,
            unpack_shard: P::Shard::unpack,
            pack_task: P::Task::pack,
            loans: |task| Packer::loans_of(task),
            unpack_share: P::Share::unpack,
        }
    }
}

impl<P: Remote> Default for Passport<P> {
    fn default() -> Self {
        Self::new()
    }
}

/// The programs that a node can run.
#[derive(Clone, Default)]
pub struct Programs {
    crews: BTreeMap<&'static str, fn() -> Arc<dyn Hands>>,
}

impl Programs {
    /// No programs.
    pub fn new() -> Self {
        Self::default()
    }

    /// And `P`.
    pub fn and<P: Remote + 'static>(mut self) -> Self {
        self.crews.insert(P::NAME, || Arc::new(Crew::<P>::new()));
        self
    }

    /// Workers of the program called `name`, none hired yet.
    pub(super) fn crew(&self, name: &str) -> Option<Arc<dyn Hands>> {
        self.crews.get(name).map(|crew| crew())
    }
}

impl std::fmt::Debug for Programs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.crews.keys()).finish()
    }
}

/// The workers of one run on one node, whatever the program.
pub(super) trait Hands: Send + Sync {
    /// Makes `worker` the owner of the shard that comes.
    fn hire(&self, worker: usize, from: &mut Unpacker<'_>) -> Result<(), Malformed>;
    /// Reads a task, so that its loans are known and what it shares may be forgotten.
    fn open<'a>(&'a self, worker: usize, from: &mut Unpacker<'_>) -> Result<Opened<'a>, Malformed>;
    /// Packs the shard of `worker`, who leaves.
    fn dismiss(&self, worker: usize, out: &mut Packer<'_>) -> Result<(), Malformed>;
    /// Whether workers wait for each other.
    fn together(&self) -> bool;
}

/// A task ready to be pushed: does it and packs the share, or says how it panicked.
pub(super) type Opened<'a> = Box<dyn FnOnce(&mut Packer<'_>) -> Result<(), String> + 'a>;

struct Crew<P: Program> {
    /// A worker does one task at a time, so these locks are never waited for.
    shards: Mutex<BTreeMap<usize, Arc<Mutex<P::Shard>>>>,
}

impl<P: Remote> Crew<P> {
    fn new() -> Self {
        Self {
            shards: Mutex::new(BTreeMap::new()),
        }
    }

    fn shards(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Arc<Mutex<P::Shard>>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NOBODY: Malformed = Malformed("for a worker of this node");

impl<P: Remote> Hands for Crew<P> {
    fn hire(&self, worker: usize, from: &mut Unpacker<'_>) -> Result<(), Malformed> {
        let shard = P::Shard::unpack(from)?;
        from.end()?;
        self.shards().insert(worker, Arc::new(Mutex::new(shard)));
        Ok(())
    }

    fn open<'a>(&'a self, worker: usize, from: &mut Unpacker<'_>) -> Result<Opened<'a>, Malformed> {
        let shard = self.shards().get(&worker).map(Arc::clone).ok_or(NOBODY)?;
        let task = P::Task::unpack(from)?;
        from.end()?;
        Ok(Box::new(move |out| {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let share = catch_unwind(AssertUnwindSafe(|| P::push(&mut shard, task)));
            share
                .map(|share| share.pack(out))
                .map_err(|panic| panic_message(&*panic))
        }))
    }

    fn dismiss(&self, worker: usize, out: &mut Packer<'_>) -> Result<(), Malformed> {
        let shard = self.shards().remove(&worker).ok_or(NOBODY)?;
        let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.pack(out);
        Ok(())
    }

    fn together(&self) -> bool {
        P::TOGETHER
    }
}
