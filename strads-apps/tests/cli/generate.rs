//! `strads gen`: the same bytes for the same options, whole files or none.

use crate::runner::Place;

const LASSO: &str = "gen lasso --rows 30 --columns 20 --support 4";

/// Every kind in every format: again the same bytes, and other bytes for another seed.
#[test]
fn options_and_seed_decide_the_bytes() {
    let place = Place::new();
    let (lda, mf) = (
        "gen lda --documents 20 --words 50 --topics 3 --length 30",
        "gen mf --users 30 --items 40 --ratings 100",
    );
    let endings = [
        (LASSO, &["svm", "mtx", "csv", "tsv", "npz", "npy"][..]),
        (lda, &["bow", "ldac", "txt"]),
        (mf, &["txt"]),
    ];
    for (command, endings) in endings {
        for ending in endings {
            let made = |name: &str, seed: u64| {
                let file = format!("{name}.{ending}");
                place
                    .strads(&format!("{command} --seed {seed} --out {file}"))
                    .fine();
                place.read(&file)
            };
            let first = made("a", 1);
            assert_eq!(first, made("b", 1), "{command} {ending}");
            assert_ne!(first, made("c", 2), "{command} {ending}");
            assert!(!first.is_empty());
        }
    }
    assert!(place.names().iter().all(|name| !name.ends_with(".partial")));
}

/// Standard output gets what the file would.
#[test]
fn a_dash_is_standard_output() {
    let place = Place::new();
    place.strads(&format!("{LASSO} --out x.svm")).fine();
    let ran = place.strads(&format!("{LASSO} --out -")).fine();
    assert_eq!(ran.stdout, place.read("x.svm"));
    let ran = place
        .strads(&format!("{LASSO} --format csv --out -"))
        .fine();
    place.strads(&format!("{LASSO} --out x.csv")).fine();
    assert_eq!(ran.stdout, place.read("x.csv"));
    place
        .strads(&format!("{LASSO} --format npy --out -"))
        .fails(2);
}

/// The target is where the help says: in the file, or beside it. Either way the fit is the same.
#[test]
fn the_target_is_in_the_file_or_beside_it() {
    let place = Place::new();
    let fit = |file: &str, rest: &str| {
        place.strads(&format!("{LASSO} --out {file}")).fine();
        let ran = place
            .strads(&format!("lasso {file}{rest} --lambda-ratio 0.1 --json"))
            .fine();
        ran.events().last().unwrap()["primal"].as_f64().unwrap()
    };
    let primal = fit("x.svm", "");
    for (file, rest) in [
        ("x.npy", " --target x.npy.y"),
        ("x.mtx", " --target x.mtx.y"),
        ("x.npz", ""),
    ] {
        let other = fit(file, rest);
        assert!(
            (primal - other).abs() <= 1e-6 * primal,
            "{file}: {other}, not {primal}"
        );
    }
    assert!(!place.path("x.svm.y").exists());
}

/// `--truth` tells which features matter, counted as a model counts them.
#[test]
fn the_truth_has_a_line_for_each_feature_that_matters() {
    let place = Place::new();
    place
        .strads(&format!("{LASSO} --truth truth.txt --out x.svm"))
        .fine();
    let truth = String::from_utf8(place.read("truth.txt")).unwrap();
    let columns: Vec<usize> = truth
        .lines()
        .map(|line| line.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(columns.len(), 4);
    assert!(columns.is_sorted() && columns.iter().all(|column| *column < 20));
}

/// What makes no sense is refused, and leaves nothing behind.
#[test]
fn a_refusal_leaves_nothing_behind() {
    let place = Place::new();
    for wrong in [
        "--out x.unknown",
        "--rows 0 --out x.svm",
        "--support 2001 --out x.svm",
        "--rho 1.5 --out x.svm",
        "--design sparse --rho 0.5 --out x.svm",
        "--nonzeros 5 --out x.svm",
        "--design sparse --out x.npy --truth truth.txt",
        "--format bow --out x.bow",
    ] {
        place.strads(&format!("gen lasso {wrong}")).fails(2);
        assert!(place.names().is_empty(), "{wrong}: {:?}", place.names());
    }
}
