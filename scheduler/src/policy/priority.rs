//! Priority: draws variables with probability proportional to an urgency.
//!
//! The urgency is the program's to give: the square of the last change plus a floor
//! ([`Priority::by_change`]), or a violation of the optimality conditions ([`Priority::set`]).
//! Weights are the leaves of a tree of sums, so drawing one of n variables and changing one weight
//! both cost O(log n). A drawn variable is in flight, and is not drawn again, until it is returned.

use rand::{Rng, RngExt};

/// The urgencies of variables 0 to n − 1.
#[derive(Clone, Debug)]
pub struct Priority {
    /// A binary tree in an array: node i has children 2i and 2i + 1, leaves start at `leaves`.
    sums: Vec<f64>,
    leaves: usize,
    variables: usize,
    floor: f64,
    away: Vec<bool>,
    in_flight: usize,
}

/// How many refusals a draw bears for each variable wanted. Under strong coupling the urgent
/// exclude each other; drawing on fills the round with the next urgent that do fit.
const PATIENCE: usize = 8;

impl Priority {
    /// All `variables` with urgency `initial`; urgencies given back by change get `floor` (η) added,
    /// so that a variable that rested once is still looked at.
    pub fn new(variables: usize, initial: f64, floor: f64) -> Self {
        assert!(
            valid(initial) && valid(floor),
            "urgencies are finite and not negative"
        );
        let leaves = variables.next_power_of_two();
        let mut sums = vec![0.0; 2 * leaves];
        sums[leaves..leaves + variables].fill(initial);
        for node in (1..leaves).rev() {
            sums[node] = sums[2 * node] + sums[2 * node + 1];
        }
        Self {
            sums,
            leaves,
            variables,
            floor,
            away: vec![false; variables],
            in_flight: 0,
        }
    }

    /// How many variables there are.
    pub fn len(&self) -> usize {
        self.variables
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.variables == 0
    }

    /// How many variables were taken and not returned.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The urgency of `variable`; zero while it is in flight.
    pub fn urgency(&self, variable: usize) -> f64 {
        self.sums[self.leaves..][..self.variables][variable]
    }

    /// Sets the urgency of a variable that is not in flight, for instance to its violation.
    pub fn set(&mut self, variable: usize, urgency: f64) {
        assert!(valid(urgency), "urgency {urgency} of variable {variable}");
        assert!(!self.away[variable], "variable {variable} is in flight");
        self.weigh(variable, urgency);
    }

    fn weigh(&mut self, variable: usize, urgency: f64) {
        let mut node = self.leaves + variable;
        self.sums[node] = urgency;
        while node > 1 {
            node /= 2;
            // Recomputed from the children, never adjusted by a difference: no error accumulates.
            self.sums[node] = self.sums[2 * node] + self.sums[2 * node + 1];
        }
    }

    /// Returns `variable` from its round with a new urgency.
    pub fn give_back(&mut self, variable: usize, urgency: f64) {
        assert!(self.away[variable], "variable {variable} was not in flight");
        self.away[variable] = false;
        self.in_flight -= 1;
        self.set(variable, urgency);
    }

    /// Returns `variable` from its round; its urgency is now change² + η.
    pub fn by_change(&mut self, variable: usize, change: f64) {
        self.give_back(variable, change * change + self.floor);
    }

    /// Takes up to `wanted` variables, each drawn in proportion to its urgency among those left,
    /// and each accepted by `fits` given those taken before it in this call.
    ///
    /// A variable that does not fit keeps its urgency and is passed over in this call only; the
    /// draw goes on without it until the round is full. It gives up, and the round goes out with
    /// what it has, after 8 refusals for each one wanted.
    pub fn take(
        &mut self,
        wanted: usize,
        random: &mut impl Rng,
        mut fits: impl FnMut(usize, &[usize]) -> bool,
    ) -> Vec<usize> {
        let mut taken = Vec::with_capacity(wanted.min(self.variables));
        let mut refused = Vec::new();
        let patience = wanted.saturating_mul(PATIENCE);
        while taken.len() < wanted && refused.len() < patience && self.sums[1] > 0.0 {
            let variable = self.draw(random);
            let urgency = self.urgency(variable);
            self.weigh(variable, 0.0);
            if fits(variable, &taken) {
                self.away[variable] = true;
                taken.push(variable);
            } else {
                refused.push((variable, urgency));
            }
        }
        for (variable, urgency) in refused {
            self.weigh(variable, urgency);
        }
        self.in_flight += taken.len();
        taken
    }

    /// One variable with urgency above zero, in proportion to urgency; there has to be one.
    fn draw(&self, random: &mut impl Rng) -> usize {
        let mut node = 1;
        let mut target = random.random::<f64>() * self.sums[1];
        while node < self.leaves {
            node *= 2;
            // A target that rounding puts past the last sum must not end in an empty subtree.
            if (target >= self.sums[node] && self.sums[node + 1] > 0.0) || self.sums[node] == 0.0 {
                target -= self.sums[node];
                node += 1;
            }
        }
        node - self.leaves
    }
}

fn valid(urgency: f64) -> bool {
    urgency.is_finite() && urgency >= 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use strads_common::random::stream;

    /// Frequencies follow urgencies (chi-square against the exact probabilities).
    #[test]
    fn draws_are_proportional_to_urgency() {
        let weights = [1.0, 0.0, 3.0, 0.5, 5.5];
        let mut priority = Priority::new(5, 0.0, 0.0);
        for (variable, &weight) in weights.iter().enumerate() {
            priority.set(variable, weight);
        }
        let mut random = stream(1, "test", 0);
        let draws = 100_000;
        let mut seen = [0u32; 5];
        for _ in 0..draws {
            let variable = priority.take(1, &mut random, |_, _| true)[0];
            seen[variable] += 1;
            priority.give_back(variable, weights[variable]);
        }
        assert_eq!(seen[1], 0);
        let expected = |v: usize| f64::from(draws) * weights[v] / 10.0;
        let chi_square: f64 = [0, 2, 3, 4]
            .iter()
            .map(|&v| (f64::from(seen[v]) - expected(v)).powi(2) / expected(v))
            .sum();
        assert!(
            chi_square < 16.3,
            "chi-square {chi_square} exceeds the 0.1 % quantile of 3 degrees"
        );
    }

    /// With change² + η, a variable that moved twice as far is drawn four times as often.
    #[test]
    fn change_counts_squared() {
        let mut priority = Priority::new(2, 1.0, 0.5);
        let taken = priority.take(2, &mut stream(1, "test", 0), |_, _| true);
        assert_eq!(taken.len(), 2);
        priority.by_change(0, 2.0);
        priority.by_change(1, 0.0);
        assert_eq!((priority.urgency(0), priority.urgency(1)), (4.5, 0.5));
    }

    proptest! {
        /// Nothing is drawn twice before it is returned, refused ones keep their urgency, and
        /// every sum stays the sum of its children.
        #[test]
        fn taking_and_returning_keeps_the_tree(
            weights in prop::collection::vec(0.0_f64..10.0, 1..40),
            wanted in 0usize..50,
            seed: u64,
        ) {
            let mut priority = Priority::new(weights.len(), 0.0, 0.0);
            for (variable, &weight) in weights.iter().enumerate() {
                priority.set(variable, weight);
            }
            let taken = priority.take(wanted, &mut stream(seed, "test", 0), |v, _| v % 3 != 0);
            let mut unique = taken.clone();
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), taken.len());
            prop_assert_eq!(priority.in_flight(), taken.len());
            for &variable in &taken {
                prop_assert!(variable % 3 != 0 && weights[variable] > 0.0);
                prop_assert_eq!(priority.urgency(variable), 0.0);
                priority.give_back(variable, weights[variable]);
            }
            for (variable, &weight) in weights.iter().enumerate() {
                prop_assert_eq!(priority.urgency(variable), weight);
            }
            for node in 1..priority.leaves {
                prop_assert_eq!(priority.sums[node], priority.sums[2 * node] + priority.sums[2 * node + 1]);
            }
        }
    }
}
