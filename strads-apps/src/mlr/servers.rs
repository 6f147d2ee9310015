//! Gradients by way of a server: the matrix is a table of [`bosen`], whose shard makes the steps.
//!
//! A step's penalty is part of the gradients that come to the shard, each worker adding its share.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bosen::factors::{Factors, rebuild};
use bosen::rows::RowSet;
use bosen::rule::Rule;
use bosen::spec::TableSpec;
use bosen::tcp::{Server, ServerOptions, Timing, Worker, WorkerOptions};
use bosen::topology::cost::Choice;
use strads_common::auth::Secret;
use strads_common::ids::{ShardId, TableId, WorkerId};
use strads_common::lags::Lags;

use super::replica::{Replica, add};
use super::schedule::Schedule;
use super::sending::{Exchange, Volume};
use super::terms::Terms;
use crate::failure::Failure;

const WEIGHTS: TableId = TableId(0);
/// What a worker may have on its way.
const WINDOW_BYTES: usize = 64 << 20;

/// A shard for `workers` workers, which listens at `listener`.
pub fn open(listener: TcpListener, secret: &Secret, workers: usize) -> Result<Server, Failure> {
    let options = ServerOptions {
        shard: ShardId(0),
        shards: 1,
        workers: workers as u32,
        secret: secret.clone(),
        timing: Timing::default(),
    };
    Server::start(listener, options).map_err(Failure::world)
}

/// A worker's end of the table.
pub struct Tables {
    worker: Worker,
    rows: Arc<RowSet>,
    gradient: Vec<f32>,
    /// This worker's share of λ; nothing if the penalty is not in gradients.
    penalty: f32,
    schedule: Arc<Schedule>,
    volume: u64,
}

impl Tables {
    /// Worker `me`'s end of the table in the shard at `address`.
    pub fn at(
        address: SocketAddr,
        secret: Secret,
        me: WorkerId,
        terms: &Terms,
        schedule: Arc<Schedule>,
    ) -> Result<Self, Failure> {
        let worker = Worker::start(WorkerOptions {
            worker: me,
            workers: terms.workers as u32,
            shards: vec![address],
            secret,
            timing: Timing::default(),
            window_bytes: WINDOW_BYTES,
        });
        let worker = worker.map_err(Failure::world)?;
        // A shard's rule has one rate; sgd's changes, so its steps are made here and added there.
        let rule = match terms.adapts() {
            true => Rule::AdaGrad {
                rate: terms.rate,
                epsilon: 1e-8,
            },
            false => Rule::Add,
        };
        let spec = TableSpec::dense::<f32>(terms.classes as u32)
            .range(0, terms.rows as u64)
            .consistency(terms.consistency())
            .rule(rule);
        worker.create(WEIGHTS, spec).map_err(Failure::world)?;
        Ok(Self {
            worker,
            rows: Arc::new(RowSet::range(0, terms.rows)),
            gradient: Vec::new(),
            penalty: match terms.is_dual() {
                true => 0.0,
                false => (terms.lambda / terms.workers as f64) as f32,
            },
            schedule,
            volume: 0,
        })
    }
}

impl Exchange for Tables {
    fn begin(&mut self, replica: &mut Replica, _number: usize) -> Result<(), Failure> {
        let weights = self.worker.get(WEIGHTS, &self.rows);
        replica.weights = weights.map_err(Failure::world)?;
        Ok(())
    }

    fn part(
        &mut self,
        replica: &mut Replica,
        number: usize,
        _choice: &Choice,
        part: Factors<'static>,
        last: bool,
    ) -> Result<(), Failure> {
        self.gradient.resize(replica.weights.len(), 0.0);
        let threads = replica.threads(part.pairs());
        rebuild(&[(1.0, part)], &mut self.gradient, threads);
        if !last {
            return Ok(());
        }
        let mut gradient = std::mem::take(&mut self.gradient);
        let bias = (replica.rows - 1) * replica.classes;
        add(self.penalty, &replica.weights[..bias], &mut gradient);
        if replica.squares.is_none() {
            let rate = self.schedule.rate(number);
            gradient.iter_mut().for_each(|g| *g *= -rate);
        }
        self.volume += 4 * gradient.len() as u64;
        self.worker
            .inc(WEIGHTS, &self.rows, gradient)
            .map_err(Failure::world)?;
        self.worker.clock(WEIGHTS).map(drop).map_err(Failure::world)
    }

    fn catch_up(&mut self, replica: &mut Replica, number: usize) -> Result<(), Failure> {
        self.begin(replica, number)
    }

    fn finish(&mut self, replica: &mut Replica, _number: usize) -> Result<f32, Failure> {
        // A table that waits for everybody says when all increments are there; then the weights
        // are asked for anew.
        let done = TableId(1);
        let world = |error: bosen::tcp::TcpError| Failure::world(error);
        self.worker
            .create(done, TableSpec::dense::<f32>(1))
            .map_err(world)?;
        self.worker.settle().map_err(world)?;
        self.worker.clock(done).map_err(world)?;
        let all = Arc::new(RowSet::range(0, 1));
        self.worker.get::<f32>(done, &all).map_err(world)?;
        self.worker.forget(WEIGHTS, &self.rows).map_err(world)?;
        let weights = self.worker.get(WEIGHTS, &self.rows).map_err(world)?;
        replica.weights = weights;
        Ok(0.0)
    }

    /// A worker of the store leaves when it is dropped.
    fn leave(self: Box<Self>) {}

    fn lags(&self) -> Lags {
        self.worker.staleness(WEIGHTS)
    }

    fn volume(&self) -> Volume {
        Volume {
            full: self.volume,
            ..Volume::default()
        }
    }

    fn sent_bytes(&self) -> Option<u64> {
        None
    }
}
