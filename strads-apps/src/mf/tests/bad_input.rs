//! Holds up: bad input gets a clear error or the sensible result, never a panic or a NaN.

use std::path::PathBuf;

use super::super::epochs::Learnt;
use super::super::model::Model;
use super::super::train::train;
use super::{Line, args};
use crate::failure::Failure;
use clap::Parser;

fn file(directory: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn trained(text: &str, more: &str) -> Result<(Learnt, Model), Failure> {
    let directory = tempfile::tempdir().unwrap();
    train(&args(&file(&directory, "ratings", text), more))
}

fn refused(text: &str, more: &str) -> String {
    match trained(text, more) {
        Err(failure @ Failure::Input(_)) => failure.to_string(),
        other => panic!("{:?}", other.map(|(learnt, _)| learnt)),
    }
}

/// Two ratings of one item by one user are two observations.
#[test]
fn duplicates_are_both_learnt_from() {
    let text = "1 1 3\n1 1 5\n2 1 4\n2 2 4\n".repeat(3);
    for solver in ["sgd", "ccd"] {
        let more = format!("--rank 2 --lambda 0.01 --epochs 200 --solver {solver}");
        let (learnt, model) = trained(&text, &more).unwrap();
        let rating = model.predict(Some(0), Some(0));
        assert!((rating - 4.0).abs() < 0.2, "{solver}: {rating}");
        assert!(
            (learnt.train_rmse - 0.5_f64.sqrt()).abs() < 0.05,
            "{}",
            learnt.train_rmse
        );
    }
}

/// Ids are names: their size means nothing, and they come back as they were.
#[test]
fn large_ids_are_names() {
    let (_, model) = trained("1099511627776 7 3\n5 1099511627777 4\n", "--rank 2").unwrap();
    assert_eq!(model.users.bias.len(), 2);
    let names: Vec<String> = (0..2).map(|at| model.user_ids.name(at)).collect();
    assert!(names.contains(&"1099511627776".to_owned()), "{names:?}");
}

#[test]
fn ratings_that_are_no_numbers_are_refused_with_their_line() {
    for value in ["nan", "inf", "good"] {
        let message = refused(&format!("1 1 3\n1 2 {value}\n"), "");
        assert!(message.contains("line 2"), "{message}");
    }
}

#[test]
fn files_without_ratings_are_refused() {
    for text in ["", "\n\n", "# nothing\n"] {
        assert!(refused(text, "").contains("no ratings"), "{text:?}");
    }
    assert!(refused("1 1 3\n", "--test-fraction 0.999999").contains("no ratings are left"));
    assert!(refused("1 1 3\n", "--validation 0.000001").contains("too few"));
}

/// Users and items of the test set alone are predicted by the mean and what is known of the other
/// side, and are not in the model.
#[test]
fn strangers_in_the_test_set_get_the_mean() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory, "train", "1 1 3\n1 2 5\n2 1 3\n2 2 5\n");
    let test = file(&directory, "test", "9 8 6\n");
    let (learnt, model) = train(&args(&path, &format!("--test {}", test.display()))).unwrap();
    assert!(
        (learnt.test_rmse.unwrap() - 2.0).abs() < 1e-6,
        "{:?}",
        learnt.test_rmse
    );
    assert_eq!((model.user_ids.len(), model.item_ids.len()), (2, 2));
}

#[test]
fn options_out_of_range_are_refused() {
    for more in [
        "--rank 0",
        "--lambda -1",
        "--lambda nan",
        "--validation 1",
        "--workers 0",
        "--resume",
    ] {
        let line = ["mf", "ratings"].into_iter().chain(more.split(' '));
        assert!(Line::try_parse_from(line).is_err(), "{more}");
    }
}

#[test]
fn ratings_that_are_all_the_same_are_predicted() {
    for solver in ["sgd", "ccd"] {
        let more = format!("--solver {solver} --epochs 50");
        let (learnt, model) = trained("1 1 4\n1 2 4\n2 1 4\n", &more).unwrap();
        assert!(learnt.train_rmse < 0.1, "{solver}: {}", learnt.train_rmse);
        assert!((model.predict(Some(1), Some(1)) - 4.0).abs() < 0.2);
    }
}

#[test]
fn one_rating_is_enough() {
    assert!(
        trained("a b 4\n", "--rank 40 --workers 9")
            .unwrap()
            .0
            .train_rmse
            < 0.1
    );
}

#[test]
fn too_high_a_rate_is_named() {
    let text: String = (0..400)
        .map(|x| format!("{} {} {}\n", x % 20, x / 20, x % 7))
        .collect();
    let message = refused(&text, "--rate 1000 --schedule constant --epochs 50");
    assert!(message.contains("--rate"), "{message}");
}

#[test]
fn negative_ratings_have_no_non_negative_model() {
    assert!(refused("1 1 -3\n1 2 2\n", "--non-negative").contains("negative"));
}
