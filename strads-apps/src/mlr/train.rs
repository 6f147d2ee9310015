//! A training, end to end: read, deal out, learn, write.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bosen::topology::cost::{Form, Route};
use strads::{Executor, Run, Verdict};
use strads_datasets::{Labelled, ReadOptions, Source, read_labelled, read_vector};

use super::args::Args;
use super::checkpoint::{self, State, duals_of};
use super::decision::Decision;
use super::evaluate::measure;
use super::examples::{Examples, Own, classes};
use super::learner::{Beginning, Learner};
use super::meeting;
use super::message::{Finished, Progress, Started};
use super::model::Model;
use super::program::{Certificate, Keeping, Learning};
use super::schedule::Schedule;
use super::terms::Terms;
use super::worker::Left;
use crate::checkpoint::Keeper;
use crate::cluster::place::Place;
use crate::cluster::secret_file;
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
    let mut console = args.common.console();
    let (args, place) = match args.me() {
        None => {
            let place = args.common.place()?;
            (&args.on(&place), Some(place))
        }
        Some(_) => (args, None),
    };
    let began = Instant::now();
    let (data, target) = read(args, &mut console)?;
    let (names, labels) = classes(&target)?;
    let examples = Arc::new(Examples::new(&data.features, labels));
    drop(data);
    let seconds_read = began.elapsed().as_secs_f64();

    let mut training = Training::new(args, examples, names.len(), place)?;
    console.event("start", training.started(seconds_read));
    let began = Instant::now();
    let (left, program) = training.learn(&mut console)?;
    let steps = training.steps(program.epochs());
    let seconds_train = began.elapsed().as_secs_f64();
    console.clear();

    let weights = left.weights.unwrap_or_default();
    let measures = measure(&training.examples, &weights, names.len());
    let model = Model {
        weights,
        classes: names,
    };
    let began = Instant::now();
    if let Some(directory) = &args.common.out {
        let failed = |error| Failure::world(format!("{}: {error}", directory.display()));
        together(|| model.write(directory)).map_err(failed)?;
    }
    let finished = Finished {
        seconds_read,
        seconds_train,
        seconds_write: began.elapsed().as_secs_f64(),
        train_loss: measures.log_loss,
        train_accuracy: measures.accuracy,
        steps,
        seconds_per_step: seconds_train / steps.max(1) as f64,
        replicas_apart: left.apart,
        steps_by_clocks_behind: training.is_shared().then(|| program.lags().clone()),
        sent_bytes: left.sent_bytes,
        certificate: program.certificate(),
    };
    if let Some(Certificate { relative_gap, .. }) = finished.certificate {
        console.say(format_args!(
            "proven: at most {relative_gap:.1e} of what guessing costs above the minimum"
        ));
    }
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

/// A training that is ready to begin.
struct Training<'a> {
    args: &'a Args,
    terms: Arc<Terms>,
    examples: Arc<Examples>,
    /// What training goes on from: what is everybody's, and the duals.
    begins: Option<Arc<State>>,
    duals: Option<Vec<f32>>,
    keeper: Option<Keeper>,
    /// Where workers are, unless this process is one of them.
    place: Option<Place>,
}

impl<'a> Training<'a> {
    fn new(
        args: &'a Args,
        examples: Arc<Examples>,
        classes: usize,
        place: Option<Place>,
    ) -> Result<Self, Failure> {
        let mut terms = Terms::new(args, &examples, classes, 0..args.epochs);
        let keeper = args.common.checkpoint.as_deref();
        let keeper =
            keeper.map(|directory| Keeper::new(directory, "mlr", &description(args, &examples)));
        let mut begins = match &keeper {
            Some(keeper) if args.common.resume => {
                let kept = keeper.resume()?;
                terms.epochs.start = kept.manifest.step.min(args.epochs);
                Some(checkpoint::restore(&kept, &terms)?)
            }
            _ => None,
        };
        let duals = begins.as_mut().and_then(|state| state.duals.take());
        Ok(Self {
            args,
            terms: Arc::new(terms),
            examples,
            begins: begins.map(Arc::new),
            duals,
            keeper,
            place,
        })
    }

    fn started(&self, seconds_read: f64) -> Started {
        Started {
            rows: self.examples.len(),
            features: self.terms.rows - 1,
            classes: self.terms.classes,
            workers: self.terms.workers,
            threads: self.args.common.threads(),
            steps: self.steps(self.terms.epochs.end),
            seconds_read,
        }
    }

    /// How many steps there are up to an epoch.
    fn steps(&self, end: u64) -> usize {
        let start = self.terms.epochs.start;
        self.terms.batches().steps(start, end).count()
    }

    /// Whether there are others to be behind.
    fn is_shared(&self) -> bool {
        self.terms.workers > 1
    }

    fn is_cluster(&self) -> bool {
        self.place.as_ref().is_some_and(Place::is_cluster)
    }

    /// The workers of this process, or of the cluster's.
    fn learners(&self) -> Result<Vec<Learner>, Failure> {
        let (args, terms) = (self.args, &self.terms);
        let (batches, own_threads) = (terms.batches(), args.common.threads());
        let learner = |me: usize, threads: usize| {
            let which = batches.own(me);
            let begins = Beginning {
                state: self.begins.clone(),
                duals: self.duals.as_ref().map(|all| duals_of(all, terms, &which)),
            };
            let own = Own::new(self.examples.clone(), which);
            Learner::new(terms.clone(), me, own, begins, threads)
        };
        if let Some(me) = args.me() {
            let file = args.common.cluster.secret_file.as_deref();
            let secret = secret_file::read(file.expect("peers have a secret"))?;
            let exchange = meeting::by_hand(terms, &args.by_hand, me, secret)?;
            return Ok(vec![learner(me, own_threads).by(exchange)]);
        }
        if let Some(place) = self.place.as_ref().filter(|place| place.is_cluster()) {
            let threads = (place.workers / terms.workers).max(1);
            return Ok((0..terms.workers).map(|me| learner(me, threads)).collect());
        }
        let threads = own_threads.div_ceil(terms.workers);
        let (exchanges, server) = meeting::in_process(terms)?;
        let ready = exchanges.into_iter().enumerate();
        let ready = ready.map(|(me, exchange)| learner(me, threads).by(exchange));
        let mut learners: Vec<Learner> = ready.collect();
        learners[0].keep(server);
        Ok(learners)
    }

    /// Learns, telling how it goes and keeping what is to be kept.
    fn learn(&mut self, console: &mut Console) -> Result<(Left, Learning), Failure> {
        let mut learners = self.learners()?;
        // Workers wait for each other, so each has a thread.
        let executor = match &self.place {
            Some(place) if place.is_cluster() => place.executor.clone(),
            _ => Executor::Threads(learners.len()),
        };
        // Of processes without a coordinator one speaks, and keeps, for all.
        let speaks = self.args.me().is_none_or(|me| me == 0);
        let keeps = speaks && self.keeper.is_some();
        let keeping = Keeping {
            every: keeps.then_some(self.args.checkpoint_every),
            tolerance: self.args.tol,
        };
        let mut program = Learning::new(self.terms.clone(), keeping, self.is_cluster());
        let mut teller = Teller::new(&self.terms, console);
        if speaks {
            teller.announce(self.terms.epochs.start);
        }
        let (keeper, mut failed) = (&mut self.keeper, None);
        let run = Run::new().seed(self.terms.seed);
        let mut record = run.observed(&executor, &mut program, &mut learners, |program, _| {
            if speaks {
                teller.tell(program);
            }
            let kept = keeper.as_mut().zip(program.kept());
            let kept = kept.map(|(keeper, state)| {
                keeper.keep(program.epochs(), checkpoint::parts(state), teller.console)
            });
            match kept.unwrap_or(Ok(())) {
                Ok(()) => Verdict::Continue,
                Err(failure) => {
                    failed = Some(failure);
                    Verdict::Stop
                }
            }
        })?;
        for traffic in program.traffic() {
            record.carried(traffic);
        }
        if self.is_shared() {
            record.lags += program.lags();
        }
        console.ran(record);
        if let Some(failure) = failed {
            return Err(failure);
        }
        let left = program.end()?;
        if let Some(keeper) = &mut self.keeper {
            keeper.finish(console)?;
        }
        Ok((left, program))
    }
}

/// What makes a training the same one, to go on with: whatever its result depends on but workers.
fn description(args: &Args, examples: &Examples) -> String {
    let labels: &[u8] = bytemuck::cast_slice(&examples.labels);
    let all: Vec<usize> = (0..examples.len()).collect();
    let data = match &examples.gather(&all) {
        bosen::factors::Rows::All(values) => crc32fast::hash(bytemuck::cast_slice(values)),
        bosen::factors::Rows::Some { rows, values, .. } => {
            crc32fast::hash(bytemuck::cast_slice(rows))
                ^ crc32fast::hash(bytemuck::cast_slice(values))
        }
    };
    format!(
        "{data} {} {} {} {} {:?} {:?} {} {}",
        crc32fast::hash(labels),
        args.batch,
        args.batch_growth,
        args.lambda,
        args.solver,
        args.rate,
        args.staleness,
        args.common.seed,
    )
}

/// Says how it goes.
struct Teller<'a> {
    terms: &'a Terms,
    schedule: Schedule,
    began: Instant,
    console: &'a mut Console,
    /// What was last said to be sent.
    decided: Option<(Form, Route)>,
}

impl<'a> Teller<'a> {
    fn new(terms: &'a Terms, console: &'a mut Console) -> Self {
        Self {
            terms,
            schedule: Schedule::new(terms),
            began: Instant::now(),
            console,
            decided: None,
        }
    }

    /// Says what will be sent in `epoch`, if that is something else than before.
    fn announce(&mut self, epoch: u64) {
        let Some(number) = self.schedule.of_epoch(epoch).next() else {
            return;
        };
        let (step, choice) = self.schedule.step(number);
        if self.decided.replace((choice.form, choice.route)) != Some((choice.form, choice.route)) {
            let told = Decision::new(self.terms).told(&step);
            if self.terms.workers > 1 {
                self.console.note(&told);
            }
            self.console.event("decision", told);
        }
    }

    /// Says how the last epoch was, if the last round was one.
    fn tell(&mut self, program: &Learning) {
        let Some(epoch) = program.ended() else {
            return;
        };
        let some = |bytes| (bytes > 0).then_some(bytes);
        let (met, seconds) = (program.met(), self.began.elapsed().as_secs_f64());
        let loss = met.loss / met.examples.max(1) as f64;
        self.console.event(
            "progress",
            Progress {
                seconds,
                epoch,
                updates: program.looked_at(),
                loss,
                clocks_behind: (self.terms.staleness > 0).then(|| met.lags.mean()),
                bytes_factors: some(met.volume.factors),
                bytes_sparse: some(met.volume.sparse),
                bytes_full: some(met.volume.full),
                certificate: program.certificate(),
            },
        );
        let all = self.terms.epochs.end;
        self.console.progress(|| {
            let gap = program.certificate();
            let gap = gap.map(|certificate| format!(", gap {:.1e}", certificate.relative_gap));
            let gap = gap.unwrap_or_default();
            format!("{seconds:.1} s: epoch {epoch} of {all}, loss {loss:.5}{gap}")
        });
        self.announce(epoch);
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
