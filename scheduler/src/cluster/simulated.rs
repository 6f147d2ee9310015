//! Nodes behind a network that a seed decides: the same coordinator and nodes, without sockets.
//!
//! Messages of one link arrive in order, as over TCP; in which order links deliver and nodes work
//! is drawn. A node that is lost takes all it had with it, and the coordinator hears of it some
//! time later. A seed that fails fails again.

use std::collections::{BTreeMap, VecDeque};

use rand::RngExt;
use strads_common::random::{Stream, stream};

use super::message::{Message, Packed, Party};
use super::node::{Node, Work};
use super::remote::Programs;
use super::session::{Event, Post, Session};

/// What the network does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Decides on all that is left to chance.
    pub seed: u64,
    /// This node is lost after so many steps of the network.
    pub loss: Option<(usize, u64)>,
}

/// A session with nodes in this thread.
pub(super) fn session(nodes: usize, programs: Programs, weather: Weather) -> Session {
    let names = (0..nodes).map(|node| (format!("simulated node {node}"), 1));
    let network = Network {
        nodes: (0..nodes).map(|_| Some(Place::new(&programs))).collect(),
        links: BTreeMap::new(),
        random: stream(weather.seed, "cluster weather", 0),
        weather,
        steps: 0,
    };
    Session::new(Box::new(network), names.collect())
}

struct Network {
    /// None for a node that is lost.
    nodes: Vec<Option<Place>>,
    links: BTreeMap<(Party, Party), VecDeque<Packed>>,
    random: Stream,
    weather: Weather,
    steps: u64,
}

struct Place {
    node: Node,
    /// A job that was begun and takes its time.
    doing: Option<Work>,
}

impl Place {
    fn new(programs: &Programs) -> Self {
        Self {
            node: Node::new(programs.clone()),
            doing: None,
        }
    }
}

/// One thing that can happen next.
#[derive(Clone, Copy)]
enum Step {
    Deliver(Party, Party),
    Begin(usize),
    Finish(usize),
}

impl Post for Network {
    fn send(&mut self, node: usize, message: Message) {
        self.post(Party::Coordinator, Party::Node(node), message);
    }

    fn receive(&mut self) -> Event {
        loop {
            if let Some(event) = self.step() {
                return event;
            }
        }
    }
}

impl Network {
    fn post(&mut self, from: Party, to: Party, message: Message) {
        let link = self.links.entry((from, to)).or_default();
        link.push_back(message.encode());
    }

    /// Something happens; an event if it happens to the coordinator.
    fn step(&mut self) -> Option<Event> {
        self.steps += 1;
        if let Some((node, after)) = self.weather.loss
            && self.steps > after
            && self.nodes[node].take().is_some()
        {
            self.links
                .retain(|&(from, to), _| from != Party::Node(node) && to != Party::Node(node));
            return Some(Event::Lost(node, "lost in the simulation".to_owned()));
        }
        let possible = self.possible();
        assert!(!possible.is_empty(), "everybody waits for somebody else");
        match possible[self.random.random_range(0..possible.len())] {
            Step::Deliver(from, to) => return self.deliver(from, to),
            Step::Begin(node) => {
                let place = self.nodes[node].as_mut()?;
                place.doing = place.node.next();
            }
            Step::Finish(node) => {
                let place = self.nodes[node].as_mut()?;
                let work = place.doing.take()?;
                match place.node.perform(work) {
                    Ok(Some((to, message))) => self.post(Party::Node(node), to, message),
                    Ok(None) => {}
                    Err(malformed) => return Some(Event::Lost(node, malformed.to_string())),
                }
            }
        }
        None
    }

    fn possible(&mut self) -> Vec<Step> {
        let waiting = self.links.iter().filter(|(_, link)| !link.is_empty());
        let mut steps: Vec<Step> = waiting
            .map(|(&(from, to), _)| Step::Deliver(from, to))
            .collect();
        for (node, place) in self.nodes.iter_mut().enumerate() {
            let Some(place) = place else { continue };
            if place.doing.is_some() {
                steps.push(Step::Finish(node));
            } else {
                steps.push(Step::Begin(node));
            }
        }
        steps
    }

    fn deliver(&mut self, from: Party, to: Party) -> Option<Event> {
        let packed = self.links.get_mut(&(from, to))?.pop_front()?;
        let node = |party| match party {
            Party::Node(node) => node,
            Party::Coordinator => unreachable!("the coordinator writes to nodes only"),
        };
        let message = match Message::decode(packed) {
            Ok(message) => message,
            Err(malformed) => return Some(Event::Lost(node(from), malformed.to_string())),
        };
        if to == Party::Coordinator {
            return Some(Event::Said(node(from), message));
        }
        let to = node(to);
        // What is sent to a lost node is lost.
        let place = self.nodes[to].as_mut()?;
        match place.node.take_in(message) {
            Ok(None) => None,
            Ok(Some((answered, message))) => {
                self.post(Party::Node(to), answered, message);
                None
            }
            Err(malformed) => Some(Event::Lost(to, malformed.to_string())),
        }
    }
}
