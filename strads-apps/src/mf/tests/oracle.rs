//! Holds up: an epoch of coordinate descent is what the formulas say, computed naively in double
//! precision over all ratings, without cells, strips or residuals.

use strads::{Executor, Run, Stop};

use super::super::blocks::{Blocks, Data, Scale, Shape};
use super::super::ccd::{Ccd, Coordinates};
use super::super::grid::{Cut, Triples};
use super::low_rank;

const USERS: usize = 25;
const ITEMS: usize = 20;
const RANK: usize = 4;
const LAMBDA: f64 = 0.05;

/// Entries 0 to RANK − 1, then the two biases as factors whose other side is 1.
struct Naive {
    users: Vec<[f64; RANK + 2]>,
    items: Vec<[f64; RANK + 2]>,
}

impl Naive {
    fn residual_without(&self, (user, item, value): (u32, u32, f32), factor: usize) -> f64 {
        let (p, q) = (&self.users[user as usize], &self.items[item as usize]);
        let others = (0..RANK + 2).filter(|&d| d != factor);
        f64::from(value) - others.map(|d| p[d] * q[d]).sum::<f64>()
    }

    /// The least-squares value for one side of `factor`: Σ r̂ x / (λ n + Σ x²).
    fn best(&self, ratings: &[(u32, u32, f32)], factor: usize, of_user: bool) -> f64 {
        let (mut along, mut square) = (0.0, LAMBDA * ratings.len() as f64);
        for &rating in ratings {
            let other = if of_user {
                self.items[rating.1 as usize][factor]
            } else {
                self.users[rating.0 as usize][factor]
            };
            along += self.residual_without(rating, factor) * other;
            square += other * other;
        }
        along / square
    }

    fn solve(&mut self, ratings: &Triples, factor: usize, of_user: bool) {
        for at in 0..if of_user { USERS } else { ITEMS } {
            let own = |&(user, item, _): &(u32, u32, f32)| {
                at == if of_user { user } else { item } as usize
            };
            let own: Vec<_> = ratings.iter().filter(own).collect();
            let best = if own.is_empty() {
                0.0
            } else {
                self.best(&own, factor, of_user)
            };
            if of_user {
                self.users[at][factor] = best;
            } else {
                self.items[at][factor] = best;
            }
        }
    }
}

#[test]
fn an_epoch_is_what_the_formulas_say() {
    let (mut ratings, _) = low_rank(USERS as u32, ITEMS as u32, 0.6, 0.1);
    ratings.values.iter_mut().for_each(|value| *value -= 2.0);
    let blocks = Blocks::new(
        Data {
            users: USERS,
            items: ITEMS,
            sets: [ratings.clone(), Triples::default(), Triples::default()],
        },
        Scale {
            mean: 0.0,
            deviation: 1.0,
        },
        Shape {
            rank: RANK,
            cut: Cut {
                strips: 3,
                blocks: 4,
                seed: 5,
            },
            reach: 0.5,
            non_negative: false,
        },
        1,
    );
    let (first_users, first_items) = (blocks.users(USERS), blocks.items(ITEMS));
    let side = |entries: &[f32], at: usize, own_bias: usize| {
        std::array::from_fn(|d| match d {
            d if d < RANK => f64::from(entries[at * RANK + d]),
            d if d == own_bias => 0.0,
            _ => 1.0,
        })
    };
    let (item_bias, user_bias) = (RANK, RANK + 1);
    let mut naive = Naive {
        users: (0..USERS)
            .map(|at| side(&first_users.entries, at, user_bias))
            .collect(),
        items: (0..ITEMS)
            .map(|at| side(&first_items.entries, at, item_bias))
            .collect(),
    };
    naive.solve(&ratings, item_bias, false);
    naive.solve(&ratings, user_bias, true);
    for factor in 0..RANK {
        for of_user in [false, true, false] {
            naive.solve(&ratings, factor, of_user);
        }
    }

    let settings = Coordinates {
        lambda: LAMBDA as f32,
        biases: true,
        non_negative: false,
    };
    let mut ccd = Ccd::new(&blocks, settings);
    let rounds = Stop::after_rounds(ccd.rounds());
    Run::new()
        .until(rounds)
        .on(&Executor::Inline, &mut ccd, &mut [(); 3])
        .unwrap();

    let (users, items) = (blocks.users(USERS), blocks.items(ITEMS));
    let close = |a: f32, b: f64| assert!((f64::from(a) - b).abs() < 1e-4, "{a} {b}");
    for at in 0..USERS {
        users
            .row(at)
            .iter()
            .zip(naive.users[at])
            .for_each(|(&a, b)| close(a, b));
        close(users.bias[at], naive.users[at][user_bias]);
    }
    for at in 0..ITEMS {
        items
            .row(at)
            .iter()
            .zip(naive.items[at])
            .for_each(|(&a, b)| close(a, b));
        close(items.bias[at], naive.items[at][item_bias]);
    }
    let squared: f64 = ratings
        .iter()
        .map(|rating| naive.residual_without(rating, RANK + 2).powi(2))
        .sum();
    assert!((ccd.errors().squared - squared).abs() < 1e-3 * squared);
}
