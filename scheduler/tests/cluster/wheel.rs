//! The program of these tests.

use std::sync::Arc;

use strads::cluster::{Malformed, Packer, Passport, Programs, Remote, Travel, Unpacker};
use strads::policy::Rotation;
use strads::record::Traffic;
use strads::{
    Error, Executor, Freshness, Lender, Loan, Moved, Plan, Program, Round, Run, Shares, Stop,
};

/// Blocks of numbers that rotate past workers and are mixed with what these keep.
pub struct Wheel {
    blocks: Lender<Vec<f64>>,
    scale: Arc<Vec<f64>>,
    /// Tasks are offered to whoever is free.
    offered: bool,
    /// A push panics in this round.
    panics: Option<u64>,
}

pub struct Turn {
    block: Loan<Vec<f64>>,
    scale: Arc<Vec<f64>>,
    panics: bool,
}

strads::travel_by_fields!(Turn {
    block,
    scale,
    panics
});

impl Remote for Wheel {
    const NAME: &'static str = "wheel";
}

impl Program for Wheel {
    type Shard = Vec<f64>;
    type Task = Turn;
    type Share = f64;

    fn schedule(&mut self, round: &mut Round) -> Plan<Turn> {
        let mut plan = Plan::new();
        let rotation = Rotation::new(self.blocks.len(), round.workers());
        for (worker, block) in rotation.blocks(round.number()).enumerate() {
            let turn = Turn {
                block: self.blocks.lend(block),
                scale: Arc::clone(&self.scale),
                panics: self.panics == Some(round.number()),
            };
            if self.offered {
                plan.offer(turn).writing(block..block + 1);
            } else {
                plan.assign(worker, turn).writing(block..block + 1);
            }
        }
        plan
    }

    fn refresh(&mut self, turn: &mut Turn) -> Freshness {
        turn.scale = Arc::clone(&self.scale);
        Freshness::Fresh
    }

    fn push(shard: &mut Vec<f64>, mut turn: Turn) -> f64 {
        assert!(!turn.panics, "told to panic");
        let mut block = turn.block.open();
        for ((x, own), scale) in block.iter_mut().zip(shard).zip(turn.scale.iter()) {
            *x = (*x * 1.1 + *own * 0.3) / scale;
            *own += *x * 0.7;
        }
        block.iter().sum()
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        let sum: f64 = shares.into_values().sum();
        let scale = self.scale.iter().map(|s| 1.0 + (s + sum).abs().sqrt());
        self.scale = Arc::new(scale.collect());
        Moved::default()
    }

    fn passport() -> Option<Passport<Self>> {
        Some(Passport::new())
    }
}

/// The same, without a passport.
pub struct Homebody;

impl Program for Homebody {
    type Shard = ();
    type Task = ();
    type Share = ();

    fn schedule(&mut self, round: &mut Round) -> Plan<()> {
        Plan::one_each(vec![(); round.workers()])
    }

    fn push(_: &mut (), (): ()) {}

    fn pull(&mut self, _: Shares<Self>) -> Moved {
        Moved::default()
    }
}

/// Unpacks to something else than what was packed, on purpose.
pub struct Liar;
pub struct Lie;

impl Travel for Lie {
    fn pack(&self, out: &mut Packer<'_>) {
        out.length(7);
    }
    fn unpack(_: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        Err(Malformed("the truth"))
    }
}

impl Remote for Liar {
    const NAME: &'static str = "liar";
}

impl Program for Liar {
    type Shard = ();
    type Task = Lie;
    type Share = ();

    fn schedule(&mut self, _: &mut Round) -> Plan<Lie> {
        Plan::one_each([Lie])
    }

    fn push(_: &mut (), _: Lie) {}

    fn pull(&mut self, _: Shares<Self>) -> Moved {
        Moved::default()
    }

    fn passport() -> Option<Passport<Self>> {
        Some(Passport::new())
    }
}

pub fn programs() -> Programs {
    Programs::new().and::<Wheel>().and::<Liar>()
}

/// What to run.
#[derive(Clone, Copy)]
pub struct Trip {
    pub workers: usize,
    pub blocks: usize,
    pub rounds: u64,
    pub depth: usize,
    pub offered: bool,
    pub panics: Option<u64>,
}

pub const TRIP: Trip = Trip {
    workers: 4,
    blocks: 6,
    rounds: 13,
    depth: 3,
    offered: false,
    panics: None,
};

/// The program at the beginning, and its shards.
fn prepare(trip: Trip) -> (Wheel, Vec<Vec<f64>>) {
    let row = |at: usize| {
        (0..5)
            .map(|i| 1.0 + (at * 5 + i) as f64)
            .collect::<Vec<f64>>()
    };
    let wheel = Wheel {
        blocks: Lender::new((0..trip.blocks).map(row)),
        scale: Arc::new(vec![1.5; 5]),
        offered: trip.offered,
        panics: trip.panics,
    };
    (wheel, (0..trip.workers).map(row).collect())
}

/// What goes over links in one run.
pub fn links(executor: &Executor, trip: Trip) -> Result<Vec<Traffic>, Error> {
    let (mut wheel, mut shards) = prepare(trip);
    let run = Run::new()
        .depth(trip.depth)
        .until(Stop::after_rounds(trip.rounds));
    Ok(run.on(executor, &mut wheel, &mut shards)?.links)
}

/// All bits of the outcome: blocks, shards and scale after two runs.
pub fn travel(executor: &Executor, trip: Trip) -> Result<Vec<u64>, Error> {
    let (mut wheel, mut shards) = prepare(trip);
    for rounds in [trip.rounds, 2] {
        let run = Run::new()
            .depth(trip.depth)
            .until(Stop::after_rounds(rounds));
        run.on(executor, &mut wheel, &mut shards)?;
    }
    executor.recall(&wheel.blocks)?;
    let mut bits: Vec<f64> = shards.concat();
    for block in 0..trip.blocks {
        wheel.blocks.with(block, |block| bits.extend(block.iter()));
    }
    bits.extend(wheel.scale.iter());
    Ok(bits.into_iter().map(f64::to_bits).collect())
}
