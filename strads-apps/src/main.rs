//! The `strads` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use strads_apps::bosen_bench;
use strads_apps::failure::Failure;
use strads_apps::linear::{self, loss::Loss};
use strads_apps::{demo, generate, lda, mf, mlr};

/// Model-parallel machine learning, from a laptop's cores to a cluster.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sparse linear regression: Lasso and elastic net
    ///
    /// Example: strads lasso data.svm --lambda-ratio 0.1 --out model
    Lasso(linear::command::Args),
    /// Sparse logistic regression with an L1 or elastic-net penalty
    ///
    /// Example: strads logistic data.svm --lambda-ratio 0.1 --intercept --out model
    Logistic(linear::command::Args),
    /// Apply a linear model
    ///
    /// Example: strads predict model new.svm --out predictions.txt
    Predict(linear::Predict),
    /// Measure a linear model on data with known targets
    ///
    /// Example: strads eval model test.svm
    Eval(linear::Eval),
    Mf(mf::Args),
    Mlr(mlr::Args),
    Gen(generate::Args),
    Demo(demo::Args),
    /// Topics of documents: latent Dirichlet allocation
    Lda(lda::Args),
    /// The parameter store by itself
    #[command(subcommand)]
    Bosen(BosenCommand),
}

#[derive(Debug, Subcommand)]
enum BosenCommand {
    Bench(bosen_bench::Args),
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
        Command::Lasso(args) => linear::command::run(&args, Loss::Squared),
        Command::Logistic(args) => linear::command::run(&args, Loss::Logistic),
        Command::Predict(args) if mlr::is_model(&args.applied.model) => mlr::predict(&args),
        Command::Predict(args) => linear::predict(&args),
        Command::Eval(args) if mlr::is_model(&args.applied.model) => mlr::eval(&args),
        Command::Eval(args) => linear::eval(&args),
        Command::Mf(args) => mf::run(args),
        Command::Mlr(args) => mlr::run(&args),
        Command::Gen(args) => generate::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Lda(args) => lda::run(&args),
        Command::Bosen(BosenCommand::Bench(args)) => bosen_bench::run(args),
    }
}
