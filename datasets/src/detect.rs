//! Which format a file has: first by magic bytes, then by name, then by what its first lines look
//! like.

use crate::format::Format;
use crate::{matrix_market, npy};

/// The format of features and targets, or none if nothing fits.
pub(crate) fn features(name: &str, head: &[u8]) -> Option<Format> {
    by_magic(head)
        .or_else(|| features_by_name(name))
        .or_else(|| features_by_content(head))
}

/// The format of documents. Any text is at least that, one document a line.
pub(crate) fn corpus(name: &str, head: &[u8]) -> Format {
    let lower = plain(name);
    let file = lower.rsplit(['/', '\\']).next().unwrap_or_default();
    if file.contains("docword") || file.ends_with(".bow") {
        return Format::BagOfWords;
    }
    if file.ends_with(".ldac") || file.ends_with(".lda-c") {
        return Format::LdaC;
    }
    let mut lines = lines(head);
    let counts = lines
        .clone()
        .take(3)
        .filter(|line| is_integer(line))
        .count();
    if counts == 3 {
        return Format::BagOfWords;
    }
    let mut words = lines
        .next()
        .unwrap_or_default()
        .split(|b| b.is_ascii_whitespace());
    let distinct = words.next().is_some_and(is_integer);
    if distinct && words.next().is_some_and(is_pair) {
        Format::LdaC
    } else {
        Format::Lines
    }
}

fn by_magic(head: &[u8]) -> Option<Format> {
    let starts =
        |magic: &[u8]| head.len() >= magic.len() && head[..magic.len()].eq_ignore_ascii_case(magic);
    match () {
        () if head.starts_with(npy::MAGIC) => Some(Format::Npy),
        () if head.starts_with(b"PK\x03\x04") => Some(Format::Npz),
        () if starts(matrix_market::BANNER) => Some(Format::MatrixMarket),
        () => None,
    }
}

fn features_by_name(name: &str) -> Option<Format> {
    match plain(name).rsplit_once('.')?.1 {
        "svm" | "libsvm" | "svmlight" => Some(Format::Libsvm),
        "mtx" | "mm" => Some(Format::MatrixMarket),
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "npy" => Some(Format::Npy),
        "npz" => Some(Format::Npz),
        _ => None,
    }
}

fn features_by_content(head: &[u8]) -> Option<Format> {
    let lines: Vec<_> = lines(head)
        .filter(|line| line[0] != b'#')
        .take(20)
        .collect();
    let first = lines.first()?;
    let second_word = |line: &&[u8]| {
        line.split(|b| b.is_ascii_whitespace())
            .nth(1)
            .is_some_and(is_pair)
    };
    if lines.iter().any(second_word) {
        return Some(Format::Libsvm);
    }
    let separated = |separators: &[u8]| first.iter().any(|byte| separators.contains(byte));
    if separated(b",;") {
        return Some(Format::Csv);
    }
    let numeric = lines.iter().all(|line| {
        line.iter()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE \t\r".contains(byte))
    });
    (separated(b"\t") || numeric).then_some(Format::Tsv)
}

/// Lines with content, without blanks around them. The last one may be cut off.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    head.split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
}

fn is_integer(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_digit)
}

/// `12:…`
fn is_pair(word: &[u8]) -> bool {
    let colon = word.iter().position(|&byte| byte == b':');
    colon.is_some_and(|colon| is_integer(&word[..colon]) || word.starts_with(b"qid:"))
}

/// The name in lower case, without a compressor's extension.
fn plain(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let known = [".gz", ".zst", ".zstd"];
    let plain = known
        .iter()
        .find_map(|extension| lower.strip_suffix(extension));
    plain.map_or(lower.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    //! Magic goes before names, and names before looks.

    use super::*;

    #[test]
    fn features_are_told_by_magic_then_name_then_content() {
        let cases: [(&str, &[u8], Option<Format>); 12] = [
            ("a.svm", b"PK\x03\x04", Some(Format::Npz)),
            (
                "a.txt",
                b"%%MatrixMarket matrix",
                Some(Format::MatrixMarket),
            ),
            ("dir/a.SVM.gz", b"1\n", Some(Format::Libsvm)),
            ("a.csv.zst", b"1 2:3\n", Some(Format::Csv)),
            ("a", b"1 2:3 4:5\n", Some(Format::Libsvm)),
            ("a", b"# note\n1\n-1 2:3 4:5\n", Some(Format::Libsvm)),
            ("a", b"x,y\n1,2\n", Some(Format::Csv)),
            ("a", b"x\ty\n1\t2\n", Some(Format::Tsv)),
            ("a", b"1.5 2e3\n1 2\n", Some(Format::Tsv)),
            ("y", b"1.5\n-1\n", Some(Format::Tsv)),
            ("a", b"hello world\n", None),
            ("a", b"", None),
        ];
        for (name, head, expected) in cases {
            assert_eq!(
                features(name, head),
                expected,
                "{name} {}",
                head.escape_ascii()
            );
        }
    }

    #[test]
    fn documents_are_told_by_name_then_content() {
        assert_eq!(corpus("docword.enron.txt.gz", b""), Format::BagOfWords);
        assert_eq!(corpus("a.ldac", b""), Format::LdaC);
        assert_eq!(corpus("a", b"2\n3\n1\n1 2 3\n"), Format::BagOfWords);
        assert_eq!(corpus("a", b"2 0:1 5:2\n"), Format::LdaC);
        assert_eq!(corpus("a", b"two words\n"), Format::Lines);
    }
}
