//! The `strads` command.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use strads_apps::cli::{
    self, complaint::complaint, config, interrupt, log, resume, settings, shell,
};
use strads_apps::cluster::recovery::recovering;
use strads_apps::cluster::{check, node};
use strads_apps::failure::Failure;
use strads_apps::linear::{self, loss::Loss};
use strads_apps::options::Common;
use strads_apps::standard::to_standard_error;
use strads_apps::{bosen_bench, demo, generate, inspect, lda, mf, mlr};

const EXAMPLE: &str = "\
Example: make a problem, solve it, look at how it went
  strads gen lasso --rows 1000 --columns 2000 --seed 7 --out data.svm
  strads lasso data.svm --lambda-ratio 0.1 --out model --report run.html";

const EXIT_CODES: &str = "\
Exit codes: 0 success, 2 wrong use or input, 3 the world fails (disk, network), 130 Ctrl-C";

/// Model-parallel machine learning, from a laptop's cores to a cluster.
#[derive(Debug, Parser)]
#[command(name = "strads", version, about, arg_required_else_help = true, before_help = EXAMPLE, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Take options from this file, where the command line does not say them
    #[arg(
        long,
        global = true,
        value_name = "FILE.toml",
        help_heading = "Every command"
    )]
    config: Option<std::path::PathBuf>,
    /// Print all options as a file for --config, and do nothing else
    #[arg(long, global = true, help_heading = "Every command")]
    print_config: bool,
    /// What to log on standard error
    #[arg(
        long,
        global = true,
        env = "STRADS_LOG",
        value_enum,
        default_value = "warn",
        help_heading = "Every command"
    )]
    log: log::Level,
}

// There is one value of it in a run, so its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
enum Command {
    /// Sparse linear regression: Lasso and elastic net
    #[command(before_help = "\
Example: the features that matter, at a tenth of the penalty that would leave none
  strads lasso data.svm --lambda-ratio 0.1 --out model")]
    Lasso(linear::command::Args),
    /// Sparse logistic regression with an L1 or elastic-net penalty
    #[command(before_help = "\
Example: fit, then measure on other data
  strads logistic train.svm --lambda-ratio 0.1 --intercept --out model
  strads eval model test.svm")]
    Logistic(linear::command::Args),
    /// Topics of documents: latent Dirichlet allocation
    #[command(before_help = "\
Example: 20 topics of a bag of words; model/topics.txt has their words
  strads lda docword.txt.gz --topics 20 --sweeps 200 --out model")]
    Lda(lda::Args),
    #[command(before_help = "\
Example: learn from nine tenths of the ratings, measure on the rest, recommend
  strads mf ratings.txt --rank 32 --test-fraction 0.1 --out model
  strads mf recommend model --user 17 --top 5")]
    Mf(mf::Args),
    Resume(resume::Args),
    /// Apply a linear model
    #[command(before_help = "\
Example: a prediction a row
  strads predict model new.svm --out predictions.txt")]
    Predict(linear::Predict),
    /// Measure a linear model on data with known targets
    #[command(before_help = "\
Example: how well does it do on data that it has not seen?
  strads eval model test.svm")]
    Eval(linear::Eval),
    Mlr(mlr::Args),
    Inspect(inspect::Args),
    Gen(generate::Args),
    Demo(demo::Args),
    Node(node::Args),
    /// The hosts that jobs run on
    #[command(subcommand, before_help = check::EXAMPLE)]
    Cluster(ClusterCommand),
    /// The parameter store by itself
    #[command(
        subcommand,
        before_help = "\
Example: increments and reads of rows of three lengths, over loopback
  strads bosen bench --row-length 1,64,1024"
    )]
    Bosen(BosenCommand),
    /// Print completions for a shell
    #[command(before_help = "\
Example: for the shell that is running
  source <(strads completions bash)")]
    Completions(shell::Completions),
    /// Print the manual, or write all pages of it
    #[command(before_help = "\
Example: read one page
  strads man --out man && man ./man/strads-lasso.1")]
    Man(shell::Man),
}

#[derive(Debug, Subcommand)]
enum BosenCommand {
    #[command(before_help = "\
Example: increments and reads of rows of three lengths, over loopback
  strads bosen bench --row-length 1,64,1024")]
    Bench(bosen_bench::Args),
}

#[derive(Debug, Subcommand)]
enum ClusterCommand {
    Check(check::Args),
}

fn main() -> ExitCode {
    match start(std::env::args_os().collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            to_standard_error(format_args!("strads: {failure}\n"));
            ExitCode::from(failure.exit_code())
        }
    }
}

/// From the words that were typed to the command that they mean.
fn start(words: Vec<std::ffi::OsString>) -> Result<(), Failure> {
    let mut root = Cli::command();
    // Options of every command are put into each.
    root.build();
    let told = config::told(&root, words)?;
    let parser = if told.print {
        config::relaxed(Cli::command())
    } else {
        Cli::command()
    };
    let matches = match parser.try_get_matches_from(&told.words) {
        Ok(matches) => matches,
        Err(error) => return stop(&root, &told, &error),
    };
    if told.print {
        print!("{}", settings::as_file(&root, &matches));
        return Ok(());
    }
    let parsed = Cli::from_arg_matches(&matches);
    let mut cli = parsed.map_err(|error| Failure::Input(complaint(&error, "strads")))?;
    if let Command::Resume(args) = &cli.command {
        return start(resume::words(args)?);
    }
    log::start(cli.log);
    interrupt::watch();
    if let Some(common) = cli.command.common() {
        common.settings = settings::settings(&root, &matches, &told);
        common.check()?;
    }
    run(cli.command)
}

/// Help and version are no failures; anything else is wrong use.
fn stop(root: &clap::Command, told: &config::Told, error: &clap::Error) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that has gone away (`strads --help | head`) has read enough.
            let _ = error.print();
            Ok(())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            std::process::exit(2);
        }
        _ => {
            let words = told.words.iter().skip(1).filter_map(|word| word.to_str());
            let (_, path) = cli::named(root, words);
            let command = [&["strads"], path.as_slice()].concat().join(" ");
            Err(Failure::Input(complaint(error, &command)))
        }
    }
}

impl Command {
    /// The options that all apps have, of those commands that are apps.
    fn common(&mut self) -> Option<&mut Common> {
        match self {
            Self::Lasso(args) | Self::Logistic(args) => Some(&mut args.common),
            Self::Lda(args) => Some(&mut args.common),
            Self::Mf(args) => Some(&mut args.common),
            Self::Mlr(args) => Some(&mut args.common),
            _ => None,
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Lasso(args) => recovering(
            args,
            |args| &mut args.common,
            |args| linear::command::run(args, Loss::Squared),
        ),
        Command::Logistic(args) => recovering(
            args,
            |args| &mut args.common,
            |args| linear::command::run(args, Loss::Logistic),
        ),
        Command::Lda(args) => recovering(args, |args| &mut args.common, lda::run),
        Command::Mf(args) => {
            recovering(args, |args| &mut args.common, |args| mf::run(args.clone()))
        }
        Command::Predict(args) if mlr::is_model(&args.applied.model) => mlr::predict(&args),
        Command::Resume(args) => start(resume::words(&args)?),
        Command::Predict(args) => linear::predict(&args),
        Command::Eval(args) if mlr::is_model(&args.applied.model) => mlr::eval(&args),
        Command::Eval(args) => linear::eval(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Mlr(args) => recovering(args, |args| &mut args.common, mlr::run),
        Command::Gen(args) => generate::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Node(args) => node::run(&args),
        Command::Cluster(ClusterCommand::Check(args)) => check::run(&args),
        Command::Bosen(BosenCommand::Bench(args)) => bosen_bench::run(args),
        Command::Completions(args) => {
            shell::completions(&args, Cli::command());
            Ok(())
        }
        Command::Man(args) => shell::man(&args, Cli::command()),
    }
}
