//! What the policies cost: drawing and returning among up to four million variables, checking
//! pairs, cutting blocks, colouring.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::RngExt;
use strads::policy::{Blocks, ConflictGraph, Pairwise, Priority};
use strads_common::random::stream;

/// 64 variables drawn and returned with a new urgency: grows with log n.
fn priority(c: &mut Criterion) {
    let mut group = c.benchmark_group("priority: take and return 64 of");
    for variables in [10_000, 1_000_000, 4_000_000] {
        let mut priority = Priority::new(variables, 1.0, 1e-6);
        let mut random = stream(1, "bench", 0);
        group.bench_function(BenchmarkId::from_parameter(variables), |b| {
            b.iter(|| {
                for variable in priority.take(64, &mut random, |_, _| true) {
                    priority.by_change(variable, random.random());
                }
            });
        });
    }
}

/// One candidate against 15 chosen, all answers known.
fn dependency(c: &mut Criterion) {
    let mut check = Pairwise::new(0.5, 1 << 16);
    let chosen: Vec<usize> = (0..15).collect();
    c.bench_function("dependency: fits among 15, cached", |b| {
        b.iter(|| check.fits(100, &chosen, |_, _| 0.0));
    });
}

fn balance(c: &mut Criterion) {
    c.bench_function("balance: 1,000 items into 16 blocks", |b| {
        b.iter(|| Blocks::balanced(0..1_000_u64, 16, |&item| item * item % 997));
    });
}

fn colouring(c: &mut Criterion) {
    let mut random = stream(1, "bench", 1);
    let edges: Vec<(usize, usize)> = (0..40_000)
        .map(|_| {
            (
                random.random_range(0..10_000),
                random.random_range(0..10_000),
            )
        })
        .collect();
    let graph = ConflictGraph::new(10_000, edges);
    c.bench_function("colouring: 10,000 variables, 40,000 conflicts", |b| {
        b.iter(|| graph.classes());
    });
}

criterion_group!(benches, priority, dependency, balance, colouring);
criterion_main!(benches);
