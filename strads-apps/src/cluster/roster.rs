//! Who takes part in a command, from its first attempt to its last.
//!
//! Nodes are started when they are first asked for, and end with the command. Those that are lost
//! are struck off; the others wait for the next attempt, so that going on takes no launch.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use strads_common::members::Members;

use super::Options;
use super::launch::Nodes;
use crate::failure::Failure;

/// The nodes of a command. Clones are the same roster.
#[derive(Clone, Debug, Default)]
pub struct Roster(Arc<Mutex<Roll>>);

#[derive(Debug, Default)]
struct Roll {
    nodes: Option<Nodes>,
    struck: BTreeSet<String>,
}

impl Roster {
    /// Who is there, after starting the nodes that `options` name if that has not been done; none if
    /// they name none.
    pub fn gather(&self, options: &Options) -> Result<Option<Members>, Failure> {
        let mut roll = self.lock();
        if roll.nodes.is_none() {
            roll.nodes = options.start()?;
        }
        Ok(roll.nodes.as_ref().map(|nodes| {
            let mut members = nodes.members().clone();
            let lost = nodes.lost();
            let there = |name: &String| !roll.struck.contains(name) && !lost.contains(name);
            members.nodes.retain(|member| there(&member.name));
            members
        }))
    }

    /// How many workers all nodes were to have, those of lost ones too: their number is part of the
    /// model.
    pub fn workers(&self) -> usize {
        let roll = self.lock();
        let members = roll.nodes.iter().flat_map(|nodes| &nodes.members().nodes);
        members.map(|member| member.workers).sum()
    }

    /// How many nodes there were to be, lost ones too.
    pub fn hosts(&self) -> usize {
        let roll = self.lock();
        roll.nodes
            .iter()
            .map(|nodes| nodes.members().nodes.len())
            .sum()
    }

    /// The node of this name is lost. False if that was known.
    pub fn strike(&self, name: &str) -> bool {
        self.lock().struck.insert(name.to_owned())
    }

    /// Whether a node was lost.
    pub fn is_bereft(&self) -> bool {
        !self.lock().struck.is_empty()
    }

    /// A thread that panicked leaves the roll as it is: it is whole at every moment.
    fn lock(&self) -> MutexGuard<'_, Roll> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
