//! Blocks of any type, by name: what the runtime sees of lenders.
//!
//! A [`Lender`](crate::Lender) knows the type of its blocks, the runtime that sends them from
//! process to process knows their names. Between the two is the [`Cabinet`].

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytemuck::{Pod, Zeroable};

use super::parcel::{Malformed, Packer, Travel, Unpacker};
use crate::loan::Homes;

/// The name of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(C)]
pub struct BlockId {
    /// Its lender, as the coordinator numbers them.
    pub lender: u64,
    /// Which of its blocks.
    pub block: u64,
}

crate::travel_as_bytes!(BlockId);

/// The blocks of one lender in one process.
pub trait Cabinet: Send + Sync {
    /// Packs a block, which then is not here any more.
    fn take(&self, block: u64, out: &mut Packer<'_>);
    /// Takes in a block that was elsewhere.
    fn put(&self, block: u64, from: &mut Unpacker<'_>) -> Result<(), Malformed>;
}

/// The cabinets of a node, which come into being with the first task that mentions them.
#[derive(Default)]
pub struct Cabinets {
    all: Mutex<BTreeMap<u64, Entry>>,
}

struct Entry {
    cabinet: Arc<dyn Cabinet>,
    /// The same as `Arc<Homes<T>>`.
    typed: Box<dyn Any + Send + Sync>,
}

impl Cabinets {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cabinet of `lender`, for `count` blocks of type `T`.
    pub fn typed<T: Travel + Send + 'static>(
        &self,
        lender: u64,
        count: usize,
    ) -> Result<Arc<Homes<T>>, Malformed> {
        let mut all = self.lock();
        let entry = all.entry(lender).or_insert_with(|| {
            let homes = Arc::new(Homes::<T>::elsewhere(lender, count));
            let cabinet: Arc<dyn Cabinet> = Arc::<Homes<T>>::clone(&homes);
            Entry {
                cabinet,
                typed: Box::new(homes),
            }
        });
        let homes = entry.typed.downcast_ref::<Arc<Homes<T>>>();
        homes
            .filter(|homes| homes.len() == count)
            .map(Arc::clone)
            .ok_or(Malformed("a loan from the lender that it names"))
    }

    /// The cabinet of `lender`, if a task has mentioned it.
    pub fn find(&self, lender: u64) -> Option<Arc<dyn Cabinet>> {
        self.lock()
            .get(&lender)
            .map(|entry| Arc::clone(&entry.cabinet))
    }

    /// Throws a lender's blocks away.
    pub fn clear(&self, lender: u64) {
        self.lock().remove(&lender);
    }
}
