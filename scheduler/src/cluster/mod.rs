//! Programs on several processes: the third executor.
//!
//! The program stays with the coordinator; shards, tasks and shares travel ([`Travel`]), and
//! nodes know how to push what they get ([`Programs`]). A block of the model goes straight from
//! the node that had it on loan to the one that has it next; what later rounds need moves while
//! earlier ones run.
//!
//! Who decides is apart from who does: [`session`] and [`ledger`] are the coordinator, [`node`] and
//! [`desk`] a node, without sockets or threads. [`tcp`] moves them by sockets, [`simulated`] by a
//! seeded network that loses nodes on purpose.

mod cabinet;
mod crew;
mod desk;
mod here;
mod ledger;
mod message;
mod node;
mod parcel;
mod remote;
mod session;
mod shared;
mod simulated;
mod tcp;
mod traffic;

pub use cabinet::{BlockId, Cabinet};
pub use crew::Cluster;
pub use here::{Here, here};
pub use parcel::{Malformed, Packer, Parcel, Travel, Unpacker, pack, unpack};
pub use remote::{Passport, Programs, Remote};
pub use simulated::Weather;
pub use tcp::{Member, Members, Timing, serve};

pub(crate) use crew::employ;
