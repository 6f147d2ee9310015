//! A random job: workers that increment, read, forget and clock random tables of every
//! consistency, in a random order, over a random network.

use crate::oracle::{Expectation, Oracle};
use bosen::batch::Batch;
use bosen::client::{Command, Failure, Limits, Outcome, Ticket};
use bosen::comm::{Budget, Order};
use bosen::consistency::Consistency;
use bosen::filter::{Filters, ValueCode};
use bosen::rows::RowSet;
use bosen::shard::Patience;
use bosen::sim::{Happening, Setting, Simulation, Tamper, Weather};
use bosen::spec::TableSpec;
use rand::RngExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use strads_common::ids::{TableId, WorkerId};
use strads_common::random::{Stream, stream};

/// Keys that a job uses; a range for ranged tables.
pub const KEYS: u64 = 8;

pub struct Workload {
    random: Stream,
    setting: Setting,
    tables: Vec<TableSpec>,
    rounds: u64,
}

/// What a run was like, for comparing it with another one.
#[derive(PartialEq, Debug)]
pub struct Summary {
    pub end: Duration,
    pub sent_bytes: u64,
    pub reads: Vec<Vec<i64>>,
}

/// What a worker still does, last first.
struct Program {
    steps: Vec<Step>,
    awaited: Option<Ticket>,
    done: bool,
}

enum Step {
    Create(usize),
    Inc(usize, Arc<RowSet>),
    Get(usize, Arc<RowSet>),
    /// A read that the worker does not wait for.
    Prefetch(usize, Arc<RowSet>),
    Forget(usize, Arc<RowSet>),
    Clock(usize),
    Pause(Duration),
    Leave,
}

impl Workload {
    pub fn new(seed: u64) -> Workload {
        let mut random = stream(seed, "workload", 0);
        let workers = random.random_range(1..=4);
        let weather = Weather {
            delay: Duration::from_micros(random.random_range(1..5000)),
            bytes_per_second: [0, 0, 100_000][random.random_range(0..3)],
            breaks_one_in: [0, 10, 30, 100][random.random_range(0..4)],
            partitions_one_in: [0, 3][random.random_range(0..2)],
            clears_at: Duration::from_millis(random.random_range(0..300)),
        };
        let patience = Duration::from_secs(1000);
        let setting = Setting {
            seed,
            workers,
            shards: random.random_range(1..=3),
            weather,
            limits: Limits {
                window_bytes: [1, 200, 100_000][random.random_range(0..3)],
                patience,
                join: patience,
            },
            patience: Patience {
                join: patience,
                rejoin: patience,
            },
            budget: budget(&mut random),
        };
        let mut tables: Vec<TableSpec> = (0..random.random_range(1..=3))
            .map(|_| table(&mut random, workers))
            .collect();
        // A late worker skips rounds of a table with backups; unless it skips the same rounds of
        // the others, as this program does not, two tables can wait for each other.
        let backup = |spec: &&TableSpec| matches!(spec.consistency, Consistency::Backup { .. });
        if let Some(&backup) = tables.iter().find(backup) {
            tables = vec![backup];
        }
        let rounds = random.random_range(1..=6);
        Workload {
            random,
            setting,
            tables,
            rounds,
        }
    }

    /// The same with filters that lose nothing on every table, and those that keep back on all
    /// that may.
    pub fn filtered(seed: u64) -> Workload {
        let mut workload = Workload::new(seed);
        for table in &mut workload.tables {
            let filters = Filters::default()
                .values(ValueCode::FixedPoint { fraction_bits: 0 })
                .packed_keys();
            let keeps_back = !matches!(table.consistency, Consistency::ValueBound { .. });
            *table = table.filters(match keeps_back {
                true => filters.threshold(2.0),
                false => filters,
            });
        }
        workload
    }

    /// Runs the job and checks it against the oracle.
    pub fn run(mut self, tamper: Option<Tamper>) -> Result<Summary, String> {
        let mut simulation = Simulation::new(self.setting);
        if let Some(tamper) = tamper {
            simulation = simulation.tampered(tamper);
        }
        let mut oracle = Oracle::new(self.tables.clone(), self.setting.workers);
        let mut programs: Vec<Program> =
            (0..self.setting.workers).map(|_| self.program()).collect();
        let mut reads: BTreeMap<Ticket, Expectation> = BTreeMap::new();
        let mut seen = Vec::new();
        for worker in 0..self.setting.workers {
            simulation.wake(WorkerId(worker), Duration::ZERO);
        }
        let end = self.setting.weather.clears_at + Duration::from_secs(60);
        while programs.iter().any(|program| !program.done) {
            let happening = simulation
                .next(end)
                .ok_or("no progress though the faults have stopped")?;
            let worker = match happening {
                Happening::Woken(worker) => worker,
                Happening::Done {
                    result: Err(Failure::Left),
                    ..
                } => continue,
                Happening::Done {
                    worker,
                    ticket,
                    result,
                } => {
                    let outcome = result.map_err(|failure| format!("{worker}: {failure}"))?;
                    if let Some(expectation) = reads.remove(&ticket) {
                        let Outcome::Rows(pieces) = outcome else {
                            return Err(format!("{outcome:?} for a read"));
                        };
                        seen.push(oracle.check(worker, expectation, &pieces)?);
                    } else if let Outcome::Clock(clock) = outcome {
                        oracle.clocked(worker, ticket, clock)?;
                    } else {
                        oracle.accepted(worker, ticket);
                    }
                    let program = &mut programs[worker.index()];
                    if program.awaited != Some(ticket) {
                        continue;
                    }
                    program.awaited = None;
                    worker
                }
            };
            let program = &mut programs[worker.index()];
            advance(program, worker, &mut simulation, &mut oracle, &mut reads);
        }
        oracle.check_totals(simulation.shards())?;
        Ok(Summary {
            end: simulation.now(),
            sent_bytes: simulation.sent_bytes(),
            reads: seen,
        })
    }

    fn program(&mut self) -> Program {
        let mut steps = Vec::new();
        let random = &mut self.random;
        for round in 0..self.rounds {
            for table in 0..self.tables.len() {
                // The last table is made while the others are in use.
                if round == u64::from(self.rounds > 1 && table > 1) {
                    steps.push(Step::Create(table));
                }
            }
            let usable = if round == 0 {
                self.tables.len().min(2)
            } else {
                self.tables.len()
            };
            for _ in 0..random.random_range(0..8) {
                let table = random.random_range(0..usable);
                let rows = rows(random);
                steps.push(match random.random_range(0..10) {
                    0..4 => Step::Inc(table, rows),
                    4..7 => Step::Get(table, rows),
                    7 => Step::Prefetch(table, rows),
                    8 => Step::Forget(table, rows),
                    _ => Step::Pause(Duration::from_micros(random.random_range(0..20_000))),
                });
            }
            steps.extend((0..usable).map(Step::Clock));
        }
        steps.push(Step::Leave);
        steps.reverse();
        Program {
            steps,
            awaited: None,
            done: false,
        }
    }
}

fn table(random: &mut Stream, workers: u32) -> TableSpec {
    let staleness = random.random_range(0..4);
    let consistency = match random.random_range(0..8) {
        0 => Consistency::Bsp,
        1 => Consistency::Ssp { staleness },
        2 | 3 => Consistency::SspPush { staleness },
        4 => Consistency::Asynchronous,
        5 => Consistency::BoundedDelay { delay: staleness },
        6 => Consistency::ValueBound {
            bound: (staleness + 1) as f64,
        },
        _ => Consistency::Backup {
            needed: random.random_range(1..=workers),
        },
    };
    let spec = if random.random() {
        TableSpec::dense::<i64>(workers)
    } else {
        TableSpec::sparse::<i64>()
    };
    let spec = if random.random() {
        spec.range(0, KEYS)
    } else {
        spec
    };
    let filters = match random.random() {
        true => filters(random, consistency),
        false => Filters::default(),
    };
    spec.consistency(consistency).filters(filters)
}

/// Any of the filters that lose nothing in a table of integers.
fn filters(random: &mut Stream, consistency: Consistency) -> Filters {
    let least = random.random_range(2..5);
    let keeps_back = !matches!(consistency, Consistency::ValueBound { .. }) && random.random();
    Filters {
        threshold: keeps_back.then_some(f64::from(least)),
        values: match random.random() {
            true => ValueCode::FixedPoint { fraction_bits: 0 },
            false => ValueCode::Plain,
        },
        packed_keys: random.random(),
    }
}

/// None, or one under which most jobs have to wait for the network.
fn budget(random: &mut Stream) -> Option<Budget> {
    let order = match random.random_range(0..5) {
        0 => Order::Absolute,
        1 => Order::Relative,
        2 => Order::Fifo,
        3 => Order::Random { seed: 7 },
        _ => Order::Fixed,
    };
    let budget = Budget::new(random.random_range(50_000..2_000_000)).order(order);
    random.random::<bool>().then_some(budget)
}

fn rows(random: &mut Stream) -> Arc<RowSet> {
    let mut keys: Vec<u64> = (0..KEYS)
        .filter(|_| random.random_range(0..3) == 0)
        .collect();
    if keys.is_empty() {
        keys.push(random.random_range(0..KEYS));
    }
    Arc::new(RowSet::ascending(keys).expect("a filtered range ascends"))
}

/// Carries out a program's steps until one has to be waited for.
fn advance(
    program: &mut Program,
    worker: WorkerId,
    simulation: &mut Simulation,
    oracle: &mut Oracle,
    reads: &mut BTreeMap<Ticket, Expectation>,
) {
    let id = |table: usize| TableId(table as u32);
    while program.awaited.is_none() {
        let Some(step) = program.steps.pop() else {
            program.done = true;
            return;
        };
        let ticket = match step {
            Step::Create(table) => {
                simulation.command(worker, id(table), Command::Create(oracle.spec(table)))
            }
            Step::Inc(table, rows) => {
                let batch = one_each(oracle.spec(table), &rows, worker, oracle.workers());
                let ticket = simulation.command(worker, id(table), Command::Inc(batch));
                oracle.incrementing(table, ticket, rows);
                ticket
            }
            Step::Get(table, rows) => {
                let expectation = oracle.expect(table, worker, &rows);
                let ticket = simulation.command(worker, id(table), Command::Get(rows));
                reads.insert(ticket, expectation);
                ticket
            }
            Step::Prefetch(table, rows) => {
                let expectation = oracle.expect(table, worker, &rows);
                let ticket = simulation.command(worker, id(table), Command::Get(rows));
                reads.insert(ticket, expectation);
                continue;
            }
            Step::Forget(table, rows) => {
                simulation.command(worker, id(table), Command::Forget(rows))
            }
            Step::Clock(table) => {
                let ticket = simulation.command(worker, id(table), Command::Clock);
                oracle.clocking(table, ticket);
                ticket
            }
            Step::Pause(time) => return simulation.wake(worker, time),
            Step::Leave => simulation.leave(worker),
        };
        program.awaited = Some(ticket);
    }
}

/// One for the worker's own column in each row.
fn one_each(spec: TableSpec, rows: &Arc<RowSet>, worker: WorkerId, workers: u32) -> Batch {
    if spec.layout.length.is_some() {
        let row = (0..workers).map(|column| i64::from(column == worker.0));
        return Batch::dense(
            rows.clone(),
            rows.keys().flat_map(|_| row.clone()).collect(),
        );
    }
    let count = rows.len() as u32;
    Batch::sparse(
        rows.clone(),
        (1..=count).collect(),
        vec![worker.0; rows.len()],
        vec![1i64; rows.len()],
    )
}
