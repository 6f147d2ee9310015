//! The same over TCP on loopback, with nodes on threads of this process; and who is refused.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use strads::cluster::{Member, Members, Timing, serve};
use strads::{Cluster, Error, Executor};
use strads_common::auth::Secret;

use crate::wheel::{TRIP, Trip, programs, travel};

/// A node that serves until the test's process ends.
fn node(secret: &Secret) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let secret = secret.clone();
    std::thread::spawn(move || serve(listener, &secret, programs(), Timing::default()));
    address
}

fn members(nodes: usize) -> Members {
    let secret = Secret::from_bytes([7; 32]);
    let member = |rank| Member {
        name: format!("host {rank}"),
        address: node(&secret),
        workers: 2,
    };
    Members {
        nodes: (0..nodes).map(member).collect(),
        secret,
    }
}

#[test]
fn bits_are_those_of_one_thread_job_after_job() {
    let members = members(3);
    for workers in [3, 6, 1] {
        let trip = Trip { workers, ..TRIP };
        let cluster = Cluster::join(&members, Timing::default()).unwrap();
        assert_eq!(cluster.slots(), 6);
        let found = travel(&Executor::Cluster(cluster), trip).unwrap();
        assert_eq!(found, travel(&Executor::Inline, trip).unwrap());
    }
}

#[test]
fn large_blocks_and_their_lengths_survive_the_way() {
    let cluster = Cluster::join(&members(2), Timing::default()).unwrap();
    let executor = Executor::Cluster(cluster);
    let trip = Trip {
        workers: 2,
        blocks: 300,
        rounds: 300,
        ..TRIP
    };
    assert_eq!(
        travel(&executor, trip).unwrap(),
        travel(&Executor::Inline, trip).unwrap()
    );
}

#[test]
fn a_busy_node_and_a_wrong_secret_are_named() {
    let timing = Timing {
        patience: std::time::Duration::ZERO,
        ..Timing::default()
    };
    let mut members = members(2);
    let _first = Cluster::join(&members, timing).unwrap();
    let busy = Cluster::join(&members, timing).unwrap_err();
    assert!(busy.to_string().contains("works for another job"), "{busy}");
    members.secret = Secret::from_bytes([8; 32]);
    let refused = Cluster::join(&members, timing).unwrap_err();
    assert!(matches!(&refused, Error::Unreachable { node, .. } if node == "host 0"));
    assert!(refused.to_string().contains("secret"), "{refused}");
}

#[test]
fn nobody_listening_says_so() {
    let mut members = members(1);
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    members.nodes[0].address = unused.local_addr().unwrap();
    drop(unused);
    let timing = Timing {
        patience: std::time::Duration::ZERO,
        ..Timing::default()
    };
    let refused = Cluster::join(&members, timing).unwrap_err();
    assert!(refused.to_string().contains("strads node"), "{refused}");
}

#[test]
fn all_who_are_absent_are_named_at_once() {
    let mut members = members(4);
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = unused.local_addr().unwrap();
    drop(unused);
    for node in [0, 2, 3] {
        members.nodes[node].address = nowhere;
    }
    let timing = Timing {
        patience: std::time::Duration::ZERO,
        ..Timing::default()
    };
    match Cluster::join(&members, timing) {
        Err(Error::Unreachable { node, others, .. }) => {
            assert_eq!(node, "host 0");
            assert_eq!(others, ["host 2", "host 3"]);
        }
        other => panic!("{other:?}"),
    }
    members.nodes.retain(|node| node.address != nowhere);
    Cluster::join(&members, Timing::default()).unwrap();
}

/// A stranger is not answered after his greeting, and a frame of 2 GB before the proof is not one.
#[test]
fn strangers_are_cut_off() {
    let address = members(1).nodes[0].address;
    for greeting in [
        &b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n            "[..],
        &[0xff; 64],
    ] {
        let mut stranger = TcpStream::connect(address).unwrap();
        stranger.write_all(greeting).unwrap();
        let mut answer = Vec::new();
        // An orderly end or a reset: in any case nothing was said.
        let _ = stranger.read_to_end(&mut answer);
        assert!(answer.is_empty());
    }
}
