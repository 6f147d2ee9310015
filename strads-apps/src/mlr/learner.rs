//! What a worker keeps between rounds, wherever it is: the shard of [`Learning`](super::program::Learning).
//!
//! It comes about with examples and terms alone. In one process it is given its way to the others;
//! on a cluster it opens one, at its node's address and with the job's secret, and is then told
//! where the others have opened theirs. What it is at work with does not travel: at the end of a
//! run an empty learner goes home.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bosen::broadcast::tcp::{Node, NodeOptions};
use bosen::tcp::{Server, Timing};
use strads::cluster::{Here, Malformed, Packer, Travel, Unpacker, here};
use strads_common::ids::WorkerId;

use super::args::Shape;
use super::checkpoint::State;
use super::examples::Own;
use super::schedule::Schedule;
use super::sending::{Broadcast, Exchange, Volume};
use super::servers::{self, Tables};
use super::terms::Terms;
use super::worker::{Bound, Left, Met, Worker};
use crate::failure::Failure;

/// A worker, before, during and after its work.
pub struct Learner {
    terms: Arc<Terms>,
    me: usize,
    threads: usize,
    own: Own,
    begins: Beginning,
    stage: Stage,
    /// Where the matrix is a table: the first worker keeps it, for as long as the run lasts.
    server: Option<Server>,
}

/// Where training begins.
#[derive(Clone, Debug, Default)]
pub struct Beginning {
    /// What is everybody's, if that is not zero.
    pub state: Option<Arc<State>>,
    /// sdca: the distributions of the worker's examples, if it is not certain of them.
    pub duals: Option<Vec<f32>>,
}

strads::travel_by_fields!(Beginning { state, duals });

/// How far it is.
enum Stage {
    /// The others cannot be reached yet.
    Apart,
    /// This worker can be reached at a socket.
    Listening(TcpListener),
    /// There is a way to all others.
    Ready(Box<dyn Exchange>),
    /// At work.
    Working(Box<Worker>),
    /// Done, or failed.
    Over,
}

impl Learner {
    /// Worker `me`, apart from the others, who computes with so many threads.
    pub fn new(terms: Arc<Terms>, me: usize, own: Own, begins: Beginning, threads: usize) -> Self {
        Self {
            terms,
            me,
            threads,
            own,
            begins,
            stage: Stage::Apart,
            server: None,
        }
    }

    /// The same, with a way to the others.
    pub fn by(self, exchange: Box<dyn Exchange>) -> Self {
        Self {
            stage: Stage::Ready(exchange),
            ..self
        }
    }

    /// Makes this worker the one that keeps the server of the matrix.
    pub fn keep(&mut self, server: Option<Server>) {
        self.server = server;
    }

    /// Opens a way for the others, on the node that this runs on; where.
    pub fn open(&mut self) -> Result<String, Failure> {
        let Here { address, secret } =
            here().ok_or_else(|| Failure::world("there is no node to listen on"))?;
        let cannot = |error| Failure::world(format!("cannot listen at {}: {error}", address.ip()));
        let listener = TcpListener::bind((address.ip(), 0)).map_err(cannot)?;
        let at = listener.local_addr().map_err(cannot)?;
        if self.terms.shape != Shape::Server {
            self.stage = Stage::Listening(listener);
        } else if self.me == 0 {
            self.server = Some(servers::open(listener, &secret, self.terms.workers)?);
        }
        Ok(at.to_string())
    }

    /// Goes to where the others listen.
    pub fn meet(&mut self, addresses: &[String]) -> Result<(), Failure> {
        let unknown = || Failure::world("workers whose addresses are none");
        let addresses = addresses.iter().map(|address| address.parse());
        let addresses: Vec<SocketAddr> =
            addresses.collect::<Result<_, _>>().map_err(|_| unknown())?;
        let Here { secret, .. } =
            here().ok_or_else(|| Failure::world("there is no node to meet on"))?;
        let (terms, me) = (&self.terms, WorkerId(self.me as u32));
        let exchange: Box<dyn Exchange> = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Listening(listener) => {
                let options = NodeOptions {
                    me,
                    addresses,
                    topology: terms.topology(),
                    consistency: terms.consistency(),
                    on_loss: terms.on_loss(),
                    secret,
                    timing: Timing::default(),
                };
                let node = Node::start(listener, options).map_err(Failure::world)?;
                Box::new(Broadcast::new(me, terms.workers, node))
            }
            _ => {
                let server = *addresses.first().ok_or_else(unknown)?;
                let schedule = Arc::new(Schedule::new(terms));
                Box::new(Tables::at(server, secret, me, terms, schedule)?)
            }
        };
        self.stage = Stage::Ready(exchange);
        Ok(())
    }

    /// Learns from all of its examples once; what there is to keep after that, if it is `wanted`.
    pub fn learn(&mut self, epoch: u64, wanted: Wanted) -> Result<Learnt, Failure> {
        // If this fails, or panics, the worker is dropped, and the others hear that it is lost.
        let mut worker = self.at_work()?;
        let met = worker.learn(epoch)?;
        let state = wanted.state.then(|| worker.state(epoch + 1)).transpose()?;
        let duals = wanted.duals.then(|| worker.duals()).flatten();
        self.stage = Stage::Working(worker);
        Ok(Learnt { met, state, duals })
    }

    /// Ends the work; the model, if it is `wanted`.
    pub fn finish(&mut self, wanted: bool) -> Result<Left, Failure> {
        let worker = self.at_work()?;
        self.own = Own::none();
        worker.finish(wanted)
    }

    fn at_work(&mut self) -> Result<Box<Worker>, Failure> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Working(worker) => Ok(worker),
            Stage::Ready(exchange) => {
                let begins = std::mem::take(&mut self.begins);
                let (terms, own) = (self.terms.clone(), self.own.clone());
                let worker = Worker::new(self.me, terms, own, &begins, exchange, self.threads);
                Ok(Box::new(worker))
            }
            Stage::Apart | Stage::Listening(_) | Stage::Over => {
                Err(Failure::world("a worker that has not met the others"))
            }
        }
    }
}

/// What of a worker's state is to be kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// The model, and what belongs to it.
    pub state: bool,
    /// sdca: the distributions of its examples.
    pub duals: bool,
}

/// What an epoch has come to.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// What the worker met.
    pub met: Met,
    /// What is everybody's, if that was wanted.
    pub state: Option<State>,
    /// What is the worker's, if that was wanted.
    pub duals: Option<Vec<f32>>,
}

strads::travel_by_fields!(
    Wanted { state, duals }
    Learnt { met, state, duals }
    Met { loss, examples, steps, lags, volume, bound }
    Bound { loss, entropy, square }
    Volume { factors, sparse, full }
    Left { weights, apart, sent_bytes }
);

impl Travel for Learner {
    fn pack(&self, out: &mut Packer<'_>) {
        self.terms.pack(out);
        self.me.pack(out);
        self.threads.pack(out);
        self.own.pack(out);
        self.begins.pack(out);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        let (terms, me, threads) = Travel::unpack(from)?;
        let (own, begins) = Travel::unpack(from)?;
        Ok(Self::new(terms, me, own, begins, threads))
    }
}
