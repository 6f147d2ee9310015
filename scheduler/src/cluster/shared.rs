//! Values that several tasks share are sent to a node once.
//!
//! What the coordinator holds in an [`Arc`] (a residual that all workers start from, the columns
//! of a matrix) it sends to a node the first time that a parcel for the node refers to it, and by
//! name afterwards. Addresses stand for identity: a [`Weak`] keeps the allocation, so an address
//! is not used again while its name is known. When the last `Arc` is gone the node is told to
//! forget the value.
//!
//! A node remembers which of its values came that way, so that a shard that goes home does not
//! take with it what is there already.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

use super::parcel::{Malformed, Packer, Sharing, Unpacker};

/// Which value an [`Arc`] holds: its address and type.
type Identity = (usize, TypeId);

fn identity<T: ?Sized + 'static>(value: &Arc<T>) -> Identity {
    (Arc::as_ptr(value).cast::<()>().addr(), TypeId::of::<T>())
}

/// What one process has sent to another one.
#[derive(Default)]
pub struct Sent {
    names: HashMap<Identity, u64>,
    known: BTreeMap<u64, (Identity, Box<dyn Known>)>,
    last: u64,
    /// Values that have to be sent before the parcel that refers to them.
    new: Vec<(u64, Bytes)>,
}

/// A weak reference to any type.
trait Known: Send + Sync {
    fn is_gone(&self) -> bool;
    /// The `Arc`, in a box.
    fn value(&self) -> Option<Box<dyn Any>>;
}

impl<T: ?Sized + Send + Sync + 'static> Known for Weak<T> {
    fn is_gone(&self) -> bool {
        self.strong_count() == 0
    }
    fn value(&self) -> Option<Box<dyn Any>> {
        Some(Box::new(self.upgrade()?))
    }
}

impl Sent {
    /// The name of `value`, which is packed if it is new.
    pub(super) fn name<T: ?Sized + Send + Sync + 'static>(
        &mut self,
        value: &Arc<T>,
        pack: impl FnOnce(&mut Packer<'_>),
    ) -> u64 {
        let identity = identity(value);
        if let Some(&name) = self.names.get(&identity) {
            return name;
        }
        self.last += 1;
        let known = Box::new(Arc::downgrade(value));
        self.names.insert(identity, self.last);
        self.known.insert(self.last, (identity, known));
        let mut packer = Packer::new(Sharing::Copied);
        pack(&mut packer);
        let (parcel, lent) = packer.finish();
        assert!(lent.is_empty(), "what tasks share cannot hold a loan");
        self.new.push((self.last, parcel.bytes));
        self.last
    }

    /// What has to be sent now.
    pub(super) fn take_new(&mut self) -> Vec<(u64, Bytes)> {
        std::mem::take(&mut self.new)
    }

    /// The names of values that nobody here has any more.
    pub(super) fn take_gone(&mut self) -> Vec<u64> {
        let gone = self.known.iter().filter(|(_, (_, known))| known.is_gone());
        let gone: Vec<u64> = gone.map(|(&name, _)| name).collect();
        for name in &gone {
            if let Some((identity, _)) = self.known.remove(name) {
                self.names.remove(&identity);
            }
        }
        gone
    }

    /// The value called `name`.
    pub(super) fn find<T: ?Sized + Send + Sync + 'static>(&self, name: u64) -> Option<Arc<T>> {
        let (_, known) = self.known.get(&name)?;
        known.value()?.downcast().ok().map(|value| *value)
    }
}

/// What a process has got from another one.
#[derive(Default)]
pub struct Received {
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    values: BTreeMap<u64, Value>,
    names: HashMap<Identity, u64>,
}

struct Value {
    bytes: Bytes,
    /// The `Arc` in a box, once somebody has asked for it.
    open: Option<(Identity, Box<dyn Any + Send + Sync>)>,
    /// Parcels that refer to it and have not been opened.
    waited_for: usize,
    forgotten: bool,
}

impl Received {
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts down what has arrived.
    pub(super) fn put(&self, name: u64, bytes: Bytes) {
        let value = Value {
            bytes,
            open: None,
            waited_for: 0,
            forgotten: false,
        };
        self.lock().values.insert(name, value);
    }

    /// Keeps what a parcel refers to until the parcel has been opened.
    pub(super) fn hold(&self, names: &[u64]) -> Result<(), Malformed> {
        let mut shelf = self.lock();
        for name in names {
            let value = shelf.values.get_mut(name);
            value
                .ok_or(Malformed("a shared value that was sent"))?
                .waited_for += 1;
        }
        Ok(())
    }

    /// The parcel that referred to `names` has been opened.
    pub(super) fn release(&self, names: &[u64]) {
        let mut shelf = self.lock();
        for name in names {
            if let Some(value) = shelf.values.get_mut(name) {
                value.waited_for -= 1;
            }
            shelf.tidy(*name);
        }
    }

    /// Nobody will refer to `names` again.
    pub(super) fn forget(&self, names: &[u64]) {
        let mut shelf = self.lock();
        for name in names {
            if let Some(value) = shelf.values.get_mut(name) {
                value.forgotten = true;
            }
            shelf.tidy(*name);
        }
    }

    /// The value called `name`, unpacked the first time.
    pub(super) fn open<T: ?Sized + Send + Sync + 'static>(
        &self,
        name: u64,
        unpack: impl Fn(&mut Unpacker<'_>) -> Result<Arc<T>, Malformed>,
    ) -> Result<Arc<T>, Malformed> {
        let unknown = Malformed("a shared value that was sent");
        let bytes = {
            let shelf = self.lock();
            let value = shelf.values.get(&name).ok_or(unknown)?;
            match &value.open {
                Some((_, open)) => {
                    return open.downcast_ref().map(Arc::clone).ok_or(unknown);
                }
                None => value.bytes.clone(),
            }
        };
        // Unpacked without the lock: two threads may do it at once, and the first one's stays.
        let mut unpacker = Unpacker::new(&bytes);
        let opened = unpack(&mut unpacker)?;
        unpacker.end()?;
        let mut shelf = self.lock();
        let Shelf { values, names } = &mut *shelf;
        let value = values.get_mut(&name).ok_or(unknown)?;
        let (_, open) = value.open.get_or_insert_with(|| {
            let identity = identity(&opened);
            names.insert(identity, name);
            (identity, Box::new(opened))
        });
        value.bytes = Bytes::new();
        open.downcast_ref().map(Arc::clone).ok_or(unknown)
    }

    /// The name under which `value` came.
    pub(super) fn name<T: ?Sized + 'static>(&self, value: &Arc<T>) -> Option<u64> {
        self.lock().names.get(&identity(value)).copied()
    }
}

impl Shelf {
    fn tidy(&mut self, name: u64) {
        let done = |value: &Value| value.forgotten && value.waited_for == 0;
        if self.values.get(&name).is_some_and(done)
            && let Some(value) = self.values.remove(&name)
            && let Some((identity, _)) = value.open
        {
            self.names.remove(&identity);
        }
    }
}

#[cfg(test)]
mod tests {
    //! A value goes out once while it lives, arrives as one value, and is forgotten when nobody
    //! has it any more.
    use super::super::parcel::{Parcel, Travel};
    use super::*;

    fn send(sent: &mut Sent, received: &Received, value: &Arc<Vec<u32>>) -> Parcel {
        let mut packer = Packer::new(Sharing::Sent(sent));
        value.pack(&mut packer);
        let (parcel, _) = packer.finish();
        for (name, bytes) in sent.take_new() {
            received.put(name, bytes);
        }
        received.hold(&parcel.shared).unwrap();
        received.forget(&sent.take_gone());
        parcel
    }

    fn open(received: &Received, parcel: &Parcel) -> Arc<Vec<u32>> {
        let mut unpacker = Unpacker::new(&parcel.bytes);
        unpacker.received = Some(received);
        let value = Travel::unpack(&mut unpacker).unwrap();
        received.release(&parcel.shared);
        value
    }

    #[test]
    fn the_same_arc_is_sent_once_and_arrives_as_one() {
        let (mut sent, received) = (Sent::default(), Received::default());
        let value = Arc::new(vec![1; 1000]);
        let first = send(&mut sent, &received, &value);
        let second = send(&mut sent, &received, &value);
        let (first, second) = (open(&received, &first), open(&received, &second));
        assert_eq!(first, value);
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn a_value_that_died_before_its_parcel_was_opened_is_still_there() {
        let (mut sent, received) = (Sent::default(), Received::default());
        let value = Arc::new(vec![7]);
        let first = send(&mut sent, &received, &value);
        drop(value);
        received.forget(&sent.take_gone());
        assert_eq!(*open(&received, &first), [7]);
        assert!(received.lock().values.is_empty());
        assert!(sent.known.is_empty() && sent.names.is_empty());
    }

    #[test]
    fn what_came_from_there_goes_back_by_name() {
        let (mut sent, received) = (Sent::default(), Received::default());
        let value = Arc::new(vec![3; 1000]);
        let parcel = send(&mut sent, &received, &value);
        let there = open(&received, &parcel);
        let mut packer = Packer::new(Sharing::Returned(&received));
        there.pack(&mut packer);
        let (back, _) = packer.finish();
        assert!(back.bytes.len() < 20);
        let mut unpacker = Unpacker::new(&back.bytes);
        unpacker.sent = Some(&sent);
        let home: Arc<Vec<u32>> = Travel::unpack(&mut unpacker).unwrap();
        assert!(Arc::ptr_eq(&home, &value));
    }
}
