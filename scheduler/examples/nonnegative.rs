//! Non-negative least squares, min ‖y − Xβ‖² over β ≥ 0, as a scheduled program.

use std::sync::Arc;
use strads::policy::{Pairwise, Priority};
use strads::{Executor, Moved, Plan, Program, Round, Run, Shares, Stop};

struct Nonnegative {
    x: Arc<Vec<Vec<f64>>>,
    beta: Vec<f64>,
    residual: Arc<Vec<f64>>,
    priority: Priority,
    check: Pairwise,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Program for Nonnegative {
    type Shard = Arc<Vec<Vec<f64>>>;
    type Task = (usize, f64, Arc<Vec<f64>>);
    type Share = (usize, f64);

    fn schedule(&mut self, round: &mut Round) -> Plan<Self::Task> {
        let (x, check) = (&self.x, &mut self.check);
        let cosine = |j: usize, k: usize| dot(&x[j], &x[k]) / dot(&x[j], &x[j]);
        let safe = |j: usize, chosen: &[usize]| check.fits(j, chosen, cosine);
        let columns = self
            .priority
            .take(round.workers(), &mut round.random("columns"), safe);
        Plan::one_each(
            columns
                .into_iter()
                .map(|j| (j, self.beta[j], Arc::clone(&self.residual))),
        )
    }

    fn push(x: &mut Self::Shard, (j, beta, residual): Self::Task) -> (usize, f64) {
        let least = beta + dot(&x[j], &residual) / dot(&x[j], &x[j]);
        (j, least.max(0.0) - beta)
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        let mut moved = Moved::default();
        for (j, change) in shares.into_values() {
            self.beta[j] += change;
            let residual = Arc::make_mut(&mut self.residual);
            residual
                .iter_mut()
                .zip(&self.x[j])
                .for_each(|(r, x)| *r -= change * x);
            self.priority.by_change(j, change);
            moved.updates += 1;
        }
        Moved {
            objective: Some(dot(&self.residual, &self.residual)),
            ..moved
        }
    }
}

fn main() -> Result<(), strads::Error> {
    // Column j rises at row j and fades: neighbours overlap. Every third one is in the target.
    let column = |j: i32| {
        (0..64)
            .map(|i| 0.5_f64.powi((i - j).abs()))
            .collect::<Vec<f64>>()
    };
    let x: Arc<Vec<Vec<f64>>> = Arc::new((0..64).map(column).collect());
    let truth = |j: usize| if j.is_multiple_of(3) { 1.0 } else { 0.0 };
    let y = (0..64)
        .map(|i| (0..64).map(|j| x[j][i] * truth(j)).sum())
        .collect();
    let mut program = Nonnegative {
        x: Arc::clone(&x),
        beta: vec![0.0; 64],
        residual: Arc::new(y),
        priority: Priority::new(64, 1.0, 1e-6),
        check: Pairwise::new(0.1, 4096),
    };
    let goal = Stop {
        objective: Some(1e-9),
        updates: Some(100_000),
        ..Stop::default()
    };
    let workers = &mut vec![x; 4];
    let record = Run::new()
        .until(goal)
        .on(&Executor::Threads(2), &mut program, workers)?;
    println!("ended: {:?}", record.ended);
    println!(
        "rounds: {}, updates: {}",
        record.totals.rounds, record.totals.updates
    );
    println!("first coefficients: {:.3?}", &program.beta[..6]);
    Ok(())
}
