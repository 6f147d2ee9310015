//! The word that was probably meant.

use std::path::{Path, PathBuf};

/// How alike two words are at least, from 0 to 1, for one to be taken for the other.
const ALIKE: f64 = 0.75;

/// The one of `known` that is most like `word`, if any is much like it.
pub fn word<S: AsRef<str>>(word: &str, known: impl IntoIterator<Item = S>) -> Option<S> {
    let alike =
        |known: &S| strsim::jaro_winkler(&word.to_lowercase(), &known.as_ref().to_lowercase());
    let rated = known.into_iter().map(|known| (alike(&known), known));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// The file whose name is most like that of `path`, which does not exist. Where its directory does
/// not exist either, the directory that was probably meant.
pub fn file(path: &Path) -> Option<PathBuf> {
    let directory = path.parent()?;
    let listed = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    if !listed.exists() {
        return file(directory);
    }
    let name = path.file_name()?.to_str()?;
    let entries = std::fs::read_dir(listed).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    // Sorted, as directories are not: of names that are equally near, always the same one.
    let mut names: Vec<String> = names.collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    Some(directory.join(word(name, names)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_near_and_another_word_is_not() {
        let known = ["libsvm", "mtx", "csv"];
        assert_eq!(word("libsvn", known), Some("libsvm"));
        assert_eq!(word("zebra", known), None);
    }

    #[test]
    fn files_are_found_by_the_nearest_name() {
        let place = tempfile::tempdir().expect("a directory");
        let at = |name: &str| place.path().join(name);
        std::fs::write(at("ratings.txt"), "").expect("a file");
        std::fs::write(at("other"), "").expect("a file");
        assert_eq!(file(&at("raitings.txt")), Some(at("ratings.txt")));
        assert_eq!(file(&at("zzz")), None);
        std::fs::create_dir(at("models")).expect("a directory");
        assert_eq!(file(&at("model/coef")), Some(at("models")));
    }
}
