//! Trainings as a whole, on small data whose answer is known.

mod bad_input;
mod hogwild;
mod oracle;
mod resume;
mod straggler;
mod whole;

use std::path::{Path, PathBuf};

use clap::Parser;
use rand::RngExt;
use strads_common::random::{Stream, stream};

use super::grid::Triples;
use super::options::Args;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// The options of a command line; `ratings` comes first.
fn args(ratings: &Path, more: &str) -> Args {
    let line = ["mf", "--quiet", ratings.to_str().unwrap()];
    Line::try_parse_from(line.into_iter().chain(more.split_whitespace()))
        .unwrap_or_else(|error| panic!("{error}"))
        .args
}

/// Ratings `2 + p·q + noise` of rank 3, all entries uniform with variance 1/3, noise uniform with
/// the deviation `noise`.
fn low_rank(users: u32, items: u32, fraction: f64, noise: f32) -> (Triples, Triples) {
    let mut random = stream(11, "low rank", 0);
    let mut uniform = |random: &mut Stream| 2.0 * random.random::<f32>() - 1.0;
    let factors = |rows: u32, random: &mut Stream, uniform: &mut dyn FnMut(&mut Stream) -> f32| {
        (0..rows)
            .map(|_| [(); 3].map(|()| uniform(random)))
            .collect::<Vec<_>>()
    };
    let p = factors(users, &mut random, &mut uniform);
    let q = factors(items, &mut random, &mut uniform);
    let (mut train, mut test) = (Triples::default(), Triples::default());
    for user in 0..users {
        for item in 0..items {
            let dot: f32 = (0..3)
                .map(|d| p[user as usize][d] * q[item as usize][d])
                .sum();
            let value = 2.0 + dot + noise * 3.0_f32.sqrt() * uniform(&mut random);
            match random.random::<f64>() {
                x if x < fraction => train.push((user, item, value)),
                x if x < fraction + 0.1 => test.push((user, item, value)),
                _ => {}
            }
        }
    }
    (train, test)
}

/// Writes ratings into `directory`; ids count from 1.
fn write(directory: &Path, name: &str, ratings: &Triples) -> PathBuf {
    let lines = ratings
        .iter()
        .map(|(u, i, v)| format!("{} {} {v}\n", u + 1, i + 1));
    let path = directory.join(name);
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    path
}
