//! Loans: blocks of the model that move from worker to worker.
//!
//! A [`Lender`] owns the blocks. A task carries a [`Loan`], the right to one block; the worker
//! opens it and has the block as plain memory until it lets go, which gives the block back, also
//! when the worker panics. A loan can be planned rounds ahead of the block being at home; it is
//! opening it while somebody else has the block that would be a conflict, and that is a bug in
//! the plan.

//!
//! On a cluster a block stays with the node that had it open last, and goes from there straight to
//! the next one. The program sees it again after [`Executor::recall`](crate::Executor::recall).

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cluster::{BlockId, Cabinet, Malformed, Packer, Travel, Unpacker};

/// The owner of the blocks, kept by the program.
#[derive(Debug)]
pub struct Lender<T> {
    homes: Arc<Homes<T>>,
}

/// The right to open one block, carried by a task.
#[derive(Debug)]
pub struct Loan<T> {
    homes: Arc<Homes<T>>,
    block: usize,
}

/// A block in the hands of a worker; dropping it gives it back.
#[derive(Debug)]
pub struct OnLoan<'a, T> {
    home: &'a Mutex<Home<T>>,
    /// Always there: only `drop` takes it.
    block: Option<T>,
}

/// The places of a lender's blocks in one process.
#[derive(Debug)]
pub struct Homes<T> {
    lender: u64,
    blocks: Box<[Mutex<Home<T>>]>,
}

/// The place of a block.
#[derive(Debug)]
enum Home<T> {
    Here(T),
    /// A worker of this process has it.
    Open,
    /// It is in another process.
    Elsewhere,
}

/// Lenders are told apart by number, across runs and programs.
static LENDERS: AtomicU64 = AtomicU64::new(0);

impl<T> Lender<T> {
    /// Takes the blocks into ownership; they are numbered in this order.
    pub fn new(blocks: impl IntoIterator<Item = T>) -> Self {
        let homes = blocks
            .into_iter()
            .map(|block| Mutex::new(Home::Here(block)));
        Self {
            homes: Arc::new(Homes {
                lender: LENDERS.fetch_add(1, Ordering::Relaxed),
                blocks: homes.collect(),
            }),
        }
    }

    /// How many blocks there are.
    pub fn len(&self) -> usize {
        self.homes.len()
    }

    /// True if there are no blocks.
    pub fn is_empty(&self) -> bool {
        self.homes.len() == 0
    }

    /// The right to open `block`, for a task.
    pub fn lend(&self, block: usize) -> Loan<T> {
        assert!(
            block < self.homes.len(),
            "block {block} of {}",
            self.homes.len()
        );
        Loan {
            homes: Arc::clone(&self.homes),
            block,
        }
    }

    /// True if nobody has `block` open, nor another process has it.
    pub fn at_home(&self, block: usize) -> bool {
        matches!(*lock(&self.homes.blocks[block]), Home::Here(_))
    }

    /// Looks at `block`, which has to be at home: between rounds all of them are, except on a
    /// cluster, where they have to be [recalled](crate::Executor::recall).
    pub fn with<R>(&self, block: usize, look: impl FnOnce(&mut T) -> R) -> R {
        match &mut *lock(&self.homes.blocks[block]) {
            Home::Here(value) => look(value),
            Home::Open => panic!("block {block} is on loan"),
            Home::Elsewhere => panic!("block {block} is on another node and was not recalled"),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.homes.lender
    }
}

impl<T> Loan<T> {
    /// Which block this is.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Takes the block for exclusive use.
    ///
    /// # Panics
    /// If somebody else has it: the plan lends it to two workers at once.
    pub fn open(&mut self) -> OnLoan<'_, T> {
        let home = &self.homes.blocks[self.block];
        let found = std::mem::replace(&mut *lock(home), Home::Open);
        match found {
            Home::Here(block) => OnLoan {
                home,
                block: Some(block),
            },
            other => {
                let elsewhere = matches!(other, Home::Elsewhere);
                *lock(home) = other;
                assert!(!elsewhere, "block {} has not arrived", self.block);
                panic!("block {} is lent to two workers at once", self.block)
            }
        }
    }
}

impl<T> Homes<T> {
    /// Places of `count` blocks that are in another process.
    pub(crate) fn elsewhere(lender: u64, count: usize) -> Self {
        let blocks = (0..count).map(|_| Mutex::new(Home::Elsewhere)).collect();
        Self { lender, blocks }
    }

    /// How many blocks the lender has.
    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }
}

impl<T: Travel + Send> Cabinet for Homes<T> {
    fn take(&self, block: u64, out: &mut Packer<'_>) {
        let home = &self.blocks[block as usize];
        let found = std::mem::replace(&mut *lock(home), Home::Elsewhere);
        match found {
            Home::Here(value) => value.pack(out),
            _ => panic!("block {block} is sent away while it is in use or not here"),
        }
    }

    fn put(&self, block: u64, from: &mut Unpacker<'_>) -> Result<(), Malformed> {
        let home = self.blocks.get(block as usize);
        let home = home.ok_or(Malformed("a block of its lender"))?;
        let value = T::unpack(from)?;
        let before = std::mem::replace(&mut *lock(home), Home::Here(value));
        match before {
            Home::Elsewhere => Ok(()),
            _ => Err(Malformed("a block that was elsewhere")),
        }
    }
}

impl<T: Travel + Send + 'static> Travel for Loan<T> {
    fn pack(&self, out: &mut Packer<'_>) {
        out.plain(&[
            self.homes.lender,
            self.homes.len() as u64,
            self.block as u64,
        ]);
        let block = BlockId {
            lender: self.homes.lender,
            block: self.block as u64,
        };
        out.loan(block, Arc::clone(&self.homes) as Arc<dyn Cabinet>);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        let [lender, count, block] = [from.number()?, from.number()?, from.number()?];
        if block >= count || count > MOST_BLOCKS {
            return Err(Malformed("a loan of a block that exists"));
        }
        let cabinets = from.cabinets().ok_or(Malformed("a loan within a run"))?;
        Ok(Self {
            homes: cabinets.typed(lender, count as usize)?,
            block: block as usize,
        })
    }
}

/// The most blocks of a lender that a node believes in.
const MOST_BLOCKS: u64 = 1 << 24;

impl<T> Deref for OnLoan<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.block.as_ref().expect("only drop takes the block")
    }
}

impl<T> DerefMut for OnLoan<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.block.as_mut().expect("only drop takes the block")
    }
}

impl<T> Drop for OnLoan<'_, T> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            *lock(self.home) = Home::Here(block);
        }
    }
}

/// The lock is held only while a block is moved in or out, so a panic elsewhere cannot leave it
/// half done: poisoning says nothing here.
fn lock<T>(home: &Mutex<Home<T>>) -> MutexGuard<'_, Home<T>> {
    home.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block is away exactly while a loan of it is open.
    #[test]
    fn a_block_is_given_back_on_drop() {
        let lender = Lender::new([10, 20]);
        let mut loan = lender.lend(1);
        assert!(lender.at_home(1));
        {
            let mut block = loan.open();
            *block += 1;
            assert!(!lender.at_home(1));
            assert!(lender.at_home(0));
        }
        assert_eq!(lender.with(1, |block| *block), 21);
    }

    /// A worker that panics with a block in its hands gives it back all the same.
    #[test]
    fn a_panicking_holder_gives_back() {
        let lender = Lender::new([1]);
        let mut loan = lender.lend(0);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _block = loan.open();
            panic!("holder fails");
        }));
        assert!(outcome.is_err());
        assert!(lender.at_home(0));
    }

    /// One block never has two holders.
    #[test]
    #[should_panic(expected = "lent to two workers at once")]
    fn opening_a_block_twice_is_a_bug() {
        let lender = Lender::new([1]);
        let (mut first, mut second) = (lender.lend(0), lender.lend(0));
        let _held = first.open();
        let _ = second.open();
    }
}
