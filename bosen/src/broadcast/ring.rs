//! Ring all-reduce: dense sums that go round.
//!
//! The values are cut into P chunks. Each chunk starts at a worker of its own, goes round once
//! while everybody adds their part, and once more as the finished sum: 2(P − 1) steps, in each of
//! which every link carries 1/P of the values. A chunk's sum is taken in one order and copied, so
//! the result has the same bits everywhere. Long chunks travel in parts that do not wait for each
//! other.

use crate::element::{freeze, view};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Values in one message.
const PART: usize = 1 << 18;

/// A part of a chunk on its way to the next worker.
#[derive(Clone, PartialEq, Debug)]
pub struct Chunk {
    /// Which sum.
    pub round: u64,
    /// How many links it has passed.
    pub step: u32,
    /// Which part of the chunk.
    pub part: u32,
    /// The values (f32).
    pub values: Bytes,
}

/// One worker's part in the sums.
pub(super) struct Ring {
    place: usize,
    workers: usize,
    /// Sums that have been begun.
    round: u64,
    values: Option<Vec<f32>>,
    /// Of the present sum: what has been taken in.
    taken: BTreeSet<(u32, u32)>,
    /// What came before this worker's own values.
    early: Vec<Chunk>,
    /// What was sent in this sum and the one before, for a connection that replaces another.
    sent: BTreeMap<(u64, u32, u32), Chunk>,
}

impl Ring {
    pub fn new(place: usize, workers: usize) -> Ring {
        Ring {
            place,
            workers,
            round: 0,
            values: None,
            taken: BTreeSet::new(),
            early: Vec::new(),
            sent: BTreeMap::new(),
        }
    }

    /// Whether there ever was a sum.
    pub fn is_used(&self) -> bool {
        self.round > 0
    }

    /// Begins a sum with this worker's `values`; what is to be sent.
    pub fn begin(&mut self, values: Vec<f32>) -> Vec<Chunk> {
        assert!(self.values.is_none(), "one sum at a time");
        self.round += 1;
        let two_before = self.round.saturating_sub(1);
        self.sent.retain(|(round, ..), _| *round >= two_before);
        self.taken.clear();
        let own = self.parts(values.len(), self.place);
        let first = own.map(|(part, range)| (0, part, freeze(values[range].to_vec())));
        let mut chunks: Vec<Chunk> = match self.workers {
            1 => Vec::new(),
            _ => first
                .map(|(step, part, values)| self.chunk(step, part, values))
                .collect(),
        };
        self.values = Some(values);
        for chunk in std::mem::take(&mut self.early) {
            chunks.extend(self.take(chunk));
        }
        self.remember(&chunks);
        chunks
    }

    /// Takes in what the worker before has sent; what is to be sent on.
    pub fn receive(&mut self, chunk: Chunk) -> Option<Chunk> {
        let onward = self.take(chunk);
        self.remember(onward.as_slice());
        onward
    }

    fn take(&mut self, chunk: Chunk) -> Option<Chunk> {
        let now = self.values.is_some() && chunk.round == self.round;
        if !now {
            if chunk.round > self.round && !self.early.contains(&chunk) {
                self.early.push(chunk);
            }
            return None;
        }
        let (step, part) = (chunk.step, chunk.part);
        let adds = (step as usize) < self.workers - 1;
        // In the first turn chunk `place − 1 − step` comes by, in the second one `place − step`.
        let back = if adds {
            step as usize + 1
        } else {
            step as usize + 1 - self.workers
        };
        let which = (self.place + self.workers - back % self.workers) % self.workers;
        let length = self.values.as_ref().map_or(0, Vec::len);
        let (_, range) = self.parts(length, which).nth(part as usize)?;
        if range.len() * 4 != chunk.values.len() || !self.taken.insert((step, part)) {
            return None;
        }
        let own = &mut self.values.as_mut().expect("a sum is under way")[range];
        let came = view::<f32>(&chunk.values);
        match adds {
            true => own
                .iter_mut()
                .zip(came.iter())
                .for_each(|(own, came)| *own += came),
            false => own.copy_from_slice(&came),
        }
        let values = match adds {
            true => freeze(own.to_vec()),
            false => chunk.values,
        };
        let goes_on = (step as usize) < 2 * self.workers - 3;
        goes_on.then(|| self.chunk(step + 1, part, values))
    }

    /// The sum, when it is complete.
    pub fn finish(&mut self) -> Option<Vec<f32>> {
        let length = self.values.as_ref()?.len();
        let parts: usize = (0..self.workers)
            .map(|which| self.parts(length, which).count())
            .sum();
        // Each chunk comes by twice, but for the first turn of the own one and the second turn of
        // the one that is finished here.
        let own = self.parts(length, self.place).count();
        let finished_here = self.parts(length, (self.place + 1) % self.workers).count();
        let expected = match self.workers {
            1 => 0,
            _ => 2 * parts - own - finished_here,
        };
        (self.taken.len() == expected)
            .then(|| self.values.take())
            .flatten()
    }

    /// All that a new connection to the next worker has to carry.
    pub fn sent(&self) -> impl Iterator<Item = &Chunk> {
        self.sent.values()
    }

    fn remember(&mut self, chunks: &[Chunk]) {
        for chunk in chunks {
            self.sent
                .insert((chunk.round, chunk.step, chunk.part), chunk.clone());
        }
    }

    fn chunk(&self, step: u32, part: u32, values: Bytes) -> Chunk {
        Chunk {
            round: self.round,
            step,
            part,
            values,
        }
    }

    /// The parts of chunk number `which` of `length` values.
    fn parts(
        &self,
        length: usize,
        which: usize,
    ) -> impl Iterator<Item = (u32, Range<usize>)> + use<> {
        let edge = |which: usize| length * which / self.workers;
        let (start, end) = (edge(which), edge(which + 1));
        let starts = (start..end).step_by(PART);
        starts
            .enumerate()
            .map(move |(part, start)| (part as u32, start..end.min(start + PART)))
    }
}

#[cfg(test)]
mod tests {
    //! The sum is everybody's, and equal to the bit, for any number of workers and values, with
    //! messages repeated and sums following each other at once.
    use super::*;
    use proptest::prelude::*;

    fn sum(workers: usize, length: usize, rounds: u64) {
        let mut rings: Vec<Ring> = (0..workers)
            .map(|place| Ring::new(place, workers))
            .collect();
        for round in 0..rounds {
            let value = |place: usize, at: usize| (place * 31 + at) as f32 * 0.1 + round as f32;
            let mut travelling = Vec::new();
            for (place, ring) in rings.iter_mut().enumerate() {
                let values = (0..length).map(|at| value(place, at)).collect();
                let chunks = ring.begin(values);
                travelling.extend(
                    chunks
                        .into_iter()
                        .map(|chunk| ((place + 1) % workers, chunk)),
                );
            }
            while let Some((to, chunk)) = travelling.pop() {
                let onward = rings[to].receive(chunk.clone());
                assert!(rings[to].receive(chunk).is_none(), "once");
                travelling.extend(onward.map(|chunk| ((to + 1) % workers, chunk)));
            }
            let sums: Vec<Vec<f32>> = rings
                .iter_mut()
                .map(|ring| ring.finish().unwrap())
                .collect();
            for sum in &sums {
                assert_eq!(sum, &sums[0]);
            }
            for (at, found) in sums[0].iter().enumerate() {
                let expected: f32 = (0..workers).map(|place| value(place, at)).sum();
                assert!((found - expected).abs() <= 1e-5 * expected.abs());
            }
        }
    }

    proptest! {
        #[test]
        fn everybody_has_the_sum(workers in 1usize..9, length in 0usize..40) {
            sum(workers, length, 3);
        }
    }

    #[test]
    fn long_chunks_travel_in_parts() {
        sum(3, 3 * PART + 5, 1);
    }
}
