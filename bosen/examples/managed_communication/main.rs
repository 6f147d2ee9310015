//! Managed communication pays: matrix factorisation by workers whose links are narrow.
//!
//! ```sh
//! cargo build --release -p bosen --example managed_communication
//! sudo target/release/examples/managed_communication --out /tmp/managed
//! ```
//!
//! Makes a network namespace for the server and one for each worker, with links that `tc tbf`
//! limits in both directions, and removes them in the end. In each case the same program learns
//! the same factors for the same time; what differs is how its increments travel. Writes
//! `loss.csv`, `wire.csv`, `summary.json` and `plot.svg`. Without root it says so and does nothing.

mod cases;
mod network;
mod problem;
mod report;
mod server;
mod worker;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Loss against time over narrow links, with and without managed communication
///
/// Example: sudo managed_communication --mbit 20 --seconds 40 --out /tmp/managed
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    experiment: cases::Experiment,
    /// Only the cases whose names contain this, or one of several of these
    #[arg(long)]
    only: Vec<String>,
    /// Where the results go
    #[arg(long, default_value = "managed-communication")]
    out: PathBuf,
}

/// What the experiment starts of itself in each namespace.
#[derive(Subcommand)]
enum Role {
    /// The server, which also watches the interfaces
    #[command(hide = true)]
    Server(server::Args),
    /// A worker
    #[command(hide = true)]
    Worker(worker::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.role {
        Some(Role::Server(of)) => server::run(&of),
        Some(Role::Worker(of)) => worker::run(&of),
        None if !network::is_root() => {
            println!("skipped: network namespaces and tc need root");
            Ok(())
        }
        None => cases::run(&args.experiment, &args.only, &args.out),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("managed_communication: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Anything that goes wrong ends the experiment with a message.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
