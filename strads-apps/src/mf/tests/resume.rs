//! Holds up: a training that was interrupted ends with the same bits as one that was not; what
//! cannot be resumed from is refused by name, and a damaged checkpoint falls back to the one before.

use std::fs;

use super::super::train::train;
use super::{args, low_rank, write};

const JOB: &str = "--rank 5 --checkpoint-every 1";

#[test]
fn resuming_continues_to_the_same_bits() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "ratings", &low_rank(40, 30, 0.5, 0.1).0);
    let kept = directory.path().join("kept");
    let run = |more: &str| {
        let more = format!("{JOB} --checkpoint {} {more}", kept.display());
        train(&args(&path, &more)).map(|(_, model)| (model.users, model.items))
    };
    let whole = run("--epochs 6").unwrap();
    fs::remove_dir_all(&kept).unwrap();

    run("--epochs 4").unwrap();
    assert_eq!(run("--epochs 6 --resume").unwrap(), whole);
    assert_eq!(
        fs::read_dir(&kept).unwrap().count(),
        2,
        "the newest two are kept"
    );

    // The newest one is cut off: the one before is used, to the same end.
    let newest = kept.join("step-6/users");
    let bytes = fs::read(&newest).unwrap();
    fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(run("--epochs 6 --resume").unwrap(), whole);
}

/// The best model on the validation set was met before the interruption: it is still the result.
#[test]
fn the_best_model_survives_an_interruption() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "ratings", &low_rank(60, 50, 0.3, 0.5).0);
    let kept = directory.path().join("kept");
    // Without regularisation, 16 factors soon learn the noise.
    let job = "--rank 16 --lambda 0 --rate 0.2 --validation 0.2 --patience 200";
    let run = |more: &str| {
        let more = format!("{job} --checkpoint {} {more}", kept.display());
        let (learnt, model) = train(&args(&path, &more)).unwrap();
        (learnt.epochs, (model.users, model.items))
    };
    let whole = run("--epochs 60");
    assert!(whole.0 < 40, "the best epoch is {}", whole.0);
    fs::remove_dir_all(&kept).unwrap();
    run("--epochs 50");
    assert_eq!(run("--epochs 60 --resume"), whole);
    assert_eq!(run("--epochs 60 --resume"), whole, "nothing was left to do");
}

#[test]
fn what_does_not_fit_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "ratings", &low_rank(40, 30, 0.5, 0.1).0);
    let other = write(directory.path(), "other", &low_rank(40, 30, 0.5, 0.2).0);
    let kept = directory.path().join("kept");
    let run = |path, more: &str| {
        let more = format!("--checkpoint {} --epochs 2 {more}", kept.display());
        train(&args(path, &more))
            .map(drop)
            .map_err(|failure| failure.to_string())
    };
    let message = run(&path, "--rank 5 --resume").unwrap_err();
    assert!(
        message.contains("cannot look for a checkpoint"),
        "{message}"
    );
    run(&path, "--rank 5").unwrap();
    for (path, more) in [(&path, "--rank 6 --resume"), (&other, "--rank 5 --resume")] {
        let message = run(path, more).unwrap_err();
        assert!(
            message.contains("other data or with other options"),
            "{message}"
        );
    }
}
