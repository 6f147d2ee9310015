//! Sparse regression against an independent witness: an evaluator that knows nothing of the solver
//! recomputes objective and duality gap from the features as they were given.
//!
//! What these tests can catch: a wrong optimum, a certificate that does not hold, results that
//! depend on the executor. What they cannot: slowness.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use strads::{Executor, Run};
use strads_apps::linear::design::Design;
use strads_apps::linear::grid::Grid;
use strads_apps::linear::loss::Loss;
use strads_apps::linear::program::{Settings, Solution, SparseRegression};
use strads_common::random::stream;
use strads_datasets::{Csc, Matrix};

use rand::RngExt;

/// Features by column, dense, whatever the solver gets.
struct Problem {
    columns: Vec<Vec<f64>>,
    target: Vec<f64>,
}

const SETTINGS: Settings = Settings {
    grid: Grid::Ratio(0.05),
    l1_ratio: 1.0,
    loss: Loss::Squared,
    intercept: false,
    standardise: false,
    tolerance: 1e-9,
};

impl Problem {
    /// Columns that follow each other with correlation `rho`, of which about `filled` is not zero.
    fn new(rows: usize, features: usize, rho: f64, filled: f64, seed: u64) -> Self {
        let mut random = stream(seed, "test problem", 0);
        let mut normal = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        let mut columns: Vec<Vec<f64>> = Vec::new();
        for j in 0..features {
            let fresh: Vec<f64> = (0..rows).map(|_| normal()).collect();
            let column = match j.checked_sub(1) {
                None => fresh,
                Some(before) => {
                    let mix = |(old, new): (&f64, f64)| rho * old + (1.0 - rho * rho).sqrt() * new;
                    columns[before].iter().zip(fresh).map(mix).collect()
                }
            };
            columns.push(column);
        }
        let mut random = stream(seed, "test zeros", 0);
        for value in columns.iter_mut().flatten() {
            if random.random::<f64>() > filled {
                *value = 0.0;
            }
        }
        let mut random = stream(seed, "test noise", 0);
        let target = (0..rows)
            .map(|i| {
                let signal: f64 = (0..features)
                    .step_by(11)
                    .map(|j| columns[j][i] * ((j % 5) as f64 - 2.0))
                    .sum();
                signal + random.random::<f64>() + 1.0
            })
            .collect();
        Self { columns, target }
    }

    fn labels(mut self) -> Self {
        let mean = self.target.iter().sum::<f64>() / self.target.len() as f64;
        self.target
            .iter_mut()
            .for_each(|y| *y = f64::from(u8::from(*y > mean)));
        self
    }

    fn design(&self, sparse: bool) -> Arc<Design> {
        let rows = self.target.len();
        let matrix = if sparse {
            let mut starts = vec![0];
            let (mut indices, mut data) = (Vec::new(), Vec::new());
            for column in &self.columns {
                for (i, &value) in column.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                    indices.push(i as u32);
                    data.push(value);
                }
                starts.push(indices.len());
            }
            Matrix::Sparse(Csc::new_csc(
                (rows, self.columns.len()),
                starts,
                indices,
                data,
            ))
        } else {
            Matrix::from_columns(rows, self.columns.len(), self.columns.concat())
        };
        Arc::new(Design::new(matrix))
    }

    fn solve(
        &self,
        sparse: bool,
        settings: &Settings,
        executor: &Executor,
        workers: usize,
    ) -> Vec<Solution> {
        let mut program =
            SparseRegression::new(self.design(sparse), &self.target, settings.clone());
        let mut shards = program.workers(workers);
        Run::new().on(executor, &mut program, &mut shards).unwrap();
        program.solutions().to_vec()
    }

    /// Objective and duality gap, from their definitions. Columns are scaled as the penalty sees
    /// them; an intercept's dual point has to be orthogonal to 1.
    fn judge(&self, settings: &Settings, solution: &Solution) -> (f64, f64) {
        let n = self.target.len() as f64;
        let (l1, l2) = (
            solution.lambda * settings.l1_ratio,
            solution.lambda * (1.0 - settings.l1_ratio),
        );
        let mut eta = vec![solution.intercept; self.target.len()];
        let mut beta = vec![0.0; self.columns.len()];
        for &(j, b) in &solution.coefficients {
            beta[j as usize] = b * self.deviation(settings, j as usize);
            self.columns[j as usize]
                .iter()
                .zip(&mut eta)
                .for_each(|(x, eta)| *eta += b * x);
        }
        let penalty: f64 = beta.iter().map(|b| l1 * b.abs() + 0.5 * l2 * b * b).sum();
        let ridge: f64 = 0.5 * l2 * beta.iter().map(|b| b * b).sum::<f64>();
        let residual: Vec<f64> = match settings.loss {
            Loss::Squared => self.target.iter().zip(&eta).map(|(y, e)| y - e).collect(),
            Loss::Logistic => self
                .target
                .iter()
                .zip(&eta)
                .map(|(y, e)| y - 1.0 / (1.0 + (-e).exp()))
                .collect(),
        };
        if settings.intercept {
            assert!(
                residual.iter().sum::<f64>().abs() < 1e-6 * n,
                "the intercept is not optimal"
            );
        }
        let worst = (0..self.columns.len())
            .map(|j| {
                let product: f64 = self.columns[j]
                    .iter()
                    .zip(&residual)
                    .map(|(x, r)| x * r)
                    .sum();
                (product / n / self.deviation(settings, j) - l2 * beta[j]).abs()
            })
            .fold(0.0, f64::max);
        let s = (l1 / worst).min(1.0);
        let mean = self.target.iter().sum::<f64>() / n;
        let (loss, dual): (f64, f64) = match settings.loss {
            Loss::Squared => {
                let centre = if settings.intercept { mean } else { 0.0 };
                let loss = residual.iter().map(|r| r * r).sum::<f64>() / (2.0 * n);
                let cross = residual
                    .iter()
                    .zip(&self.target)
                    .map(|(r, y)| r * (y - centre))
                    .sum::<f64>()
                    / n;
                (loss, s * cross - s * s * (loss + ridge))
            }
            Loss::Logistic => {
                let entropy = |p: f64| {
                    if p > 0.0 && p < 1.0 {
                        -p * p.ln() - (1.0 - p) * (1.0 - p).ln()
                    } else {
                        0.0
                    }
                };
                let pairs = || self.target.iter().zip(&eta);
                let loss = pairs()
                    .map(|(y, e)| (1.0 + e.exp()).ln() - y * e)
                    .sum::<f64>()
                    / n;
                let conjugate: f64 = self
                    .target
                    .iter()
                    .zip(&residual)
                    .map(|(y, r)| entropy(y - s * r))
                    .sum();
                (loss, conjugate / n - s * s * ridge)
            }
        };
        let primal = loss + penalty;
        (primal, primal - dual)
    }

    fn deviation(&self, settings: &Settings, j: usize) -> f64 {
        let n = self.target.len() as f64;
        let mean = self.columns[j].iter().sum::<f64>() / n;
        let deviation = (self.columns[j]
            .iter()
            .map(|x| (x - mean).powi(2))
            .sum::<f64>()
            / n)
            .sqrt();
        if settings.standardise && deviation > 0.0 {
            deviation
        } else {
            1.0
        }
    }

    fn null(&self, settings: &Settings) -> f64 {
        let nothing = Solution {
            lambda: 0.0,
            coefficients: Vec::new(),
            intercept: if settings.intercept {
                self.null_intercept(settings.loss)
            } else {
                0.0
            },
            standing: Default::default(),
        };
        self.judge(settings, &nothing).0
    }

    fn null_intercept(&self, loss: Loss) -> f64 {
        let mean = self.target.iter().sum::<f64>() / self.target.len() as f64;
        if loss == Loss::Squared {
            mean
        } else {
            (mean / (1.0 - mean)).ln()
        }
    }
}

/// Every combination of loss, penalty, intercept, scaling and storage reaches the certified gap
/// that was asked for, as an evaluator finds it that recomputes everything.
#[test]
fn every_combination_is_optimal() {
    let mut combinations = 0;
    for loss in [Loss::Squared, Loss::Logistic] {
        for (l1_ratio, intercept) in [(1.0, false), (1.0, true), (0.5, false), (0.5, true)] {
            for (standardise, sparse) in
                [(false, false), (true, true), (false, true), (true, false)]
            {
                let tolerance = 1e-8;
                let settings = Settings {
                    loss,
                    l1_ratio,
                    intercept,
                    standardise,
                    tolerance,
                    ..SETTINGS
                };
                let mut problem = Problem::new(60, 150, 0.7, 0.4, combinations);
                if loss == Loss::Logistic {
                    problem = problem.labels();
                }
                let solution = &problem.solve(sparse, &settings, &Executor::Inline, 2)[0];
                let (primal, gap) = problem.judge(&settings, solution);
                let null = problem.null(&settings);
                let case = format!("{settings:?} sparse {sparse}: gap {gap:e}, null {null}");
                assert!(
                    gap <= 1.01 * tolerance * null + 1e-12 && gap > -1e-12,
                    "{case}"
                );
                assert!(
                    (primal - solution.standing.primal).abs() < 1e-10 * null,
                    "{case}"
                );
                assert!(!solution.coefficients.is_empty(), "{case}");
                combinations += 1;
            }
        }
    }
}

/// A path is as optimal at each λ as a fit of that λ alone, and its first λ selects nothing.
#[test]
fn every_lambda_of_a_path_is_optimal() {
    let problem = Problem::new(80, 300, 0.9, 1.0, 1);
    let settings = Settings {
        grid: Grid::Path {
            count: 25,
            min_ratio: 0.01,
        },
        tolerance: 1e-8,
        ..SETTINGS
    };
    let solutions = problem.solve(false, &settings, &Executor::Threads(2), 2);
    assert_eq!(solutions.len(), 25);
    assert!(solutions[0].coefficients.is_empty() && !solutions[1].coefficients.is_empty());
    let null = problem.null(&settings);
    for solution in &solutions {
        assert!(problem.judge(&settings, solution).1 <= 1.01e-8 * null);
    }
}

/// Along a path of wide steps or narrow ones every λ is solved, whatever columns are like: in one
/// byte or eight, centred and scaled, with a ridge, or there twice. Where steps may be direct, they
/// are: a few for each λ reach what takes coordinate descent hundreds of passes.
#[test]
fn paths_are_followed_by_direct_steps() {
    let mut problem = Problem::new(60, 400, 0.95, 1.0, 4);
    let bytes = |value: &mut f64| *value = (10.0 * *value).round();
    let mut narrow = Problem::new(60, 400, 0.95, 1.0, 5);
    narrow.columns.iter_mut().flatten().for_each(bytes);
    let mut twice = Problem::new(60, 400, 0.95, 1.0, 6);
    twice.columns[22] = twice.columns[33].clone();
    problem.columns[9].fill(0.0);
    for (problem, direct) in [(problem, true), (narrow, true), (twice, false)] {
        for (l1_ratio, intercept, count) in [
            (1.0, false, 100),
            (1.0, true, 100),
            (0.9, false, 100),
            (1.0, false, 8),
        ] {
            let settings = Settings {
                grid: Grid::Path {
                    count,
                    min_ratio: 0.02,
                },
                l1_ratio,
                intercept,
                standardise: intercept,
                ..SETTINGS
            };
            let solutions = problem.solve(false, &settings, &Executor::Inline, 2);
            let null = problem.null(&settings);
            for solution in &solutions {
                let (_, gap) = problem.judge(&settings, solution);
                let lambda = solution.lambda;
                assert!(
                    gap <= 1.01e-9 * null,
                    "{settings:?}, λ {lambda}: gap {gap:e}"
                );
            }
            let updates = solutions[count - 1].standing.updates;
            let selected: usize = solutions.iter().map(|s| s.coefficients.len()).sum();
            if direct && l1_ratio == 1.0 && count == 100 {
                assert!(
                    updates < 5 * selected as u64,
                    "{updates} updates for {selected} coefficients"
                );
            }
        }
    }
}

/// Threads change nothing: the same workers give the same bits inline and on threads. Another
/// number of workers gives the same optimum.
#[test]
fn results_do_not_depend_on_threads() {
    // Wide enough that descents are divided among workers.
    let problem = Problem::new(400, 1500, 0.5, 1.0, 2);
    let settings = Settings {
        tolerance: 1e-10,
        ..SETTINGS
    };
    let bits = |solutions: &[Solution]| -> Vec<(u32, u64)> {
        solutions[0]
            .coefficients
            .iter()
            .map(|&(j, b)| (j, b.to_bits()))
            .collect()
    };
    let alone = problem.solve(false, &settings, &Executor::Inline, 1);
    for workers in [2, 3, 5] {
        let inline = problem.solve(false, &settings, &Executor::Inline, workers);
        for threads in [1, 2, 4] {
            let threaded = problem.solve(false, &settings, &Executor::Threads(threads), workers);
            assert_eq!(
                bits(&inline),
                bits(&threaded),
                "{workers} workers on {threads} threads"
            );
        }
        let difference = inline[0].standing.primal - alone[0].standing.primal;
        assert!(
            difference.abs() < 1e-9,
            "{workers} workers: objective off by {difference:e}"
        );
    }
}

/// Columns that cannot matter (empty, constant beside an intercept, duplicates) do no harm, nor
/// does a target that is explained by nothing.
#[test]
fn degenerate_columns_and_targets_are_solved() {
    let mut problem = Problem::new(40, 30, 0.3, 1.0, 3);
    problem.columns[3].fill(0.0);
    problem.columns[5].fill(7.5);
    problem.columns[8] = problem.columns[0].clone();
    let settings = Settings {
        intercept: true,
        standardise: true,
        ..SETTINGS
    };
    let solution = &problem.solve(false, &settings, &Executor::Inline, 2)[0];
    assert!(problem.judge(&settings, solution).1 <= 1.01e-9 * problem.null(&settings));
    assert!(solution.coefficients.iter().all(|&(j, _)| j != 3 && j != 5));

    problem.target.fill(4.0);
    let solution = &problem.solve(false, &settings, &Executor::Inline, 2)[0];
    assert!(solution.coefficients.is_empty());
    assert_eq!(solution.intercept, 4.0);
}
