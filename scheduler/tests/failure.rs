//! Holds up: what goes wrong in a run is named, with worker and round; it ends the run, never hangs
//! it; and the rounds that were planned behind it are handed back to the program.

use strads::{
    Error, Executor, Lender, Loan, Moved, Plan, Program, Record, Round, Run, Shares, Stop,
};

const EVERYWHERE: [Executor; 4] = [
    Executor::Inline,
    Executor::Threads(1),
    Executor::Threads(2),
    Executor::Threads(4),
];

/// Lends block w to worker w; in round 3 something is wrong.
struct Faulty {
    fault: Fault,
    blocks: Lender<u64>,
    scheduled: u64,
    pulled: u64,
    unsent: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Push,
    EveryPush,
    Worker,
    Conflict,
    Schedule,
    Pull,
}

struct Order {
    fails: bool,
    block: Loan<u64>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            blocks: Lender::new([0; 4]),
            scheduled: 0,
            pulled: 0,
            unsent: 0,
        }
    }

    fn run(&mut self, executor: &Executor, depth: usize) -> Result<Record, Error> {
        let run = Run::new().depth(depth).until(Stop::after_rounds(10));
        run.on(executor, self, &mut [(), (), (), ()])
    }
}

impl Program for Faulty {
    type Shard = ();
    type Task = Order;
    type Share = ();

    fn schedule(&mut self, round: &mut Round) -> Plan<Order> {
        self.scheduled += 1;
        let bad = round.number() == 3;
        assert!(!(bad && self.fault == Fault::Schedule), "schedule fails");
        let mut plan = Plan::new();
        for worker in 0..round.workers() {
            let claimed = if bad && self.fault == Fault::Conflict && worker == 2 {
                1
            } else {
                worker
            };
            let order = Order {
                fails: bad
                    && (self.fault == Fault::EveryPush || self.fault == Fault::Push && worker == 2),
                block: self.blocks.lend(worker),
            };
            let target = if bad && self.fault == Fault::Worker && worker == 3 {
                17
            } else {
                worker
            };
            plan.assign(target, order).writing(claimed..claimed + 1);
        }
        plan
    }

    fn push((): &mut (), mut order: Order) {
        let mut block = order.block.open();
        *block += 1;
        assert!(!order.fails, "nobody expects {}", "this");
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        assert!(
            !(self.pulled == 3 && self.fault == Fault::Pull),
            "pull fails"
        );
        self.pulled += 1;
        self.unsent += shares.unsent.len();
        Moved::default()
    }
}

/// One panicking worker among four: named, and nobody waits for it for ever.
#[test]
fn a_panic_in_push_is_named() {
    for executor in EVERYWHERE {
        for depth in [1, 3] {
            let mut program = Faulty::new(Fault::Push);
            let error = program.run(&executor, depth).unwrap_err();
            let message = "nobody expects this".to_owned();
            assert_eq!(
                error,
                Error::Panicked {
                    worker: 2,
                    round: 3,
                    message
                }
            );
            assert!((0..4).all(|block| program.blocks.at_home(block)));
            // The lost round is the only one that is not pulled.
            assert_eq!(program.pulled, program.scheduled - 1);
            assert_eq!(program.unsent, 4 * (depth - 1));
        }
    }
}

/// When all fail at once, one of them is named.
#[test]
fn many_panics_are_one_failure() {
    for executor in EVERYWHERE {
        let error = Faulty::new(Fault::EveryPush).run(&executor, 2).unwrap_err();
        assert!(
            matches!(error, Error::Panicked { round: 3, .. }),
            "{error:?}"
        );
    }
}

/// A plan that cannot be run safely does not run at all: its tasks come back unsent.
#[test]
fn a_bad_plan_is_refused_and_handed_back() {
    for executor in EVERYWHERE {
        for depth in [1, 3] {
            let no_such_worker = Error::NoSuchWorker {
                round: 3,
                worker: 17,
                workers: 4,
            };
            let conflict = Error::Conflict {
                round: 3,
                first: 1,
                second: 2,
            };
            for (fault, expected) in [(Fault::Worker, no_such_worker), (Fault::Conflict, conflict)]
            {
                let mut program = Faulty::new(fault);
                assert_eq!(program.run(&executor, depth).unwrap_err(), expected);
                assert_eq!(program.pulled, program.scheduled);
                // Planning goes on only while a round runs, so round 3 has depth − 2 behind it.
                assert_eq!(program.unsent as u64, 4 * (program.scheduled - 3));
                let done: u64 = (0..4).map(|b| program.blocks.with(b, |n| *n)).sum();
                assert_eq!(done, 12, "round 3 did not run");
            }
        }
    }
}

/// A panic of the program itself passes through the run; threads that wait for work are let go.
#[test]
fn a_panic_in_schedule_or_pull_does_not_hang() {
    for executor in EVERYWHERE {
        for fault in [Fault::Schedule, Fault::Pull] {
            let mut program = Faulty::new(fault);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                program.run(&executor, 2).map(|_| ())
            }));
            assert!(outcome.is_err());
        }
    }
}

/// Without shards there is nobody to do anything.
#[test]
fn no_shards_is_an_error() {
    for executor in EVERYWHERE {
        let mut program = Faulty::new(Fault::Push);
        let outcome = Run::new().on(&executor, &mut program, &mut []);
        assert_eq!(outcome.unwrap_err(), Error::NoWorkers);
        assert_eq!(program.scheduled, 0);
    }
}
