//! Who moves the sockets: a thread of its own, or whoever waits for what they bring.
//!
//! While a program computes, the input-output thread reads and writes. A program that waits has
//! nothing to do, and to be woken by another thread costs more than a short round trip; so it
//! drives the runtime itself, and the thread takes over when nobody has waited for a moment.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// How long the thread leaves the runtime to those who wait, after the last of them.
const LENT_FOR: Duration = Duration::from_micros(300);

/// A runtime and the thread that drives it.
pub struct Driver {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    runtime: Runtime,
    /// Threads that wait, and how often one has begun to.
    waiting: AtomicUsize,
    waits: AtomicUsize,
    /// The thread is driving, and must be asked to lend.
    driving: AtomicBool,
    lend: Notify,
    stop: AtomicBool,
}

impl Driver {
    /// A driver with its thread.
    pub fn start() -> io::Result<Driver> {
        let shared = Arc::new(Shared {
            runtime: Builder::new_current_thread().enable_all().build()?,
            waiting: AtomicUsize::new(0),
            waits: AtomicUsize::new(0),
            driving: AtomicBool::new(false),
            lend: Notify::new(),
            stop: AtomicBool::new(false),
        });
        let driven = shared.clone();
        let thread = std::thread::Builder::new()
            .name("bosen-io".into())
            .spawn(move || driven.drive())?;
        Ok(Driver {
            shared,
            thread: Some(thread),
        })
    }

    /// Lets `task` run for as long as it likes.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.runtime.spawn(task);
    }

    /// Waits for `future`, driving meanwhile.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let shared = &*self.shared;
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        shared.waits.fetch_add(1, Ordering::SeqCst);
        if shared.driving.load(Ordering::SeqCst) {
            shared.lend.notify_one();
        }
        let result = shared.runtime.block_on(future);
        shared.waiting.fetch_sub(1, Ordering::SeqCst);
        result
    }
}

impl Shared {
    fn drive(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            self.driving.store(true, Ordering::SeqCst);
            self.runtime.block_on(self.lend.notified());
            self.driving.store(false, Ordering::SeqCst);
            self.leave_to_those_who_wait();
        }
    }

    fn leave_to_those_who_wait(&self) {
        loop {
            let before = self.waits.load(Ordering::SeqCst);
            std::thread::park_timeout(LENT_FOR);
            let idle = self.waiting.load(Ordering::SeqCst) == 0;
            if (idle && self.waits.load(Ordering::SeqCst) == before)
                || self.stop.load(Ordering::SeqCst)
            {
                return;
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.lend.notify_one();
        if let Some(thread) = self.thread.take() {
            // It ends by itself once it sees `stop`; a panic in it has been reported.
            let _ = thread.join();
        }
    }
}
