//! Dependency: which variables may move at the same time.
//!
//! Two coordinates whose columns are correlated, updated at once from the same state, both correct
//! the same error and overshoot. [`Pairwise`] asks about pairs as they come up; a
//! [`ConflictGraph`] knows all conflicts in advance and splits variables into classes without any.

use std::cmp::Ordering;

use petgraph::algo::dsatur_coloring;
use petgraph::graph::{NodeIndex, UnGraph};

/// Asks on demand whether two variables are coupled, and remembers the answers.
///
/// Its memory is fixed: an answer may push out an older one, never grow the cache.
#[derive(Clone, Debug)]
pub struct Pairwise {
    threshold: f64,
    /// Direct-mapped: pair and whether it is coupled.
    cache: Vec<Option<(u32, u32, bool)>>,
    asked: u64,
    computed: u64,
}

impl Pairwise {
    /// Pairs whose coupling is at least `threshold` in absolute value exclude each other;
    /// `remember` answers are kept.
    pub fn new(threshold: f64, remember: usize) -> Self {
        Self {
            threshold,
            cache: vec![None; remember.next_power_of_two()],
            asked: 0,
            computed: 0,
        }
    }

    /// True if `variable` may join those `chosen`: it is coupled with none of them. `coupling`
    /// computes what the cache does not know.
    pub fn fits(
        &mut self,
        variable: usize,
        chosen: &[usize],
        mut coupling: impl FnMut(usize, usize) -> f64,
    ) -> bool {
        chosen
            .iter()
            .all(|&other| !self.coupled(variable, other, &mut coupling))
    }

    /// How many pairs were asked about.
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// How many of them had to be computed: the check's cost in couplings.
    pub fn computed(&self) -> u64 {
        self.computed
    }

    fn coupled(
        &mut self,
        a: usize,
        b: usize,
        coupling: &mut impl FnMut(usize, usize) -> f64,
    ) -> bool {
        assert!(
            u32::try_from(a.max(b)).is_ok(),
            "variables are numbered below 2^32"
        );
        let (low, high) = (a.min(b) as u32, a.max(b) as u32);
        let key = (u64::from(low) << 32 | u64::from(high)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The highest bits: in the lower ones of a product, neighbouring pairs fall together.
        let slot = key.unbounded_shr(64 - self.cache.len().trailing_zeros()) as usize;
        self.asked += 1;
        if let Some((l, h, coupled)) = self.cache[slot]
            && (l, h) == (low, high)
        {
            return coupled;
        }
        self.computed += 1;
        // A coupling that is not a number proves nothing: such a pair stays apart.
        let coupled = !matches!(
            coupling(a, b).abs().partial_cmp(&self.threshold),
            Some(Ordering::Less)
        );
        self.cache[slot] = Some((low, high, coupled));
        coupled
    }
}

/// All conflicts between variables, known in advance.
#[derive(Clone, Debug)]
pub struct ConflictGraph {
    graph: UnGraph<(), (), u32>,
}

impl ConflictGraph {
    /// The graph on `variables` variables with the given conflicts; a variable does not conflict
    /// with itself, and a conflict that is named twice counts once.
    pub fn new(variables: usize, conflicts: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut graph = UnGraph::with_capacity(variables, 0);
        for _ in 0..variables {
            graph.add_node(());
        }
        let ordered = |(a, b): (usize, usize)| {
            assert!(
                a.max(b) < variables,
                "conflict {a}–{b} among {variables} variables"
            );
            (a.min(b), a.max(b))
        };
        let mut conflicts: Vec<_> = conflicts.into_iter().map(ordered).collect();
        conflicts.sort_unstable();
        conflicts.dedup();
        for (a, b) in conflicts.into_iter().filter(|(a, b)| a != b) {
            graph.add_edge(NodeIndex::new(a), NodeIndex::new(b), ());
        }
        Self { graph }
    }

    /// True if the two exclude each other.
    pub fn conflict(&self, a: usize, b: usize) -> bool {
        self.graph
            .contains_edge(NodeIndex::new(a), NodeIndex::new(b))
    }

    /// True if `variable` may join those `chosen`.
    pub fn fits(&self, variable: usize, chosen: &[usize]) -> bool {
        chosen.iter().all(|&other| !self.conflict(variable, other))
    }

    /// Splits all variables into classes without a conflict inside: one class can move at once.
    /// A colouring by saturation; few classes, not provably fewest.
    pub fn classes(&self) -> Vec<Vec<usize>> {
        let (colour, colours) = dsatur_coloring(&self.graph);
        let mut classes = vec![Vec::new(); colours];
        for variable in self.graph.node_indices() {
            classes[colour[&variable]].push(variable.index());
        }
        classes.retain(|class| !class.is_empty());
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What cannot be computed is not taken for safe.
    #[test]
    fn a_coupling_that_is_not_a_number_excludes() {
        assert!(!Pairwise::new(0.1, 8).fits(0, &[1], |_, _| f64::NAN));
    }

    /// An answer is computed once; the pair's order does not matter.
    #[test]
    fn answers_are_remembered() {
        let mut check = Pairwise::new(0.1, 64);
        let coupling = |a: usize, b: usize| if a.abs_diff(b) == 1 { -0.5 } else { 0.0 };
        assert!(check.fits(3, &[0, 7], coupling));
        assert!(!check.fits(3, &[0, 4], coupling));
        assert!(!check.fits(4, &[3], |_, _| panic!("known")));
        assert_eq!((check.asked(), check.computed()), (5, 3));
    }

    proptest! {
        /// The cache never changes an answer, however small it is.
        #[test]
        fn a_small_cache_forgets_but_does_not_lie(
            pairs in prop::collection::vec((0usize..50, 0usize..50), 1..300),
            remember in 1usize..16,
        ) {
            let coupling = |a: usize, b: usize| ((a * 31 + b * 31) % 10) as f64 / 10.0;
            let mut check = Pairwise::new(0.5, remember);
            for (a, b) in pairs {
                prop_assert_eq!(check.fits(a, &[b], coupling), coupling(a, b) < 0.5);
            }
        }

        /// Classes cover every variable once and have no conflict inside.
        #[test]
        fn classes_are_free_of_conflicts(
            variables in 1usize..40,
            edges in prop::collection::vec((0usize..40, 0usize..40), 0..200),
        ) {
            let edges = edges.into_iter().filter(|&(a, b)| a < variables && b < variables);
            let graph = ConflictGraph::new(variables, edges);
            let classes = graph.classes();
            let mut all: Vec<usize> = classes.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..variables).collect::<Vec<_>>());
            for class in &classes {
                for (at, &variable) in class.iter().enumerate() {
                    prop_assert!(graph.fits(variable, &class[..at]));
                }
            }
        }
    }
}
