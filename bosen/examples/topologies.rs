//! What broadcasts cost: bytes, latency and staleness for 8 to 1,024 workers under each topology, in
//! virtual time. Prints the table of `docs/src/topology.md`:
//!
//! ```text
//! cargo run --release -p bosen --example topologies
//! ```
//!
//! Each worker computes for 50 to 150 ms, then sends one update of 64 KB. Wires carry 1 Gbit/s each
//! way, a message is under way for 0.1 to 0.2 ms. Tables on a server are simulated with the store
//! ([`bosen::sim`]), whose connections have the wires of the workers; its server has one of its own,
//! so its bytes are divided by the wire's speed to get the least time for a step.

#![allow(clippy::unwrap_used, reason = "an example ends where it is surprised")]

use bosen::broadcast::sim::{Happening, Simulation, Weather};
use bosen::broadcast::{OnLoss, Setting};
use bosen::client::{Command, Outcome};
use bosen::consistency::Consistency;
use bosen::rows::RowSet;
use bosen::spec::TableSpec;
use bosen::topology::Topology;
use bytes::Bytes;
use rand::RngExt;
use std::sync::Arc;
use std::time::Duration;
use strads_common::ids::{Clock, TableId, WorkerId};
use strads_common::random::{Stream, stream};

const CONTENT: usize = 64 << 10;
const RATE: u64 = 125_000_000;
const DELAY: Duration = Duration::from_micros(100);
const HOUR: Duration = Duration::from_secs(3600);

/// What a run was like, for each worker and clock.
struct Figures {
    busiest_link: f64,
    sent: f64,
    messages: f64,
    step: Duration,
    latency: Duration,
    staleness: f64,
}

/// How long a worker computes.
fn computes(random: &mut Stream) -> Duration {
    Duration::from_micros(random.random_range(50_000..150_000))
}

fn broadcast(workers: u32, topology: Topology, staleness: u64, clocks: u64) -> Figures {
    let consistency = match staleness {
        0 => Consistency::Bsp,
        staleness => Consistency::Ssp { staleness },
    };
    let setting = Setting {
        me: WorkerId(0),
        workers,
        topology,
        consistency,
        on_loss: OnLoss::Stop,
        patience: HOUR,
        join: HOUR,
    };
    let weather = Weather {
        delay: DELAY,
        bytes_per_second: RATE,
        breaks_one_in: 0,
    };
    let mut simulation = Simulation::new(7, setting, weather);
    let mut random = stream(7, "computing", 0);
    let content = Bytes::from(vec![0; CONTENT]);
    let mut busy = vec![false; workers as usize];
    let mut said = vec![Vec::new(); workers as usize];
    let (mut lag, mut begun, mut latency, mut heard) = (0, 0, Duration::ZERO, 0);
    let mut look = |simulation: &mut Simulation,
                    busy: &mut Vec<bool>,
                    said: &Vec<Vec<Duration>>,
                    worker: WorkerId| {
        let now = simulation.now();
        for update in simulation.with(worker, |peer| peer.take_updates()) {
            latency += now - said[update.origin.index()][update.clock.0 as usize];
            heard += 1;
        }
        let peer = simulation.peer(worker);
        if !busy[worker.index()] && peer.now_in().0 < clocks && peer.may_begin() {
            busy[worker.index()] = true;
            lag += peer.now_in().0 - peer.floor().0.min(peer.now_in().0);
            begun += 1;
            let takes = computes(&mut random);
            simulation.wake(worker, takes);
        }
    };
    for worker in (0..workers).map(WorkerId) {
        look(&mut simulation, &mut busy, &said, worker);
    }
    let all_done = |simulation: &Simulation| {
        (0..workers).all(|worker| simulation.peer(WorkerId(worker)).floor() >= Clock(clocks))
    };
    while let Some(happening) = simulation.next(HOUR) {
        match happening {
            Happening::Changed(worker) => {
                look(&mut simulation, &mut busy, &said, worker);
                if simulation.peer(worker).floor() >= Clock(clocks) && all_done(&simulation) {
                    break;
                }
            }
            Happening::Woken(worker) => {
                busy[worker.index()] = false;
                said[worker.index()].push(simulation.now());
                let content = content.clone();
                simulation.with(worker, |peer| peer.publish(0, 0, content, true));
                look(&mut simulation, &mut busy, &said, worker);
            }
        }
    }
    let each = f64::from(workers) * clocks as f64;
    Figures {
        busiest_link: simulation.busiest_link_bytes() as f64 / clocks as f64,
        sent: *simulation.sent_bytes().iter().max().unwrap() as f64 / clocks as f64,
        messages: simulation.messages() as f64 / each,
        step: simulation.now() / clocks as u32,
        latency: latency / heard.max(1),
        staleness: lag as f64 / f64::from(begun.max(1)),
    }
}

/// Tables on a server: what its one wire carries, and how long that takes at least.
fn server(workers: u32, clocks: u64) -> Figures {
    const ENTRIES: usize = CONTENT / size_of::<f32>();
    let calm = bosen::sim::Setting::calm(7, workers, 1, DELAY);
    let mut simulation = bosen::sim::Simulation::new(calm);
    let (table, rows) = (TableId(0), Arc::new(RowSet::range(0, 1)));
    let mut random = stream(7, "computing", 0);
    let mut clock = vec![0; workers as usize];
    for worker in (0..workers).map(WorkerId) {
        simulation.command(
            worker,
            table,
            Command::Create(TableSpec::dense::<f32>(ENTRIES as u32)),
        );
        simulation.wake(worker, computes(&mut random));
    }
    let mut left = workers;
    while left > 0 {
        match simulation.next(HOUR).unwrap() {
            bosen::sim::Happening::Woken(worker) => {
                let batch = bosen::batch::Batch::dense(rows.clone(), vec![1f32; ENTRIES]);
                simulation.command(worker, table, Command::Inc(batch));
                simulation.command(worker, table, Command::Clock);
                simulation.command(worker, table, Command::Get(rows.clone()));
            }
            bosen::sim::Happening::Done { worker, result, .. } => {
                if let Outcome::Rows(_) = result.unwrap() {
                    clock[worker.index()] += 1;
                    match clock[worker.index()] < clocks {
                        true => simulation.wake(worker, computes(&mut random)),
                        false => left -= 1,
                    }
                }
            }
        }
    }
    // Half of the bytes go each way.
    let wire = simulation.sent_bytes() as f64 / clocks as f64 / 2.0;
    let carries = Duration::from_secs_f64(wire / RATE as f64);
    Figures {
        busiest_link: wire / f64::from(workers),
        sent: wire,
        messages: 3.0,
        step: simulation.now() / clocks as u32 + carries,
        latency: carries + 2 * DELAY,
        staleness: 0.0,
    }
}

fn print(workers: u32, name: &str, figures: &Figures) {
    println!(
        "| {workers} | {name} | {:.2} | {:.1} | {:.0} | {:.0} | {:.1} | {:.2} |",
        figures.busiest_link / 1e6,
        figures.sent / 1e6,
        figures.messages,
        figures.step.as_secs_f64() * 1e3,
        figures.latency.as_secs_f64() * 1e3,
        figures.staleness
    );
}

fn main() {
    let most: u32 = std::env::args()
        .nth(1)
        .map_or(1024, |most| most.parse().unwrap());
    println!(
        "| P | topology | MB a step, busiest link | MB a step, busiest wire | messages a worker | ms a step | ms to arrive | clocks behind |"
    );
    println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for workers in [8, 32, 128, 512, 1024]
        .into_iter()
        .filter(|workers| *workers <= most)
    {
        // A large job's clocks are long, and alike if all wait for each other; otherwise nobody
        // waits in the first ones, which says little of those that follow.
        let clocks = |staleness| match staleness {
            0 if workers > 128 => 3,
            _ => 10,
        };
        print(workers, "server, s = 0", &server(workers, clocks(0)));
        for topology in [Topology::Mesh, Topology::Halton, Topology::Ring] {
            for staleness in [0, 2] {
                let figures = broadcast(workers, topology, staleness, clocks(staleness));
                print(workers, &format!("{topology}, s = {staleness}"), &figures);
            }
        }
    }
}
