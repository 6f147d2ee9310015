//! What a training learns from: ratings read, set aside and checked.

use std::path::Path;

use strads_datasets::{Ids, ReadOptions, Source, read_ratings, read_ratings_like};

use super::blocks::{Data, Scale, Set};
use super::grid::Triples;
use super::options::Args;
use super::split::set_aside;
use crate::console::Console;
use crate::failure::Failure;
use crate::files::watched;

/// Ratings by what they are for, with the names of users and items.
///
/// The ids are those of the training file. What only a test file has is numbered behind them and
/// so has rows in the blocks, which stay 0: such a user is predicted by mean and item bias.
pub struct Input {
    /// The ratings.
    pub data: Data,
    /// Who the users are.
    pub user_ids: Ids,
    /// What the items are.
    pub item_ids: Ids,
}

/// Reads what `args` name.
pub fn read(args: &Args, console: &mut Console) -> Result<Input, Failure> {
    let path = args
        .ratings
        .as_deref()
        .expect("clap requires ratings where there is no subcommand");
    let options = ReadOptions {
        threads: args.common.threads(),
        ..ReadOptions::default()
    };
    let watch = |progress| ReadOptions {
        progress: Some(progress),
        ..options.clone()
    };
    let ratings = watched(console, path, |progress| {
        read_ratings(&Source::from(path), &watch(progress))
    })?;
    let (mut users, mut items) = (ratings.user_ids.len(), ratings.item_ids.len());
    let mut test = Triples::default();
    if let Some(path) = &args.test {
        let source = Source::from(path.as_path());
        let more = watched(console, path, |progress| {
            read_ratings_like(&source, &watch(progress), &ratings)
        })?;
        (users, items) = (more.user_ids.len(), more.item_ids.len());
        test = Triples {
            users: more.users,
            items: more.items,
            values: more.values,
        };
    }
    let mut train = Triples {
        users: ratings.users,
        items: ratings.items,
        values: ratings.values,
    };
    let mut aside = |fraction: Option<f64>, purpose| {
        fraction.map(|fraction| set_aside(&mut train, fraction, args.common.seed, purpose))
    };
    test = aside(args.test_fraction, "mf test").unwrap_or(test);
    let validation = aside(args.validation, "mf validation").unwrap_or_default();
    let sets = [train, validation, test];
    check(args, path, &sets)?;
    Ok(Input {
        data: Data { users, items, sets },
        user_ids: ratings.user_ids,
        item_ids: ratings.item_ids,
    })
}

/// How the ratings are shifted and scaled: not shifted where all factors are to explain them.
pub fn scale(train: &Triples, non_negative: bool) -> Scale {
    let count = train.len() as f64;
    let sum: f64 = train.values.iter().copied().map(f64::from).sum();
    let mean = sum / count;
    let square = |&value: &f32| (f64::from(value) - mean).powi(2);
    let deviation = (train.values.iter().map(square).sum::<f64>() / count).sqrt();
    Scale {
        mean: if non_negative { 0.0 } else { mean as f32 },
        // Ratings that are all the same leave nothing to scale.
        deviation: if deviation > 0.0 {
            deviation as f32
        } else {
            1.0
        },
    }
}

fn check(args: &Args, path: &Path, sets: &[Triples; 3]) -> Result<(), Failure> {
    let train = &sets[Set::Train as usize];
    let refuse = |what: &str| Err(Failure::input(format!("{}: {what}", path.display())));
    if train.len() == 0 {
        return refuse("no ratings are left to learn from\nset fewer aside");
    }
    if args.validation.is_some() && sets[Set::Validation as usize].len() == 0 {
        return refuse("too few ratings to set some aside for validation");
    }
    if args.non_negative && train.values.iter().any(|&value| value < 0.0) {
        return refuse("has negative ratings\nnon-negative factors cannot explain them");
    }
    Ok(())
}
