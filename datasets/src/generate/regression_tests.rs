//! What the regression generator holds up: the same bytes for the same options on every machine
//! and any number of cores, and the structure that was asked for.

use super::*;

fn checksum(problem: &Problem) -> u64 {
    let mut bytes = Vec::new();
    crate::write_labelled(&problem.data, crate::Format::Npz, &mut bytes).unwrap();
    bytes.extend(format!("{:?}", problem.coefficients).bytes());
    crate::generate::checksum(&bytes)
}

fn problem(design: Design, rows: usize, columns: usize) -> Problem {
    let options = Regression {
        rows,
        columns,
        support: 10,
        design,
        seed: 7,
        ..Regression::default()
    };
    options.generate().unwrap()
}

#[test]
fn bytes_are_pinned() {
    let cases = [
        (Design::Dense(Correlation::None), DENSE),
        (
            Design::Dense(Correlation::Autoregressive { rho: 0.6 }),
            AUTOREGRESSIVE,
        ),
        (
            Design::Dense(Correlation::Blocks { size: 5, rho: 0.9 }),
            BLOCKS,
        ),
        (
            Design::Sparse {
                nonzeros: 3000,
                exponent: 1.1,
                binary: false,
            },
            SPARSE,
        ),
        (
            Design::Sparse {
                nonzeros: 3000,
                exponent: 1.1,
                binary: true,
            },
            BINARY,
        ),
        (
            Design::Genotypes {
                block: 10,
                linkage: 0.9,
            },
            GENOTYPES,
        ),
    ];
    let found = cases
        .clone()
        .map(|(design, _)| checksum(&problem(design, 300, 40)));
    assert_eq!(found, cases.map(|(_, expected)| expected));
}
const DENSE: u64 = 0x1451_5c3b_64ef_4b6d;
const AUTOREGRESSIVE: u64 = 0xe583_6d4f_e920_1dcd;
const BLOCKS: u64 = 0x6876_9982_0896_2694;
const SPARSE: u64 = 0xfb02_1b8a_f454_86f8;
const BINARY: u64 = 0xe04e_59d1_a0f3_84cd;
const GENOTYPES: u64 = 0x0572_61d2_46ed_4a98;

fn correlation(problem: &Problem, j: usize, k: usize) -> f64 {
    let Matrix::Dense(array) = &problem.data.features else {
        panic!("dense")
    };
    let centred = |j| {
        let column = array.column(j);
        let mean = column.mean().unwrap();
        column.iter().map(|x| x - mean).collect::<Vec<f64>>()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (a, b) = (centred(j), centred(k));
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

#[test]
fn columns_correlate_as_asked() {
    let near = |problem: &Problem, j, k, expected: f64| {
        let found = correlation(problem, j, k);
        assert!(
            (found - expected).abs() < 0.05,
            "columns {j}, {k}: {found}, not {expected}"
        );
    };
    let autoregressive = problem(
        Design::Dense(Correlation::Autoregressive { rho: -0.7 }),
        5000,
        10,
    );
    near(&autoregressive, 3, 4, -0.7);
    near(&autoregressive, 3, 5, 0.49);
    near(&autoregressive, 0, 9, -0.04);
    let blocks = problem(
        Design::Dense(Correlation::Blocks { size: 4, rho: 0.8 }),
        5000,
        10,
    );
    near(&blocks, 4, 7, 0.8);
    near(&blocks, 3, 4, 0.0);
    let genotypes = problem(
        Design::Genotypes {
            block: 8,
            linkage: 0.98,
        },
        5000,
        16,
    );
    near(&genotypes, 7, 8, 0.0);
    let within: Vec<_> = (0..7)
        .map(|j| correlation(&genotypes, j, j + 1).abs())
        .collect();
    assert!(within.iter().any(|&rho| rho > 0.3), "{within:?}");
}

#[test]
fn genotypes_are_0_1_or_2_and_no_column_is_constant() {
    let problem = problem(
        Design::Genotypes {
            block: 10,
            linkage: 0.9,
        },
        500,
        100,
    );
    let Matrix::Dense(array) = &problem.data.features else {
        panic!("dense")
    };
    assert!(array.iter().all(|x| [0.0, 1.0, 2.0].contains(x)));
    assert!(
        array
            .columns()
            .into_iter()
            .all(|column| column.iter().any(|x| *x != column[0]))
    );
}

#[test]
fn sparse_columns_follow_a_power_law() {
    let problem = problem(
        Design::Sparse {
            nonzeros: 20_000,
            exponent: 1.0,
            binary: true,
        },
        1000,
        2000,
    );
    let Matrix::Sparse(csc) = &problem.data.features else {
        panic!("sparse")
    };
    assert!(csc.nnz().abs_diff(20_000) <= 1);
    let mut sizes: Vec<_> = csc.outer_iterator().map(|column| column.nnz()).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let ratio = sizes[9] as f64 / sizes[99] as f64;
    assert!(
        sizes[0] > 500 && (8.0..12.0).contains(&ratio),
        "{} {ratio}",
        sizes[0]
    );
}

#[test]
fn the_target_is_the_features_times_the_coefficients_and_noise() {
    let options = Regression {
        rows: 400,
        columns: 30,
        support: 5,
        noise: 0.0,
        ..Regression::default()
    };
    let exact = options.generate().unwrap();
    let Matrix::Dense(array) = &exact.data.features else {
        panic!("dense")
    };
    for (row, y) in exact.data.target.unwrap().into_iter().enumerate() {
        let sum: f64 = exact
            .coefficients
            .iter()
            .map(|&(j, b)| array[(row, j as usize)] * b)
            .sum();
        assert!((y - sum).abs() < 1e-12);
    }
    let classes = Regression {
        response: Response::Classes,
        ..options
    }
    .generate()
    .unwrap();
    let positive = classes
        .data
        .target
        .unwrap()
        .iter()
        .filter(|&&y| y == 1.0)
        .count();
    assert_eq!(positive, 200);
}

#[test]
fn senseless_options_are_refused() {
    let refused = |options: Regression| options.generate().unwrap_err().to_string();
    let text = refused(Regression {
        support: 10_001,
        ..Regression::default()
    });
    assert_eq!(
        text,
        "generator options: support is 10001, and has to be at most the number of columns"
    );
    refused(Regression {
        rows: 0,
        ..Regression::default()
    });
    refused(Regression {
        noise: f64::NAN,
        ..Regression::default()
    });
    let rho = Design::Dense(Correlation::Autoregressive { rho: 1.0 });
    refused(Regression {
        design: rho,
        ..Regression::default()
    });
    let nonzeros = Design::Sparse {
        nonzeros: 1 << 60,
        exponent: 1.0,
        binary: true,
    };
    refused(Regression {
        design: nonzeros,
        ..Regression::default()
    });
}
