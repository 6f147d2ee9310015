//! Distances from the Halton sequence, and the trees over them.
//!
//! The sequence of base 2 is ½, ¼, ¾, ⅛, ⅝, … Its elements number 1, 2, 4, 8, … are ½, ¼, ⅛, …:
//! each halves what the ones before it have left. Element number 2^(j−1) stands for the distance
//! dⱼ = ⌈P · 2⁻ʲ⌉, j = 1 … ⌈log₂ P⌉. The last is 1, so the graph holds a ring; and since
//! dⱼ₋₁ ≤ 2dⱼ, every distance below P is a sum of different dⱼ, largest first.

/// Element number `index` (from 1) of the Halton sequence of base 2, times `count`, rounded up.
fn element(index: u64, count: usize) -> usize {
    // The digits of the index, mirrored at the binary point.
    let bits = u64::BITS - index.leading_zeros();
    let mirrored = u128::from(index.reverse_bits() >> (u64::BITS - bits));
    (mirrored * count as u128).div_ceil(1 << bits) as usize
}

/// The distances for `count` members, descending.
pub(super) fn distances(count: usize) -> Vec<usize> {
    let levels = count.next_power_of_two().trailing_zeros();
    let mut distances: Vec<usize> = (0..levels)
        .map(|level| element(1 << level, count))
        .collect();
    distances.dedup();
    distances
}

/// Where the member at `distance` from the origin passes things on to, as distances from the
/// origin.
///
/// The origin is in charge of all distances below `count`. Whoever is in charge of
/// `start..end` hands `start + d..end` over to the member at `start + d`, for each `d` in turn,
/// and keeps the rest: at last itself alone.
pub(super) fn onward(count: usize, distance: usize) -> Vec<usize> {
    let (mut start, mut end) = (0, count);
    let mut onward = Vec::new();
    for step in distances(count) {
        let other = start + step;
        if other >= end {
            continue;
        }
        if distance >= other {
            start = other;
        } else {
            if distance == start {
                onward.push(other);
            }
            end = other;
        }
    }
    onward
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_those_of_the_sequence() {
        let found: Vec<usize> = (1..=7).map(|index| element(index, 8)).collect();
        assert_eq!(found, [4, 2, 6, 1, 5, 3, 7]);
        assert_eq!(distances(1000), [500, 250, 125, 63, 32, 16, 8, 4, 2, 1]);
        assert_eq!(distances(3), [2, 1]);
        assert!(distances(1).is_empty());
    }
}
