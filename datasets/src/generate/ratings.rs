//! Ratings of low rank with noise, by users and of items whose activity follows power laws.

use super::sample::{Alias, normal, power_law, shuffle};
use super::{cores, require, require_count};
use crate::error::{Error, Kind};
use crate::ratings::{Ids, Ratings};
use crate::workers;
use rand::RngExt;
use strads_common::random::{Stream, stream};

/// What to generate.
#[derive(Clone, Debug)]
pub struct LowRank {
    /// The number of users.
    pub users: usize,
    /// The number of items.
    pub items: usize,
    /// The number of ratings; nobody rates an item twice, or more than a quarter of the items.
    pub ratings: usize,
    /// The rank of the noiseless ratings, without their mean.
    pub rank: usize,
    /// The mean of all ratings.
    pub mean: f64,
    /// The standard deviation of the noiseless ratings.
    pub signal: f64,
    /// The standard deviation of the noise.
    pub noise: f64,
    /// The user of rank k rates in proportion to k^-exponent items.
    pub user_exponent: f64,
    /// The item of rank k is rated in proportion to k^-exponent.
    pub item_exponent: f64,
    /// Everything is a function of the options and this.
    pub seed: u64,
}

impl Default for LowRank {
    fn default() -> Self {
        Self {
            users: 5_000,
            items: 2_000,
            ratings: 500_000,
            rank: 16,
            mean: 3.5,
            signal: 1.0,
            noise: 0.5,
            user_exponent: 0.6,
            item_exponent: 0.8,
            seed: 0,
        }
    }
}

/// How many users share a random stream.
const BLOCK: usize = 256;

impl LowRank {
    /// Generates the ratings, by user; users and items are called by the integers from 1.
    pub fn generate(&self) -> Result<Ratings, Error> {
        self.check()
            .map_err(|kind| Error::whole("generator options", kind))?;
        let mut activity = stream(self.seed, "activity", 0);
        let most = self.items.div_ceil(4);
        let sizes = power_law(
            &mut activity,
            self.users,
            self.user_exponent,
            self.ratings,
            most,
        );
        let mut popularity: Vec<_> = (1..=self.items)
            .map(|rank| libm::pow(rank as f64, -self.item_exponent))
            .collect();
        shuffle(&mut activity, &mut popularity);
        let popular = Alias::new(&popularity);
        let scale = (self.signal / (self.rank.max(1) as f64).sqrt()).sqrt();
        let factors = |purpose, count: usize| {
            let mut stream = stream(self.seed, purpose, 0);
            let values = (0..count * self.rank).map(|_| scale * normal(&mut stream));
            values.collect::<Vec<_>>()
        };
        let (user_factors, item_factors) =
            (factors("users", self.users), factors("items", self.items));

        let total = sizes.iter().map(|&size| size as usize).sum();
        let (mut users, mut items, mut values) = (vec![0; total], vec![0; total], vec![0.0; total]);
        let mut rest = (&mut users[..], &mut items[..], &mut values[..]);
        let mut blocks = Vec::new();
        for (number, sizes) in sizes.chunks(BLOCK).enumerate() {
            let count = sizes.iter().map(|&size| size as usize).sum();
            let (users, items, values);
            (users, rest.0) = rest.0.split_at_mut(count);
            (items, rest.1) = rest.1.split_at_mut(count);
            (values, rest.2) = rest.2.split_at_mut(count);
            blocks.push((number, sizes, users, items, values));
        }
        workers::run(blocks, cores(), |(number, sizes, users, items, values)| {
            let mut stream = stream(self.seed, "ratings", number as u64);
            let mut picker = Picker::new(&popular, &popularity);
            let mut at = 0;
            for (user, &size) in (number * BLOCK..).zip(sizes) {
                let range = at..at + size as usize;
                users[range.clone()].fill(user as u32);
                picker.pick(&mut stream, &mut items[range.clone()]);
                let taste = &user_factors[user * self.rank..][..self.rank];
                for (value, &item) in values[range.clone()].iter_mut().zip(&items[range]) {
                    let quality = &item_factors[item as usize * self.rank..][..self.rank];
                    let fit: f64 = taste.iter().zip(quality).map(|(a, b)| a * b).sum();
                    *value = (self.mean + fit + self.noise * normal(&mut stream)) as f32;
                }
                at += size as usize;
            }
        });
        let ids = |count: usize| Ids::Integers((1..=count as u64).collect());
        Ok(Ratings {
            users,
            items,
            values,
            user_ids: ids(self.users),
            item_ids: ids(self.items),
        })
    }

    fn check(&self) -> Result<(), Kind> {
        require_count("users", self.users)?;
        require_count("items", self.items)?;
        let most = self.users.saturating_mul(self.items.div_ceil(4));
        require(
            (1..=most).contains(&self.ratings),
            "ratings",
            "above 0, at most a quarter of users × items",
            self.ratings,
        )?;
        let reals = [
            ("mean", self.mean.abs()),
            ("signal", self.signal),
            ("noise", self.noise),
            ("user_exponent", self.user_exponent),
            ("item_exponent", self.item_exponent),
        ];
        for (option, value) in reals {
            let fits = (0.0..=1e6).contains(&value);
            require(fits, option, "from 0 to 10^6", value)?;
        }
        Ok(())
    }
}

/// Picks different items by popularity.
struct Picker<'a> {
    popular: &'a Alias,
    popularity: &'a [f64],
    /// The last pick that took each item.
    taken: Vec<u32>,
    picks: u32,
}

impl<'a> Picker<'a> {
    fn new(popular: &'a Alias, popularity: &'a [f64]) -> Self {
        Self {
            popular,
            popularity,
            taken: vec![0; popularity.len()],
            picks: 0,
        }
    }

    /// Fills `into` with different items, ascending.
    fn pick(&mut self, stream: &mut Stream, into: &mut [u32]) {
        if into.len() > self.popularity.len() / 16 {
            self.pick_many(stream, into);
        } else {
            self.picks += 1;
            for place in into.iter_mut() {
                // Few are taken, so a free one comes soon.
                *place = loop {
                    let item = self.popular.draw(stream.random());
                    if std::mem::replace(&mut self.taken[item as usize], self.picks) != self.picks {
                        break item;
                    }
                };
            }
        }
        into.sort_unstable();
    }

    /// The first arrivals, where each item arrives at a rate of its popularity.
    fn pick_many(&self, stream: &mut Stream, into: &mut [u32]) {
        let arrival = |weight: &f64| -libm::log(1.0 - stream.random::<f64>()) / weight;
        let mut arrivals: Vec<_> = self.popularity.iter().map(arrival).zip(0u32..).collect();
        arrivals.select_nth_unstable_by(into.len() - 1, |a, b| a.0.total_cmp(&b.0));
        into.iter_mut()
            .zip(arrivals)
            .for_each(|(place, (_, item))| *place = item);
    }
}

#[cfg(test)]
mod tests {
    //! The same bytes for the same options, and the structure that was asked for.

    use super::*;
    use crate::generate::checksum;

    fn small() -> LowRank {
        LowRank {
            users: 300,
            items: 200,
            ratings: 4000,
            seed: 4,
            ..LowRank::default()
        }
    }

    #[test]
    fn bytes_are_pinned() {
        let mut bytes = Vec::new();
        let ratings = small().generate().unwrap();
        crate::write_ratings(&ratings, crate::Format::Triples, &mut bytes).unwrap();
        assert_eq!(checksum(&bytes), 0x022f_e3dd_6bf4_3470);
    }

    #[test]
    fn nobody_rates_an_item_twice() {
        let ratings = small().generate().unwrap();
        assert!(ratings.len().abs_diff(4000) <= 1);
        let pairs: Vec<_> = ratings.users.iter().zip(&ratings.items).collect();
        assert!(pairs.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn values_have_the_mean_and_spread_asked_for() {
        let options = LowRank {
            signal: 2.0,
            noise: 0.5,
            ratings: 100_000,
            users: 4000,
            ..small()
        };
        let values = options.generate().unwrap().values;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
        let variance = values
            .iter()
            .map(|&x| (f64::from(x) - mean).powi(2))
            .sum::<f64>()
            / values.len() as f64;
        assert!(
            (mean - 3.5).abs() < 0.2 && (variance - 4.25).abs() < 0.6,
            "{mean} {variance}"
        );
    }

    #[test]
    fn users_and_items_follow_power_laws() {
        let options = LowRank {
            users: 1000,
            items: 1000,
            ratings: 50_000,
            user_exponent: 1.0,
            item_exponent: 1.0,
            ..small()
        };
        let ratings = options.generate().unwrap();
        for who in [&ratings.users, &ratings.items] {
            let mut sizes = vec![0u32; 1000];
            who.iter().for_each(|&k| sizes[k as usize] += 1);
            sizes.sort_by(|a, b| b.cmp(a));
            assert!(sizes[50] > 4 * sizes[500], "{} {}", sizes[50], sizes[500]);
        }
    }

    #[test]
    fn senseless_options_are_refused() {
        let refused = |options: LowRank| assert!(options.generate().is_err());
        refused(LowRank {
            users: 0,
            ..small()
        });
        refused(LowRank {
            ratings: 300 * 200,
            ..small()
        });
        refused(LowRank {
            noise: f64::INFINITY,
            ..small()
        });
    }
}
