//! `strads cluster check` tells what works on a real cluster, and what to do about what does not.

#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::Value;
use strads_tests::hosts::Hosts;
use strads_tests::running::{PATIENCE, Running};

fn check(hosts: &Hosts, hostfile: &str) -> (Vec<Value>, i32, String) {
    let hostfile = hosts.write("check.txt", hostfile);
    let running = Running::start(hosts.strads("cluster check --json", &hostfile));
    let ended = running.end(PATIENCE);
    let events = ended.stdout.lines();
    let events = events.map(|line| serde_json::from_str(line).unwrap());
    (events.collect(), ended.status.code().unwrap(), ended.stderr)
}

fn of<'a>(events: &'a [Value], event: &str) -> Vec<&'a Value> {
    let is = |one: &&Value| one["event"] == event;
    events.iter().filter(is).collect()
}

#[test]
fn it_measures_what_works_and_explains_what_does_not() {
    let Some(hosts) = Hosts::start(3) else { return };
    hosts.limit(2, 40);
    let (events, code, stderr) = check(&hosts, "node[01-02]\n10.77.0.13 slots=3\n");
    assert_eq!(code, 0, "{stderr}\n{events:#?}");
    let found = of(&events, "host");
    let listens = |at: usize| found[at]["address"].as_str().unwrap().to_owned();
    // Each on its own address, whether it is named, aliased or given, and on no other.
    for at in 0..3 {
        let own = format!("10.77.0.{}:", 11 + at);
        assert!(listens(at).starts_with(&own), "{}", listens(at));
    }
    assert_eq!(found[2]["workers"], 3);
    let pairs = of(&events, "pair");
    assert_eq!(pairs.len(), 9);
    let rate = |from: &str, to: &str| {
        let is = |pair: &&&Value| pair["from"] == from && pair["to"] == to;
        pairs.iter().find(is).unwrap()["bytes_per_second"]
            .as_f64()
            .unwrap()
    };
    // 40 Mbit/s are 5 MB/s; what is not limited is far above.
    assert!(rate("node02", "node01") < 6e6);
    assert!(rate("node01", "node02") > 12e6);
    hosts.nothing_is_left();

    // The program is copied once for each host.
    for host in 1..=3 {
        assert_eq!(
            fs::read_dir(hosts.cache(host).join("strads"))
                .unwrap()
                .count(),
            1
        );
    }

    // A host that does not answer, a key that is not known, a name that nobody knows.
    hosts.cut(2);
    let (events, code, stderr) = check(&hosts, "node01\nnode02\nnode09\n");
    assert_eq!(code, 3, "{stderr}");
    let found = of(&events, "host");
    assert_eq!(found[0]["reachable"], true);
    let trouble = |at: usize| found[at]["trouble"].as_str().unwrap().to_owned();
    assert!(trouble(1).contains("firewall"), "{}", trouble(1));
    assert!(trouble(2).contains("resolve"), "{}", trouble(2));
    hosts.mend(2);
    hosts.write("known_hosts", "");
    let (events, code, _) = check(&hosts, "node01\n");
    assert_eq!(code, 3);
    let trouble = of(&events, "host")[0]["trouble"].to_string();
    assert!(
        trouble.contains("accept it once: ssh node01 true"),
        "{trouble}"
    );
    hosts.nothing_is_left();
}
