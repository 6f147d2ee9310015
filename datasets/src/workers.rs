//! A list of jobs done by several threads, each taking the next one.

use std::sync::{Mutex, PoisonError};

/// Does every job, on `threads` threads. The jobs must not depend on who does them.
pub(crate) fn run<J: Send>(jobs: Vec<J>, threads: usize, work: impl Fn(J) + Sync) {
    if threads <= 1 {
        return jobs.into_iter().for_each(work);
    }
    let jobs = Mutex::new(jobs.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // A poisoned lock means that another job panicked; the scope passes that on.
                while let Some(job) = { jobs.lock().unwrap_or_else(PoisonError::into_inner).next() }
                {
                    work(job);
                }
            });
        }
    });
}
