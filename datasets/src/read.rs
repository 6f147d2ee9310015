//! The readers' front door: opens a source, finds its format, and checks what came out of it.

use crate::corpus::Corpus;
use crate::error::{Error, Kind, quote};
use crate::format::Format;
use crate::input::{Input, Storage};
use crate::lines::Lines;
use crate::matrix::{Labelled, Matrix};
use crate::options::ReadOptions;
use crate::ratings::Ratings;
use crate::source::Source;
use crate::{
    bag_of_words, detect, documents, lda_c, libsvm, matrix_market, npy, npz, table, triples,
};

/// Reads features, and targets where the file has them.
pub fn read_labelled(source: &Source, options: &ReadOptions) -> Result<Labelled, Error> {
    let input = Input::open(source, options.progress.as_ref())?;
    let name = input.name().to_owned();
    let detected = options
        .format
        .or_else(|| detect::features(&name, input.head()));
    if let (Some(told), Some(Format::Libsvm | Format::MatrixMarket | Format::Npy | Format::Npz)) =
        (&options.target, detected)
    {
        return Err(Error::whole(name, no_such_column(told)));
    }
    let data = match detected {
        Some(Format::Libsvm) => libsvm::read(Lines::new(input), options)?,
        Some(Format::MatrixMarket) => matrix_market::read(Lines::new(input), options)?,
        Some(Format::Csv | Format::Tsv) => table::read(Lines::new(input), options)?,
        Some(Format::Npy) => {
            let features = npy::Array::open(name.clone(), input)?.matrix(options.threads)?;
            Labelled {
                features,
                target: None,
                names: None,
            }
        }
        Some(Format::Npz) => npz::read(
            &Storage::new(source, input, options.progress.as_ref())?,
            options,
        )?,
        Some(other) => return Err(not_in(name, other, "features")),
        None => return Err(unknown(&input)),
    };
    match options.columns {
        Some(told) if told != data.features.columns() => {
            let what = "the number of features";
            let (expected, found) = (told as u64, data.features.columns() as u64);
            Err(Error::whole(
                name,
                Kind::Mismatch {
                    what,
                    expected,
                    found,
                },
            ))
        }
        _ => Ok(data),
    }
}

/// Only tables have columns with names.
fn no_such_column(told: &str) -> Kind {
    Kind::Option {
        option: "the target",
        expected: "a file that exists: only the columns of a table have names",
        found: told.to_owned(),
    }
}

/// Reads one number a row: a target, or weights. What has several columns needs
/// [`ReadOptions::target`] to say which; a libsvm file gives its targets.
pub fn read_vector(source: &Source, options: &ReadOptions) -> Result<Vec<f64>, Error> {
    let data = read_labelled(source, options)?;
    match (data.target, data.features) {
        (Some(target), _) => Ok(target),
        (None, Matrix::Dense(array)) if array.ncols() == 1 => Ok(array.into_raw_vec_and_offset().0),
        (None, features) => {
            let what = "the number of columns (name one of them as the target)";
            let found = features.columns() as u64;
            Err(Error::whole(
                source.to_string(),
                Kind::Mismatch {
                    what,
                    expected: 1,
                    found,
                },
            ))
        }
    }
}

/// Reads documents.
pub fn read_corpus(source: &Source, options: &ReadOptions) -> Result<Corpus, Error> {
    let input = Input::open(source, options.progress.as_ref())?;
    let name = input.name().to_owned();
    let lines = |input| Lines::new(input);
    match options
        .format
        .unwrap_or_else(|| detect::corpus(&name, input.head()))
    {
        Format::BagOfWords => bag_of_words::read(lines(input), source, options),
        Format::LdaC => lda_c::read(lines(input), options),
        Format::Lines => documents::read(lines(input), options),
        other => Err(not_in(name, other, "documents")),
    }
}

/// Reads ratings.
pub fn read_ratings(source: &Source, options: &ReadOptions) -> Result<Ratings, Error> {
    read_ratings_after(source, options, None)
}

/// Reads ratings whose users and items have the numbers that they have in `like`, such as a test
/// set after the training set; those that `like` does not have come behind.
pub fn read_ratings_like(
    source: &Source,
    options: &ReadOptions,
    like: &Ratings,
) -> Result<Ratings, Error> {
    read_ratings_after(source, options, Some(like))
}

fn read_ratings_after(
    source: &Source,
    options: &ReadOptions,
    like: Option<&Ratings>,
) -> Result<Ratings, Error> {
    let input = Input::open(source, options.progress.as_ref())?;
    match options.format.unwrap_or(Format::Triples) {
        Format::Triples | Format::Csv | Format::Tsv => {
            triples::read(Lines::new(input), options, like)
        }
        other => Err(not_in(input.name().to_owned(), other, "ratings")),
    }
}

fn not_in(name: String, format: Format, what: &str) -> Error {
    let what = format!("reading {what} from {format}");
    let advice = "name a format that holds them, or the app for this format";
    Error::whole(name, Kind::Unsupported { what, advice })
}

fn unknown(input: &Input) -> Error {
    let head = input.head();
    let kind = match head.trim_ascii() {
        [] => Kind::Empty { what: "rows" },
        _ => Kind::UnknownFormat { found: quote(head) },
    };
    Error::whole(input.name(), kind)
}
