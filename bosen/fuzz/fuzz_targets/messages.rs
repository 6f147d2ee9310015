//! Any frames, as an authenticated worker may send them, are messages or an error, and a shard and
//! a worker that get the messages do not panic.
//!
//! Frames are made whole here, with their checksum, so that what lies behind it is reached.

#![no_main]

use bosen::client::{self, Client, Limits};
use bosen::message::{LinkId, ToShard};
use bosen::shard::{self, Patience, Shard};
use bosen::spec::{Keys, TableSpec};
use bosen::wire::{Recalled, read_to_shard, read_to_worker};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::time::Duration;
use strads_common::frame::{Frame, Header};
use strads_common::ids::{ShardId, TableId, WorkerId};

const FOREVER: Duration = Duration::from_secs(1 << 30);

/// The next frame: its header's fields a byte each, the length of its body, the body.
fn next_frame(bytes: &mut &[u8]) -> Option<Frame> {
    let (head, rest) = bytes.split_at_checked(8)?;
    let length = usize::from(head[7]).min(rest.len());
    let (body, rest) = rest.split_at(length);
    *bytes = rest;
    // Kinds are few: let most bytes be one of them.
    let header = Header {
        kind: head[0] % 40,
        flags: u16::from_le_bytes([head[1], head[6]]),
        table: u32::from(head[2] % 4),
        clock: u64::from(head[3]),
        sequence: u64::from(head[4]),
        extra: u64::from(head[5]),
    };
    Some(Frame { header, body: Bytes::copy_from_slice(body) })
}

/// A description of a table that would only take all memory.
fn is_large(message: &ToShard) -> bool {
    let ToShard::Create { spec, .. } = message else { return false };
    let rows = match spec.keys {
        Keys::Any => 1,
        Keys::Range { len, .. } => len,
    };
    rows.saturating_mul(spec.layout.row_bytes() as u64) > 1 << 20
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes;
    let patience = Patience { join: FOREVER, rejoin: FOREVER };
    let mut shard = Shard::new(2, patience, Duration::ZERO);
    let limits = Limits { window_bytes: 1 << 20, patience: FOREVER, join: FOREVER };
    let mut client = Client::new(WorkerId(0), 1, limits, Duration::ZERO);
    let (link, worker) = (LinkId(0), WorkerId(0));
    shard.on_event(shard::Event::Connected { link, worker }, Duration::ZERO);
    let tables = [
        TableSpec::dense::<f32>(3).range(0, 100),
        TableSpec::sparse::<i64>(),
        TableSpec::dense::<f64>(2).consistency(bosen::consistency::Consistency::SspPush { staleness: 1 }),
    ];
    for (table, spec) in (0..).map(TableId).zip(tables) {
        let message = ToShard::Create { table, spec };
        shard.on_event(shard::Event::Received { link, message }, Duration::ZERO);
        let (ticket, command) = (client::Ticket(u64::from(table.0)), client::Command::Create(spec));
        client.on_event(client::Event::Command { ticket, table, command }, Duration::ZERO);
    }
    let (mut to_shard, mut to_worker) = (Recalled::default(), Recalled::default());
    while let Some(frame) = next_frame(&mut bytes) {
        if let Ok(message) = read_to_shard(frame.clone(), &mut to_shard)
            && !is_large(&message)
        {
            shard.on_event(shard::Event::Received { link, message }, Duration::ZERO);
        }
        if let Ok(message) = read_to_worker(frame, &mut to_worker) {
            let shard = ShardId(0);
            client.on_event(client::Event::Received { shard, message }, Duration::ZERO);
        }
    }
});
