//! Who is lost, and how much of what the lost ones said counts.
//!
//! The set of lost workers only grows. A peer that learns of a loss stops listening to the lost
//! one, notes how many of its updates it has whole, and reports that to all members, for each
//! worker in the set. When it has such reports *for the same set* from all that are left, the
//! greatest number for each lost one is agreed on: a member has that many, and hands on what others
//! lack.
//!
//! If that member is lost too before it could, there is a larger set, with reports anew. It cannot
//! contradict what was agreed on before: whoever has handed out an update reports it, and who has
//! gone on without one did so since nobody had it.
//!
//! Survivors go on only as a majority of the members that were last agreed on, or as the half
//! that has the lowest of them. So of two groups that cannot hear each other one at most goes on.

use std::collections::BTreeMap;
use strads_common::ids::{Clock, WorkerId};

/// What a peer knows of those who are lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Whose knowledge it is.
    pub by: WorkerId,
    /// Those who are lost, ascending, and how many of their updates it has.
    pub lost: Vec<(WorkerId, Clock)>,
}

impl Report {
    /// Whether both know of the same workers.
    fn same_lost(&self, lost: &BTreeMap<WorkerId, Clock>) -> bool {
        self.lost.len() == lost.len()
            && self
                .lost
                .iter()
                .all(|(worker, _)| lost.contains_key(worker))
    }
}

pub(super) struct View {
    me: WorkerId,
    members: Vec<WorkerId>,
    /// The members when all last agreed.
    agreed: Vec<WorkerId>,
    /// How many updates of each lost worker this one had.
    lost: BTreeMap<WorkerId, Clock>,
    /// For the present set of lost workers.
    reports: BTreeMap<WorkerId, Report>,
}

impl View {
    pub fn new(me: WorkerId, workers: u32) -> View {
        let members: Vec<WorkerId> = (0..workers).map(WorkerId).collect();
        View {
            me,
            agreed: members.clone(),
            members,
            lost: BTreeMap::new(),
            reports: BTreeMap::new(),
        }
    }

    /// Those who are not lost, ascending.
    pub fn members(&self) -> &[WorkerId] {
        &self.members
    }

    pub fn is_lost(&self, worker: WorkerId) -> bool {
        self.lost.contains_key(&worker)
    }

    /// Those who are lost, ascending.
    pub fn lost(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.lost.keys().copied()
    }

    /// How many are lost: the number of this view.
    pub fn epoch(&self) -> u32 {
        self.lost.len() as u32
    }

    /// What there is to say of this view: all reports that have come.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.reports.values()
    }

    /// Those whom `report` knows to be lost and this view does not.
    pub fn news(&self, report: &Report) -> Vec<WorkerId> {
        let lost = report.lost.iter().map(|(worker, _)| *worker);
        lost.filter(|worker| !self.is_lost(*worker)).collect()
    }

    /// `worker` is lost, and this peer has `whole` updates of it.
    pub fn lose(&mut self, worker: WorkerId, whole: Clock) {
        self.members.retain(|member| *member != worker);
        self.lost.insert(worker, whole);
    }

    /// What this peer knows, of the set as it is now; older reports are void.
    pub fn report(&mut self) -> Report {
        let report = Report {
            by: self.me,
            lost: self
                .lost
                .iter()
                .map(|(worker, whole)| (*worker, *whole))
                .collect(),
        };
        self.reports = BTreeMap::from([(self.me, report.clone())]);
        report
    }

    /// Takes a report in; whether it is of this view and new.
    pub fn record(&mut self, report: &Report) -> bool {
        let of_this_view = report.same_lost(&self.lost) && !self.is_lost(report.by);
        of_this_view && self.reports.insert(report.by, report.clone()).is_none()
    }

    /// How many updates of each lost worker count, if all members have said what they have.
    pub fn agree(&mut self) -> Option<Vec<(WorkerId, Clock)>> {
        let all_said = self
            .members
            .iter()
            .all(|member| self.reports.contains_key(member));
        if self.lost.is_empty() || !all_said {
            return None;
        }
        self.agreed = self.members.clone();
        let mut most = BTreeMap::new();
        for (worker, whole) in self.reports.values().flat_map(|report| &report.lost) {
            let known = most.entry(*worker).or_insert(*whole);
            *known = (*known).max(*whole);
        }
        Some(most.into_iter().collect())
    }

    /// Whether those who are left may go on without the others.
    pub fn may_go_on(&self) -> bool {
        let (left, before) = (self.members.len(), self.agreed.len());
        2 * left > before || 2 * left == before && self.members.first() == self.agreed.first()
    }

    /// How many were members when all last agreed.
    pub fn agreed(&self) -> usize {
        self.agreed.len()
    }
}
