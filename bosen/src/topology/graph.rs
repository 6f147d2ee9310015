//! The links between members, held and checked by petgraph.

use petgraph::algo::kosaraju_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use strads_common::ids::WorkerId;

/// Who may send to whom.
#[derive(Clone, Debug)]
pub struct Graph(DiGraphMap<u32, ()>);

impl Graph {
    /// The links that each of `members` has to those whom `out` says.
    pub(super) fn new(members: &[WorkerId], out: impl Fn(WorkerId) -> BTreeSet<WorkerId>) -> Graph {
        let mut graph = DiGraphMap::new();
        for member in members {
            graph.add_node(member.0);
            for to in out(*member) {
                graph.add_edge(member.0, to.0, ());
            }
        }
        Graph(graph)
    }

    /// Whether there is a link.
    pub fn has(&self, from: WorkerId, to: WorkerId) -> bool {
        self.0.contains_edge(from.0, to.0)
    }

    /// With whom `worker` shares a link in either direction, ascending.
    pub fn neighbours(&self, worker: WorkerId) -> BTreeSet<WorkerId> {
        let both = [petgraph::Direction::Outgoing, petgraph::Direction::Incoming];
        let linked = both.map(|way| self.0.neighbors_directed(worker.0, way));
        linked.into_iter().flatten().map(WorkerId).collect()
    }

    /// The number of links.
    pub fn links(&self) -> usize {
        self.0.edge_count()
    }

    /// The most links that one member has, both directions counted.
    pub fn degree(&self) -> usize {
        let both = [petgraph::Direction::Outgoing, petgraph::Direction::Incoming];
        let degree = |node| {
            both.iter()
                .map(|&way| self.0.neighbors_directed(node, way).count())
                .sum()
        };
        self.0.nodes().map(degree).max().unwrap_or(0)
    }

    /// Whether everybody reaches everybody.
    pub fn is_strongly_connected(&self) -> bool {
        kosaraju_scc(&self.0).len() == 1
    }

    /// The most links on a shortest way. Links go round, so that the ways from one member are
    /// those from any.
    ///
    /// # Panics
    /// Unless the graph is strongly connected.
    pub fn diameter(&self) -> usize {
        let Some(first) = self.0.nodes().next() else {
            return 0;
        };
        let mut hops = BTreeMap::from([(first, 0)]);
        let mut front = VecDeque::from([first]);
        while let Some(from) = front.pop_front() {
            for to in self.0.neighbors(from) {
                if !hops.contains_key(&to) {
                    hops.insert(to, hops[&from] + 1);
                    front.push_back(to);
                }
            }
        }
        assert_eq!(hops.len(), self.0.node_count(), "a graph in pieces");
        hops.into_values().max().unwrap_or(0)
    }
}
