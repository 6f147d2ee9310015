//! The `strads` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use strads_apps::failure::Failure;
use strads_apps::lda;

/// Model-parallel machine learning, from a laptop's cores to a cluster.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Topics of documents: latent Dirichlet allocation
    Lda(lda::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("strads: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Lda(args) => lda::run(&args),
    }
}
