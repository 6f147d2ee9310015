//! What the reader of tables holds up: separators and headers are found, missing values and wrong
//! counts are refused where they are, what is written is read, and no bytes panic.

use super::{features, mutated};
use crate::{Format, Labelled, Matrix, ReadOptions, Source};
use crate::{read_labelled, read_vector, write_labelled, write_vector};
use proptest::prelude::*;

fn expected() -> Matrix {
    Matrix::from_columns(2, 3, vec![1.0, 4.5, 2.0, -5.0, 3.0, 0.06])
}

fn csv(text: &str) -> Labelled {
    features(Format::Csv, text).unwrap()
}

#[test]
fn separators_and_headers_are_found() {
    for text in [
        "1,2,3\n4.5,-5,6e-2\n",
        "1, 2 ,\t3\r\n4.5,-5,6e-2",
        "1;2;3\n4.5;-5;6e-2\n",
        "1\t2\t3\n\n4.5\t-5\t6e-2\n",
        " 1 2  3\n# note\n4.5\t-5 6e-2 \n",
        "\"1\",2,3\n4.5,\"-5\",6e-2\n",
    ] {
        let data = csv(text);
        assert_eq!((data.features, data.names), (expected(), None), "{text}");
    }
    let named = csv("a,\"b, or so\",c\n1,2,3\n4.5,-5,6e-2\n");
    assert_eq!(named.features, expected());
    assert_eq!(named.names.unwrap(), ["a", "b, or so", "c"]);
}

#[test]
fn a_target_is_named_or_numbered() {
    let text = "a,y,c\n1,2,3\n4.5,-5,6e-2\n";
    for told in ["y", "2"] {
        let options = ReadOptions {
            target: Some(told.to_owned()),
            ..ReadOptions::default()
        };
        let data = read_labelled(
            &Source::memory("a.csv", *b"a,y,c\n1,2,3\n4.5,-5,6e-2\n"),
            &options,
        );
        let data = data.unwrap();
        assert_eq!(data.target.unwrap(), [2.0, -5.0], "{text}");
        assert_eq!(data.names.unwrap(), ["a", "c"]);
        assert_eq!(
            data.features,
            Matrix::from_columns(2, 2, vec![1.0, 4.5, 3.0, 0.06])
        );
    }
    let options = ReadOptions {
        target: Some("z".to_owned()),
        ..ReadOptions::default()
    };
    let error = read_labelled(&Source::memory("a.csv", text.as_bytes()), &options).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("a.csv: target is \"z\", and has to be the name"),
        "{error}"
    );
}

#[test]
fn errors_say_where_and_what() {
    let is = |text: &str, expected: &str| {
        let message = features(Format::Csv, text).unwrap_err().to_string();
        assert_eq!(message.lines().next(), Some(expected));
    };
    is(
        "1,2\n3,x\n",
        "a.csv, line 2, column 3: expected a number, found \"x\"",
    );
    is(
        "1,2\n3,4x\n",
        "a.csv, line 2, column 3: expected a number, found \"4x\"",
    );
    is(
        "1,2\n3,\n",
        "a.csv, line 2, column 3: expected a number, found nothing: a missing value",
    );
    is(
        "1,2\n,3\n",
        "a.csv, line 2, column 1: expected a number, found nothing: a missing value",
    );
    is(
        "1,2\n3,NaN\n",
        "a.csv, line 2, column 3: expected a finite number, found \"NaN\"",
    );
    is(
        "1,2\n3\n",
        "a.csv, line 2, column 1: the number of fields in the line: expected 2, found 1",
    );
    is(
        "1,2\n3,4,5\n",
        "a.csv, line 2, column 1: the number of fields in the line: expected 2, found 3",
    );
    is(
        "1 2\n3\n",
        "a.csv, line 2, column 1: the number of fields in the line: expected 2, found 1",
    );
    is(
        "1\t\t2\n",
        "a.csv, line 1, column 3: expected a number, found nothing: a missing value",
    );
    is("", "a.csv: no rows in the input");
    is("a,b\n", "a.csv: no rows in the input");
}

#[test]
fn vectors_are_read_from_one_column_or_a_named_one() {
    let read = |name: &str, text: &str| {
        read_vector(
            &Source::memory(name, text.as_bytes()),
            &ReadOptions::default(),
        )
    };
    assert_eq!(read("y", "1.5\n-2\n3e5").unwrap(), [1.5, -2.0, 3e5]);
    assert_eq!(read("y.svm", "1.5 1:1\n-2 2:1\n").unwrap(), [1.5, -2.0]);
    assert!(
        read("y.csv", "1,2\n")
            .unwrap_err()
            .to_string()
            .contains("expected 1, found 2")
    );
    for format in [Format::Csv, Format::Npy] {
        let mut bytes = Vec::new();
        write_vector(&[1.5, -2e-30, 0.1], format, &mut bytes).unwrap();
        let read = read_vector(&Source::memory("y", bytes), &ReadOptions::default());
        assert_eq!(read.unwrap(), [1.5, -2e-30, 0.1]);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        columns in 1usize..90,
        values in prop::collection::vec(prop_oneof![-1e6..1e6, prop::num::f64::NORMAL], 90..400),
        tabs: bool,
    ) {
        let rows = values.len() / columns;
        let features = Matrix::from_columns(rows, columns, values[..rows * columns].to_vec());
        let data = Labelled { features, target: Some(values[..rows].to_vec()), names: None };
        let mut text = Vec::new();
        let format = if tabs { Format::Tsv } else { Format::Csv };
        write_labelled(&data, format, &mut text).unwrap();
        let options = ReadOptions { target: Some((columns + 1).to_string()), format: Some(format), ..ReadOptions::default() };
        prop_assert_eq!(read_labelled(&Source::memory("a", text), &options).unwrap(), data);
    }

    #[test]
    fn no_mutation_panics(at: usize, byte: u8, cut in 0usize..40, text in "[0-9a-e\",;#. \t\r\n-]{0,60}") {
        let valid = b"a,\"b\",c\n1,2,3\n4.5,-5,6e-2\r\n# x\n7,8,9";
        let _ = features(Format::Csv, mutated(valid, at, byte, cut));
        let _ = features(Format::Tsv, text);
    }
}
