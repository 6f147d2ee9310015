//! A plan is data: which worker does what in one round, what it touches, and what it costs.
//!
//! The one value is checked for conflicts, reported for balance, logged, and (on a cluster) sent
//! ahead as intent. Executors run the assignments of a plan side by side; a plan without
//! conflicting claims has therefore one result, whoever is fast.

use std::ops::Range;

use serde::Serialize;

/// The assignments of one round.
#[derive(Clone, Debug)]
pub struct Plan<T> {
    assignments: Vec<Assignment<T>>,
    asked: usize,
}

/// One task with what the scheduler has to know about it.
#[derive(Clone, Debug)]
pub struct Assignment<T> {
    pub(crate) place: Place,
    pub(crate) cost: f64,
    pub(crate) entries: usize,
    pub(crate) claims: Vec<Claim>,
    pub(crate) task: T,
}

/// Who computes an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Place {
    /// The worker that has the data.
    Worker(usize),
    /// Whoever is free first. The result then depends on who that was, unless tasks commute.
    Anyone,
}

/// Variables that an assignment reads or writes. What a variable is, is the program's to say: a
/// column, a word block, a row of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The variables.
    pub variables: Range<usize>,
    /// What is done to them.
    pub access: Access,
}

/// What an assignment does to the variables that it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Access {
    /// Others may read them at the same time.
    Read,
    /// Nobody else may touch them at the same time.
    Write,
}

impl Claim {
    /// True if the two may not be held at the same time.
    pub fn conflicts(&self, other: &Claim) -> bool {
        (self.access == Access::Write || other.access == Access::Write)
            && self.variables.start < other.variables.end
            && other.variables.start < self.variables.end
    }
}

impl<T> Default for Plan<T> {
    fn default() -> Self {
        Self {
            assignments: Vec::new(),
            asked: 0,
        }
    }
}

impl<T> Plan<T> {
    /// A plan in which nobody does anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `task` to `worker`. Several tasks of one worker run in the order in which they were
    /// assigned.
    pub fn assign(&mut self, worker: usize, task: T) -> &mut Assignment<T> {
        self.add(Place::Worker(worker), task)
    }

    /// Offers `task` to whichever worker is free first and finds none of its claims taken.
    pub fn offer(&mut self, task: T) -> &mut Assignment<T> {
        self.add(Place::Anyone, task)
    }

    /// One task a worker, in worker order.
    pub fn one_each(tasks: impl IntoIterator<Item = T>) -> Self {
        let mut plan = Self::new();
        for (worker, task) in tasks.into_iter().enumerate() {
            plan.assign(worker, task);
        }
        plan
    }

    /// Says how many entries the policy wanted to schedule, to report how full the round is.
    pub fn asked(&mut self, entries: usize) {
        self.asked = entries;
    }

    /// The assignments, in order.
    pub fn assignments(&self) -> &[Assignment<T>] {
        &self.assignments
    }

    /// The first two assignments of different workers whose claims exclude each other.
    pub fn conflict(&self) -> Option<(usize, usize)> {
        for (later, b) in self.assignments.iter().enumerate() {
            for (earlier, a) in self.assignments[..later].iter().enumerate() {
                if a.concurrent_with(b) && a.excludes(b) {
                    return Some((earlier, later));
                }
            }
        }
        None
    }

    pub(crate) fn into_parts(self) -> (Vec<Assignment<T>>, usize) {
        let entries = self.assignments.iter().map(|a| a.entries).sum::<usize>();
        (self.assignments, self.asked.max(entries))
    }

    fn add(&mut self, place: Place, task: T) -> &mut Assignment<T> {
        let at = self.assignments.len();
        self.assignments.push(Assignment {
            place,
            cost: 1.0,
            entries: 1,
            claims: Vec::new(),
            task,
        });
        &mut self.assignments[at]
    }
}

impl<T> Assignment<T> {
    /// Sets what the task is expected to cost, in any unit that the whole plan shares.
    pub fn costing(&mut self, cost: f64) -> &mut Self {
        self.cost = cost;
        self
    }

    /// Sets how many entries (variables, blocks: what the program counts) the task holds.
    pub fn holding(&mut self, entries: usize) -> &mut Self {
        self.entries = entries;
        self
    }

    /// Claims `variables` for writing.
    pub fn writing(&mut self, variables: Range<usize>) -> &mut Self {
        self.claims.push(Claim {
            variables,
            access: Access::Write,
        });
        self
    }

    /// Claims `variables` for reading.
    pub fn reading(&mut self, variables: Range<usize>) -> &mut Self {
        self.claims.push(Claim {
            variables,
            access: Access::Read,
        });
        self
    }

    /// The task.
    pub fn task(&self) -> &T {
        &self.task
    }

    /// Who computes it.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Its expected cost.
    pub fn cost(&self) -> f64 {
        self.cost
    }

    /// What it reads and writes.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    pub(crate) fn excludes<U>(&self, other: &Assignment<U>) -> bool {
        self.claims
            .iter()
            .any(|mine| other.claims.iter().any(|theirs| mine.conflicts(theirs)))
    }

    /// Offered tasks wait for each other's claims; tasks of one worker follow each other.
    fn concurrent_with(&self, other: &Self) -> bool {
        match (self.place, other.place) {
            (Place::Worker(a), Place::Worker(b)) => a != b,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two writers of one variable conflict, two readers do not, and one worker's own tasks
    /// never do, because they run one after the other.
    #[test]
    fn conflicts_are_between_workers_that_share_a_written_variable() {
        let plan = |first: usize, second: usize, access: Access| {
            let mut plan = Plan::new();
            plan.assign(first, ()).writing(0..3);
            plan.assign(second, ()).claims.push(Claim {
                variables: 2..5,
                access,
            });
            plan.conflict()
        };
        assert_eq!(plan(0, 1, Access::Write), Some((0, 1)));
        assert_eq!(plan(0, 1, Access::Read), Some((0, 1)));
        assert_eq!(plan(0, 0, Access::Write), None);

        let mut readers = Plan::new();
        readers.assign(0, ()).reading(0..3);
        readers.assign(1, ()).reading(0..3);
        readers.assign(2, ()).writing(3..4);
        assert_eq!(readers.conflict(), None);
    }
}
