//! The problem: ratings of items by users, made from factors and noise, items being popular by
//! Zipf's law. A worker has the ratings of its own users and their factors; the items' factors
//! are what the workers share.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal, Zipf};
use strads_common::random::stream;

/// Numbers in a factor.
pub const RANK: usize = 32;
/// Items.
pub const ITEMS: usize = 10_000;
/// Users of each worker.
const USERS: usize = 1_000;
/// Ratings of each worker.
pub const RATINGS: usize = 200_000;
/// Ratings on which the loss is measured.
const SAMPLE: usize = 10_000;
/// Standard deviation of what no factors explain.
const NOISE: f64 = 0.3;
/// λ.
const PENALTY: f32 = 0.01;

/// One rating.
#[derive(Clone, Copy)]
pub struct Rating {
    user: u32,
    /// The item.
    pub item: u32,
    value: f32,
}

/// A worker's share of the problem, and its users' factors.
pub struct Share {
    /// Its ratings, in the order in which they are learnt from.
    pub ratings: Vec<Rating>,
    users: Vec<f32>,
    /// Mean squares of the gradients so far, by user and by item: AdaGrad, one step size a row.
    user_squares: Vec<f32>,
    item_squares: Vec<f32>,
}

/// Where items' factors begin.
pub fn initial_items(seed: u64) -> Vec<f32> {
    normal(seed, "items at first", 0, ITEMS, 0.3)
}

fn normal(seed: u64, purpose: &str, round: u64, rows: usize, scale: f64) -> Vec<f32> {
    let mut random = stream(seed, purpose, round);
    let mut draw = || -> f64 { StandardNormal.sample(&mut random) };
    (0..rows * RANK).map(|_| (scale * draw()) as f32).collect()
}

impl Share {
    /// The share of `worker`.
    pub fn new(seed: u64, worker: u32) -> Share {
        // Eight of the directions explain what there is to explain.
        let spread = |factors: Vec<f32>| -> Vec<f32> {
            let used = |(at, factor): (usize, f32)| if at % RANK < 8 { factor } else { 0.0 };
            factors.into_iter().enumerate().map(used).collect()
        };
        let round = u64::from(worker);
        let true_items = spread(normal(seed, "true items", 0, ITEMS, 0.6));
        let true_users = spread(normal(seed, "true users", round, USERS, 0.6));
        let mut random = stream(seed, "ratings", round);
        let popularity = Zipf::new(ITEMS as f64, 0.6).expect("a valid law");
        let rating = |_| {
            let user = random.random_range(0..USERS);
            let rank = popularity.sample(&mut random) as usize - 1;
            // Popular items are not neighbours.
            let item = rank * 7_919 % ITEMS;
            let noise: f64 = StandardNormal.sample(&mut random);
            let value = dot(row(&true_users, user), row(&true_items, item));
            Rating {
                user: user as u32,
                item: item as u32,
                value: value + (NOISE * noise) as f32,
            }
        };
        Share {
            ratings: (0..RATINGS).map(rating).collect(),
            users: normal(seed, "users at first", round, USERS, 0.3),
            user_squares: vec![1.0; USERS],
            item_squares: vec![1.0; ITEMS],
        }
    }

    /// Learns from the ratings at `batch`; `place` says where an item's factors are in `items`.
    pub fn learn(
        &mut self,
        batch: std::ops::Range<usize>,
        items: &mut [f32],
        place: impl Fn(u32) -> usize,
        rate: f32,
    ) {
        for rating in &self.ratings[batch] {
            let at = rating.user as usize * RANK;
            let user = &mut self.users[at..at + RANK];
            let at = place(rating.item) * RANK;
            let item = &mut items[at..at + RANK];
            let error = rating.value - dot(user, item);
            let mean_square = |of: &[f32]| error * error * dot(of, of) / RANK as f32;
            let of_user = &mut self.user_squares[rating.user as usize];
            *of_user += mean_square(item);
            let of_item = &mut self.item_squares[rating.item as usize];
            *of_item += mean_square(user);
            let (user_rate, item_rate) = (rate / of_user.sqrt(), rate / of_item.sqrt());
            for (u, v) in user.iter_mut().zip(item) {
                let before = *u;
                *u += user_rate * (error * *v - PENALTY * before);
                *v += item_rate * (error * before - PENALTY * *v);
            }
        }
    }

    /// The ratings on which the loss is measured: from all parts of a pass alike.
    pub fn sample(&self) -> impl Iterator<Item = &Rating> {
        self.ratings.iter().step_by(RATINGS / SAMPLE)
    }

    /// The mean squared error on the sample, with these items' factors.
    pub fn loss(&self, items: &[f32], place: impl Fn(u32) -> usize) -> f64 {
        let error = |rating: &Rating| {
            let user = row(&self.users, rating.user as usize);
            let error = rating.value - dot(user, row(items, place(rating.item)));
            f64::from(error) * f64::from(error)
        };
        self.sample().map(error).sum::<f64>() / SAMPLE as f64
    }
}

fn row(factors: &[f32], at: usize) -> &[f32] {
    &factors[at * RANK..(at + 1) * RANK]
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
