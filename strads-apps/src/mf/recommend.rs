//! What a model is for: the best items for a user, and ratings for given pairs.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde::Serialize;
use strads_datasets::{Ids, ReadOptions, Source, read_ratings};

use super::model::Model;
use crate::console::Console;
use crate::failure::Failure;

/// The items that a user would rate highest.
#[derive(Clone, Debug, clap::Args)]
pub struct Recommend {
    /// The directory that training wrote, or the model.npz in it
    pub model: PathBuf,
    /// The user, by the id that the ratings have
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// How many items
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub top: usize,
    /// Leave out what the user rated in this file
    #[arg(long, value_name = "RATINGS")]
    pub except: Option<PathBuf>,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

/// The ratings of pairs.
#[derive(Clone, Debug, clap::Args)]
pub struct Score {
    /// The directory that training wrote, or the model.npz in it
    pub model: PathBuf,
    /// Lines of `user item`; what follows is read over
    pub pairs: PathBuf,
    /// Print JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Scored<'a> {
    user: &'a str,
    item: &'a str,
    rating: f32,
}

/// Prints items and ratings, best first.
pub fn recommend(args: &Recommend) -> Result<(), Failure> {
    let model = Model::read(&args.model).map_err(Failure::input)?;
    let Some(user) =
        (0..model.user_ids.len()).find(|&at| model.user_ids.name(at as u32) == args.user)
    else {
        return Err(Failure::input(format!(
            "user {:?} is not in the model\nuse an id that was in the ratings: users.txt lists them",
            args.user
        )));
    };
    let seen = match &args.except {
        Some(path) => rated_by(path, &args.user)?,
        None => HashSet::new(),
    };
    let mut console = Console::new(args.json, false);
    for (item, rating) in best(&model, user, args.top, &seen) {
        let scored = Scored {
            user: &args.user,
            item: &item,
            rating,
        };
        console.event("recommendation", &scored);
        console.say(format_args!("{item}\t{rating}"));
    }
    Ok(())
}

/// Prints user, item and rating of every pair, in the order of the file.
pub fn score(args: &Score) -> Result<(), Failure> {
    let model = Model::read(&args.model).map_err(Failure::input)?;
    let (users, items) = (rows(&model.user_ids), rows(&model.item_ids));
    let text = std::fs::read_to_string(&args.pairs)
        .map_err(|error| Failure::input(format!("{}: {error}", args.pairs.display())))?;
    let mut console = Console::new(args.json, false);
    for (at, line) in text.lines().enumerate() {
        let mut fields = line
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
            .filter(|field| !field.is_empty());
        let (user, item) = match (fields.next(), fields.next()) {
            (Some(user), Some(item)) => (user, item),
            (None, _) => continue,
            (Some(_), None) => {
                let place = format!("{}, line {}", args.pairs.display(), at + 1);
                return Err(Failure::input(format!(
                    "{place}: expected a user and an item"
                )));
            }
        };
        let rating = model.predict(users.get(user).copied(), items.get(item).copied());
        console.event("score", Scored { user, item, rating });
        console.say(format_args!("{user}\t{item}\t{rating}"));
    }
    Ok(())
}

/// The `top` items by predicted rating; of equals, the one that comes first in the model.
fn best(model: &Model, user: usize, top: usize, seen: &HashSet<String>) -> Vec<(String, f32)> {
    let mut rated: Vec<(usize, f32)> = (0..model.item_ids.len())
        .map(|item| (item, model.predict(Some(user), Some(item))))
        .collect();
    rated.sort_by(|a, b| b.1.total_cmp(&a.1));
    let named = rated
        .into_iter()
        .map(|(item, rating)| (model.item_ids.name(item as u32), rating));
    named
        .filter(|(item, _)| !seen.contains(item))
        .take(top)
        .collect()
}

fn rated_by(path: &std::path::Path, user: &str) -> Result<HashSet<String>, Failure> {
    let ratings =
        read_ratings(&Source::from(path), &ReadOptions::default()).map_err(Failure::input)?;
    let known = (0..ratings.user_ids.len() as u32).find(|&at| ratings.user_ids.name(at) == user);
    let pairs = ratings.users.iter().zip(&ratings.items);
    Ok(pairs
        .filter(|&(&by, _)| Some(by) == known)
        .map(|(_, &item)| ratings.item_ids.name(item))
        .collect())
}

/// The row of each id.
fn rows(ids: &Ids) -> HashMap<String, usize> {
    (0..ids.len()).map(|at| (ids.name(at as u32), at)).collect()
}
