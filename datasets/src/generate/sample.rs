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

/// A gamma-distributed number with the given shape and scale 1, by Marsaglia and Tsang.
pub(crate) fn gamma(stream: &mut Stream, shape: f64) -> f64 {
    if shape < 1.0 {
        // From the next larger shape; the product underflows to 0 for tiny shapes, as it should.
        let boost = libm::pow(1.0 - stream.random::<f64>(), 1.0 / shape);
        return gamma(stream, shape + 1.0) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(stream);
        let t = 1.0 + c * x;
        let v = t * t * t;
        let u = 1.0 - stream.random::<f64>();
        if v > 0.0 && libm::log(u) < 0.5 * x * x + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

/// Fills `shares` with a draw from the Dirichlet distribution with these weights.
pub(crate) fn dirichlet(stream: &mut Stream, weights: &[f64], shares: &mut [f64]) {
    let mut sum = 0.0;
    for (share, &weight) in shares.iter_mut().zip(weights) {
        *share = gamma(stream, weight);
        sum += *share;
    }
    if sum > 0.0 {
        shares.iter_mut().for_each(|share| *share /= sum);
    } else {
        // Every draw underflowed: in the limit of tiny weights one place has everything.
        shares[stream.random_range(0..weights.len())] = 1.0;
    }
}

/// Draws of a place in proportion to weights, each in constant time (Walker's alias method).
pub(crate) struct Alias {
    /// For each place: below which of 2^32 it is itself, and which other place it is above.
    places: Vec<(u32, u32)>,
}

impl Alias {
    /// # Panics
    /// If the weights do not sum to a positive number.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        assert!(sum > 0.0, "weights sum to {sum}");
        let mut left: Vec<_> = weights
            .iter()
            .map(|w| w / sum * weights.len() as f64)
            .collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).partition(|&place| left[place as usize] < 1.0);
        let mut places: Vec<_> = (0..weights.len() as u32)
            .map(|place| (u32::MAX, place))
            .collect();
        while let (Some(poor), Some(rich)) = (small.pop(), large.last().copied()) {
            let own = left[poor as usize];
            places[poor as usize] = ((own * 4_294_967_296.0) as u32, rich);
            left[rich as usize] -= 1.0 - own;
            if left[rich as usize] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { places }
    }

    /// The place that a random word stands for.
    #[inline]
    pub(crate) fn draw(&self, word: u64) -> u32 {
        let (high, low) = (word >> 32, word as u32);
        let place = (high * self.places.len() as u64) >> 32;
        let (own, other) = self.places[place as usize];
        if low < own { place as u32 } else { other }
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
    fn gamma_numbers_have_their_mean_and_variance() {
        for shape in [0.3, 1.0, 4.5] {
            let mut stream = stream(4, "test", 0);
            let drawn: Vec<f64> = (0..100_000).map(|_| gamma(&mut stream, shape)).collect();
            let mean = drawn.iter().sum::<f64>() / 1e5;
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
            assert!((mean / shape - 1.0).abs() < 0.03, "{shape} {mean}");
            assert!((variance / shape - 1.0).abs() < 0.06, "{shape} {variance}");
        }
    }

    #[test]
    fn an_alias_table_draws_in_proportion_to_weights() {
        let weights = [0.0, 5.0, 1.0, 0.0, 2.0, 0.5, 1.5];
        let table = Alias::new(&weights);
        let mut stream = stream(5, "test", 0);
        let mut hits = [0; 7];
        (0..100_000).for_each(|_| hits[table.draw(stream.random()) as usize] += 1);
        for (hits, weight) in hits.into_iter().zip(weights) {
            assert!((f64::from(hits) - weight * 1e4).abs() <= 40.0 * weight.sqrt() * 10.0);
        }
    }

    #[test]
    fn tiny_weights_give_one_place_everything() {
        let mut shares = [0.0; 5];
        dirichlet(&mut stream(6, "test", 0), &[1e-9; 5], &mut shares);
        assert_eq!(shares.iter().sum::<f64>(), 1.0);
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
