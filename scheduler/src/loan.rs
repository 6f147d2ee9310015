//! Loans: blocks of the model that move from worker to worker.
//!
//! A [`Lender`] owns the blocks. A task carries a [`Loan`], the right to one block; the worker
//! opens it and has the block as plain memory until it lets go, which gives the block back, also
//! when the worker panics. A loan can be planned rounds ahead of the block being at home; it is
//! opening it while somebody else has the block that would be a conflict, and that is a bug in
//! the plan.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The owner of the blocks, kept by the program.
#[derive(Debug)]
pub struct Lender<T> {
    homes: Arc<[Mutex<Option<T>>]>,
}

/// The right to open one block, carried by a task.
#[derive(Debug)]
pub struct Loan<T> {
    homes: Arc<[Mutex<Option<T>>]>,
    block: usize,
}

/// A block in the hands of a worker; dropping it gives it back.
#[derive(Debug)]
pub struct OnLoan<'a, T> {
    home: &'a Mutex<Option<T>>,
    /// Always there: only `drop` takes it.
    block: Option<T>,
}

impl<T> Lender<T> {
    /// Takes the blocks into ownership; they are numbered in this order.
    pub fn new(blocks: impl IntoIterator<Item = T>) -> Self {
        Self {
            homes: blocks
                .into_iter()
                .map(|block| Mutex::new(Some(block)))
                .collect(),
        }
    }

    /// How many blocks there are.
    pub fn len(&self) -> usize {
        self.homes.len()
    }

    /// True if there are no blocks.
    pub fn is_empty(&self) -> bool {
        self.homes.is_empty()
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

    /// True if nobody has `block` open.
    pub fn at_home(&self, block: usize) -> bool {
        lock(&self.homes[block]).is_some()
    }

    /// Looks at `block`, which has to be at home: between rounds all of them are.
    pub fn with<R>(&self, block: usize, look: impl FnOnce(&mut T) -> R) -> R {
        match lock(&self.homes[block]).as_mut() {
            Some(value) => look(value),
            None => panic!("block {block} is on loan"),
        }
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
        let home = &self.homes[self.block];
        let block = lock(home).take();
        assert!(
            block.is_some(),
            "block {} is lent to two workers at once",
            self.block
        );
        OnLoan { home, block }
    }
}

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
        *lock(self.home) = self.block.take();
    }
}

/// The lock is held only while a block is moved in or out, so a panic elsewhere cannot leave it
/// half done: poisoning says nothing here.
fn lock<T>(home: &Mutex<Option<T>>) -> MutexGuard<'_, Option<T>> {
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
