//! Peers that do not behave: each is refused or cut off, and a well-behaved worker beside it goes
//! on undisturbed. The server says in its log what it has refused.

use super::{TABLE, log, range, secret, servers, worker};
use bosen::batch::Batch;
use bosen::consistency::Consistency;
use bosen::filter::Coding;
use bosen::message::{PartId, Sequence, ToShard};
use bosen::rows::RowSet;
use bosen::spec::TableSpec;
use bosen::tcp::Server;
use bosen::wire::{Outgoing, Remembered};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use strads_common::auth::Secret;
use strads_common::frame::Header;
use strads_common::ids::{Clock, WorkerId};

/// Proves `secret` over a blocking socket.
fn prove(stream: TcpStream, secret: &Secret) -> Option<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        stream.set_nonblocking(true).unwrap();
        let mut stream = tokio::net::TcpStream::from_std(stream).unwrap();
        let proven = secret.call(&mut stream).await;
        let stream = stream.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        proven.ok().map(|()| stream)
    })
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// A connection that has said that it is `id` of `workers` workers of a job with one shard.
pub fn join(server: &Server, id: WorkerId, workers: u32) -> TcpStream {
    let mut stream = prove(connect(server), &secret()).unwrap();
    let hello = Outgoing::hello(id, workers, 0, 1);
    stream.write_all(&hello.header.encode(&[])).unwrap();
    // The first frame that comes back is the welcome.
    stream.read_exact(&mut [0; 40]).unwrap();
    stream
}

/// Reads until the server ends the connection; returns how much it said before.
fn expect_end(mut stream: TcpStream) -> usize {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => said.len(),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => said.len(),
        Err(error) => panic!("the server did not end the connection: {error}"),
    }
}

/// Runs `attack` against a server that has a well-behaved worker.
fn beside_a_worker(attack: impl FnOnce(&Server)) {
    log::start();
    let servers = servers(2, 1);
    let worker = worker(0, 2, &servers);
    worker
        .create(
            TABLE,
            TableSpec::dense::<i32>(1).consistency(Consistency::Asynchronous),
        )
        .unwrap();
    worker.inc(TABLE, &range(3), vec![1i32; 3]).unwrap();
    attack(&servers[0]);
    worker.inc(TABLE, &range(3), vec![1i32; 3]).unwrap();
    assert_eq!(worker.get::<i32>(TABLE, &range(3)).unwrap(), [2, 2, 2]);
}

#[test]
fn a_stranger_is_turned_away() {
    beside_a_worker(|server| {
        let mut stream = connect(server);
        stream.write_all(&[b'x'; 10_000]).unwrap();
        assert_eq!(expect_end(stream), 0);
        log::expect("the peer does not speak this protocol");
    });
}

#[test]
fn a_silent_stranger_is_turned_away() {
    beside_a_worker(|server| assert_eq!(expect_end(connect(server)), 0));
    log::expect("did not prove itself in time");
}

#[test]
fn another_secret_is_turned_away() {
    beside_a_worker(|server| {
        assert!(prove(connect(server), &Secret::from_bytes([1; 32])).is_none())
    });
}

/// Who has recorded a proof, or makes one up, cannot use it: the server's nonce is another.
#[test]
fn a_replayed_proof_is_turned_away() {
    beside_a_worker(|server| {
        let mut stream = connect(server);
        stream.write_all(b"STRADS\0\x01").unwrap();
        stream.write_all(&[7; 32]).unwrap();
        stream.read_exact(&mut [0; 64]).unwrap();
        stream.write_all(&[9; 32]).unwrap();
        assert_eq!(expect_end(stream), 0);
        log::expect("the peer does not know the job's secret");
    });
}

/// An update takes effect once, however often its frame comes.
#[test]
fn a_replayed_update_takes_effect_once() {
    beside_a_worker(|server| {
        let mut stream = join(server, WorkerId(1), 2);
        let update = ToShard::Update {
            sequence: Sequence(1),
            table: TABLE,
            clock: Clock(0),
            batch: Batch::dense(Arc::new(RowSet::range(100, 2)), vec![5i32, 6]),
            coding: Coding::default(),
        };
        let update = Outgoing::to_shard(&update, &mut Remembered::default());
        let bytes = [
            &update.header.encode(&update.parts)[..],
            &update.parts.concat(),
        ]
        .concat();
        for _ in 0..3 {
            stream.write_all(&bytes).unwrap();
        }
        let get = ToShard::Get {
            part: PartId(0),
            table: TABLE,
            rows: Arc::new(RowSet::range(100, 2)),
            need: Clock(0),
        };
        let get = Outgoing::to_shard(&get, &mut Remembered::default());
        let bytes = [&get.header.encode(&get.parts)[..], &get.parts.concat()].concat();
        stream.write_all(&bytes).unwrap();
        let values = [5i32, 6].map(i32::to_le_bytes).concat();
        assert_eq!(next_body(&mut stream), values);
    });
}

/// The next body that a server sends.
fn next_body(stream: &mut TcpStream) -> Vec<u8> {
    loop {
        let mut header = [0; 40];
        stream.read_exact(&mut header).unwrap();
        let length = u32::from_le_bytes(header[..4].try_into().unwrap());
        if length > 0 {
            let mut body = vec![0; length as usize];
            stream.read_exact(&mut body).unwrap();
            return body;
        }
    }
}

#[test]
fn a_crowd_of_strangers_keeps_nobody_out() {
    beside_a_worker(|server| {
        let crowd: Vec<TcpStream> = (0..100).map(|_| connect(server)).collect();
        crowd.into_iter().for_each(|stream| {
            expect_end(stream);
        });
    });
}

#[test]
fn a_long_hello_is_refused_before_it_is_read() {
    beside_a_worker(|server| {
        let mut stream = prove(connect(server), &secret()).unwrap();
        let mut header = Outgoing::hello(WorkerId(1), 2, 0, 1).header.encode(&[]);
        header[0..4].copy_from_slice(&(64u32 << 20).to_le_bytes());
        stream.write_all(&header).unwrap();
        assert_eq!(expect_end(stream), 0);
        log::expect("frame of 67108864 bytes");
    });
}

#[test]
fn a_worker_of_another_job_is_refused() {
    beside_a_worker(|server| {
        for (id, workers, shard, shards) in [(1, 3, 0, 1), (1, 2, 1, 1), (1, 2, 0, 2), (7, 2, 0, 1)]
        {
            let mut stream = prove(connect(server), &secret()).unwrap();
            let hello = Outgoing::hello(WorkerId(id), workers, shard, shards);
            stream.write_all(&hello.header.encode(&[])).unwrap();
            assert_eq!(expect_end(stream), 0);
        }
    });
}

#[test]
fn frames_that_make_no_sense_end_their_connection_only() {
    beside_a_worker(|server| {
        let frame = |kind| {
            Header {
                kind,
                ..Header::default()
            }
            .encode(&[])
        };
        let mut other_version = frame(17);
        other_version[4] = 9;
        let mut changed = frame(18);
        changed[20] ^= 1;
        let mut endless = frame(17);
        endless[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
        for nonsense in [
            frame(99),
            frame(17),
            other_version,
            changed,
            endless,
            [0xff; 40],
            [0; 40],
        ] {
            let mut stream = join(server, WorkerId(1), 2);
            stream.write_all(&nonsense).unwrap();
            expect_end(stream);
        }
    });
    for refusal in [
        "frame of unknown kind 99",
        "frame with a truncated body",
        "frame of version 9,",
        "frame with a wrong checksum",
        "frame of 4294967295 bytes",
        "frame of version 255",
        "frame of version 0",
    ] {
        log::expect(refusal);
    }
}

#[test]
fn a_worker_that_falls_silent_is_cut_off() {
    beside_a_worker(|server| {
        let mut stream = join(server, WorkerId(1), 2);
        // Half a header, and nothing more.
        stream.write_all(&[0; 20]).unwrap();
        expect_end(stream);
    });
}
