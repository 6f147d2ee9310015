//! Ratings set aside at random, to measure with.

use rand::RngExt;
use strads_common::random::stream;

use super::grid::Triples;

/// Takes about `fraction` of `ratings` out and returns them; both keep their order.
pub fn set_aside(ratings: &mut Triples, fraction: f64, seed: u64, purpose: &str) -> Triples {
    let mut random = stream(seed, purpose, 0);
    let mut aside = Triples::default();
    let mut kept = 0;
    for at in 0..ratings.len() {
        let rating = (ratings.users[at], ratings.items[at], ratings.values[at]);
        if random.random::<f64>() < fraction {
            aside.push(rating);
        } else {
            (
                ratings.users[kept],
                ratings.items[kept],
                ratings.values[kept],
            ) = rating;
            kept += 1;
        }
    }
    ratings.users.truncate(kept);
    ratings.items.truncate(kept);
    ratings.values.truncate(kept);
    aside
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every rating ends on one side, in order, and about the asked fraction is set aside.
    #[test]
    fn a_split_is_a_partition() {
        let mut all = Triples::default();
        (0..10_000).for_each(|at| all.push((at, at + 1, at as f32)));
        let aside = set_aside(&mut all, 0.2, 5, "test");
        assert!((1_800..2_200).contains(&aside.len()), "{}", aside.len());
        let mut users = [all.users.clone(), aside.users.clone()].concat();
        assert!(all.users.is_sorted() && aside.users.is_sorted());
        users.sort_unstable();
        assert!(users.into_iter().eq(0..10_000));
        assert!(
            all.iter()
                .chain(aside.iter())
                .all(|(u, i, v)| i == u + 1 && v == u as f32)
        );
    }
}
