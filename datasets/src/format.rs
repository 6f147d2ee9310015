//! The formats that are read and written, by name.

use std::fmt;
use std::str::FromStr;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `target index:value …`, one sample a line.
    Libsvm,
    /// Matrix Market, coordinate or array.
    MatrixMarket,
    /// Comma-separated values.
    Csv,
    /// Values separated by tabs or blanks.
    Tsv,
    /// One NumPy array.
    Npy,
    /// NumPy arrays in a zip file: a scipy sparse matrix, or a dense array.
    Npz,
    /// UCI bag of words: three counts, then `document word count` lines.
    BagOfWords,
    /// Blei's LDA-C: `distinct word:count …`, one document a line.
    LdaC,
    /// One document a line, words separated by blanks.
    Lines,
    /// `user item rating` lines.
    Triples,
}

impl Format {
    const ALL: [(&str, Self); 10] = [
        ("libsvm", Self::Libsvm),
        ("mtx", Self::MatrixMarket),
        ("csv", Self::Csv),
        ("tsv", Self::Tsv),
        ("npy", Self::Npy),
        ("npz", Self::Npz),
        ("bow", Self::BagOfWords),
        ("ldac", Self::LdaC),
        ("lines", Self::Lines),
        ("triples", Self::Triples),
    ];

    /// What the formats are called on a command line.
    pub const NAMES: &str = "libsvm, mtx, csv, tsv, npy, npz, bow, ldac, lines or triples";
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::ALL.iter().find(|(_, format)| format == self);
        f.write_str(named.expect("every format is in ALL").0)
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.iter().find(|(known, _)| *known == name);
        named
            .map(|(_, format)| *format)
            .ok_or_else(|| format!("expected {}", Self::NAMES))
    }
}
