//! A training, end to end: read, deal out, learn, write.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bosen::broadcast::{Setting, room, tcp};
use bosen::tcp::Timing;
use strads_common::auth::Secret;
use strads_common::ids::WorkerId;
use strads_datasets::{Labelled, ReadOptions, Source, read_labelled, read_vector};

use super::args::{Args, Shape, Solver};
use super::batches::Batches;
use super::checkpoint::Checkpoints;
use super::decision::Decision;
use super::evaluate::measure;
use super::examples::{Examples, classes};
use super::message::{Finished, Progress, Started};
use super::model::Model;
use super::replica::Replica;
use super::schedule::Schedule;
use super::sending::{Broadcast, Exchange};
use super::servers::Shop;
use super::worker::{self, Job, News};
use crate::console::Console;
use crate::failure::Failure;
use crate::files::{together, watched};

/// Trains as `args` say.
pub fn run(args: &Args) -> Result<(), Failure> {
    train(args).map(drop)
}

/// Trains as `args` say, and writes the model where they say; the model and how it did.
pub fn train(args: &Args) -> Result<(Model, Finished), Failure> {
    args.check()?;
    args.common.stays_here()?;
    let mut console = args.common.console();
    let began = Instant::now();
    let (data, target) = read(args, &mut console)?;
    let (names, labels) = classes(&target)?;
    let examples = Examples::new(&data.features, labels);
    drop(data);
    let seconds_read = began.elapsed().as_secs_f64();

    let (job, replica, checkpoints) = prepare(args, examples, names.len())?;
    console.event(
        "start",
        Started {
            rows: job.examples.len(),
            features: job.examples.rows - 1,
            classes: names.len(),
            workers: args.workers(),
            threads: args.common.threads(),
            steps: job.schedule.len(),
            seconds_read,
        },
    );
    let began = Instant::now();
    let mut teller = Teller {
        args,
        began,
        console: &mut console,
        checkpoints: checkpoints.as_ref(),
    };
    let Trained {
        weights,
        apart,
        sent_bytes,
    } = learn(args, &job, replica, &mut teller)?;
    let seconds_train = began.elapsed().as_secs_f64();
    console.clear();

    let measures = measure(&job.examples, &weights, names.len());
    let model = Model {
        weights,
        classes: names,
    };
    let began = Instant::now();
    if let Some(directory) = &args.common.out {
        let failed = |error| Failure::world(format!("{}: {error}", directory.display()));
        together(|| model.write(directory)).map_err(failed)?;
    }
    let steps = job.schedule.steps().count();
    let finished = Finished {
        seconds_read,
        seconds_train,
        seconds_write: began.elapsed().as_secs_f64(),
        train_loss: measures.log_loss,
        train_accuracy: measures.accuracy,
        steps,
        seconds_per_step: seconds_train / steps.max(1) as f64,
        replicas_apart: apart,
        sent_bytes,
    };
    console.say(format_args!(
        "{} classes from {} examples: accuracy {:.4}, log loss {:.6} on what was learnt from\n\
         read in {seconds_read:.2} s, trained in {seconds_train:.3} s ({steps} steps)",
        model.classes.len(),
        measures.rows,
        measures.accuracy,
        measures.log_loss,
    ));
    console.event("done", &finished);
    console.finish()?;
    Ok((model, finished))
}

/// The job, the model to begin with, and where to keep it.
fn prepare(
    args: &Args,
    examples: Examples,
    classes: usize,
) -> Result<(Job, Replica, Option<Checkpoints>), Failure> {
    let rows = examples.rows;
    let adapts = args.solver == Solver::Adagrad;
    let checkpoints = args
        .common
        .checkpoint
        .as_ref()
        .map(|directory| Checkpoints::new(directory, &description(args, &examples)));
    let state = match (&checkpoints, args.common.resume) {
        (Some(checkpoints), true) => Some(checkpoints.newest(rows * classes, adapts)?),
        _ => None,
    };
    if state.is_some() && args.topology == Shape::Server {
        return Err(Failure::input(
            "--resume: a server begins with an empty table\nuse another --topology",
        ));
    }
    let workers = args.workers() as usize;
    let batches = Batches::new(
        examples.len(),
        workers,
        args.batch,
        args.batch_growth,
        args.common.seed,
    );
    let decision = Decision::new(args, rows, classes, examples.density());
    let begin = state
        .as_ref()
        .map_or(0, |state| state.epochs.min(args.epochs));
    let rate = rates(args, &examples);
    let schedule = Schedule::new(&batches, &decision, (begin, args.epochs), args.lambda, rate);
    let schedule = Arc::new(schedule);
    let in_process = if args.peers.is_empty() { workers } else { 1 };
    let threads = args.common.threads().div_ceil(in_process);
    let mut replica = Replica::new(rows, classes, adapts, schedule.clone(), threads);
    if let Some(state) = state {
        replica.weights = state.weights;
        replica.squares = state.squares;
    }
    let job = Job {
        examples,
        classes,
        batches,
        decision,
        schedule,
        threads,
    };
    Ok((job, replica, checkpoints))
}

/// The rate of each epoch.
fn rates(args: &Args, examples: &Examples) -> impl Fn(u64) -> f64 + use<> {
    let solver = args.solver;
    // The loss bends by at most ‖x‖²/2 on average, so that this is half of what is safe.
    let usual = match solver {
        Solver::Adagrad => 0.05,
        Solver::Sgd => 2.0 / examples.mean_square().max(f64::MIN_POSITIVE),
    };
    let rate = args.rate.unwrap_or(usual);
    move |epoch| match solver {
        Solver::Adagrad => rate,
        Solver::Sgd => rate / ((1 + epoch) as f64).sqrt(),
    }
}

/// What makes a training the same one: everything that its result depends on but its length.
fn description(args: &Args, examples: &Examples) -> String {
    let labels: &[u8] = bytemuck::cast_slice(&examples.labels);
    let all: Vec<usize> = (0..examples.len()).collect();
    let data = examples.gather(&all);
    let data = match &data {
        bosen::factors::Rows::All(values) => crc32fast::hash(bytemuck::cast_slice(values)),
        bosen::factors::Rows::Some { rows, values, .. } => {
            crc32fast::hash(bytemuck::cast_slice(rows))
                ^ crc32fast::hash(bytemuck::cast_slice(values))
        }
    };
    format!(
        "{data} {} {} {} {} {:?} {:?} {} {} {}",
        crc32fast::hash(labels),
        args.batch,
        args.batch_growth,
        args.lambda,
        args.solver,
        args.rate,
        args.workers(),
        args.staleness,
        args.common.seed,
    )
}

/// What came out of the workers.
struct Trained {
    weights: Vec<f32>,
    /// The greatest distance between replicas.
    apart: f32,
    sent_bytes: Option<u64>,
}

/// Lets the workers of this process learn; the first of them tells how it goes.
fn learn(
    args: &Args,
    job: &Job,
    replica: Replica,
    teller: &mut Teller<'_>,
) -> Result<Trained, Failure> {
    if !args.peers.is_empty() {
        return learn_as_peer(args, job, replica, teller);
    }
    let workers = args.workers();
    if args.topology == Shape::Server {
        let shop = Shop::open(workers)?;
        let adapts = args.solver == Solver::Adagrad;
        let customers = (0..workers).map(|me| {
            let of = (replica.rows, replica.classes);
            shop.customer(WorkerId(me), &job.schedule, args.consistency(), of, adapts)
        });
        let customers = customers.collect::<Result<Vec<_>, _>>()?;
        return all(job, &replica, customers, teller);
    }
    let setting = Setting {
        me: WorkerId(0),
        workers,
        topology: Decision::topology(args, workers),
        consistency: args.consistency(),
        on_loss: args.on_loss(),
        patience: Timing::default().patience,
        join: Timing::default().join,
    };
    let seats = (0..).map(WorkerId).zip(room::seats(setting));
    let exchanges = seats.map(|(me, seat)| Broadcast::new(me, seat));
    all(job, &replica, exchanges.collect(), teller)
}

/// All workers, each in a thread; the first one in this. Who fails drops its exchange, so that the
/// others hear of it and stop too.
fn all<E: Exchange + Send>(
    job: &Job,
    replica: &Replica,
    mut exchanges: Vec<E>,
    teller: &mut Teller<'_>,
) -> Result<Trained, Failure> {
    let keeps = &keeps_of(teller.args);
    let first = exchanges.remove(0);
    std::thread::scope(|scope| {
        let start = |(at, mut exchange): (usize, E)| {
            let mut replica = replica.clone();
            scope.spawn(move || {
                let silent = |_: News<'_>| Ok(());
                let apart = worker::train(job, at, &mut replica, &mut exchange, keeps, silent)?;
                exchange.leave();
                Ok(apart)
            })
        };
        let others: Vec<_> = (1..).zip(exchanges).map(start).collect();
        let mut own = replica.clone();
        let mut exchange = first;
        let told = worker::train(job, 0, &mut own, &mut exchange, keeps, |news| {
            teller.tell(news)
        });
        match told {
            Ok(_) => exchange.leave(),
            Err(_) => drop(exchange),
        }
        let mut apart = told?;
        for other in others {
            let distance: Result<f32, Failure> = other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            apart = apart.max(distance?);
        }
        Ok(Trained {
            weights: own.weights,
            apart,
            sent_bytes: None,
        })
    })
}

/// As one worker of several processes.
fn learn_as_peer(
    args: &Args,
    job: &Job,
    mut replica: Replica,
    teller: &mut Teller<'_>,
) -> Result<Trained, Failure> {
    let me = WorkerId(args.me.expect("peers need a number"));
    let address = args.peers[me.index()];
    let listener = TcpListener::bind(address)
        .map_err(|error| Failure::world(format!("cannot listen at {address}: {error}")))?;
    let node = tcp::Node::start(
        listener,
        tcp::NodeOptions {
            me,
            addresses: args.peers.clone(),
            topology: Decision::topology(args, args.workers()),
            consistency: args.consistency(),
            on_loss: args.on_loss(),
            secret: secret(args)?,
            timing: Timing {
                patience: Duration::from_secs_f64(args.patience.min(1e6)),
                ..Timing::default()
            },
        },
    );
    let node = node.map_err(Failure::world)?;
    let mut exchange = Broadcast::new(me, node);
    let keeps = keeps_of(teller.args);
    let apart = worker::train(
        job,
        me.index(),
        &mut replica,
        &mut exchange,
        keeps,
        |news| match me.0 {
            0 => teller.tell(news),
            _ => Ok(()),
        },
    )?;
    let sent_bytes = Some(exchange.home.sent_bytes());
    exchange.leave();
    Ok(Trained {
        weights: replica.weights,
        apart,
        sent_bytes,
    })
}

/// The job's secret, made of what is in its file.
fn secret(args: &Args) -> Result<Secret, Failure> {
    use sha2::{Digest, Sha256};
    let path: &PathBuf = args.secret.as_ref().expect("peers need a secret");
    let content = std::fs::read(path)
        .map_err(|error| Failure::world(format!("{}: {error}", path.display())))?;
    if content.len() < 32 {
        return Err(Failure::input(format!(
            "{}: {} bytes are too few for a secret\nmake one with: head -c 32 /dev/urandom > {}",
            path.display(),
            content.len(),
            path.display()
        )));
    }
    Ok(Secret::from_bytes(Sha256::digest(&content).into()))
}

/// After which epochs the model is kept.
fn keeps_of(args: &Args) -> impl Fn(u64) -> bool + Sync + use<> {
    let (asked, every, last) = (
        args.common.checkpoint.is_some(),
        args.checkpoint_every,
        args.epochs,
    );
    move |epochs| asked && (epochs % every == 0 || epochs == last)
}

/// Says how it goes.
struct Teller<'a> {
    args: &'a Args,
    began: Instant,
    console: &'a mut Console,
    checkpoints: Option<&'a Checkpoints>,
}

impl Teller<'_> {
    fn tell(&mut self, news: News<'_>) -> Result<(), Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        match news {
            News::Decided(told) => {
                if self.args.workers() > 1 {
                    self.console.note(&told);
                }
                self.console.event("decision", told);
            }
            News::Epoch { epochs, loss } => {
                self.console.event(
                    "progress",
                    Progress {
                        seconds,
                        epoch: epochs,
                        loss,
                    },
                );
                let all = self.args.epochs;
                self.console.progress(|| {
                    format!("{seconds:.1} s: epoch {epochs} of {all}, loss {loss:.5}")
                });
            }
            News::Model { epochs, replica } => {
                if let Some(checkpoints) = self.checkpoints {
                    let failed = |error| Failure::world(format!("writing a checkpoint: {error}"));
                    checkpoints.save(epochs, replica).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}

/// Examples and their targets.
fn read(args: &Args, console: &mut Console) -> Result<(Labelled, Vec<f64>), Failure> {
    let file = args
        .target
        .as_ref()
        .map(PathBuf::from)
        .filter(|path| path.exists());
    let mut options = ReadOptions {
        format: args.format,
        threads: args.common.threads(),
        target: args.target.clone().filter(|_| file.is_none()),
        ..ReadOptions::default()
    };
    let source = Source::from(args.features.as_path());
    let data = watched(console, &args.features, |progress| {
        options.progress = Some(progress);
        read_labelled(&source, &options)
    })?;
    let target = match &file {
        Some(path) => Some(read_vector(
            &Source::from(path.as_path()),
            &ReadOptions::default(),
        )?),
        None => data.target.clone(),
    };
    let (name, rows) = (args.features.display(), data.features.rows());
    let advice = "give --target a file with one number a row";
    match target {
        None => Err(Failure::input(format!(
            "{name}: there are no classes in this file\n{advice}"
        ))),
        Some(target) if target.len() != rows => Err(Failure::input(format!(
            "{} classes for the {rows} rows of {name}\n{advice}",
            target.len()
        ))),
        Some(target) => Ok((data, target)),
    }
}
