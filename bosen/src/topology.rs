//! Who talks to whom when workers broadcast without a server, and by which way an update travels.
//!
//! A topology is a value. With the members of a job it gives each of them its links, and for each
//! origin a tree over these links: [`Topology::onward`] names the members to whom one passes an
//! update on. Every member is reached over the tree, once; definitions and proofs are in
//! `docs/src/topology.md`. When a member is gone, links are those of the remaining ones. The
//! [`Graph`] has the links of all, to be looked at; a member needs its own only.
//!
//! Which topology and which form of update move the fewest bytes is [`cost`]'s to say.

pub mod cost;
mod graph;
mod halton;

pub use graph::Graph;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use strads_common::ids::WorkerId;

/// A shape of the network between workers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Topology {
    /// Everybody to everybody.
    Mesh,
    /// To those at distances that the Halton sequence names: at most ⌈log₂ P⌉ to send to, and as
    /// many to receive from.
    Halton,
    /// To the next one only.
    Ring,
}

impl Topology {
    /// All of them.
    pub const ALL: [Topology; 3] = [Topology::Mesh, Topology::Halton, Topology::Ring];

    /// The links between `members`, which ascend.
    pub fn graph(self, members: &[WorkerId]) -> Graph {
        Graph::new(members, |member| self.out(members, member))
    }

    /// To whom `me` may send, ascending.
    ///
    /// # Panics
    /// Unless it is one of `members`, which ascend.
    pub fn out(self, members: &[WorkerId], me: WorkerId) -> BTreeSet<WorkerId> {
        let (count, own) = (members.len(), place(members, me));
        let ahead = self.distances(count).into_iter();
        ahead
            .map(|distance| members[(own + distance) % count])
            .collect()
    }

    /// With whom `me` shares a link in either direction, ascending.
    ///
    /// # Panics
    /// Unless it is one of `members`, which ascend.
    pub fn neighbours(self, members: &[WorkerId], me: WorkerId) -> BTreeSet<WorkerId> {
        let (count, own) = (members.len(), place(members, me));
        let behind = self.distances(count).into_iter();
        let mut neighbours = self.out(members, me);
        neighbours.extend(behind.map(|distance| members[(own + count - distance) % count]));
        neighbours
    }

    /// To whom `me` passes on what began at `origin`.
    ///
    /// # Panics
    /// Unless both are among `members`, which ascend.
    pub fn onward(self, members: &[WorkerId], origin: WorkerId, me: WorkerId) -> Vec<WorkerId> {
        let count = members.len();
        let (start, own) = (place(members, origin), place(members, me));
        let distance = (own + count - start) % count;
        let further = match self {
            Topology::Mesh if distance == 0 => (1..count).collect(),
            Topology::Mesh => Vec::new(),
            Topology::Halton => halton::onward(count, distance),
            Topology::Ring => (distance + 1 < count)
                .then_some(distance + 1)
                .into_iter()
                .collect(),
        };
        further
            .into_iter()
            .map(|distance: usize| members[(start + distance) % count])
            .collect()
    }

    /// How far ahead those are to whom a member of `count` talks, distances counted round.
    fn distances(self, count: usize) -> Vec<usize> {
        match self {
            Topology::Mesh => (1..count).collect(),
            Topology::Halton => halton::distances(count),
            Topology::Ring => (1..count).take(1).collect(),
        }
    }
}

/// The place of `worker` in the round.
fn place(members: &[WorkerId], worker: WorkerId) -> usize {
    members
        .binary_search(&worker)
        .expect("links and messages are between members")
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Topology::Mesh => "mesh",
            Topology::Halton => "halton",
            Topology::Ring => "ring",
        })
    }
}

#[cfg(test)]
mod tests {
    //! For every P up to 1,024: the graph is strongly connected, within its degree and diameter;
    //! and the tree of every origin reaches every member once, over links of the graph.
    use super::*;

    fn members(count: u32) -> Vec<WorkerId> {
        // Numbers with gaps, as they are after somebody has left.
        (0..count).map(|id| WorkerId(3 * id + 1)).collect()
    }

    fn log2_ceiling(count: usize) -> usize {
        count.next_power_of_two().trailing_zeros() as usize
    }

    #[test]
    fn graphs_are_strongly_connected_with_small_degree_and_diameter() {
        for count in 1..=1024 {
            let graph = Topology::Halton.graph(&members(count));
            let logarithm = log2_ceiling(count as usize);
            assert!(graph.is_strongly_connected(), "{count}");
            assert!(graph.degree() <= 2 * logarithm, "{count}");
            assert!(graph.diameter() <= logarithm, "{count}");
        }
        for count in [1, 2, 3, 7, 64, 100] {
            let ring = Topology::Ring.graph(&members(count));
            let mesh = Topology::Mesh.graph(&members(count));
            assert!(ring.is_strongly_connected() && mesh.is_strongly_connected());
            assert_eq!(ring.diameter(), count as usize - 1);
            assert!(mesh.diameter() <= 1);
        }
    }

    #[test]
    fn a_members_links_are_those_that_the_graph_has() {
        for count in [1, 2, 3, 7, 32, 100] {
            let members = members(count);
            for topology in Topology::ALL {
                let graph = topology.graph(&members);
                for &me in &members {
                    assert_eq!(topology.neighbours(&members, me), graph.neighbours(me));
                }
            }
        }
    }

    /// How many receive what `origin` sends, and over how many links at most; nobody twice.
    fn follow(topology: Topology, members: &[WorkerId], origin: WorkerId) -> (usize, usize) {
        let graph = topology.graph(members);
        let mut reached = std::collections::BTreeSet::from([origin]);
        let (mut front, mut hops) = (vec![origin], 0);
        while !front.is_empty() {
            let mut next = Vec::new();
            for &from in &front {
                for to in topology.onward(members, origin, from) {
                    assert!(graph.has(from, to), "{topology}: no link {from} to {to}");
                    assert!(reached.insert(to), "{topology}: {to} is reached twice");
                    next.push(to);
                }
            }
            hops += usize::from(!next.is_empty());
            front = next;
        }
        (reached.len(), hops)
    }

    #[test]
    fn trees_reach_everybody_once() {
        for count in 1..=1024u32 {
            // Links go round, so one origin stands for all; small jobs are tried from each.
            let members = members(count);
            let origins = if count <= 40 {
                &members[..]
            } else {
                &members[count as usize / 3..][..1]
            };
            for &origin in origins {
                let (reached, hops) = follow(Topology::Halton, &members, origin);
                assert_eq!(reached, count as usize);
                assert!(hops <= log2_ceiling(count as usize));
            }
        }
        for topology in [Topology::Mesh, Topology::Ring] {
            for count in [1, 2, 3, 10, 33] {
                let members = members(count);
                assert_eq!(follow(topology, &members, members[0]).0, count as usize);
            }
        }
    }
}
