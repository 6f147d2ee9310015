//! What the scheduler's ingredients are worth: the tables of `docs/src/scheduling.md`.
//!
//! Counts coordinate updates until the duality gap is 1e-4 of the null model's objective, for a
//! Lasso with 16 logical workers that all start from the same residual, with priority and
//! dependency check on and off. What runs unchecked gets the damping that is best for it.

use strads::{Executor, Run, Stop};
use strads_apps::linear::design::Design;
use strads_apps::linear::textbook::{Problem, Rule, Textbook};
use strads_datasets::generate::{Correlation, Design as Look, Regression};

const SEEDS: std::ops::Range<u64> = 10..13;
const DAMPINGS: [f64; 8] = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.25];
const CHECK: Option<f64> = Some(0.3);

struct Outcome {
    updates: u64,
    rounds: u64,
    fullness: f64,
    asked: u64,
    computed: u64,
}

fn main() {
    let designs = [
        (
            "blocks of 200 columns, ρ = 0.9",
            Correlation::Blocks {
                size: 200,
                rho: 0.9,
            },
        ),
        (
            "blocks of 50 columns, ρ = 0.9",
            Correlation::Blocks { size: 50, rho: 0.9 },
        ),
        (
            "neighbours, ρ = 0.97",
            Correlation::Autoregressive { rho: 0.97 },
        ),
    ];
    for (name, correlation) in designs {
        let problems: Vec<Problem> = SEEDS.map(|seed| problem(correlation, seed)).collect();
        println!("\n**{name}**\n");
        println!(
            "| priority | check | damping | updates | fewest to most | of random | rounds | fullness | pairs asked, computed |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        let mut random = 0;
        for (priority, check) in [(false, None), (true, None), (false, CHECK), (true, CHECK)] {
            let dampings = if check.is_some() {
                &DAMPINGS[..1]
            } else {
                &DAMPINGS
            };
            let undamped = cells(
                &problems,
                Rule {
                    priority,
                    check,
                    damping: 1.0,
                },
            );
            if undamped.is_none() {
                println!(
                    "| {} | {} | 1 | not reached | | | | | |",
                    on(priority),
                    on(check.is_some())
                );
            }
            let tried = dampings.iter().filter_map(|&damping| {
                let runs = cells(
                    &problems,
                    Rule {
                        priority,
                        check,
                        damping,
                    },
                )?;
                Some((damping, runs))
            });
            let Some((damping, runs)) = tried.min_by_key(|(_, runs)| runs[runs.len() / 2].updates)
            else {
                continue;
            };
            let median = &runs[runs.len() / 2];
            random = if random == 0 { median.updates } else { random };
            println!(
                "| {} | {} | {damping} | {} | {} to {} | {:.2} | {} | {:.2} | {}, {} |",
                on(priority),
                on(check.is_some()),
                median.updates,
                runs[0].updates,
                runs[runs.len() - 1].updates,
                median.updates as f64 / random as f64,
                median.rounds,
                median.fullness,
                median.asked,
                median.computed,
            );
        }
    }
}

fn on(ingredient: bool) -> &'static str {
    if ingredient { "on" } else { "off" }
}

fn problem(correlation: Correlation, seed: u64) -> Problem {
    let regression = Regression {
        rows: 500,
        columns: 1_000,
        design: Look::Dense(correlation),
        seed,
        ..Regression::default()
    };
    let data = regression.generate().expect("the options are valid").data;
    let target = data.target.expect("a regression has a target");
    Problem::new(Design::new(data.features), target, 0.1)
}

/// The runs by updates, fewest first; nothing unless every seed gets there.
fn cells(problems: &[Problem], rule: Rule) -> Option<Vec<Outcome>> {
    let runs = SEEDS.zip(problems).map(|(seed, problem)| {
        let mut program = Textbook::new(problem.clone(), rule, 1e-4, 128);
        let limit = Stop {
            updates: Some(500_000),
            ..Stop::default()
        };
        let record = Run::new()
            .seed(seed)
            .until(limit)
            .on(&Executor::Inline, &mut program, &mut problem.shards(16))
            .expect("nothing panics");
        let (asked, computed) = program.checks();
        program.converged().then_some(Outcome {
            updates: record.totals.updates,
            rounds: record.totals.rounds,
            fullness: record.totals.fullness(),
            asked,
            computed,
        })
    });
    let mut runs = runs.collect::<Option<Vec<_>>>()?;
    runs.sort_by_key(|run| run.updates);
    Some(runs)
}
