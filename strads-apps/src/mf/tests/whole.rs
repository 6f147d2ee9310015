//! Holds up: what is known comes out, to the noise; negative entries do not; neither threads
//! nor executors change a bit; every rating is worked on once an epoch in either order.

use strads::{Executor, Run, Stop};

use super::super::blocks::{Blocks, Data, Scale, Set, Shape};
use super::super::grid::{Cut, Triples};
use super::super::sgd::{Descent, Order, Schedule, Sgd};
use super::super::train::train;
use super::{args, low_rank, write};

const NOISE: f32 = 0.1;

#[test]
fn low_rank_data_are_recovered_to_the_noise() {
    let directory = tempfile::tempdir().unwrap();
    let (train_set, test_set) = low_rank(300, 200, 0.5, NOISE);
    let path = write(directory.path(), "train", &train_set);
    let test = write(directory.path(), "test", &test_set);
    for solver in ["sgd --epochs 80 --rate 0.1", "ccd --epochs 20"] {
        let more = format!(
            "--rank 3 --lambda 0.0005 --solver {solver} --test {}",
            test.display()
        );
        let (learnt, model) = train(&args(&path, &more)).unwrap();
        let rmse = learnt.test_rmse.unwrap();
        // 0.1 of noise, and the error of some 1,500 parameters estimated from 30,000 ratings.
        assert!(rmse < 1.06 * f64::from(NOISE), "{solver}: {rmse}");
        assert!(
            learnt.train_rmse < f64::from(NOISE),
            "{solver}: {}",
            learnt.train_rmse
        );

        // What the model says, on the scale of the file, is what was measured.
        let square = |(user, item, value): (u32, u32, f32)| {
            let e = value - model.predict(Some(user as usize), Some(item as usize));
            f64::from(e * e)
        };
        let by_hand = (test_set.iter().map(square).sum::<f64>() / test_set.len() as f64).sqrt();
        assert!((by_hand - rmse).abs() < 1e-5, "{solver}: {by_hand} {rmse}");
    }
}

#[test]
fn non_negative_factors_have_no_negative_entry() {
    let directory = tempfile::tempdir().unwrap();
    let (mut train_set, _) = low_rank(100, 80, 0.5, NOISE);
    train_set
        .values
        .iter_mut()
        .for_each(|value| *value = value.max(0.0));
    let path = write(directory.path(), "train", &train_set);
    for solver in ["sgd", "ccd"] {
        let more = format!(
            "--rank 8 --epochs 30 --rate 0.1 --non-negative --lambda 0.001 --solver {solver}"
        );
        let (learnt, model) = train(&args(&path, &more)).unwrap();
        assert!(learnt.train_rmse < 0.25, "{solver}: {}", learnt.train_rmse);
        for factors in [&model.users, &model.items] {
            assert!(factors.entries.iter().all(|&x| x >= 0.0), "{solver}");
            assert!(factors.bias.iter().all(|&x| x == 0.0), "{solver}");
        }
        assert_eq!(model.mean, 0.0);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "train", &low_rank(60, 50, 0.5, NOISE).0);
    for solver in ["sgd", "ccd"] {
        let run = |threads: usize| {
            let more = format!("--rank 5 --epochs 3 --solver {solver} --threads {threads}");
            train(&args(&path, &more)).unwrap().1
        };
        let (one, three) = (run(1), run(3));
        assert_eq!(
            (one.users, one.items),
            (three.users, three.items),
            "{solver}"
        );
    }
}

#[test]
fn inline_and_threads_are_the_same_to_the_bit() {
    let run = |executor: &Executor| {
        let blocks = blocks(low_rank(60, 50, 0.5, NOISE).0, 4);
        epochs(&blocks, Order::Rotating, 4, 3, executor);
        (blocks.users(60), blocks.items(50))
    };
    assert_eq!(run(&Executor::Inline), run(&Executor::Threads(2)));
}

#[test]
fn both_orders_work_on_every_rating_once_an_epoch() {
    let ratings = low_rank(60, 50, 0.5, NOISE).0;
    let count = ratings.len() as u64;
    for (order, workers) in [(Order::Rotating, 6), (Order::Free, 3)] {
        let blocks = blocks(ratings.clone(), 6);
        assert_eq!(
            epochs(&blocks, order, workers, 1, &Executor::Threads(2)),
            count
        );
    }
}

#[test]
fn the_best_model_on_the_validation_set_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "train", &low_rank(60, 50, 0.3, 0.5).0);
    // Without regularisation, 16 factors soon learn the noise.
    let more = "--rank 16 --lambda 0 --rate 0.2 --epochs 200 --validation 0.2";
    let (learnt, _) = train(&args(&path, &format!("{more} --patience 3"))).unwrap();
    assert!(learnt.epochs < 100, "{}", learnt.epochs);
    let longer = train(&args(&path, &format!("{more} --patience 200")))
        .unwrap()
        .0;
    assert!(longer.validation_rmse <= learnt.validation_rmse);
}

fn blocks(ratings: Triples, strips: usize) -> Blocks {
    let data = Data {
        users: 60,
        items: 50,
        sets: [ratings, Triples::default(), Triples::default()],
    };
    let scale = Scale {
        mean: 2.0,
        deviation: 1.0,
    };
    let shape = Shape {
        rank: 5,
        cut: Cut {
            strips,
            blocks: strips + 1,
            seed: 3,
        },
        reach: 0.2,
        non_negative: false,
    };
    Blocks::new(data, scale, shape, 2)
}

/// Runs epochs; how many ratings the last one worked on.
fn epochs(blocks: &Blocks, order: Order, workers: usize, epochs: u64, executor: &Executor) -> u64 {
    let descent = Descent {
        rate: 0.1,
        bias_rate: 0.3,
        lambda: 0.01,
        schedule: Schedule::Adaptive,
        non_negative: false,
    };
    let mut sgd = Sgd::new(blocks, order, descent);
    for epoch in 0..epochs {
        sgd.begin(epoch);
        let rounds = Stop::after_rounds(sgd.rounds());
        Run::new()
            .until(rounds)
            .on(executor, &mut sgd, &mut vec![(); workers])
            .unwrap();
    }
    assert_eq!(blocks.errors(Set::Test, executor).unwrap().count, 0);
    sgd.errors().count
}
