//! What goes over links is counted, by link and kind: blocks from node to node, everything else
//! between coordinator and nodes.

use std::collections::BTreeSet;

use strads::cluster::Weather;
use strads::record::Traffic;
use strads::{Cluster, Executor};

use crate::wheel::{TRIP, links, programs};

fn of_kind(links: &[Traffic], kind: &str) -> BTreeSet<(String, String)> {
    let of_kind = links
        .iter()
        .filter(|link| link.kind == kind && link.bytes > 0);
    of_kind
        .map(|link| (link.from.clone(), link.to.clone()))
        .collect()
}

#[test]
fn every_kind_goes_over_its_links() {
    let on = |seed| {
        let weather = Weather { seed, loss: None };
        let executor = Executor::Cluster(Cluster::simulated(3, programs(), weather));
        links(&executor, TRIP).unwrap()
    };
    let found = on(1);
    let node = |rank: usize| format!("simulated node {rank}");
    let home = || "coordinator".to_owned();
    let out: BTreeSet<_> = (0..3).map(|rank| (home(), node(rank))).collect();
    let back: BTreeSet<_> = (0..3).map(|rank| (node(rank), home())).collect();
    assert_eq!(of_kind(&found, "tasks"), out);
    assert_eq!(of_kind(&found, "shared values"), out);
    assert_eq!(of_kind(&found, "shares"), back);
    assert_eq!(of_kind(&found, "shards"), &out | &back);
    // A block leaves home once and then goes round.
    let blocks = of_kind(&found, "blocks");
    assert!(
        blocks
            .iter()
            .any(|(from, to)| *from != home() && *to != home()),
        "{blocks:?}"
    );
    // How much goes where is decided by plans, not by the weather.
    assert_eq!(on(2), found);
}

#[test]
fn one_process_has_no_links() {
    assert_eq!(links(&Executor::Inline, TRIP).unwrap(), []);
}
