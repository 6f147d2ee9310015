//! `strads lasso` on bad input: one clear message or the right answer, and never part of a model.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::runner::Place;

/// Fits `x.svm`; a failure must leave no model.
fn refused(content: impl AsRef<[u8]>, says: &str) {
    let place = Place::new();
    place.write("x.svm", content);
    let ran = place
        .strads("lasso x.svm --lambda-ratio 0.1 --out model")
        .fails(2);
    assert!(ran.stderr.contains("x.svm"), "{}", ran.stderr);
    assert!(ran.stderr.contains(says), "{says}: {}", ran.stderr);
    assert_eq!(place.names(), ["x.svm"]);
}

/// Fits `x.svm` and returns its coefficients as the last event counts them.
fn nonzeros(content: &str, options: &str) -> u64 {
    let place = Place::new();
    place.write("x.svm", content);
    let ran = place
        .strads(&format!("lasso x.svm {options} --out model --json"))
        .fine();
    assert!(place.path("model/model.npz").exists());
    let last = ran.events().pop().unwrap();
    assert!(last["primal"].as_f64().unwrap().is_finite());
    last["nonzeros"].as_u64().unwrap()
}

#[test]
fn values_that_are_not_finite_are_refused_by_place() {
    refused("1 1:1 2:nan\n-1 2:1\n", "line 1");
    refused("1 1:1\n-1 2:inf\n", "line 2");
    refused("1 1:1\nnan 2:1\n", "line 2");
    refused("1 1:1\n1 2:1e999\n", "line 2");
}

#[test]
fn malformed_lines_are_refused_by_place() {
    refused("1 1:1 1:2\n", "x.svm");
    refused("1 1:1\n1 1099511627776:1\n", "line 2");
    refused("1 1:1\n1 2:\n", "line 2");
    refused("", "x.svm");
    refused("\n# nothing\n", "x.svm");
}

#[test]
fn a_cut_off_gzip_is_refused() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    for row in 0..1000 {
        writeln!(gzip, "{row} 1:{} 2:{}", row * 7 % 13, row % 5).unwrap();
    }
    let whole = gzip.finish().unwrap();
    refused(&whole[..whole.len() / 2], "gzip");
}

#[test]
fn a_target_of_the_wrong_length_is_refused() {
    let place = Place::new();
    place.write(
        "x.mtx",
        "%%MatrixMarket matrix array real general\n2 1\n1\n2\n",
    );
    place.write("y.txt", "1\n2\n3\n");
    place
        .strads("lasso x.mtx --target y.txt --lambda 0.1 --out model")
        .fails(2);
    place
        .strads("lasso x.mtx --lambda 0.1 --out model")
        .fails(2);
    assert_eq!(place.names(), ["x.mtx", "y.txt"]);
}

#[test]
fn a_penalty_that_is_not_positive_is_wrong_use() {
    let place = Place::new();
    place.write("x.svm", "1 1:1\n2 1:2\n");
    for wrong in [
        "--lambda 0",
        "--lambda=-1",
        "--lambda nan",
        "--lambda-ratio 0",
        "--path 0",
        "",
    ] {
        let ran = place.strads(&format!("lasso x.svm {wrong} --out model"));
        assert_eq!(ran.code, Some(2), "{wrong}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{wrong}: {}", ran.stderr);
    }
    assert_eq!(place.names(), ["x.svm"]);
}

/// Rows and columns without entries, constant columns and targets have a right answer.
#[test]
fn degenerate_data_have_a_right_answer() {
    for options in [
        "",
        " --intercept",
        " --standardise",
        " --intercept --standardise",
    ] {
        let ratio = format!("--lambda-ratio 0.5{options}");
        // Column 2 has no entry, row 3 neither; column 1 explains the target.
        assert_eq!(nonzeros("1 1:1\n-1 1:-1 3:0\n0\n", &ratio), 1, "{options}");
        // A target that is always 0 is explained by nothing.
        assert_eq!(nonzeros("0 1:1\n0 2:1\n", &ratio), 0, "{options}");
    }
    // Beside an intercept a constant column says nothing.
    let constant = "1 1:1 2:3\n2 1:2 2:3\n3 1:3 2:3\n";
    for options in [" --intercept", " --intercept --standardise"] {
        assert_eq!(
            nonzeros(constant, &format!("--lambda-ratio 0.1{options}")),
            1,
            "{options}"
        );
    }
    // More than the largest λ selects nothing.
    assert_eq!(nonzeros(constant, "--lambda 1e6"), 0);
}
