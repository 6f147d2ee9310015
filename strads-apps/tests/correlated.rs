//! Why there is a scheduler, as a test: on correlated columns, coordinates that are updated in
//! parallel from one residual correct the same error many times over and go to infinity; with the
//! dependency check the same program reaches the optimum that the sequential loop finds. And
//! drawn by priority, it does so in a fifth of the updates that random ones, damped as well as
//! can be, need.

#![allow(clippy::unwrap_used)]

use strads::{Executor, Run, Stop};
use strads_apps::linear::design::Design;
use strads_apps::linear::textbook::{Problem, Rule, Textbook};
use strads_datasets::Matrix;
use strads_datasets::generate::{Correlation, Design as Look, Regression};

const RULE: Rule = Rule {
    priority: true,
    check: Some(0.3),
    damping: 1.0,
};

fn data(seed: u64) -> (Matrix, Vec<f64>) {
    let regression = Regression {
        rows: 500,
        columns: 1_000,
        design: Look::Dense(Correlation::Blocks {
            size: 200,
            rho: 0.9,
        }),
        seed,
        ..Regression::default()
    };
    let data = regression.generate().unwrap().data;
    (data.features, data.target.unwrap())
}

fn problem(seed: u64) -> Problem {
    let (features, target) = data(seed);
    Problem::new(Design::new(features), target, 0.1)
}

/// The program after a run with 16 workers, and its updates.
fn run(problem: &Problem, rule: Rule, goal: f64, depth: usize) -> (Textbook, u64) {
    let mut program = Textbook::new(problem.clone(), rule, goal, 128);
    let limit = Stop {
        updates: Some(400_000),
        ..Stop::default()
    };
    let run = Run::new().seed(7).depth(depth).until(limit);
    let mut shards = problem.shards(16);
    let record = run
        .on(&Executor::Inline, &mut program, &mut shards)
        .unwrap();
    (program, record.totals.updates)
}

/// The sequential loop, written apart from the program: the objective when nothing moves.
fn sequential(features: &Matrix, y: &[f64], lambda: f64) -> f64 {
    let Matrix::Dense(x) = features else {
        panic!("the design is dense")
    };
    let n = y.len() as f64;
    let mut r = ndarray::Array1::from(y.to_vec());
    let mut beta = vec![0.0; x.ncols()];
    for _ in 0..5_000 {
        let mut moved = 0.0_f64;
        for (j, b) in beta.iter_mut().enumerate() {
            let column = x.column(j);
            let square = column.dot(&column);
            let z: f64 = column.dot(&r) + square * *b;
            let new = z.signum() * (z.abs() - lambda * n).max(0.0) / square;
            if new != *b {
                r.scaled_add(*b - new, &column);
                moved = moved.max((new - *b).abs());
                *b = new;
            }
        }
        if moved < 1e-9 {
            break;
        }
    }
    r.dot(&r) / (2.0 * n) + lambda * beta.iter().map(|b| b.abs()).sum::<f64>()
}

#[test]
fn unchecked_diverges_and_checked_reaches_the_sequential_optimum() {
    let problem = problem(0);
    for priority in [false, true] {
        let unchecked = Rule {
            priority,
            check: None,
            damping: 1.0,
        };
        let (program, _) = run(&problem, unchecked, 1e-7, 1);
        assert!(program.objective() > 1e3 * problem.null());
    }
    let (features, target) = data(0);
    let optimum = sequential(&features, &target, problem.lambda());
    for depth in [1, 4] {
        let (program, _) = run(&problem, RULE, 1e-7, depth);
        let excess = (program.objective() - optimum) / problem.null();
        assert!(program.converged(), "depth {depth}");
        assert!(excess.abs() < 1e-7, "{excess:e} at depth {depth}");
    }
}

#[test]
fn scheduling_needs_a_fifth_of_the_updates() {
    for seed in 0..2 {
        let problem = problem(seed);
        let dampings = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5];
        let random = dampings.iter().filter_map(|&damping| {
            let rule = Rule {
                priority: false,
                check: None,
                damping,
            };
            let (program, updates) = run(&problem, rule, 1e-4, 1);
            program.converged().then_some(updates)
        });
        let random = random.min().expect("enough damping converges");
        let (program, updates) = run(&problem, RULE, 1e-4, 1);
        assert!(program.converged());
        assert!(5 * updates <= random, "{updates} against {random}");
    }
}
