//! Draws that are the same on every machine.

use rand::RngExt;
use strads_common::random::Stream;

/// A standard normal number, by Marsaglia's polar method.
pub(crate) fn normal(stream: &mut Stream) -> f64 {
    loop {
        let (u, v) = (
            2.0 * stream.random::<f64>() - 1.0,
            2.0 * stream.random::<f64>() - 1.0,
        );
        let square: f64 = u * u + v * v;
        if square < 1.0 && square > 0.0 {
            return u * (-2.0 * libm::log(square) / square).sqrt();
        }
    }
}

/// `count` different numbers below `end`, in ascending order, appended to `into`.
///
/// # Panics
/// If there are not that many.
pub(crate) fn distinct(stream: &mut Stream, count: usize, end: u32, into: &mut Vec<u32>) {
    assert!(
        count <= end as usize,
        "{count} different numbers below {end}"
    );
    let start = into.len();
    if count > end as usize / 8 {
        // Each number is taken with the probability that the rest of the draws needs.
        let mut wanted = count as u32;
        for number in 0..end {
            if stream.random_range(0..end - number) < wanted {
                into.push(number);
                wanted -= 1;
            }
        }
        return;
    }
    while into.len() < start + count {
        for _ in into.len()..start + count {
            into.push(stream.random_range(0..end));
        }
        into[start..].sort_unstable();
        let drawn = into.split_off(start);
        into.extend(
            drawn
                .iter()
                .enumerate()
                .filter(|&(at, x)| at == 0 || drawn[at - 1] != *x)
                .map(|(_, x)| x),
        );
    }
}

/// Splits `total` over `sizes` many places in proportion to a power law, (rank + 1)^-`exponent`
/// with a random rank for each place, and at most `most` at a place. Sums to `total` if it fits.
pub(crate) fn power_law(
    stream: &mut Stream,
    places: usize,
    exponent: f64,
    total: usize,
    most: usize,
) -> Vec<u32> {
    let weights: Vec<f64> = (1..=places)
        .map(|rank| libm::pow(rank as f64, -exponent))
        .collect();
    let scale = scale_to(&weights, total as f64, most as f64);
    // What rounding down loses is carried on, so the sum is exact up to one.
    let mut carried = 0.5;
    let mut sizes: Vec<u32> = weights
        .iter()
        .map(|weight| {
            let exact = (weight * scale).min(most as f64) + carried;
            let size = exact.floor().min(most as f64);
            carried = exact - size;
            size as u32
        })
        .collect();
    shuffle(stream, &mut sizes);
    sizes
}

/// The factor with which the weights, none above `most`, sum to `total`.
fn scale_to(weights: &[f64], total: f64, most: f64) -> f64 {
    let sum = |scale: f64| {
        weights
            .iter()
            .map(|weight| (weight * scale).min(most))
            .sum::<f64>()
    };
    let (mut low, mut high) = (0.0, 1.0);
    while sum(high) < total && high < 1e300 {
        low = high;
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if sum(middle) < total {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Puts the items in a random order.
pub(crate) fn shuffle<T>(stream: &mut Stream, items: &mut [T]) {
    for at in (1..items.len()).rev() {
        items.swap(at, stream.random_range(0..=at));
    }
}

#[cfg(test)]
mod tests {
    //! Draws have the distribution that they say.

    use super::*;
    use strads_common::random::stream;

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut stream = stream(1, "test", 0);
        let drawn: Vec<f64> = (0..100_000).map(|_| normal(&mut stream)).collect();
        let moment = |power| drawn.iter().map(|x| x.powi(power)).sum::<f64>() / 1e5;
        assert!(
            moment(1).abs() < 0.02
                && (moment(2) - 1.0).abs() < 0.02
                && (moment(4) - 3.0).abs() < 0.1
        );
    }

    #[test]
    fn distinct_numbers_ascend_and_every_number_is_as_likely() {
        for (count, end) in [(3, 100), (40, 100), (100, 100), (0, 5)] {
            let mut stream = stream(2, "test", 0);
            let mut hits = vec![0; end as usize];
            for _ in 0..2000 {
                let mut drawn = vec![77];
                distinct(&mut stream, count, end, &mut drawn);
                assert!(drawn.len() == count + 1 && drawn[1..].is_sorted_by(|a, b| a < b));
                drawn[1..].iter().for_each(|&x| hits[x as usize] += 1);
            }
            let expected = 2000.0 * count as f64 / f64::from(end);
            let worst = hits
                .iter()
                .map(|&hit| (f64::from(hit) - expected).abs())
                .fold(0.0, f64::max);
            assert!(worst <= 6.0 * expected.sqrt(), "{worst} off {expected}");
        }
    }

    #[test]
    fn a_power_law_sums_to_its_total() {
        for (places, exponent, total, most) in
            [(1000, 1.0, 5000, 300), (10, 0.0, 7, 1), (5, 2.0, 1000, 10)]
        {
            let sizes = power_law(&mut stream(3, "test", 0), places, exponent, total, most);
            let sum: usize = sizes.iter().map(|&size| size as usize).sum();
            assert!(
                sum.abs_diff(total.min(places * most)) <= 1,
                "{sum} and not {total}"
            );
            assert!(sizes.iter().all(|&size| size as usize <= most));
        }
    }
}
