//! The links of one peer, and which of them there is something to be said over.
//!
//! In a mesh of a thousand there are a thousand links, and after each message the question is
//! whose turn it is: those that wait are kept apart, so that nobody looks at all of them.

use super::link::{Link, State};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;
use strads_common::ids::WorkerId;

/// Links by neighbour.
pub(super) struct Links {
    links: BTreeMap<WorkerId, Link>,
    /// Those whose links are not empty.
    waiting: BTreeSet<WorkerId>,
}

impl Links {
    /// Links without connections, which are to be there by `until`.
    pub fn new(neighbours: BTreeSet<WorkerId>, until: Duration) -> Links {
        let link = |neighbour| (neighbour, Link::new(until));
        Links {
            links: neighbours.into_iter().map(link).collect(),
            waiting: BTreeSet::new(),
        }
    }

    /// Makes them links to `neighbours`: those that were there stay as they are.
    pub fn retain(&mut self, neighbours: BTreeSet<WorkerId>, until: Duration) {
        self.links.retain(|other, _| neighbours.contains(other));
        self.waiting.retain(|other| neighbours.contains(other));
        for neighbour in neighbours {
            self.links
                .entry(neighbour)
                .or_insert_with(|| Link::new(until));
        }
    }

    /// All links, by neighbour, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (WorkerId, &Link)> {
        self.links
            .iter()
            .map(|(neighbour, link)| (*neighbour, link))
    }

    /// How the link to `neighbour` is, if there is one.
    pub fn state(&self, neighbour: WorkerId) -> Option<State> {
        self.links.get(&neighbour).map(|link| link.state)
    }

    /// Lets `act` do something with the link to `neighbour`, if there is one.
    pub fn with<T>(&mut self, neighbour: WorkerId, act: impl FnOnce(&mut Link) -> T) -> Option<T> {
        let link = self.links.get_mut(&neighbour)?;
        let result = act(link);
        note(&mut self.waiting, neighbour, link);
        Some(result)
    }

    /// Lets `act` do something with each link.
    pub fn with_each(&mut self, act: impl Fn(&mut Link)) {
        for (neighbour, link) in &mut self.links {
            act(link);
            note(&mut self.waiting, *neighbour, link);
        }
    }

    /// To whom there is something to be said, ascending.
    pub fn waiting(&self) -> impl Iterator<Item = WorkerId> {
        self.waiting.iter().copied()
    }

    /// The next of them behind `last`, counted round.
    pub fn next_waiting(&self, last: WorkerId) -> Option<WorkerId> {
        let behind = (Bound::Excluded(last), Bound::Unbounded);
        let next = self.waiting.range(behind).next();
        next.or_else(|| self.waiting.first()).copied()
    }
}

/// Notes whether there is something to be said over the link to `neighbour`.
fn note(waiting: &mut BTreeSet<WorkerId>, neighbour: WorkerId, link: &Link) {
    match link.is_empty() {
        true => waiting.remove(&neighbour),
        false => waiting.insert(neighbour),
    };
}

#[cfg(test)]
mod tests {
    //! Those that wait are those whose links are not empty, whatever happens to them; each has its
    //! turn.
    use super::*;
    use crate::broadcast::Message;
    use proptest::prelude::*;

    fn neighbours(bits: u8) -> BTreeSet<WorkerId> {
        let ids = (0..8).filter(|id| bits >> id & 1 == 1);
        ids.map(WorkerId).collect()
    }

    fn not_empty(links: &Links) -> Vec<WorkerId> {
        let waiting = links.iter().filter(|(_, link)| !link.is_empty());
        waiting.map(|(neighbour, _)| neighbour).collect()
    }

    proptest! {
        #[test]
        fn who_waits_is_known(acts in prop::collection::vec((0u8..5, any::<u8>()), 0..60)) {
            let mut links = Links::new(neighbours(0b1011_0111), Duration::ZERO);
            links.with_each(|link| link.state = State::Up);
            for (act, bits) in acts {
                let neighbour = WorkerId(u32::from(bits % 8));
                match act {
                    0 => { links.with(neighbour, |link| link.push_control(Message::Goodbye)); }
                    1 => { links.with(neighbour, |link| link.next(0)); }
                    2 => { links.with(neighbour, Link::clear); }
                    3 => links.with_each(|link| link.push_control(Message::Goodbye)),
                    _ => links.retain(neighbours(bits), Duration::ZERO),
                }
                let waiting: Vec<WorkerId> = links.waiting().collect();
                prop_assert_eq!(&waiting, &not_empty(&links));
                let behind = waiting.iter().find(|other| **other > neighbour);
                prop_assert_eq!(links.next_waiting(neighbour), behind.or(waiting.first()).copied());
            }
        }
    }
}
