//! Gradients on their way from worker to worker, in the form and by the route that was chosen.

use bosen::broadcast::room::Seat;
use bosen::broadcast::tcp::Node;
use bosen::broadcast::{Home, Update};
use bosen::factors::{Block, Factors, Named, Rows, form, rebuild};
use bosen::topology::cost::{Choice, Form, Route};
use bytes::Bytes;
use strads_common::ids::{Clock, WorkerId};
use strads_common::lags::Lags;

use super::replica::Replica;
use crate::failure::Failure;

/// Entries in a block of rows: long enough to be worth a frame, short enough to be relayed soon.
const BLOCK: usize = 1 << 18;
/// The content is a checksum of weights.
const DIGEST: u8 = 16;

/// What a worker has sent, in bytes of content; what it relays for others counts as theirs.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Volume {
    /// As pairs of vectors.
    pub factors: u64,
    /// As rows of the matrix that the batch touches.
    pub sparse: u64,
    /// As whole matrices, or parts of their sums.
    pub full: u64,
}

impl std::ops::AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.factors += other.factors;
        self.sparse += other.sparse;
        self.full += other.full;
    }
}

/// How a worker's gradients get to the others, and theirs to it.
pub trait Exchange: Send {
    /// Waits until step `number` may begin, with what has come by then in `replica`.
    fn begin(&mut self, replica: &mut Replica, number: usize) -> Result<(), Failure>;

    /// Sends a part of the gradient of step `number`; nothing comes behind the `last` one.
    fn part(
        &mut self,
        replica: &mut Replica,
        number: usize,
        choice: &Choice,
        part: Factors<'static>,
        last: bool,
    ) -> Result<(), Failure>;

    /// Waits until all gradients of the steps before `number`, and no later ones, are in `replica`.
    fn catch_up(&mut self, replica: &mut Replica, number: usize) -> Result<(), Failure>;

    /// Makes all replicas equal, to the bit; how far this one was from that.
    fn finish(&mut self, replica: &mut Replica, number: usize) -> Result<f32, Failure>;

    /// Done; whoever is dropped without this is lost to the others, and they are told.
    fn leave(self: Box<Self>);

    /// How many clocks of others were missing, at most, in what steps have begun with so far.
    fn lags(&self) -> Lags;

    /// What has been sent so far.
    fn volume(&self) -> Volume;

    /// Bytes on the wire so far, with all that is not content, where there is a wire.
    fn sent_bytes(&self) -> Option<u64>;
}

/// A place in a broadcast that may be on a wire.
pub trait Wire: Home {
    /// Bytes on it so far.
    fn sent_bytes(&self) -> Option<u64>;
}

impl Wire for Seat {
    fn sent_bytes(&self) -> Option<u64> {
        None
    }
}

impl Wire for Node {
    fn sent_bytes(&self) -> Option<u64> {
        Some(Node::sent_bytes(self))
    }
}

/// Over a broadcast.
pub struct Broadcast<H> {
    me: WorkerId,
    home: H,
    /// How many others there are.
    others: u64,
    volume: Volume,
    /// Updates that are to wait until this worker is as far.
    held: Vec<Update>,
    /// The parts of this step, where they are sent as one matrix.
    matrix: Vec<f32>,
}

impl<H: Wire> Broadcast<H> {
    /// Worker `me` at `home`, one of so many.
    pub fn new(me: WorkerId, workers: usize, home: H) -> Self {
        Self {
            me,
            home,
            others: workers.saturating_sub(1) as u64,
            volume: Volume::default(),
            held: Vec::new(),
            matrix: Vec::new(),
        }
    }

    fn take_in(&mut self, replica: &mut Replica, updates: &[Update]) -> Result<(), Failure> {
        replica.apply(updates).map_err(Failure::world)
    }

    fn publish(&mut self, urgency: usize, form: u8, content: Bytes, last: bool) {
        let bytes = self.others * content.len() as u64;
        match form {
            form::FACTORS => self.volume.factors += bytes,
            form::NAMED => self.volume.sparse += bytes,
            form::BLOCK => self.volume.full += bytes,
            _ => {}
        }
        let urgency = urgency.min(usize::from(u16::MAX)) as u16;
        self.home
            .with(|peer| peer.publish(urgency, form, content, last));
    }

    /// Sends `matrix` in blocks, from the top: so the next pass begins with it.
    fn publish_blocks(&mut self, matrix: &[f32], rows: usize, classes: usize) {
        let step = (BLOCK / classes).max(1);
        let blocks = matrix.chunks(step * classes);
        let last = blocks.len().saturating_sub(1);
        for (number, values) in blocks.enumerate() {
            let block = Block {
                first: number * step,
                values: values.into(),
            };
            self.publish(
                number,
                form::BLOCK,
                block.encode(rows, classes),
                number == last,
            );
        }
    }

    /// Sends the rows of `matrix` that have an entry.
    fn publish_named(&mut self, matrix: &[f32], rows: usize, classes: usize) {
        let of_row = matrix.chunks_exact(classes).enumerate();
        let touched = of_row.filter(|(_, row)| row.iter().any(|w| *w != 0.0));
        let (mut numbers, mut values) = (Vec::new(), Vec::new());
        for (number, row) in touched {
            numbers.push(number as u32);
            values.extend_from_slice(row);
        }
        let named = Named {
            rows: numbers.into(),
            values: values.into(),
        };
        self.publish(0, form::NAMED, named.encode(rows, classes), true);
    }

    /// Waits for what was published last, from everybody.
    fn settle(&self) -> Result<Vec<Update>, Failure> {
        self.home.settle().map_err(Failure::world)
    }
}

impl<H: Wire + Send> Exchange for Broadcast<H> {
    fn begin(&mut self, replica: &mut Replica, number: usize) -> Result<(), Failure> {
        let mut updates = std::mem::take(&mut self.held);
        updates.extend(self.home.begin().map_err(Failure::world)?);
        replica.reach(number);
        self.take_in(replica, &updates)
    }

    fn part(
        &mut self,
        replica: &mut Replica,
        number: usize,
        choice: &Choice,
        part: Factors<'static>,
        last: bool,
    ) -> Result<(), Failure> {
        if choice.form == Form::Factors {
            self.publish(0, form::FACTORS, part.encode(), last);
            return Ok(());
        }
        let (rows, classes) = (replica.rows, replica.classes);
        self.matrix.resize(rows * classes, 0.0);
        let threads = replica.threads(part.pairs());
        rebuild(&[(1.0, part)], &mut self.matrix, threads);
        if !last {
            return Ok(());
        }
        let matrix = std::mem::take(&mut self.matrix);
        match (choice.form, choice.route) {
            (_, Route::AllReduce) => {
                // Every worker passes on its share of the sum twice, but for one turn each.
                let bytes = 2 * 4 * matrix.len() as u64;
                self.volume.full += bytes * self.others / (self.others + 1);
                let sum = self.home.reduce(matrix).map_err(Failure::world)?;
                replica.apply_sum(number, sum);
            }
            (Form::Rows, _) => self.publish_named(&matrix, rows, classes),
            _ => self.publish_blocks(&matrix, rows, classes),
        }
        Ok(())
    }

    fn catch_up(&mut self, replica: &mut Replica, number: usize) -> Result<(), Failure> {
        let mut updates = std::mem::take(&mut self.held);
        updates.extend(self.settle()?);
        let now: Clock = self.home.with(|peer| peer.now_in());
        (updates, self.held) = updates.into_iter().partition(|update| update.clock < now);
        replica.reach(number);
        self.take_in(replica, &updates)
    }

    fn finish(&mut self, replica: &mut Replica, number: usize) -> Result<f32, Failure> {
        self.catch_up(replica, number)?;
        let digest = crc32fast::hash(bytemuck::cast_slice(&replica.weights));
        let own = Bytes::copy_from_slice(&digest.to_le_bytes());
        self.publish(0, DIGEST, own.clone(), true);
        let mut digests = std::mem::take(&mut self.held);
        digests.extend(self.settle()?);
        if digests.iter().all(|update| update.pieces[0].content == own) {
            return Ok(0.0);
        }
        // The lowest one's weights are everybody's.
        let lowest = self.home.with(|peer| peer.members()[0]);
        match lowest == self.me {
            true => self.publish_blocks(&replica.weights, replica.rows, replica.classes),
            false => self.publish(0, DIGEST, Bytes::new(), true),
        }
        let updates = self.settle()?;
        let mut distance = 0.0_f32;
        for piece in updates.iter().flat_map(|update| &update.pieces) {
            if piece.origin == lowest && piece.form == form::BLOCK {
                let block = Block::decode(&piece.content, replica.rows, replica.classes);
                let block = block.map_err(Failure::world)?;
                let own =
                    &mut replica.weights[block.first * replica.classes..][..block.values.len()];
                let apart = own
                    .iter()
                    .zip(block.values.iter())
                    .map(|(a, b)| (a - b).abs());
                distance = apart.fold(distance, f32::max);
                own.copy_from_slice(&block.values);
            }
        }
        Ok(distance)
    }

    fn leave(self: Box<Self>) {
        self.home.leave();
    }

    fn lags(&self) -> Lags {
        self.home.with(|peer| peer.staleness().clone())
    }

    fn volume(&self) -> Volume {
        self.volume
    }

    fn sent_bytes(&self) -> Option<u64> {
        self.home.sent_bytes()
    }
}

/// A part of a gradient without examples: also who has none in a step says so.
pub fn nothing(rows: usize, classes: usize) -> Factors<'static> {
    let v = Rows::All(Vec::new().into());
    Factors::gradient(classes, rows, Vec::new(), v, 1)
}
