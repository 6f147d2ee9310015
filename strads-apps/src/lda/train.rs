//! The command: read, sample, measure now and then, write.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use strads::{Executor, Run, Stop, Verdict};
use strads_datasets::{Corpus, ReadOptions, Source, read_corpus};

use super::annealing::Annealing;
use super::args::Args;
use super::heldout::{self, Heldout, Names, Source as Held};
use super::program::{self, Lda};
use super::sampler::{Sampler, mean_length};
use super::shard::Shard;
use super::text::{Pruning, prune};
use super::{checkpoint, coherence, model};
use crate::checkpoint::Keeper;
use crate::console::Console;
use crate::failure::Failure;
use crate::files::{together, watched};

/// What is known at the start.
#[derive(Serialize)]
struct Start {
    documents: usize,
    words: usize,
    tokens: u64,
    topics: usize,
    workers: usize,
    sampler: Sampler,
    head_words: usize,
    seconds_read: f64,
}

/// How things stand after some sweeps.
#[derive(Clone, Copy, Debug, Serialize)]
struct Progress {
    sweep: u64,
    seconds: f64,
    updates: u64,
    tokens_per_second: f64,
    log_likelihood_per_token: f64,
    joint_log_likelihood_per_token: f64,
    alpha: f64,
    beta: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    heldout_perplexity: Option<f64>,
    drift: f64,
    imbalance: f64,
}

/// How well replicas stand after some sweeps.
#[derive(Serialize)]
struct Compared {
    sweep: u64,
    log_likelihood_per_token: f64,
}

/// The end.
#[derive(Serialize)]
struct End {
    #[serde(flatten)]
    last: Progress,
    npmi: f64,
    seconds_read: f64,
    seconds_train: f64,
    seconds_measure: f64,
    seconds_write: f64,
}

/// A run under way.
struct Training<'a> {
    args: &'a Args,
    corpus: &'a Corpus,
    lda: Lda,
    shards: Vec<Shard>,
    heldout: Option<Heldout>,
    executor: Executor,
    keeper: Option<Keeper>,
    /// Sampling only.
    seconds: f64,
    seconds_measure: f64,
}

/// Runs the command.
pub fn train(args: &Args) -> Result<(), Failure> {
    let mut console = args.common.console();
    let place = args.common.place()?;
    let args = &args.on(&place);
    let began = Instant::now();
    let (corpus, heldout) = read(args, &mut console)?;
    let seconds_read = began.elapsed().as_secs_f64();
    let mut training = Training::new(args, &corpus, heldout, place.executor.clone())?;
    console.event("start", training.start(seconds_read));
    if training.corpus.tokens() < u64::from(args.topics()) {
        console.note("there are more topics than tokens: most topics will stay empty");
    }
    if let Some(period) = args.replicas {
        return training.compare(period, &mut console);
    }
    let mut last = training.measure(0.0, 1.0)?;
    while training.lda.sweeps() < args.sweeps {
        last = training.advance(last, &mut console)?;
        console.event("progress", last);
        console.say(format_args!(
            "sweep {:5}  {:8.2} s  {:6.2} M tokens/s  log-likelihood {:.4} a token{}",
            last.sweep,
            last.seconds,
            last.tokens_per_second / 1e6,
            last.log_likelihood_per_token,
            last.heldout_perplexity
                .map_or(String::new(), |perplexity| format!(
                    "  held-out perplexity {perplexity:.1}"
                ))
        ));
    }
    let Training { lda, shards, .. } = &mut training;
    lda.sample_by(Sampler::Exact, shards);
    lda.recall(&place.executor)?;
    if let Some(keeper) = &mut training.keeper {
        keeper.finish(&mut console)?;
    }
    let npmi = coherence::npmi(&corpus, &model::top_words(&training.lda));
    let writing = Instant::now();
    if let Some(directory) = &args.common.out {
        let write = || model::write(directory, &training.lda, &training.shards, &corpus);
        together(write).map_err(|error| {
            Failure::world(format!(
                "{}: cannot write the model: {error}",
                directory.display()
            ))
        })?;
    }
    console.event(
        "done",
        End {
            last,
            npmi,
            seconds_read,
            seconds_train: training.seconds,
            seconds_measure: training.seconds_measure,
            seconds_write: writing.elapsed().as_secs_f64(),
        },
    );
    console.finish()
}

/// The corpus, and the documents that are only measured.
fn read(args: &Args, console: &mut Console) -> Result<(Corpus, Option<Heldout>), Failure> {
    let corpus = read_pruned(args, args.corpus(), &args.pruning(), console)?;
    args.check(&corpus)?;
    let seed = args.common.seed;
    let (corpus, heldout) = match &args.heldout {
        None => return Ok((corpus, None)),
        Some(Held::Share(share)) => heldout::set_aside(corpus, *share, seed),
        Some(Held::File(path)) => {
            // Words are pruned by the corpus that is learnt from.
            let tokenise = Pruning {
                tokenise: args.tokenise,
                ..Pruning::all()
            };
            let other = read_pruned(args, path, &tokenise, console)?;
            let names = Names::new(corpus.vocabulary.as_deref(), corpus.word_kinds);
            let (documents, _) = names.translate(&other);
            (corpus, Heldout::new(documents.into_iter(), seed))
        }
    };
    if heldout.hidden() == 0 {
        return Err(Failure::input(
            "--heldout: no words of the corpus in any of these documents\n\
             give more documents, or documents with the same vocabulary",
        ));
    }
    args.check(&corpus)?;
    Ok((corpus, Some(heldout)))
}

fn read_pruned(
    args: &Args,
    path: &Path,
    pruning: &Pruning,
    console: &mut Console,
) -> Result<Corpus, Failure> {
    let mut options = ReadOptions {
        threads: args.common.threads(),
        vocabulary: args.vocabulary.as_deref().map(Source::from),
        ..ReadOptions::default()
    };
    let corpus = watched(console, path, |progress| {
        options.progress = Some(progress);
        read_corpus(&path.into(), &options)
    })?;
    Ok(if pruning.keeps_all() {
        corpus
    } else {
        prune(&corpus, pruning)
    })
}

impl<'a> Training<'a> {
    fn new(
        args: &'a Args,
        corpus: &'a Corpus,
        heldout: Option<Heldout>,
        executor: Executor,
    ) -> Result<Self, Failure> {
        let mut prior = args.prior(corpus)?;
        let (topics, seed) = (args.topics() as usize, args.common.seed);
        let job = checkpoint::job(corpus, topics, seed);
        let keeper = args.common.checkpoint.as_deref();
        let keeper = keeper.map(|directory| Keeper::new(directory, "lda", &job));
        let stored = match &keeper {
            Some(keeper) if args.common.resume => {
                let kept = keeper.resume()?;
                Some(checkpoint::state(&kept, corpus.tokens(), topics)?)
            }
            _ => None,
        };
        let given = stored.as_ref().map(|state| state.topics.as_slice());
        if let Some(state) = &stored {
            prior = state.prior;
        }
        let (mut lda, mut shards) =
            program::prepare(corpus, args.workers(), prior, topics, seed, given);
        let sampler = args.sampler.sampler(topics, mean_length(corpus));
        lda.sample_by(sampler, &mut shards);
        let annealed = args.anneal.unwrap_or_else(|| Annealing::sweeps_of(sampler));
        lda.annealing = Annealing::new(corpus.tokens(), corpus.word_kinds, topics, annealed);
        if let Some(state) = &stored {
            lda.resume_after(state.sweeps);
            lda.annealing = state.annealing;
        }
        Ok(Self {
            args,
            corpus,
            lda,
            shards,
            heldout,
            executor,
            keeper,
            seconds: 0.0,
            seconds_measure: 0.0,
        })
    }

    fn start(&self, seconds_read: f64) -> Start {
        Start {
            documents: self.corpus.documents(),
            words: self.corpus.word_kinds,
            tokens: self.lda.tokens(),
            topics: self.lda.topics(),
            workers: self.shards.len(),
            sampler: self.lda.sampler(),
            head_words: self.lda.layout.heads.len(),
            seconds_read,
        }
    }

    /// Sweeps up to the next measurement, and measures; `last` is how things stand until then.
    fn advance(&mut self, last: Progress, console: &mut Console) -> Result<Progress, Failure> {
        let Self {
            args,
            lda,
            shards,
            executor,
            ..
        } = self;
        let every = args.every;
        let begun = lda.sweeps();
        let goal = (begun / every * every + every).min(args.sweeps);
        let rounds = (goal - begun) * lda.turns();
        let run = Run::new()
            .seed(args.common.seed)
            .until(Stop::after_rounds(rounds));
        let began = Instant::now();
        let record = run.observed(executor, lda, shards, |lda, _| {
            let sampled = lda.sweeps() - begun;
            console.progress(|| {
                let speed = (sampled * lda.tokens()) as f64 / began.elapsed().as_secs_f64();
                format!(
                    "sweep {} of {}: log-likelihood {:.4}, {:.1} M tokens/s, imbalance {:.2}, \
                     staleness {:.4}",
                    lda.sweeps(),
                    args.sweeps,
                    last.log_likelihood_per_token,
                    speed / 1e6,
                    last.imbalance,
                    last.drift,
                )
            });
            Verdict::Continue
        })?;
        let seconds = began.elapsed().as_secs_f64();
        self.seconds += seconds;
        let speed = ((goal - begun) * self.lda.tokens()) as f64 / seconds;
        let imbalance = record.totals.imbalance();
        console.ran(record);
        let progress = self.measure(speed, imbalance)?;
        self.keep(console)?;
        Ok(progress)
    }

    /// Sums likelihoods and, where asked, moves the priors.
    fn measure(&mut self, tokens_per_second: f64, imbalance: f64) -> Result<Progress, Failure> {
        let began = Instant::now();
        let put_aside = self.shards[0].moves.is_some().then(|| {
            self.shards.iter_mut().for_each(Shard::show_topics);
            self.shards.iter_mut().for_each(Shard::recount);
            self.lda.up_to_date(&self.shards)
        });
        let rounds = self.lda.measure();
        let run = Run::new().until(Stop::after_rounds(rounds));
        run.on(&self.executor, &mut self.lda, &mut self.shards)?;
        let measured = self.lda.measured();
        let heldout_perplexity = self.heldout_perplexity()?;
        if let Some(counted) = put_aside {
            self.lda.put_back(counted);
            self.shards.iter_mut().for_each(Shard::hide_topics);
        }
        let tokens = self.lda.tokens() as f64;
        let (alpha, beta) = (
            f64::from(self.lda.prior.alpha),
            f64::from(self.lda.prior.beta),
        );
        let sweeps = self.lda.sweeps();
        if self.args.optimise_hyper && sweeps > 0 && self.lda.annealing.is_over(sweeps) {
            self.lda.prior = self.lda.better_prior(&measured);
        }
        self.seconds_measure += began.elapsed().as_secs_f64();
        Ok(Progress {
            sweep: self.lda.sweeps(),
            seconds: self.seconds,
            updates: self.lda.sweeps() * self.lda.tokens(),
            tokens_per_second,
            log_likelihood_per_token: measured.predictive / tokens,
            joint_log_likelihood_per_token: (measured.documents.log_probability()
                + measured.words.log_probability())
                / tokens,
            alpha,
            beta,
            heldout_perplexity,
            drift: self.lda.drift(),
            imbalance,
        })
    }

    fn heldout_perplexity(&self) -> Result<Option<f64>, Failure> {
        let Some(heldout) = &self.heldout else {
            return Ok(None);
        };
        self.lda.recall(&self.executor)?;
        let topics = Arc::new(self.lda.held_still());
        let common = &self.args.common;
        let (executor, workers) = (common.executor(), common.threads());
        let perplexity = heldout.perplexity(&topics, common.seed, &executor, workers)?;
        Ok(Some(perplexity))
    }

    /// Trains replicas instead, and only says how well.
    fn compare(mut self, period: u64, console: &mut Console) -> Result<(), Failure> {
        self.lda.sample_by(Sampler::Exact, &mut self.shards);
        let mut replicas = program::replicas(&self.lda, &self.shards, period);
        let tokens = self.lda.tokens() as f64;
        // A round measures what the one before it left.
        let rounds = Stop::after_rounds(self.args.sweeps / period + 1);
        let executor = self.args.common.executor();
        Run::new().until(rounds).observed(
            &executor,
            &mut replicas,
            &mut self.shards,
            |replicas, _| {
                let (sweep, predictive) = replicas.measured();
                let value = predictive / tokens;
                console.event(
                    "progress",
                    Compared {
                        sweep,
                        log_likelihood_per_token: value,
                    },
                );
                console.say(format_args!(
                    "sweep {sweep:5}  log-likelihood {value:.4} a token"
                ));
                Verdict::Continue
            },
        )?;
        Ok(())
    }

    /// Writes a checkpoint and goes on as a resumed run would.
    fn keep(&mut self, console: &mut Console) -> Result<(), Failure> {
        let Some(keeper) = &mut self.keeper else {
            return Ok(());
        };
        self.shards.iter_mut().for_each(Shard::show_topics);
        let parts = checkpoint::parts(self.corpus, &self.lda, &self.shards);
        keeper.keep(self.lda.sweeps(), parts, console)?;
        self.shards.iter_mut().for_each(Shard::recount);
        self.lda.recount(&self.shards);
        if self.shards[0].moves.is_some() {
            self.shards.iter_mut().for_each(Shard::begin_moves);
        }
        Ok(())
    }
}
