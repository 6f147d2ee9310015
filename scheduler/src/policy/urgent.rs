//! The most urgent of many: where a program wants the worst offenders rather than a sample.

/// The `wanted` entries with the largest urgencies, most urgent first, ties by name. Linear in the
/// number of entries: only those that are kept are sorted.
pub fn most_urgent<V: Ord + Copy>(mut entries: Vec<(V, f64)>, wanted: usize) -> Vec<(V, f64)> {
    let order = |a: &(V, f64), b: &(V, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if wanted < entries.len() {
        entries.select_nth_unstable_by(wanted, order);
        entries.truncate(wanted);
    }
    entries.sort_unstable_by(order);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is kept is what sorting everything would have put first.
        #[test]
        fn the_first_of_the_sorted_are_kept(
            urgencies in prop::collection::vec((0..5_u8).prop_map(f64::from), 0..60),
            wanted in 0usize..70,
        ) {
            let entries: Vec<(usize, f64)> = urgencies.into_iter().enumerate().collect();
            let mut sorted = entries.clone();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            sorted.truncate(wanted);
            prop_assert_eq!(most_urgent(entries, wanted), sorted);
        }
    }
}
