//! `strads node`: the part of a job that runs on a host.
//!
//! Started by a launcher it is two processes. The outer one ([`vigil`]) talks with the launcher and
//! does nothing that could keep it from doing so; the inner one ([`worker`]) does the work. When
//! the launcher is lost (its end of the connection closed, or no sign of life came for
//! [`job::SILENCE`](super::job::SILENCE)) the outer one kills the inner one and ends; when the outer
//! one is killed, the inner one ends by itself. So nothing is left behind, whoever dies first.

mod engine;
mod meet;
mod ranked;
pub mod vigil;
pub mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::cluster::secret_file;
use crate::failure::Failure;
use engine::Place;
use meet::Meeting;

/// Be a node of a job: wait for programs to run, and run them
///
/// Under srun, mpirun or Kubernetes each process finds its rank and the others by itself; launchers
/// that read a hostfile start nodes by themselves, and lines `host:port` mean nodes by hand.
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Example: on four hosts of a Slurm allocation; then by hand, for a line 10.0.0.7:7000 of a hostfile
  srun -N 4 strads node -- lasso data.svm --lambda-ratio 0.1 --out model
  strads node --listen 10.0.0.7:7000 --secret-file secret")]
pub struct Args {
    /// Listen on this address, for jobs that know the secret
    #[arg(long, value_name = "ADDRESS:PORT", requires = "secret_file")]
    listen: Option<SocketAddr>,
    /// The secret: 64 hexadecimal digits in a file that nobody else may read
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Write a new secret into this file, for --secret-file here and elsewhere
    #[arg(long, value_name = "FILE", exclusive = true)]
    new_secret: Option<PathBuf>,
    /// Workers of this node [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    workers: Option<u16>,
    /// Under an engine: what rank 0 runs on all of them, as in `lasso data.svm --lambda 0.5`
    #[arg(last = true, value_name = "APP", conflicts_with = "listen")]
    app: Vec<String>,
    /// Under an engine: meet rank 0 here, instead of by a file; goes with --secret-file
    #[arg(long, value_name = "HOST:PORT", requires_all = ["app", "secret_file"])]
    meet: Option<String>,
    /// Under an engine: meet by a file in this directory, which all hosts see and nobody else
    /// [default: ~/.cache/strads/meet]
    #[arg(long, value_name = "DIR", requires = "app", conflicts_with = "meet")]
    meet_in: Option<PathBuf>,
    /// Do not seal links that leave the host
    #[arg(long)]
    no_tls: bool,
    /// The job is on standard input (what launchers use)
    #[arg(long, hide = true, exclusive = true)]
    launched: bool,
    /// The job is on standard input, and a vigil watches (what nodes use)
    #[arg(long, hide = true, exclusive = true)]
    inner: bool,
}

/// Runs a node until its job is over.
pub fn run(args: &Args) -> Result<(), Failure> {
    if args.launched {
        return vigil::keep();
    }
    if args.inner {
        return worker::under_vigil();
    }
    if let Some(path) = &args.new_secret {
        return secret_file::create(path);
    }
    let workers = args.workers.map(usize::from);
    if !args.app.is_empty() {
        let place = Place::find(|name| std::env::var(name).ok())?;
        let meeting = match &args.meet {
            Some(host) => meet::at(host, args.secret_file.as_deref(), args.no_tls)?,
            None => Meeting::in_directory(&place, args.meet_in.as_deref())?,
        };
        return ranked::run(&place, &meeting, workers, &args.app);
    }
    match (&args.secret_file, args.listen) {
        (Some(path), Some(address)) => {
            let secret = secret_file::read(path)?;
            let secret = if args.no_tls {
                secret.in_clear()
            } else {
                secret
            };
            worker::by_hand(address, secret, workers)
        }
        _ => Err(Failure::input(
            "who starts this node? Launchers do so by themselves: strads lasso … --hostfile FILE\n\
             Engines start many: srun strads node -- lasso DATA …\n\
             By hand: strads node --listen ADDRESS:PORT --secret-file FILE",
        )),
    }
}
