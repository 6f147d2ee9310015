//! Options from a file mean what the same words on the command line would, which comes first.

use crate::runner::Place;

fn place() -> Place {
    let place = Place::new();
    place
        .strads("gen lasso --rows 60 --columns 40 --support 4 --seed 3 --out x.svm")
        .fine();
    place
}

/// The λ that a fit ends with.
fn lambda(place: &Place, command: &str) -> f64 {
    let ran = place.strads(&format!("{command} --json")).fine();
    ran.events().last().unwrap()["lambda"].as_f64().unwrap()
}

#[test]
fn a_file_says_what_the_command_line_does_not() {
    let place = place();
    place.write(
        "strads.toml",
        "seed = 5\n[lasso]\nlambda-ratio = 0.5\nintercept = true\nfeatures = \"x.svm\"\n\
         [lda]\ntopics = 9\n",
    );
    let by_words = lambda(
        &place,
        "lasso x.svm --lambda-ratio 0.5 --intercept --seed 5",
    );
    assert_eq!(lambda(&place, "lasso --config strads.toml"), by_words);
    assert_eq!(lambda(&place, "lasso x.svm --config=strads.toml"), by_words);
    // What the command line says excludes what the file says, also by another name.
    let other = lambda(&place, "lasso x.svm --lambda-ratio 0.25 --intercept");
    assert_eq!(
        lambda(&place, "lasso --lambda-ratio 0.25 --config strads.toml"),
        other
    );
    assert_eq!(
        lambda(&place, "lasso --lambda 0.125 --config strads.toml"),
        0.125
    );
}

/// What `--print-config` prints, given back, changes nothing.
#[test]
fn printed_options_are_a_file_of_options() {
    let place = place();
    let told = "x.svm --lambda-ratio 0.5 --tol 0.0001 --seed 11";
    let ran = place.strads(&format!("lasso {told} --print-config")).fine();
    let file = String::from_utf8(ran.stdout).unwrap();
    assert!(
        file.contains("\nseed = 11\n") && file.contains("\nlambda-ratio = 0.5\n"),
        "{file}"
    );
    assert!(file.contains("\n# lambda =\n"), "{file}");
    place.write("printed.toml", &file);
    let again = place
        .strads("lasso --config printed.toml --print-config")
        .fine();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), file);
    assert_eq!(
        lambda(&place, "lasso --config printed.toml"),
        lambda(&place, &format!("lasso {told}"))
    );
    for command in ["lda", "mf", "logistic", "gen lasso", "predict", "demo"] {
        place.strads(&format!("{command} --print-config")).fine();
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_by_place() {
    let place = place();
    for (file, says) in [
        ("lambda-ration = 0.5\n", "did you mean lambda-ratio?"),
        ("[laso]\nseed = 1\n", "did you mean [lasso]?"),
        ("seed = 1\nseed 2\n", "line 2"),
        ("seed = 2020-01-01\n", "seed"),
        ("seed = \"many\"\n", "many"),
        ("topics = 3\n", "[lasso]"),
    ] {
        place.write("strads.toml", file);
        let ran = place
            .strads("lasso x.svm --lambda 1 --config strads.toml")
            .fails(2);
        assert!(ran.stderr.contains(says), "{file}: {}", ran.stderr);
    }
    let ran = place
        .strads("lasso x.svm --lambda 1 --config strad.toml")
        .fails(2);
    assert!(
        ran.stderr.contains("did you mean strads.toml?"),
        "{}",
        ran.stderr
    );
}
