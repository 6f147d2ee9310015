//! What a check has found, as tables for people or events for programs.

use serde::Serialize;

use super::ask::{Found, Pair};
use super::question::Facts;
use crate::console::Console;

/// A clock that is further away makes logs hard to read together.
const CLOCK_SECONDS: f64 = 1.0;
/// A slower link is worth a remark: 100 Mbit/s.
const SLOW_BYTES: f64 = 12.5e6;

#[derive(Serialize)]
struct HostEvent<'a> {
    host: &'a str,
    reachable: bool,
    address: Option<String>,
    workers: Option<usize>,
    #[serde(flatten)]
    facts: Option<&'a Facts>,
    clock_ahead_seconds: Option<f64>,
    trouble: Option<&'a str>,
}

#[derive(Serialize)]
struct PairEvent<'a> {
    from: &'a str,
    to: &'a str,
    round_trip_us: Option<f64>,
    bytes_per_second: Option<f64>,
    trouble: Option<&'a str>,
}

/// Shows all that has been found, and what to do about what does not work.
pub fn show(console: &mut Console, hosts: &[Found], pairs: &[Pair]) {
    events(console, hosts, pairs);
    for line in host_table(hosts) {
        console.say(line);
    }
    if !pairs.is_empty() {
        console.say("");
        console.say("round trip, and throughput from row to column");
        for line in link_table(hosts, pairs) {
            console.say(line);
        }
    }
    let remarks = remarks(hosts, pairs);
    if !remarks.is_empty() {
        console.say("");
        remarks.iter().for_each(|remark| console.say(remark));
    }
}

fn events(console: &mut Console, hosts: &[Found], pairs: &[Pair]) {
    for host in hosts {
        let facts = host.facts.as_ref();
        let event = HostEvent {
            host: &host.name,
            reachable: facts.is_ok(),
            address: host
                .member
                .as_ref()
                .map(|member| member.address.to_string()),
            workers: host.member.as_ref().map(|member| member.workers),
            facts: facts.ok(),
            clock_ahead_seconds: facts.ok().map(|_| host.clock_ahead_seconds),
            trouble: facts.err().map(String::as_str),
        };
        console.event("host", event);
    }
    for pair in pairs {
        let link = pair.link.as_ref();
        let event = PairEvent {
            from: name(hosts, pair.from),
            to: name(hosts, Some(pair.to)),
            round_trip_us: link.ok().map(|link| link.round_trip_seconds * 1e6),
            bytes_per_second: link.ok().map(|link| link.bytes_per_second),
            trouble: link.err().map(String::as_str),
        };
        console.event("pair", event);
    }
}

fn name(hosts: &[Found], at: Option<usize>) -> &str {
    at.map_or("here", |at| &hosts[at].name)
}

fn host_table(hosts: &[Found]) -> Vec<String> {
    let head = [
        "host",
        "listens on",
        "version",
        "cores",
        "workers",
        "memory",
        "clock",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for host in hosts {
        let mut row = vec![host.name.clone()];
        match (&host.facts, &host.member) {
            (Ok(facts), Some(member)) => row.extend([
                member.address.to_string(),
                facts.version.clone(),
                facts.cores.to_string(),
                member.workers.to_string(),
                format!("{:.1} GiB", facts.memory_bytes as f64 / f64::from(1 << 30)),
                format!("{:+.1} ms", host.clock_ahead_seconds * 1e3),
            ]),
            _ => row.push("does not work, see below".to_owned()),
        }
        rows.push(row);
    }
    aligned(&rows)
}

fn link_table(hosts: &[Found], pairs: &[Pair]) -> Vec<String> {
    let mut columns: Vec<usize> = pairs.iter().map(|pair| pair.to).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut head = vec![String::new()];
    head.extend(columns.iter().map(|&at| hosts[at].name.clone()));
    let mut rows = vec![head];
    for from in std::iter::once(None).chain(columns.iter().copied().map(Some)) {
        let mut row = vec![name(hosts, from).to_owned()];
        for &to in &columns {
            let pair = pairs.iter().find(|pair| (pair.from, pair.to) == (from, to));
            row.push(match pair.map(|pair| &pair.link) {
                Some(Ok(link)) => format!(
                    "{} {}",
                    time(link.round_trip_seconds),
                    rate(link.bytes_per_second)
                ),
                Some(Err(_)) => "fails".to_owned(),
                None => "-".to_owned(),
            });
        }
        rows.push(row);
    }
    aligned(&rows)
}

fn time(seconds: f64) -> String {
    if seconds < 1e-3 {
        format!("{:.0} µs", seconds * 1e6)
    } else {
        format!("{:.1} ms", seconds * 1e3)
    }
}

fn rate(bytes_per_second: f64) -> String {
    if bytes_per_second < 1e9 {
        format!("{:.1} MB/s", bytes_per_second / 1e6)
    } else {
        format!("{:.1} GB/s", bytes_per_second / 1e9)
    }
}

/// Rows as lines in which columns stand below each other.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// What does not work or is worth knowing, each with what to do about it.
fn remarks(hosts: &[Found], pairs: &[Pair]) -> Vec<String> {
    let mut remarks = Vec::new();
    for host in hosts {
        match &host.facts {
            Err(why) => remarks.push(format!("{}: {}", host.name, why.replace('\n', "\n    "))),
            Ok(_) if host.clock_ahead_seconds.abs() > CLOCK_SECONDS => remarks.push(format!(
                "{}: its clock is {:+.1} s from this one; results do not depend on that, logs do: \
                 let NTP set it",
                host.name, host.clock_ahead_seconds
            )),
            Ok(_) => {}
        }
    }
    for pair in pairs {
        let ends = || {
            format!(
                "{} to {}",
                name(hosts, pair.from),
                name(hosts, Some(pair.to))
            )
        };
        match &pair.link {
            Err(why) => remarks.push(format!(
                "{}: {why}\n    Let the hosts reach each other's ports, or fix them by lines \
                 \"id ip port\".",
                ends()
            )),
            Ok(link) if link.bytes_per_second < SLOW_BYTES => remarks.push(format!(
                "{}: {} is slow; parameters cross this link every round",
                ends(),
                rate(link.bytes_per_second)
            )),
            Ok(_) => {}
        }
    }
    let cores: Vec<usize> = hosts
        .iter()
        .filter_map(|host| Some(host.facts.as_ref().ok()?.cores))
        .collect();
    if cores.iter().any(|&one| one != cores[0]) {
        remarks.push(
            "Hosts have different numbers of cores; each gets as many workers unless the hostfile \
             says slots=N."
                .to_owned(),
        );
    }
    remarks
}
