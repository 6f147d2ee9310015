//! The inner process of a node: it listens on the host's address, and does what the job is for.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::thread;

use strads::cluster::{Timing, serve};
use strads_common::auth::Secret;
use strads_common::hostfile::MOST_SLOTS;

use super::vigil::read_job;
use crate::cluster::check::answer;
use crate::cluster::job::{Job, Purpose, Ready, Said, VERSION};
use crate::cluster::place::programs;
use crate::failure::Failure;
use crate::standard::{print_line, to_standard_error};

/// Takes the job from standard input and does it; ends when that input ends.
pub fn under_vigil() -> Result<(), Failure> {
    let job = read_job(&mut io::stdin().lock())?;
    thread::spawn(|| {
        let mut bytes = [0; 64];
        while matches!(io::stdin().read(&mut bytes), Ok(1..)) {}
        // The vigil has been killed, and nobody else can end this process.
        std::process::exit(1);
    });
    let secret = job
        .secret()
        .ok_or_else(|| Failure::input("the job's secret is not 64 hexadecimal digits"))?;
    let listener = listen(&job)?;
    let workers = job.workers.unwrap_or_else(cores);
    let address = listener.local_addr().map_err(Failure::world)?;
    let ready = Said::Ready(Ready {
        address,
        workers,
        version: VERSION.to_owned(),
    });
    print_line(ready.line());
    work(listener, &secret, job.purpose)
}

/// Listens where it is told, and takes one job after the other.
pub fn by_hand(address: SocketAddr, secret: Secret, workers: Option<usize>) -> Result<(), Failure> {
    if address.port() != 0 && address.port() <= MOST_SLOTS {
        return Err(Failure::input(format!(
            "{address}: a hostfile takes numbers up to {MOST_SLOTS} for slots; choose a higher port"
        )));
    }
    let listener = TcpListener::bind(address)
        .map_err(|error| Failure::input(format!("{address}: {error}")))?;
    let address = listener.local_addr().map_err(Failure::world)?;
    let workers = workers.unwrap_or_else(cores);
    to_standard_error(format_args!(
        "listening on {address} with {workers} workers; write into the hostfile:\n"
    ));
    print_line(format_args!("{address} slots={workers}"));
    work(listener, &secret, Purpose::Train)
}

/// Does what the job is for, until the process ends.
pub fn work(listener: TcpListener, secret: &Secret, purpose: Purpose) -> Result<(), Failure> {
    let served = match purpose {
        Purpose::Check => answer::serve(listener, secret),
        Purpose::Train => serve(listener, secret, programs(), Timing::default()),
    };
    served.map_err(Failure::world)
}

/// How many workers a host has if nobody says.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The address by which an ssh client has reached this host: names may be known to ssh alone.
fn reached_at() -> Option<IpAddr> {
    let connection = std::env::var("SSH_CONNECTION").ok()?;
    connection.split(' ').nth(2)?.parse().ok()
}

/// Listens on the first of the job's addresses that this host has.
fn listen(job: &Job) -> Result<TcpListener, Failure> {
    let mut refusals = Vec::new();
    for address in job.listen.iter().copied().chain(reached_at()) {
        match TcpListener::bind((address, job.port)) {
            Ok(listener) => return Ok(listener),
            Err(error) => refusals.push(format!("{address} port {}: {error}", job.port)),
        }
    }
    Err(Failure::world(format!(
        "cannot listen on an address of this host: {}\n\
         Write the host's own address into the hostfile, one that the other hosts can reach.",
        refusals.join("; ")
    )))
}
