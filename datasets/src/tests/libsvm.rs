//! What the libsvm reader holds up: the matrix that the text says, errors with line and column,
//! and no panic on any bytes.

use crate::{Error, IndexBase, Kind, Labelled, Matrix, Place, ReadOptions, Source, read_labelled};
use proptest::prelude::*;

fn read_with(text: impl AsRef<[u8]>, options: ReadOptions) -> Result<Labelled, Error> {
    let options = ReadOptions {
        format: Some(crate::Format::Libsvm),
        ..options
    };
    read_labelled(&Source::memory("a.svm", text.as_ref()), &options)
}

fn read(text: impl AsRef<[u8]>) -> Result<Labelled, Error> {
    read_with(
        text,
        ReadOptions {
            threads: 1,
            ..ReadOptions::default()
        },
    )
}

fn dense(data: &Labelled) -> Vec<Vec<f64>> {
    match &data.features {
        Matrix::Sparse(csc) => csc
            .to_dense()
            .outer_iter()
            .map(|row| row.to_vec())
            .collect(),
        Matrix::Dense(_) => panic!("libsvm is sparse"),
    }
}

fn message(text: impl AsRef<[u8]>) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn indices_count_from_one_unless_there_is_a_zero() {
    let one = read("1 1:2 3:4\n-1.5 2:1e-2\n").unwrap();
    assert_eq!(dense(&one), [[2.0, 0.0, 4.0], [0.0, 0.01, 0.0]]);
    assert_eq!(one.target, Some(vec![1.0, -1.5]));
    let zero = read("1 0:2 2:4\n-1.5 1:1e-2\n").unwrap();
    assert_eq!(dense(&zero), dense(&one));
    let told = read_with(
        "1 1:2\n",
        ReadOptions {
            base: IndexBase::Zero,
            ..ReadOptions::default()
        },
    );
    assert_eq!(dense(&told.unwrap()), [[0.0, 2.0]]);
}

#[test]
fn odd_but_right_text_is_read() {
    let odd =
        "\u{feff}# a comment\n\n +1\t3:4  1:2 # unsorted\r\n0 qid:7 2:.5 \r\n  \n2 # empty\n3 1:1";
    let data = read(odd).unwrap();
    let expected = [[2.0, 0.0, 4.0], [0.0, 0.5, 0.0], [0.0; 3], [1.0, 0.0, 0.0]];
    assert_eq!(dense(&data), expected);
    assert_eq!(data.target, Some(vec![1.0, 0.0, 2.0, 3.0]));
}

#[test]
fn a_number_of_features_can_be_told() {
    let options = ReadOptions {
        columns: Some(5),
        ..ReadOptions::default()
    };
    assert_eq!(
        read_with("1 2:1\n", options.clone())
            .unwrap()
            .features
            .columns(),
        5
    );
    let beyond = read_with("1 2:1\n1 6:1\n", options).unwrap_err();
    assert!(
        matches!(beyond.kind, Kind::TooLarge { limit: 5, .. }),
        "{beyond}"
    );
    assert_eq!(beyond.place, Place::Byte { line: 2, column: 3 });
}

#[test]
fn errors_say_where_and_what() {
    let is = |text: &str, expected: &str| assert_eq!(message(text).lines().next(), Some(expected));
    is(
        "1 1:2\n1 x:3\n",
        "a.svm, line 2, column 3: expected index:value, found \"x:3\"",
    );
    is(
        "1 1:2\n1 4:\n",
        "a.svm, line 2, column 5: expected a number behind the colon, found the end of the line",
    );
    is(
        "1 1:2x\n",
        "a.svm, line 1, column 5: expected a number behind the colon, found \"2x\"",
    );
    is(
        "one 1:2\n",
        "a.svm, line 1, column 1: expected a target (one number) at the start of the line, found \"one\"",
    );
    is(
        "1:2 3:4\n",
        "a.svm, line 1, column 1: expected a target (one number) at the start of the line, found \"1:2\"",
    );
    is(
        "1 1:2 3:nan\n",
        "a.svm, line 1, column 9: expected a finite number, found \"nan\"",
    );
    is(
        "inf 1:2\n",
        "a.svm, line 1, column 1: expected a finite number, found \"inf\"",
    );
    is(
        "1 1:1e999\n",
        "a.svm, line 1, column 5: expected a finite number, found \"1e999\"",
    );
    is(
        "1 1:2 5:3 1:4\n",
        "a.svm, line 1, column 11: expected each index once in a line, found \"1:4\"",
    );
    is(
        "1 1099511627776:1\n",
        "a.svm, line 1, column 3: the feature index is 1099511627776, and the largest supported is 4294967294",
    );
    is(
        "1,2 1:1\n",
        "a.svm, line 1, column 2: a sample with several targets is not supported",
    );
    is(
        "\u{1}\u{2}\n",
        "a.svm, line 1, column 1: expected a target (one number) at the start of the line, found \"\\x01\\x02\"",
    );
    is("", "a.svm: no rows in the input");
    is("# nothing\n\n", "a.svm: no rows in the input");
    let one = ReadOptions {
        base: IndexBase::One,
        ..ReadOptions::default()
    };
    let zero = read_with("1 1:1\n1 3:1 0:1\n", one)
        .unwrap_err()
        .to_string();
    assert_eq!(
        zero,
        "a.svm, line 2, column 7: expected an index from 1 on, found \"0:1\""
    );
}

#[test]
fn an_index_that_little_data_bears_out_is_refused() {
    assert!(message("1 4000000000:1\n").contains("for so few entries"));
    assert!(message("1 4294967295:1\n").contains("the feature index"));
}

/// A file of several pieces, whose last line but one is wrong, has the right line on any number of
/// threads.
#[test]
fn lines_are_counted_over_pieces_and_threads() {
    let mut text = "1 1:0.5 20:0.25\n".repeat(200_000);
    text.push_str("1 1:?\n1 1:1\n");
    for threads in [1, 2, 5] {
        let error = read_with(
            &text,
            ReadOptions {
                threads,
                ..ReadOptions::default()
            },
        )
        .unwrap_err();
        assert_eq!(
            error.place,
            Place::Byte {
                line: 200_001,
                column: 5
            }
        );
    }
}

#[test]
fn a_line_longer_than_a_piece_is_read() {
    let mut text = String::from("1");
    for index in 1..=300_000 {
        text.push_str(&format!(" {index}:1"));
    }
    assert_eq!(read(&text).unwrap().features.nonzeros(), 300_000);
}

fn sample() -> impl Strategy<Value = (f64, Vec<(usize, f64)>)> {
    let entry = prop_oneof![-1e3..1e3, prop::num::f64::NORMAL];
    let row = prop::collection::btree_map(0usize..3000, entry, 0..20);
    (-1e3..1e3, row.prop_map(|row| row.into_iter().collect()))
}

proptest! {
    /// Written and read again, the bits are the same on any number of threads.
    #[test]
    fn what_is_written_is_read(rows in prop::collection::vec(sample(), 1..40), threads in 1usize..4) {
        let mut text = Vec::new();
        for (target, entries) in &rows {
            text.extend(format!("{target}").bytes());
            for (column, value) in entries {
                text.extend(format!(" {}:{value:e}", column + 1).bytes());
            }
            text.push(b'\n');
        }
        let options = ReadOptions { threads, columns: Some(3000), ..ReadOptions::default() };
        let data = read_with(&text, options.clone()).unwrap();
        for (row, (_, entries)) in rows.iter().enumerate() {
            let read: Vec<_> = data.features.by_rows().nonzeros(row).collect();
            prop_assert_eq!(&read, entries);
        }
        let mut written = Vec::new();
        crate::libsvm::write(&data, &mut written).unwrap();
        prop_assert_eq!(read_with(&written, options).unwrap(), data);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_likely_bytes_panic(text in "[0-9a-f:.,# \t\r\n+-]{0,200}") {
        let _ = read(&text);
    }

    /// Cut anywhere, or a byte changed: an answer or an error, no panic.
    #[test]
    fn no_mutation_panics(cut in 0usize..60, at in 0usize..60, byte: u8) {
        let mut text = b"1 1:2.5 3:4e-2 70000:1\n-1 qid:3 2:7 # c\n0\r\n1 5:1.25 4:2\n".to_vec();
        let at = at % text.len();
        text[at] = byte;
        text.truncate(text.len() - cut % text.len());
        let _ = read(&text);
    }
}
