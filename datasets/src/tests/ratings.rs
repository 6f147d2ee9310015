//! What the reader of ratings holds up: separators, headers and ids of every kind, errors with line
//! and column, and no panic on any bytes.

use super::mutated;
use crate::{Error, Format, Ids, Ratings, ReadOptions, Source};
use crate::{read_ratings, read_ratings_like, write_ratings};
use proptest::prelude::*;

fn read(text: impl AsRef<[u8]>) -> Result<Ratings, Error> {
    let options = ReadOptions {
        threads: 2,
        ..ReadOptions::default()
    };
    read_ratings(&Source::memory("a.txt", text.as_ref()), &options)
}

#[test]
fn separators_headers_and_times_are_read() {
    for text in [
        "7 30 4.5\n3 30 1\n7 10 -2\n",
        "7,30,4.5\n3, 30 ,1\r\n7,10,-2",
        "7\t30\t4.5\t881250949\n3\t30\t1\t0\n\n7\t10\t-2\t1\n",
        "7::30::4.5::978300760\n3::30::1::0\n7::10::-2::1\n",
        "userId,movieId,rating,timestamp\n7,30,4.5,1\n3,30,1,2\n7,10,-2,3\n",
        "user item rating\n7 30 4.5\n3 30 1\n7 10 -2\n",
        "# note\n7;30;4.5\n3;30;1\n7;10;-2\n",
    ] {
        let ratings = read(text).unwrap();
        assert_eq!(
            (ratings.users, ratings.items),
            (vec![1, 0, 1], vec![1, 1, 0]),
            "{text}"
        );
        assert_eq!(ratings.values, [4.5, 1.0, -2.0]);
        assert_eq!(ratings.user_ids, Ids::Integers(vec![3, 7]));
        assert_eq!(ratings.item_ids, Ids::Integers(vec![10, 30]));
    }
}

#[test]
fn names_keep_their_spelling_and_order() {
    let ratings = read("5,b 1,1\nzoë,007,2\n5,7,3\n18446744073709551615,b 1,4\n").unwrap();
    let names = |ids: &Ids| {
        (0..ids.len() as u32)
            .map(|k| ids.name(k))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&ratings.user_ids),
        ["5", "zoë", "18446744073709551615"]
    );
    assert_eq!(names(&ratings.item_ids), ["b 1", "007", "7"]);
    assert_eq!(ratings.users, [0, 1, 0, 2]);
    assert_eq!(ratings.items, [0, 1, 2, 0]);
}

#[test]
fn a_test_set_has_the_numbers_of_the_training_set() {
    let train = read("7 30 1\n3 30 1\n7 10 1\n").unwrap();
    let source = Source::memory("test", *b"3 10 1\n1 30 1\n");
    let test = read_ratings_like(&source, &ReadOptions::default(), &train).unwrap();
    assert_eq!((test.users, test.items), (vec![0, 2], vec![0, 1]));
    assert_eq!(test.user_ids, Ids::Integers(vec![3, 7, 1]));
    let named = read("a x 1\nb y 1\n").unwrap();
    let test = read_ratings_like(&source, &ReadOptions::default(), &named).unwrap();
    assert_eq!((test.users, test.items), (vec![2, 3], vec![2, 3]));
}

#[test]
fn errors_say_where_and_what() {
    let is = |text: &str, expected: &str| {
        let message = read(text).unwrap_err().to_string();
        assert_eq!(message.lines().next(), Some(expected));
    };
    is(
        "1 2 3\n1 2 x\n",
        "a.txt, line 2, column 5: expected a rating (a number), found \"x\"",
    );
    is(
        "1 2 3\n1 2 3x\n",
        "a.txt, line 2, column 5: expected a rating (a number), found \"3x\"",
    );
    is(
        "1 2 3\n1 2\n",
        "a.txt, line 2, column 4: expected a user, an item and a rating, found the end of the line",
    );
    is(
        "1,2,3\n1,,3\n",
        "a.txt, line 2, column 3: expected a user, an item and a rating, found \",3\"",
    );
    is(
        "1 2 nan\n",
        "a.txt, line 1, column 5: expected a finite number, found \"nan\"",
    );
    is(
        "1 2 1e39\n",
        "a.txt, line 1, column 5: expected a finite number, found \"1e39\"",
    );
    is("", "a.txt: no ratings in the input");
    is("user item rating\n", "a.txt: no ratings in the input");
}

proptest! {
    #[test]
    fn what_is_written_is_read(triples in prop::collection::vec((0u64..1 << 40, "[a-z]{1,3}", -5f32..5.0), 1..200)) {
        let text: String = triples.iter().map(|(user, item, value)| format!("{user} {item} {value}\n")).collect();
        let ratings = read(&text).unwrap();
        for (k, (user, item, value)) in triples.iter().enumerate() {
            prop_assert_eq!(ratings.user_ids.name(ratings.users[k]), user.to_string());
            prop_assert_eq!(&ratings.item_ids.name(ratings.items[k]), item);
            prop_assert_eq!(ratings.values[k], *value);
        }
        let mut written = Vec::new();
        write_ratings(&ratings, Format::Triples, &mut written).unwrap();
        prop_assert_eq!(String::from_utf8(written).unwrap(), text);
    }

    #[test]
    fn no_mutation_panics(at: usize, byte: u8, cut in 0usize..20, text in "[0-9a:;, \t\r\n.-]{0,60}") {
        let _ = read(mutated(b"7::30::4.5::97\n3::30::1::0\n", at, byte, cut));
        let _ = read(mutated(b"user,item,rating\n7,x y,4.5\n3,30,1\n", at, byte, cut));
        let _ = read(&text);
    }
}
