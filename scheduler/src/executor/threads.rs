//! Threads over shared memory: the caller's thread is one of them.
//!
//! All of a round's state is one [`Board`] behind one lock, held for the few instructions that
//! take a task or hand in a result, never while a task runs. Between rounds threads spin for a
//! moment before they sleep, so that a short round costs microseconds and a long pause costs
//! nothing.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Crew, Finished, longest};
use crate::error::{Error, panic_message};
use crate::plan::{Assignment, Claim, Place, excludes};
use crate::program::Program;

/// How often a thread looks for work before it sleeps: some tens of microseconds.
const SPINS: u32 = 2_000;

/// What the threads of a run share.
struct Floor<'a, P: Program> {
    /// One a worker. A worker has at most one task at a time, so these locks are never waited for.
    shards: Vec<Mutex<&'a mut P::Shard>>,
    board: Mutex<Board<P>>,
    /// Changes whenever there may be something new to do. Only written with the board locked.
    version: AtomicU64,
    wake: Condvar,
    spins: u32,
}

struct Board<P: Program> {
    round: u64,
    /// What each worker has yet to do, in the order of the plan.
    own: Vec<VecDeque<Waiting<P::Task>>>,
    offered: VecDeque<Waiting<P::Task>>,
    /// How many tasks of the round have not started.
    waiting: usize,
    /// What each busy worker holds.
    busy: Vec<Option<Vec<Claim>>>,
    finished: Vec<Option<Finished<P::Share>>>,
    /// How many tasks of the round are not finished.
    open: usize,
    failure: Option<Error>,
    sleeping: usize,
    closed: bool,
}

struct Waiting<T> {
    position: usize,
    claims: Vec<Claim>,
    task: T,
}

/// A task in the hands of a thread.
struct Taken<T> {
    position: usize,
    worker: usize,
    round: u64,
    task: T,
}

pub(super) fn employ<P: Program, R>(
    shards: &mut [P::Shard],
    threads: usize,
    work: impl FnOnce(&mut dyn Crew<P>) -> R,
) -> R {
    let workers = shards.len();
    let threads = threads.clamp(1, workers);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let floor = Floor::<P> {
        shards: shards.iter_mut().map(Mutex::new).collect(),
        board: Mutex::new(Board {
            round: 0,
            own: (0..workers).map(|_| VecDeque::new()).collect(),
            offered: VecDeque::new(),
            waiting: 0,
            busy: vec![None; workers],
            finished: Vec::new(),
            open: 0,
            failure: None,
            sleeping: 0,
            closed: false,
        }),
        version: AtomicU64::new(0),
        wake: Condvar::new(),
        spins: if threads <= cores { SPINS } else { 0 },
    };
    std::thread::scope(|scope| {
        // Closes the floor however `work` ends: a thread that waits for ever would hang the scope.
        let close = Close(&floor);
        for thread in 1..threads {
            let floor = &floor;
            let home = thread * workers / threads;
            let hired = std::thread::Builder::new()
                .name(format!("strads-{thread}"))
                .spawn_scoped(scope, move || floor.work_until(home, |board| board.closed));
            // Fewer threads than asked for compute the same, only later.
            if hired.is_err() {
                break;
            }
        }
        let result = work(&mut Threads {
            floor: &floor,
            span: 0.0,
        });
        drop(close);
        result
    })
}

struct Close<'f, 'a, P: Program>(&'f Floor<'a, P>);

impl<P: Program> Drop for Close<'_, '_, P> {
    fn drop(&mut self) {
        let mut board = self.0.lock();
        board.closed = true;
        self.0.announce(&mut board);
    }
}

struct Threads<'f, 'a, P: Program> {
    floor: &'f Floor<'a, P>,
    span: f64,
}

impl<P: Program> Crew<P> for Threads<'_, '_, P> {
    fn dispatch(&mut self, round: u64, assignments: Vec<Assignment<P::Task>>) {
        self.span = longest(&assignments, self.floor.shards.len());
        let mut board = self.floor.lock();
        board.post(round, assignments);
        self.floor.announce(&mut board);
    }

    fn collect(&mut self) -> Result<Vec<Finished<P::Share>>, Error> {
        self.floor.work_until(0, |board| board.open == 0);
        let mut board = self.floor.lock();
        if let Some(failure) = board.failure.take() {
            return Err(failure);
        }
        Ok(board
            .finished
            .drain(..)
            .map(|f| f.expect("the round has no open tasks"))
            .collect())
    }

    fn span(&self) -> f64 {
        self.span
    }
}

impl<P: Program> Floor<'_, P> {
    /// No task runs under the lock, so a poisoned one is as good as another.
    fn lock(&self) -> MutexGuard<'_, Board<P>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, board: &mut Board<P>) {
        self.version.fetch_add(1, Ordering::Release);
        if board.sleeping > 0 {
            self.wake.notify_all();
        }
    }

    /// Does tasks until `done` holds; where there is none, waits for news. Looks for the tasks of
    /// worker `home` first: its shard is likely in this thread's cache.
    fn work_until(&self, home: usize, done: impl Fn(&Board<P>) -> bool) {
        loop {
            let mut board = self.lock();
            if done(&board) {
                return;
            }
            if let Some(taken) = board.take(home) {
                drop(board);
                self.perform(taken);
            } else {
                let seen = self.version.load(Ordering::Relaxed);
                drop(board);
                self.wait_for_news(seen);
            }
        }
    }

    fn wait_for_news(&self, seen: u64) {
        for _ in 0..self.spins {
            if self.version.load(Ordering::Acquire) != seen {
                return;
            }
            std::hint::spin_loop();
        }
        let mut board = self.lock();
        board.sleeping += 1;
        // Written only under the lock that is held here, so no news can slip in between.
        while self.version.load(Ordering::Relaxed) == seen {
            board = self
                .wake
                .wait(board)
                .unwrap_or_else(PoisonError::into_inner);
        }
        board.sleeping -= 1;
    }

    fn perform(&self, taken: Taken<P::Task>) {
        let Taken {
            position,
            worker,
            round,
            task,
        } = taken;
        let mut shard = self.shards[worker]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| P::push(&mut shard, task)));
        let seconds = began.elapsed().as_secs_f64();
        drop(shard);

        let mut board = self.lock();
        board.busy[worker] = None;
        board.open -= 1;
        match outcome {
            Ok(share) => {
                board.finished[position] = Some(Finished {
                    worker,
                    share,
                    seconds,
                })
            }
            Err(panic) => {
                // The round is lost: what did not start will not. Of several failures in one
                // round the first in the plan is not always the first in time; any one will do.
                board.abandon();
                let message = panic_message(&*panic);
                board.failure.get_or_insert(Error::Panicked {
                    worker,
                    round,
                    message,
                });
            }
        }
        // Others care only if the round is over or if something waited for this one.
        if board.open == 0 || board.waiting > 0 {
            self.announce(&mut board);
        }
    }
}

impl<P: Program> Board<P> {
    fn post(&mut self, round: u64, assignments: Vec<Assignment<P::Task>>) {
        self.round = round;
        self.open = assignments.len();
        self.waiting = assignments.len();
        self.finished.clear();
        self.finished.resize_with(assignments.len(), || None);
        for (position, assignment) in assignments.into_iter().enumerate() {
            let queue = match assignment.place {
                Place::Worker(worker) => &mut self.own[worker],
                Place::Anyone => &mut self.offered,
            };
            queue.push_back(Waiting {
                position,
                claims: assignment.claims,
                task: assignment.task,
            });
        }
    }

    /// A task that can run now: the next one of a worker that is free, or, for one that has none
    /// left, the first offered one whose claims are free.
    fn take(&mut self, home: usize) -> Option<Taken<P::Task>> {
        if self.waiting == 0 {
            return None;
        }
        let workers = self.own.len();
        (home..workers)
            .chain(0..home)
            .find_map(|worker| self.take_for(worker))
    }

    fn take_for(&mut self, worker: usize) -> Option<Taken<P::Task>> {
        if self.busy[worker].is_some() {
            return None;
        }
        let busy = &self.busy;
        let free = |waiting: &Waiting<P::Task>| {
            let mut held = busy.iter().flatten();
            !held.any(|held| excludes(&waiting.claims, held))
        };
        let waiting = if self.own[worker].is_empty() {
            let first = self.offered.iter().position(free)?;
            self.offered.remove(first)?
        } else {
            self.own[worker].pop_front_if(|next| free(next))?
        };
        self.waiting -= 1;
        self.busy[worker] = Some(waiting.claims);
        Some(Taken {
            position: waiting.position,
            worker,
            round: self.round,
            task: waiting.task,
        })
    }

    /// What did not start will not.
    fn abandon(&mut self) {
        self.own.iter_mut().for_each(VecDeque::clear);
        self.offered.clear();
        self.open -= self.waiting;
        self.waiting = 0;
    }
}
