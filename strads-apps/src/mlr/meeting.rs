//! How workers get to each other where no cluster sees to it: in one process, or as processes that
//! were started one by one.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bosen::broadcast::tcp::{Node, NodeOptions};
use bosen::broadcast::{Setting, room};
use bosen::tcp::{Server, Timing};
use strads_common::auth::Secret;
use strads_common::ids::WorkerId;

use super::args::{ByHand, Shape};
use super::schedule::Schedule;
use super::sending::{Broadcast, Exchange};
use super::servers::{self, Tables};
use super::terms::Terms;
use crate::failure::Failure;

/// A way to the others for each worker, and the server that it leads by, if any.
type Ways = (Vec<Box<dyn Exchange>>, Option<Server>);

/// The ways of workers that are all in this process.
pub fn in_process(terms: &Terms) -> Result<Ways, Failure> {
    let workers = (0..terms.workers as u32).map(WorkerId);
    if terms.shape == Shape::Server {
        return by_server(terms, workers);
    }
    let timing = Timing::default();
    let seats = room::seats(Setting {
        me: WorkerId(0),
        workers: terms.workers as u32,
        topology: terms.topology(),
        consistency: terms.consistency(),
        on_loss: terms.on_loss(),
        patience: timing.patience,
        join: timing.join,
    });
    let exchange =
        |(me, seat)| -> Box<dyn Exchange> { Box::new(Broadcast::new(me, terms.workers, seat)) };
    Ok((workers.zip(seats).map(exchange).collect(), None))
}

fn by_server(terms: &Terms, workers: impl Iterator<Item = WorkerId>) -> Result<Ways, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::world)?;
    let secret = Secret::generate().map_err(Failure::world)?;
    let server = servers::open(listener, &secret, terms.workers)?;
    let schedule = Arc::new(Schedule::new(terms));
    let exchange = |me| -> Result<Box<dyn Exchange>, Failure> {
        let (secret, schedule) = (secret.clone(), schedule.clone());
        let tables = Tables::at(server.address(), secret, me, terms, schedule)?;
        Ok(Box::new(tables))
    };
    let exchanges = workers.map(exchange).collect::<Result<_, _>>()?;
    Ok((exchanges, Some(server)))
}

/// Worker `me`'s way to the others, each of which is a process.
pub fn by_hand(
    terms: &Terms,
    options: &ByHand,
    me: usize,
    secret: Secret,
) -> Result<Box<dyn Exchange>, Failure> {
    let address = options.peers[me];
    let listener = TcpListener::bind(address)
        .map_err(|error| Failure::world(format!("cannot listen at {address}: {error}")))?;
    let me = WorkerId(me as u32);
    let options = NodeOptions {
        me,
        addresses: options.peers.clone(),
        topology: terms.topology(),
        consistency: terms.consistency(),
        on_loss: terms.on_loss(),
        secret,
        timing: Timing {
            patience: Duration::from_secs_f64(options.patience.min(1e6)),
            ..Timing::default()
        },
    };
    let node = Node::start(listener, options).map_err(Failure::world)?;
    Ok(Box::new(Broadcast::new(me, terms.workers, node)))
}
