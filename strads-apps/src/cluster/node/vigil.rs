//! The outer process of a node: it watches the launcher and the worker, and ends with either.
//!
//! Whatever may block has a thread of its own (reading what the launcher says, writing to it, reading
//! what the worker says, waiting for the worker); the vigil itself only takes events and looks at
//! the clock. A launcher that does not read holds the worker's output up, not the vigil.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::cluster::awake::Awake;
use crate::cluster::job::{Exit, HEARTBEAT, Job, SILENCE, Said};
use crate::failure::Failure;

/// The longest line of a worker's output that is passed on in one piece.
const LONGEST_LINE: u64 = 64 << 10;
/// Lines that may wait for a launcher that is slow to read.
const WAITING_LINES: usize = 1024;
/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What happens to a vigil.
enum Event {
    /// The launcher lives.
    Alive,
    /// The launcher's end is closed.
    Gone,
    /// The worker has ended.
    Ended(io::Result<ExitStatus>),
}

/// Takes the job from standard input, runs a worker for it, and watches.
pub fn keep() -> Result<(), Failure> {
    let job = read_job(&mut io::stdin().lock())?;
    let mut worker = spawn_worker(&job).map_err(Failure::world)?;
    let pid = Pid::from_child(&worker);
    let (launcher, lines) = sync_channel(WAITING_LINES);
    let (done, written) = channel::<()>();
    thread::spawn(move || {
        let _done = done;
        write_lines(&lines)
    });
    let relays = relay_output(&mut worker, &launcher);
    let (happens, events) = channel();
    watch_launcher(happens.clone());
    thread::spawn(move || happens.send(Event::Ended(worker.wait())));
    let exit = watch(&events, &launcher);
    // Also what the worker may have started, and also if it has ended by itself.
    let _ = kill_process_group(pid, Signal::KILL);
    let Some(exit) = exit else {
        // Nobody is there to be told.
        std::process::exit(1);
    };
    thread::spawn(move || {
        relays.into_iter().for_each(|relay| drop(relay.join()));
        let _ = launcher.send(Said::Exit(exit));
    });
    let _ = written.recv_timeout(LAST_WORDS);
    match exit {
        Exit::Code(0) => Ok(()),
        Exit::Code(code) => std::process::exit(code),
        Exit::Signal(signal) => std::process::exit(128 + signal),
    }
}

/// The job on the first line of `input`.
pub fn read_job(input: &mut impl BufRead) -> Result<Job, Failure> {
    let mut line = String::new();
    let read = input.take(LONGEST_LINE).read_line(&mut line);
    read.map_err(Failure::world)?;
    serde_json::from_str(&line)
        .map_err(|_| Failure::input("standard input does not begin with a job; launchers send one"))
}

/// The inner process, with the job on its standard input, which stays open as long as this one lives.
fn spawn_worker(job: &Job) -> io::Result<Child> {
    let mut worker = Command::new(std::env::current_exe()?)
        .args(["node", "--inner"])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = worker.stdin.take().expect("the worker's input is piped");
    writeln!(stdin, "{}", job.line())?;
    // `wait` closes what is left in `worker`; the worker reads on as long as this process lives.
    std::mem::forget(stdin);
    Ok(worker)
}

/// Waits until the worker ends, or the launcher is lost; then there is no exit.
fn watch(events: &Receiver<Event>, launcher: &SyncSender<Said>) -> Option<Exit> {
    let mut clock = Awake::new(HEARTBEAT);
    let (mut heard, mut said) = (Duration::ZERO, Duration::ZERO);
    loop {
        let now = clock.passed();
        if now - said >= HEARTBEAT {
            // Lines that wait are signs of life as well.
            let _ = launcher.try_send(Said::Alive);
            said = now;
        }
        if now - heard >= SILENCE {
            return None;
        }
        match events.recv_timeout(HEARTBEAT / 4) {
            Ok(Event::Alive) => heard = clock.passed(),
            Ok(Event::Gone) | Err(RecvTimeoutError::Disconnected) => return None,
            Ok(Event::Ended(status)) => return Some(exit_of(status)),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn exit_of(status: io::Result<ExitStatus>) -> Exit {
    let Ok(status) = status else {
        return Exit::Code(1);
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

fn watch_launcher(happens: Sender<Event>) {
    thread::spawn(move || {
        let mut bytes = [0; 256];
        let mut stdin = io::stdin();
        while matches!(stdin.read(&mut bytes), Ok(1..)) {
            if happens.send(Event::Alive).is_err() {
                return;
            }
        }
        let _ = happens.send(Event::Gone);
    });
}

fn write_lines(lines: &Receiver<Said>) {
    let mut stdout = io::stdout();
    for said in lines {
        let written = writeln!(stdout, "{}", said.line()).and_then(|()| stdout.flush());
        if written.is_err() || matches!(said, Said::Exit(_)) {
            return;
        }
    }
}

/// Passes the worker's output on, line by line.
fn relay_output(worker: &mut Child, launcher: &SyncSender<Said>) -> Vec<thread::JoinHandle<()>> {
    let stdout = worker.stdout.take().expect("the worker's output is piped");
    let stderr = worker.stderr.take().expect("the worker's errors are piped");
    let (out, err) = (launcher.clone(), launcher.clone());
    // What the worker says of itself is for the launcher as it is.
    let own = |line: String| match Said::read(&line) {
        Some(said @ Said::Ready(_)) => said,
        _ => Said::Out(line),
    };
    vec![
        thread::spawn(move || each_line(stdout, |line| out.send(own(line)).is_ok())),
        thread::spawn(move || each_line(stderr, |line| err.send(Said::Err(line)).is_ok())),
    ]
}

/// Hands out lines, long ones in pieces, until `take` wants no more.
pub fn each_line(from: impl Read, mut take: impl FnMut(String) -> bool) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut from).take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
        let text = String::from_utf8_lossy(&line);
        if !take(text.trim_end_matches(['\n', '\r']).to_owned()) {
            return;
        }
    }
}
