//! Whole trainings: whatever is sent over whatever topology, the same model comes out; it is the
//! one that the objective asks for; and it does not depend on threads, interruptions or order.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use clap::Parser;
use strads_datasets::generate::Classes;
use strads_datasets::{Format, write_labelled};

use super::args::Args;
use super::examples::Examples;
use super::kernel::{differentiate, scores, softmax};
use super::message::Finished;
use super::model::Model;
use super::train::train;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// A directory with examples of five classes in it.
fn place(density: f64) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let problem = Classes {
        rows: 203,
        columns: 12,
        classes: 5,
        density,
        separation: 3.0,
        seed: 3,
    };
    let file = File::create(place.path().join("x.npz")).unwrap();
    write_labelled(
        &problem.generate().unwrap(),
        Format::Npz,
        &mut BufWriter::new(file),
    )
    .unwrap();
    place
}

fn trained(place: &Path, options: &str) -> (Model, Finished) {
    let data = place.join("x.npz");
    let epochs = if options.contains("--epochs") {
        ""
    } else {
        "--epochs 6"
    };
    let line = format!(
        "mlr {} --quiet --batch 30 --lambda 0.01 {epochs} {options}",
        data.display()
    );
    let line = Line::try_parse_from(line.split_whitespace()).unwrap();
    train(&line.args).unwrap_or_else(|failure| panic!("{options}: {failure}"))
}

fn apart(a: &Model, b: &Model) -> f32 {
    let pairs = a.weights.iter().zip(&b.weights);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn forms_and_topologies_agree() {
    for (density, solver) in [
        (1.0, "adagrad"),
        (1.0, "sgd"),
        (1.0, "sdca"),
        (0.3, "adagrad"),
        (0.3, "sgd"),
        (0.3, "sdca"),
    ] {
        let place = place(density);
        let run = |options: &str| {
            let (model, finished) = trained(
                place.path(),
                &format!("--workers 3 --solver {solver} {options}"),
            );
            assert_eq!(
                finished.replicas_apart, 0.0,
                "{options}: replicas have the same bits"
            );
            model
        };
        let reference = run("--update factors --topology mesh");
        assert!(reference.weights.iter().any(|w| w.abs() > 0.01));
        for options in [
            "--update factors --topology halton",
            "--update factors --topology ring",
            "--update full --topology mesh",
            "--update full --topology halton",
            "--update full --topology ring",
            "--update sparse --topology mesh",
            "--update auto",
            "--topology server",
        ] {
            let distance = apart(&run(options), &reference);
            assert!(
                distance < 2e-4,
                "{solver}, {density}, {options}: {distance}"
            );
        }
    }
}

#[test]
fn stale_replicas_meet_in_the_end() {
    let place = place(1.0);
    let strict = trained(place.path(), "--solver sgd --workers 4").0;
    for topology in ["mesh", "halton"] {
        let options = format!("--solver sgd --workers 4 --staleness 3 --topology {topology}");
        let (model, finished) = trained(place.path(), &options);
        // They differ by the order in which they added, and by nothing else.
        assert!(
            finished.replicas_apart < 1e-5,
            "{}",
            finished.replicas_apart
        );
        assert!(apart(&model, &strict) < 0.1);
    }
}

/// Every step of every worker begins with a read that is counted: with bulk synchronous ones nothing
/// is ever missing, with staleness never more than it allows; who is alone has nobody to be behind.
#[test]
fn steps_are_counted_by_how_far_they_are_behind() {
    let place = place(1.0);
    for topology in ["mesh", "halton", "server"] {
        for staleness in [0, 2] {
            let options = format!("--solver sgd --workers 3 --topology {topology}");
            let options = format!("{options} --staleness {staleness}");
            let (_, finished) = trained(place.path(), &options);
            let lags = finished.steps_by_clocks_behind.unwrap();
            assert_eq!(lags.reads(), 3 * finished.steps as u64, "{options}");
            assert!(lags.counts().len() <= 1 + staleness, "{options}: {lags:?}");
            assert!(
                lags.counts()[0] > 0,
                "{options}: the first step misses nothing"
            );
        }
    }
    let alone = trained(place.path(), "").1;
    assert_eq!(alone.steps_by_clocks_behind, None);
}

#[test]
fn threads_and_repetition_leave_the_bits_alone() {
    let place = place(1.0);
    let run = |options: &str| trained(place.path(), options).0;
    let model = run("--workers 2 --threads 1");
    assert_eq!(model, run("--workers 2 --threads 1"));
    assert_eq!(model, run("--workers 2 --threads 5"));
    assert_ne!(model, run("--workers 2 --threads 1 --seed 1"));
}

#[test]
fn a_resumed_training_ends_with_the_same_bits() {
    for options in [
        "",
        "--workers 3 --batch-growth 1.5",
        "--solver sgd --workers 2",
        "--solver sdca --workers 3 --tol 0",
    ] {
        let place = place(1.0);
        let kept = place.path().join("kept").display().to_string();
        let run = |more: &str| trained(place.path(), &format!("{options} {more}")).0;
        let whole = run("");
        run(&format!(
            "--epochs 4 --checkpoint {kept} --checkpoint-every 2"
        ));
        // The newest one is damaged: the one before it will do.
        let newest = place.path().join("kept/step-4/weights");
        let bytes = std::fs::read(&newest).unwrap();
        std::fs::write(&newest, &bytes[..bytes.len() / 2]).unwrap();
        let resumed = run(&format!("--checkpoint {kept} --resume"));
        assert_eq!(resumed, whole, "{options}");
        // Now all is done; there is nothing to learn, and the model is the one that was kept.
        assert_eq!(run(&format!("--checkpoint {kept} --resume")), whole);
    }
}

#[test]
fn a_training_goes_on_with_another_number_of_workers() {
    let place = place(1.0);
    for solver in ["adagrad", "sdca --tol 0"] {
        let kept = place.path().join(solver).display().to_string();
        let kept = format!("--solver {solver} --checkpoint {}", kept.replace(' ', "-"));
        let run = |more: &str| trained(place.path(), &format!("{kept} {more}")).1;
        let whole = trained(
            place.path(),
            &format!("--epochs 40 --workers 3 --solver {solver}"),
        )
        .1;
        run("--epochs 20 --workers 3");
        let resumed = run("--epochs 40 --workers 5 --resume");
        let apart = (resumed.train_loss - whole.train_loss).abs();
        assert!(apart < 0.02 * whole.train_loss, "{solver}: {apart}");
        assert_eq!(resumed.steps, whole.steps / 2);
    }
}

/// The objective of sdca, written down again, in double precision, with its gradient.
fn objective(x: &[Vec<f64>], labels: &[usize], w: &[f64], lambda: f64) -> (f64, Vec<f64>) {
    let classes = w.len() / x[0].len();
    let mut slope: Vec<f64> = w.iter().map(|w| lambda * w).collect();
    let mut value = lambda / 2.0 * w.iter().map(|w| w * w).sum::<f64>();
    for (x, &label) in x.iter().zip(labels) {
        let score = |class: usize| -> f64 {
            let rows = x.iter().enumerate();
            rows.map(|(row, x)| x * w[row * classes + class]).sum()
        };
        let z: Vec<f64> = (0..classes).map(score).collect();
        let sum: f64 = z.iter().map(|z| z.exp()).sum();
        value += (sum.ln() - z[label]) / labels.len() as f64;
        for (class, z) in z.iter().enumerate() {
            let u = z.exp() / sum - f64::from(u8::from(class == label));
            for (row, x) in x.iter().enumerate() {
                slope[row * classes + class] += u * x / labels.len() as f64;
            }
        }
    }
    (value, slope)
}

/// What the gap says is true: the minimum, found by another way, is within it; and the gap closes.
#[test]
fn the_gap_is_a_bound_and_closes() {
    let place = place(1.0);
    let data = strads_datasets::read_labelled(
        &place.path().join("x.npz").as_path().into(),
        &strads_datasets::ReadOptions::default(),
    );
    let data = data.unwrap();
    let strads_datasets::Matrix::Dense(features) = &data.features else {
        panic!("dense")
    };
    let with_one = |row: ndarray::ArrayView1<'_, f64>| row.iter().copied().chain([1.0]).collect();
    let x: Vec<Vec<f64>> = features.rows().into_iter().map(with_one).collect();
    let labels: Vec<usize> = data.target.unwrap().iter().map(|y| *y as usize).collect();
    // Plain descent; λ = 0.01 bounds what is left by ‖gradient‖² / 2λ.
    let (mut w, mut least) = (vec![0.0; 13 * 5], 0.0);
    let mut left = f64::INFINITY;
    while left > 1e-9 {
        let (value, slope) = objective(&x, &labels, &w, 0.01);
        w.iter_mut().zip(&slope).for_each(|(w, g)| *w -= 0.1 * g);
        left = slope.iter().map(|g| g * g).sum::<f64>() / 0.02;
        least = value;
    }
    for options in [
        "",
        "--workers 4",
        "--workers 3 --staleness 2",
        "--topology server --workers 2",
    ] {
        let mut before = f64::INFINITY;
        for epochs in [1, 5, 25, 125] {
            let options = format!("--solver sdca --tol 0 --epochs {epochs} {options}");
            let (model, finished) = trained(place.path(), &options);
            let proven = finished.certificate.unwrap();
            let weights: Vec<f64> = model.weights.iter().map(|w| f64::from(*w)).collect();
            let (primal, _) = objective(&x, &labels, &weights, 0.01);
            assert!((primal - proven.primal).abs() < 1e-5, "{options}: {primal}");
            let above = primal - least;
            assert!(above <= proven.gap + 1e-5, "{options}: {above}, {proven:?}");
            assert!(proven.gap < before + 1e-5, "{options}: {proven:?}");
            before = proven.gap;
        }
        assert!(before < 1e-4, "{options}: {before}");
    }
}

/// Derivatives against differences of a loss that is written down again, in double precision.
#[test]
fn gradients_are_those_of_the_loss() {
    let problem = Classes {
        rows: 9,
        columns: 4,
        classes: 3,
        density: 1.0,
        separation: 3.0,
        seed: 1,
    };
    let data = problem.generate().unwrap();
    let labels: Vec<u32> = data
        .target
        .as_ref()
        .unwrap()
        .iter()
        .map(|y| *y as u32)
        .collect();
    let examples = Examples::new(&data.features, labels.clone());
    let (rows, classes) = (examples.rows, 3);
    let weights: Vec<f32> = (0..rows * classes)
        .map(|at| (at as f32 * 0.7).sin())
        .collect();
    let all: Vec<usize> = (0..9).collect();
    let v = examples.gather(&all);
    let bosen::factors::Rows::All(x) = &v else {
        panic!("dense")
    };
    let loss = |weights: &[f64]| -> f64 {
        let of_example = |(x, label): (&[f32], &u32)| {
            let score = |class: usize| -> f64 {
                let products = x
                    .iter()
                    .enumerate()
                    .map(|(row, x)| f64::from(*x) * weights[row * classes + class]);
                products.sum()
            };
            let sum: f64 = (0..classes).map(|class| score(class).exp()).sum();
            sum.ln() - score(*label as usize)
        };
        x.chunks(rows).zip(&labels).map(of_example).sum::<f64>()
    };
    let mut u = scores(&v, &weights, rows, classes, 1);
    softmax(&mut u, classes);
    let found = differentiate(&mut u, &labels, classes);
    let exact: Vec<f64> = weights.iter().map(|w| f64::from(*w)).collect();
    assert!((found - loss(&exact)).abs() < 1e-4);
    for at in 0..weights.len() {
        let moved = |by: f64| {
            let mut weights = exact.clone();
            weights[at] += by;
            loss(&weights)
        };
        let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
        let (row, class) = (at / classes, at % classes);
        let products = x
            .chunks(rows)
            .zip(u.chunks(classes))
            .map(|(x, u)| x[row] * u[class]);
        let found = f64::from(products.sum::<f32>());
        assert!(
            (found - slope).abs() < 1e-4,
            "entry {at}: {found} and {slope}"
        );
    }
}
