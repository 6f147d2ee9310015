//! A cluster computes what one thread computes, to the last bit, whatever the network does; and
//! where it cannot, it says which node is lost.
//!
//! The program here has everything that travels: shards that change, blocks that rotate, a value
//! that tasks share. It mixes them by sums whose order matters, so a block that is used out of turn
//! or a share that is pulled in another order changes bits. What it cannot catch is a fault that
//! needs real load; the apps' tests and the soak are for that.

#![allow(clippy::unwrap_used)]

mod losses;
mod sockets;
mod traffic;
mod weather;
mod wheel;
