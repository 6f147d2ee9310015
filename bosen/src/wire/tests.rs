//! Messages survive the wire, and what is no message is refused without a panic.

use super::*;
use crate::consistency::Consistency;
use crate::message::Refusal;
use crate::spec::TableSpec;
use bytes::BytesMut;
use proptest::prelude::*;
use strads_common::frame::FrameDecoder;
use tokio_util::codec::Decoder;

/// Through bytes and back.
fn travel(frame: &Outgoing) -> Frame {
    let mut bytes = BytesMut::from(&frame.header.encode(&frame.parts)[..]);
    frame
        .parts
        .iter()
        .for_each(|part| bytes.extend_from_slice(part));
    let length = bytes.len();
    bytes.resize(length + padding(length), 0);
    FrameDecoder { limit: 1 << 20 }
        .decode(&mut bytes)
        .unwrap()
        .unwrap()
}

fn rows() -> impl Strategy<Value = Arc<RowSet>> {
    prop::collection::btree_set(any::<u64>(), 0..100)
        .prop_map(|keys| Arc::new(RowSet::ascending(keys.into_iter().collect()).unwrap()))
}

fn batch() -> impl Strategy<Value = Batch> {
    (rows(), any::<bool>(), any::<i32>()).prop_map(|(rows, dense, value)| {
        let count = rows.len() as u32;
        match dense {
            true => Batch::dense(rows, vec![value; 3 * count as usize]),
            false => {
                let columns: Vec<u32> = (0..count).collect();
                Batch::sparse(
                    rows,
                    (1..=count).collect(),
                    columns,
                    vec![value; count as usize],
                )
            }
        }
    })
}

proptest! {
    #[test]
    fn updates_and_questions_travel(batches in prop::collection::vec(batch(), 1..5), clock: u64, order: u64) {
        let (mut sender, mut receiver) = (Remembered::default(), Recalled::default());
        // Twice, so that lists are also recalled.
        for batch in batches.iter().chain(&batches) {
            let table = TableId(7);
            let update = ToShard::Update { sequence: Sequence(order), table, clock: Clock(clock), batch: batch.clone(), coding: Coding::default() };
            let frame = travel(&Outgoing::to_shard(&update, &mut sender));
            prop_assert_eq!(read_to_shard(frame, &mut receiver), Ok(update));
            let get = ToShard::Get { part: PartId(order), table, rows: batch.rows.clone(), need: Clock(clock) };
            let frame = travel(&Outgoing::to_shard(&get, &mut sender));
            prop_assert_eq!(read_to_shard(frame, &mut receiver), Ok(get));
        }
    }

    #[test]
    fn changes_travel(batch in batch(), clock: u64, whole: bool) {
        let changes = ToWorker::Changes {
            table: TableId(1), fresh: Clock(clock), whole, batch, coding: Coding::default(),
        };
        let frame = travel(&Outgoing::to_worker(&changes, &mut Remembered::default()));
        prop_assert_eq!(read_to_worker(frame, &mut Recalled::default()), Ok(changes));
    }

    /// Random bodies under every kind: an error or a message, never a panic, and never more
    /// memory than the body has.
    #[test]
    fn noise_is_refused(kind: u8, flags: u16, body in prop::collection::vec(any::<u8>(), 0..300), small in prop::collection::vec(0u64..4, 0..8)) {
        let header = Header { kind, flags, ..Header::default() };
        let words: Vec<u8> = small.iter().flat_map(|word| word.to_le_bytes()).collect();
        for body in [body, words] {
            let frame = Frame { header, body: body.into() };
            let _ = read_to_shard(frame.clone(), &mut Recalled::default());
            let _ = read_to_worker(frame, &mut Recalled::default());
        }
    }

    /// Each message cut short is refused.
    #[test]
    fn truncated_bodies_are_refused(batch in batch(), cut in any::<prop::sample::Index>()) {
        prop_assume!(!batch.rows.is_empty());
        let update = ToShard::Update { sequence: Sequence(1), table: TableId(0), clock: Clock(0), batch: batch.clone(), coding: Coding::default() };
        let mut frame = travel(&Outgoing::to_shard(&update, &mut Remembered::default()));
        frame.body.truncate(cut.index(frame.body.len()));
        let spec = match batch.cells {
            Cells::Dense => TableSpec::dense::<i32>(3),
            Cells::Sparse { .. } => TableSpec::sparse::<i32>(),
        };
        let accepted = match read_to_shard(frame, &mut Recalled::default()) {
            Ok(ToShard::Update { batch, .. }) => spec.check_batch(&batch).is_ok(),
            _ => false,
        };
        prop_assert!(!accepted);
    }
}

#[test]
fn control_messages_travel() {
    let spec = TableSpec::dense::<f32>(8)
        .range(5, 100)
        .consistency(Consistency::Backup { needed: 3 });
    let create = ToShard::Create {
        table: TableId(3),
        spec,
    };
    let frame = travel(&Outgoing::to_shard(&create, &mut Remembered::default()));
    assert_eq!(read_to_shard(frame, &mut Recalled::default()), Ok(create));
    let refused = ToWorker::Refused {
        table: TableId(3),
        part: Some(PartId(9)),
        reason: Refusal::WorkerLost(WorkerId(2)),
    };
    let frame = travel(&Outgoing::to_worker(&refused, &mut Remembered::default()));
    assert_eq!(read_to_worker(frame, &mut Recalled::default()), Ok(refused));
}

#[test]
fn a_recalled_list_is_short() {
    let rows = Arc::new(RowSet::ascending((0..1000).map(|key| 3 * key).collect()).unwrap());
    let mut sender = Remembered::default();
    assert_eq!(sender.encode(&rows, false).len(), 8 * 1002);
    assert_eq!(sender.encode(&rows, false).len(), 8);
    assert_eq!(sender.savings().recalled, 8000);
}
