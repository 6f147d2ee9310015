//! A model read back from the directory that training wrote.

use std::path::{Path, PathBuf};

use super::exact::Prior;
use super::heldout::Names;
use super::topics::Topics;
use crate::archive::{Archive, Unreadable};

/// Topics, and the numbers of their words.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Topics of words.
    pub topics: Topics,
    /// Words by name.
    pub names: Names,
}

impl Stored {
    /// Reads `model.npz`, and `vocabulary.txt` if it is there. `path` is the directory, or the file in it.
    pub fn read(path: &Path) -> Result<Self, Unreadable> {
        let file = if path.is_dir() {
            path.join("model.npz")
        } else {
            path.to_owned()
        };
        let mut archive = Archive::open(&file)?;
        let topics = topics(&mut archive)?;
        let vocabulary = vocabulary(&file.with_file_name("vocabulary.txt"))?;
        if let Some(words) = &vocabulary
            && words.len() != topics.words()
        {
            return Err(archive.unreadable(format!(
                "{} words, but vocabulary.txt beside it has {}",
                topics.words(),
                words.len()
            )));
        }
        Ok(Self {
            names: Names::new(vocabulary.as_deref(), topics.words()),
            topics,
        })
    }
}

fn vocabulary(path: &Path) -> Result<Option<Vec<String>>, Unreadable> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.lines().map(str::to_owned).collect())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unreadable {
            path: PathBuf::from(path),
            reason: error.to_string(),
        }),
    }
}

/// Topic by topic is how counts are stored, word by word is how they are asked for.
fn topics(archive: &mut Archive) -> Result<Topics, Unreadable> {
    let (alpha, beta) = (number(archive, "alpha")?, number(archive, "beta")?);
    let shape = archive.integers("topic_word_shape")?;
    let ends = archive.integers("topic_word_indptr")?;
    let words = archive.small_integers("topic_word_indices")?;
    let counts = archive.small_integers("topic_word_data")?;
    let whole = (|| {
        let [topics, kinds] = <[i64; 2]>::try_from(shape).ok()?;
        let (topics, kinds) = (usize::try_from(topics).ok()?, usize::try_from(kinds).ok()?);
        let first_and_last = (ends.first()?, usize::try_from(*ends.last()?).ok()?);
        let fits = ends.len() == topics.checked_add(1)?
            && topics > 0
            && kinds > 0
            && first_and_last == (&0, words.len())
            && words.len() == counts.len()
            && ends.is_sorted()
            && words
                .iter()
                .all(|&word| usize::try_from(word).is_ok_and(|w| w < kinds))
            && counts.iter().all(|&count| count > 0);
        fits.then_some((topics, kinds))
    })();
    let Some((topics, kinds)) = whole else {
        return Err(archive.unreadable("its counts are not those of a topic model"));
    };
    let mut totals = vec![0u32; topics];
    let mut rows = vec![Vec::new(); kinds];
    for (topic, range) in ends.windows(2).enumerate() {
        for at in range[0] as usize..range[1] as usize {
            let count = counts[at].cast_unsigned();
            rows[words[at] as usize].push((topic as u32, count));
            totals[topic] = totals[topic].saturating_add(count);
        }
    }
    let prior = Prior {
        alpha: alpha as f32,
        beta: beta as f32,
        words: kinds,
    };
    Ok(Topics::new(prior, &totals, &rows))
}

/// A positive number by itself.
fn number(archive: &mut Archive, name: &str) -> Result<f64, Unreadable> {
    match archive.numbers(name)?.as_slice() {
        [value] if *value > 0.0 && value.is_finite() => Ok(*value),
        _ => Err(archive.unreadable(format!("{name} is not a positive number"))),
    }
}
