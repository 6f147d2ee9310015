//! The server, and beside it a watch on the interfaces: how many bytes each link has carried, by
//! the kernel's own count.

use crate::Outcome;
use crate::cases::{self, Case, Settings};
use crate::network::interface;
use bosen::tcp::{Server, ServerOptions, Timing};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use strads_common::ids::ShardId;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    case: Case,
    #[command(flatten)]
    settings: Settings,
}

/// Where it listens, in a namespace of its own.
pub const PORT: u16 = 7_777;
/// Between two looks at the counters.
const LOOK: Duration = Duration::from_millis(10);

pub fn run(args: &Args) -> Outcome<()> {
    let settings = &args.settings;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    let options = ServerOptions {
        shard: ShardId(0),
        shards: 1,
        workers: settings.workers,
        secret: cases::read_secret()?,
        timing: Timing::default(),
    };
    let server = match cases::budget(&args.case, settings) {
        Some(budget) => Server::managed(listener, options, budget)?,
        None => Server::start(listener, options)?,
    };
    println!("{}", serde_json::json!({ "listens": PORT }));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch(settings.workers, &over));
        let joined = server.join();
        over.store(true, Ordering::Relaxed);
        watch.join().expect("watching does not panic")?;
        Ok(joined?)
    })
}

/// Says now and then what each interface has carried: to the worker, and from it.
fn watch(workers: u32, over: &AtomicBool) -> std::io::Result<()> {
    let begun = Instant::now();
    while !over.load(Ordering::Relaxed) {
        let mut counts = Vec::new();
        for worker in 0..workers {
            let path = format!("/sys/class/net/{}/statistics", interface(worker));
            for direction in ["tx_bytes", "rx_bytes"] {
                let text = std::fs::read_to_string(format!("{path}/{direction}"))?;
                counts.push(text.trim().parse::<u64>().map_err(std::io::Error::other)?);
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{}",
            serde_json::json!({ "wire": counts, "seconds": seconds })
        );
        std::thread::sleep(LOOK);
    }
    Ok(())
}
