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
        let (mine, theirs) = (&self.variables, &other.variables);
        (self.access == Access::Write || other.access == Access::Write)
            && mine.start.max(theirs.start) < mine.end.min(theirs.end)
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

    /// Two assignments of different workers whose claims exclude each other, by their positions.
    ///
    /// Offered tasks wait for each other's claims and tasks of one worker follow each other, so
    /// only tasks that were assigned to different workers can run at the same time. Sweeps over
    /// the claims in the order of their variables: O(n log n) for n claims.
    pub fn conflict(&self) -> Option<(usize, usize)> {
        let mut claims: Vec<(&Claim, usize, usize)> = Vec::new();
        for (position, assignment) in self.assignments.iter().enumerate() {
            if let Place::Worker(worker) = assignment.place {
                let held = assignment.claims.iter().filter(|c| !c.variables.is_empty());
                claims.extend(held.map(|claim| (claim, worker, position)));
            }
        }
        claims.sort_unstable_by_key(|&(claim, _, position)| (claim.variables.start, position));
        let (mut written, mut touched) = (Furthest::default(), Furthest::default());
        for (claim, worker, position) in claims {
            let rivals = match claim.access {
                Access::Write => &touched,
                Access::Read => &written,
            };
            if let Some(rival) = rivals.beyond(claim.variables.start, worker) {
                return Some((rival.min(position), rival.max(position)));
            }
            let reach = Reach {
                end: claim.variables.end,
                worker,
                position,
            };
            touched.note(reach);
            if claim.access == Access::Write {
                written.note(reach);
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
        assert!(
            cost.is_finite() && cost >= 0.0,
            "a task cannot cost {cost}: costs are finite and not negative"
        );
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

    /// True if the task may not run while somebody holds `claims`.
    pub(crate) fn excluded_by(&self, claims: &[Claim]) -> bool {
        excludes(&self.claims, claims)
    }
}

/// True if the two sets of claims may not be held at the same time.
pub(crate) fn excludes(some: &[Claim], others: &[Claim]) -> bool {
    some.iter()
        .any(|claim| others.iter().any(|other| claim.conflicts(other)))
}

/// How far a claim reaches, and whose it is.
#[derive(Clone, Copy)]
struct Reach {
    end: usize,
    worker: usize,
    position: usize,
}

/// The claim that reaches furthest, and the one that does so among other workers' claims: between
/// them they tell whether any claim of somebody else reaches beyond a point.
#[derive(Clone, Copy, Default)]
struct Furthest {
    first: Option<Reach>,
    other: Option<Reach>,
}

impl Furthest {
    fn note(&mut self, reach: Reach) {
        let further = |than: Option<Reach>| than.is_none_or(|than| reach.end > than.end);
        match self.first {
            Some(first) if first.worker != reach.worker => {
                if further(self.first) {
                    (self.first, self.other) = (Some(reach), self.first);
                } else if further(self.other) {
                    self.other = Some(reach);
                }
            }
            _ if further(self.first) => self.first = Some(reach),
            _ => {}
        }
    }

    /// The position of a claim that is not `worker`'s and reaches beyond `start`.
    fn beyond(&self, start: usize, worker: usize) -> Option<usize> {
        [self.first, self.other]
            .into_iter()
            .flatten()
            .find(|reach| reach.worker != worker && reach.end > start)
            .map(|reach| reach.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    /// A block without variables touches nothing, wherever it lies.
    #[test]
    fn an_empty_claim_conflicts_with_nothing() {
        let mut plan = Plan::new();
        plan.assign(0, ()).writing(0..9);
        plan.assign(1, ()).writing(4..4);
        assert_eq!(plan.conflict(), None);
        assert!(!plan.assignments[0].excluded_by(plan.assignments[1].claims()));
    }

    proptest! {
        /// The sweep finds a conflict exactly where comparing all pairs finds one, and what it
        /// finds is one.
        #[test]
        fn the_sweep_agrees_with_comparing_all_pairs(
            claims in prop::collection::vec((0usize..4, 0usize..30, 0usize..6, any::<bool>()), 0..12),
        ) {
            let mut plan = Plan::new();
            for &(worker, start, length, write) in &claims {
                let task = plan.assign(worker, ());
                if write {
                    task.writing(start..start + length);
                } else {
                    task.reading(start..start + length);
                }
            }
            let clash = |a: usize, b: usize| {
                claims[a].0 != claims[b].0
                    && plan.assignments[a].excluded_by(plan.assignments[b].claims())
            };
            let any = (0..claims.len()).any(|b| (0..b).any(|a| clash(a, b)));
            let found = plan.conflict();
            prop_assert_eq!(found.is_some(), any);
            prop_assert!(found.is_none_or(|(a, b)| a < b && clash(a, b)));
        }
    }
}
