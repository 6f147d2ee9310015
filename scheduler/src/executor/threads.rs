//! Threads over shared memory: the caller's thread is one of them.
//!
//! All of a round's state is one [`Board`] behind one lock, held for the few instructions that
//! take a task or hand in a result, never while a task runs. Between rounds threads spin for a
//! moment before they sleep, so that a short round costs microseconds and a long pause costs
//! nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Crew, Finished};
use crate::error::{Error, panic_message};
use crate::plan::{Assignment, Claim, Place};
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
    waiting: Vec<Waiting<P::Task>>,
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
    place: Place,
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
            waiting: Vec::new(),
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
            std::thread::Builder::new()
                .name(format!("strads-{thread}"))
                .spawn_scoped(scope, move || floor.work_until(|board| board.closed))
                .expect("the system gives a thread");
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
        board.round = round;
        board.open = assignments.len();
        board.finished.clear();
        board.finished.resize_with(assignments.len(), || None);
        board.waiting = assignments
            .into_iter()
            .enumerate()
            .map(|(position, a)| Waiting {
                position,
                place: a.place,
                claims: a.claims,
                task: a.task,
            })
            .collect();
        self.floor.announce(&mut board);
    }

    fn collect(&mut self) -> Result<Vec<Finished<P::Share>>, Error> {
        self.floor.work_until(|board| board.open == 0);
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

/// The most loaded worker's planned cost; offered tasks spread evenly at best.
fn longest<T>(assignments: &[Assignment<T>], workers: usize) -> f64 {
    let mut load = vec![0.0_f64; workers];
    let mut offered = 0.0;
    for assignment in assignments {
        match assignment.place {
            Place::Worker(worker) => load[worker] += assignment.cost,
            Place::Anyone => offered += assignment.cost,
        }
    }
    let even = (load.iter().sum::<f64>() + offered) / workers as f64;
    load.into_iter().fold(even, f64::max)
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

    /// Does tasks until `done` holds; where there is none, waits for news.
    fn work_until(&self, done: impl Fn(&Board<P>) -> bool) {
        loop {
            let mut board = self.lock();
            if done(&board) {
                return;
            }
            if let Some(taken) = board.take() {
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
                board.open -= board.waiting.len();
                board.waiting.clear();
                let message = panic_message(&*panic);
                board.failure.get_or_insert(Error::Panicked {
                    worker,
                    round,
                    message,
                });
            }
        }
        // Others care only if the round is over or if something waited for this one.
        if board.open == 0 || !board.waiting.is_empty() {
            self.announce(&mut board);
        }
    }
}

impl<P: Program> Board<P> {
    /// The first waiting task that can run now.
    fn take(&mut self) -> Option<Taken<P::Task>> {
        let (at, worker) = self.waiting.iter().enumerate().find_map(|(at, waiting)| {
            let worker = match waiting.place {
                Place::Worker(worker) => Some(worker).filter(|&w| self.busy[w].is_none()),
                Place::Anyone => self.busy.iter().position(Option::is_none),
            };
            worker
                .filter(|_| !self.is_taken(&waiting.claims))
                .map(|worker| (at, worker))
        })?;
        let Waiting {
            position,
            claims,
            task,
            ..
        } = self.waiting.remove(at);
        self.busy[worker] = Some(claims);
        Some(Taken {
            position,
            worker,
            round: self.round,
            task,
        })
    }

    fn is_taken(&self, claims: &[Claim]) -> bool {
        let mut held = self.busy.iter().flatten().flatten();
        held.any(|held| claims.iter().any(|claim| claim.conflicts(held)))
    }
}
