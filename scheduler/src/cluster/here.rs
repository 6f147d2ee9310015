//! What a worker can know of the node that it is on.
//!
//! A worker that has something of its own to say to the others (a broadcast, say) opens links beside
//! those of the cluster. They are proven with the job's secret, which travels in no task, and
//! listen where the node does.

use std::cell::RefCell;
use std::net::SocketAddr;

use strads_common::auth::Secret;

/// The node of the worker whose task runs in this thread.
#[derive(Clone, Debug)]
pub struct Here {
    /// Where the others reach the node.
    pub address: SocketAddr,
    /// The job's secret.
    pub secret: Secret,
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// The node that runs the present [`push`](crate::Program::push); none if it does not run on a
/// node, but in the process that the program is in.
pub fn here() -> Option<Here> {
    HERE.with_borrow(Clone::clone)
}

/// From now on this thread works for a node.
pub(super) fn settle(here: Option<Here>) {
    HERE.set(here);
}
