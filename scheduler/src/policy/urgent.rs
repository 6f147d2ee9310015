//! The most urgent of many: where a program wants the worst offenders rather than a sample.

/// Keeps the entries with the largest urgencies of those offered, in memory for about twice as
/// many as are wanted; offering costs a comparison, and now and then a selection.
#[derive(Clone, Debug)]
pub struct MostUrgent<V> {
    wanted: usize,
    /// Entries below this cannot be among the wanted.
    cutoff: f64,
    entries: Vec<(V, f64)>,
}

impl<V: Ord + Copy> MostUrgent<V> {
    /// Keeps the `wanted` most urgent.
    pub fn new(wanted: usize) -> Self {
        Self {
            wanted,
            cutoff: f64::NEG_INFINITY,
            entries: Vec::new(),
        }
    }

    /// Offers an entry.
    #[inline(always)]
    pub fn offer(&mut self, variable: V, urgency: f64) {
        if urgency >= self.cutoff {
            self.entries.push((variable, urgency));
            if self.entries.len() >= 2 * self.wanted + 64 {
                self.prune();
            }
        }
    }

    /// The kept entries, most urgent first, ties by name.
    pub fn into_sorted(mut self) -> Vec<(V, f64)> {
        self.prune();
        self.entries.sort_unstable_by(order);
        self.entries
    }

    fn prune(&mut self) {
        if self.wanted < self.entries.len() {
            let (_, first_out, _) = self.entries.select_nth_unstable_by(self.wanted, order);
            self.cutoff = first_out.1;
            self.entries.truncate(self.wanted);
        }
    }
}

fn order<V: Ord>(a: &(V, f64), b: &(V, f64)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is kept is what sorting everything would have put first.
        #[test]
        fn the_first_of_the_sorted_are_kept(
            urgencies in prop::collection::vec((0..9_u8).prop_map(f64::from), 0..400),
            wanted in 0usize..70,
        ) {
            let entries: Vec<(usize, f64)> = urgencies.into_iter().enumerate().collect();
            let mut kept = MostUrgent::new(wanted);
            entries.iter().for_each(|&(variable, urgency)| kept.offer(variable, urgency));
            let mut sorted = entries;
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            sorted.truncate(wanted);
            prop_assert_eq!(kept.into_sorted(), sorted);
        }
    }
}
