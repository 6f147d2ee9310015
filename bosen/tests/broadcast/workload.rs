//! A random job from a seed: how many workers, over what, how far apart, and who crashes when.

use super::oracle::{Oracle, pieces};
use bosen::broadcast::sim::{Happening, Simulation, Weather};
use bosen::broadcast::{OnLoss, Setting, Update};
use bosen::consistency::Consistency;
use bosen::topology::Topology;
use rand::RngExt;
use std::collections::BTreeSet;
use std::time::Duration;
use strads_common::ids::{Clock, WorkerId};
use strads_common::random::{Stream, stream};

const CLOCKS: u64 = 12;
/// A run that is not over by then hangs.
const END: Duration = Duration::from_secs(1000);

pub struct Workload {
    setting: Setting,
    random: Stream,
    simulation: Simulation,
    oracle: Oracle,
    alive: BTreeSet<WorkerId>,
    /// Those who are about to say something.
    busy: BTreeSet<WorkerId>,
    /// When the next one crashes, and who.
    crashes: Vec<(Duration, WorkerId)>,
}

impl Workload {
    pub fn new(seed: u64) -> Workload {
        let mut random = stream(seed, "broadcast workload", 0);
        let workers = random.random_range(1..=9u32);
        let topology = Topology::ALL[random.random_range(0..3)];
        let consistency = match random.random_range(0..4) {
            0 | 1 => Consistency::Bsp,
            2 => Consistency::Ssp {
                staleness: random.random_range(0..4),
            },
            _ => Consistency::Asynchronous,
        };
        let setting = Setting {
            me: WorkerId(0),
            workers,
            topology,
            consistency,
            on_loss: OnLoss::Continue,
            patience: Duration::from_millis(500),
            join: Duration::from_secs(5),
        };
        let weather = Weather {
            delay: Duration::from_millis(random.random_range(0..30)),
            bytes_per_second: [0, 10_000, 1_000_000][random.random_range(0..3)],
            breaks_one_in: [0, 0, 20, 200][random.random_range(0..4)],
        };
        // A majority survives together; whether more crash one after another is left to chance.
        let most = if random.random_range(0..2) == 0 {
            0
        } else {
            workers.div_ceil(2) - 1
        };
        let mut crashes: Vec<(Duration, WorkerId)> = (0..most)
            .map(|_| {
                let at = Duration::from_millis(random.random_range(0..3000));
                (at, WorkerId(random.random_range(0..workers)))
            })
            .collect();
        crashes.sort();
        crashes.reverse();
        Workload {
            setting,
            random,
            simulation: Simulation::new(seed, setting, weather),
            oracle: Oracle::new(workers as usize, consistency),
            alive: (0..workers).map(WorkerId).collect(),
            busy: BTreeSet::new(),
            crashes,
        }
    }

    /// Runs to the end; `falsify` changes what is handed out.
    pub fn run(mut self, falsify: impl Fn(&mut Vec<Update>)) -> Result<(), String> {
        for worker in self.alive.clone() {
            self.look_at(worker, &falsify)?;
        }
        while !self.is_over() {
            let Some(happening) = self.simulation.next(END) else {
                return Err(self.standstill());
            };
            self.crash_who_is_due();
            match happening {
                Happening::Changed(worker) => self.look_at(worker, &falsify)?,
                Happening::Woken(worker) if self.busy.remove(&worker) => {
                    self.say(worker);
                    self.look_at(worker, &falsify)?;
                }
                Happening::Woken(worker) => self.look_at(worker, &falsify)?,
            }
        }
        self.oracle.ended(&self.alive, CLOCKS)
    }

    fn crash_who_is_due(&mut self) {
        let now = self.simulation.now();
        while let Some((_, worker)) = self.crashes.pop_if(|(at, _)| *at <= now) {
            if self.alive.remove(&worker) {
                self.simulation.crash(worker);
            }
        }
    }

    /// All survivors have said everything and heard everything, the last words of the dead too.
    fn is_over(&self) -> bool {
        let done = |worker: &WorkerId| {
            let peer = self.simulation.peer(*worker);
            let knows = peer.members().len() == self.alive.len();
            peer.now_in() == Clock(CLOCKS) && peer.is_settled() && knows
        };
        self.alive.iter().all(done)
    }

    fn standstill(&self) -> String {
        let state = |worker: &WorkerId| {
            let peer = self.simulation.peer(*worker);
            format!(
                "\n{worker}: in {}, has all before {}, members {:?}",
                peer.now_in(),
                peer.floor(),
                peer.members()
            )
        };
        let states: String = self.alive.iter().map(state).collect();
        format!("no end in sight: {:?}{states}", self.setting)
    }

    /// Takes what a worker is handed, and lets it begin its next clock if it may.
    fn look_at(
        &mut self,
        worker: WorkerId,
        falsify: &impl Fn(&mut Vec<Update>),
    ) -> Result<(), String> {
        if !self.alive.contains(&worker) {
            return Ok(());
        }
        if let Some(failure) = self.simulation.peer(worker).failure() {
            return Err(format!("{worker} stops: {failure}"));
        }
        let mut updates = self.simulation.with(worker, |peer| peer.take_updates());
        falsify(&mut updates);
        for update in &updates {
            self.oracle.handed(worker, update)?;
        }
        let peer = self.simulation.peer(worker);
        let clock = peer.now_in();
        if clock < Clock(CLOCKS) && peer.may_begin() && self.busy.insert(worker) {
            self.oracle.begins(worker, clock, &self.alive)?;
            let takes = Duration::from_millis(self.random.random_range(0..100));
            self.simulation.wake(worker, takes);
        }
        Ok(())
    }

    fn say(&mut self, worker: WorkerId) {
        if !self.alive.contains(&worker) {
            return;
        }
        let clock = self.simulation.peer(worker).now_in();
        let pieces = pieces(worker, clock);
        let last = pieces.len() - 1;
        for (index, content) in pieces.into_iter().enumerate() {
            // The last piece is the most urgent: order on the wire is not order of handing out.
            let urgency = (last - index) as u16;
            self.simulation.with(worker, |peer| {
                peer.publish(urgency, 0, content.into(), index == last);
            });
        }
    }
}
