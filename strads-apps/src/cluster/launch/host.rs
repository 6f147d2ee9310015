//! A process that brings a node about, and a thread for each of its streams.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};

use super::Happening;
use super::watch::Event;
use crate::cluster::job::{HEARTBEAT, Said};
use crate::cluster::node::vigil::each_line;
use crate::cluster::ssh;

/// What is written to a host. When no more orders can come, its input ends.
pub enum Order {
    /// A file, as it is.
    Program(PathBuf),
    /// A line, and signs of life from then on.
    Job(String),
}

/// A process that is attached to this one.
#[derive(Debug)]
pub struct Attached {
    pid: Pid,
    orders: Option<Sender<Order>>,
}

impl Attached {
    /// Starts `command` for the node of this rank; what happens there goes to `happens`.
    pub fn start(
        command: Command,
        rank: usize,
        happens: &Sender<Happening>,
    ) -> io::Result<Attached> {
        let mut child = ssh::piped(command).spawn()?;
        let pid = Pid::from_child(&child);
        let stdin = child.stdin.take().expect("its input is piped");
        let stdout = child.stdout.take().expect("its output is piped");
        let stderr = child.stderr.take().expect("its errors are piped");
        let (orders, taken) = channel();
        let tell = |happens: &Sender<Happening>| {
            let happens = happens.clone();
            move |event| happens.send(Happening::At(rank, event)).is_ok()
        };
        let (progress, noise, said) = (tell(happens), tell(happens), tell(happens));
        thread::spawn(move || write(stdin, &taken, progress));
        let errors = thread::spawn(move || each_line(stderr, |line| noise(Event::Noise(line))));
        thread::spawn(move || {
            each_line(stdout, |line| said(heard(line)));
            // Why it ended is known before that it has; and it must not remain as a zombie.
            let _ = errors.join();
            let _ = child.wait();
            said(Event::Closed);
        });
        Ok(Attached {
            pid,
            orders: Some(orders),
        })
    }

    /// Has something written there.
    pub fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // A writer that is gone has met a closed stream, which is heard of by itself.
            let _ = orders.send(order);
        }
    }

    /// Ends its input, which tells it to end.
    pub fn dismiss(&mut self) {
        self.orders = None;
    }

    /// Kills it, and what it started here.
    pub fn kill(&self) {
        // It may have ended meanwhile.
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}

fn heard(line: String) -> Event {
    match Said::read(&line) {
        Some(said) => Event::Said(said),
        None => Event::Noise(line),
    }
}

fn write(mut stdin: ChildStdin, orders: &Receiver<Order>, progress: impl Fn(Event) -> bool) {
    let mut alive = false;
    loop {
        let written = match orders.recv_timeout(HEARTBEAT) {
            Ok(Order::Program(path)) => send_file(&mut stdin, path, &progress),
            Ok(Order::Job(line)) => {
                alive = true;
                writeln!(stdin, "{line}")
            }
            Err(RecvTimeoutError::Timeout) if alive => writeln!(stdin),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if written.and_then(|()| stdin.flush()).is_err() {
            return;
        }
    }
}

fn send_file(
    to: &mut ChildStdin,
    path: PathBuf,
    progress: &impl Fn(Event) -> bool,
) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read])?;
        progress(Event::Progress);
    }
}
