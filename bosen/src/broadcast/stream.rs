//! What one worker has said, as another one has heard it: pieces put together to updates, in
//! order, and kept until everybody has them.

use super::{Piece, Update};
use std::collections::VecDeque;
use strads_common::ids::{Clock, WorkerId};

/// A clock that no update is made in.
pub(super) const NEVER: Clock = Clock(u64::MAX);
/// Updates beyond this many that are kept already are not taken.
const MOST_AHEAD: u64 = 1 << 16;

/// The updates of one origin.
#[derive(Debug)]
pub(super) struct Stream {
    origin: WorkerId,
    /// The clock of the first update that is kept.
    base: Clock,
    kept: VecDeque<Assembly>,
    /// All updates before it are whole.
    whole: Clock,
    /// All updates before it have been handed out.
    handed_out: Clock,
    /// All updates, of all workers, before this clock had arrived at the origin.
    seen: Clock,
    /// The origin is lost, and it is not yet agreed on how much of this counts.
    fence: Option<Clock>,
    /// The first clock of which nothing counts any more.
    end: Option<Clock>,
}

/// An update of which some pieces may be missing.
#[derive(Debug, Default)]
struct Assembly {
    pieces: Vec<Piece>,
    count: Option<usize>,
}

impl Assembly {
    fn is_whole(&self) -> bool {
        self.count == Some(self.pieces.len())
    }
}

impl Stream {
    pub fn new(origin: WorkerId) -> Stream {
        Stream {
            origin,
            base: Clock(0),
            kept: VecDeque::new(),
            whole: Clock(0),
            handed_out: Clock(0),
            seen: Clock(0),
            fence: None,
            end: None,
        }
    }

    /// All updates before it are whole, or will never be asked for.
    pub fn reached(&self) -> Clock {
        match (self.end, self.fence) {
            (Some(end), _) if self.whole >= end => NEVER,
            (None, Some(fence)) => self.whole.min(fence),
            _ => self.whole,
        }
    }

    pub fn seen(&self) -> Clock {
        self.seen
    }

    /// Takes a piece in; whether it is new.
    pub fn insert(&mut self, piece: Piece) -> bool {
        let ahead = piece.clock.0.wrapping_sub(self.base.0);
        let late = piece.clock < self.base || self.end.is_some_and(|end| piece.clock >= end);
        if late || ahead > MOST_AHEAD {
            return false;
        }
        while self.kept.len() as u64 <= ahead {
            self.kept.push_back(Assembly::default());
        }
        let assembly = &mut self.kept[ahead as usize];
        let place = assembly
            .pieces
            .partition_point(|other| other.index < piece.index);
        if assembly
            .pieces
            .get(place)
            .is_some_and(|other| other.index == piece.index)
        {
            return false;
        }
        if piece.last {
            assembly.count = Some(piece.index as usize + 1);
        }
        self.seen = self.seen.max(piece.seen);
        assembly.pieces.reserve_exact(1);
        assembly.pieces.insert(place, piece);
        while self.at(self.whole).is_some_and(Assembly::is_whole) {
            self.whole = self.whole.next();
        }
        true
    }

    fn at(&self, clock: Clock) -> Option<&Assembly> {
        self.kept.get(clock.0.checked_sub(self.base.0)? as usize)
    }

    /// The updates before `until` that are whole and have not been handed out.
    pub fn hand_out(&mut self, until: Clock) -> Vec<Update> {
        let until = until.min(self.whole).min(self.fence.unwrap_or(NEVER));
        let mut updates = Vec::new();
        while self.handed_out < until {
            let clock = self.handed_out;
            let assembly = self.at(clock).expect("what is not handed out is kept");
            updates.push(Update {
                origin: self.origin,
                clock,
                pieces: assembly.pieces.clone(),
            });
            self.handed_out = clock.next();
        }
        updates
    }

    /// Forgets updates before `clock`, which everybody has.
    pub fn forget(&mut self, clock: Clock) {
        while self.base < clock.min(self.handed_out) {
            self.kept.pop_front();
            self.base = self.base.next();
        }
    }

    /// All pieces that are kept.
    pub fn kept(&self) -> impl Iterator<Item = &Piece> {
        self.kept.iter().flat_map(|assembly| &assembly.pieces)
    }

    /// Somebody is lost, and this origin too: how much of it this worker has, for the others to
    /// know. Nothing more is handed out until it is agreed on what counts; if that was agreed on
    /// before and not all of it has come, those who had it may be lost now.
    pub fn fence(&mut self) -> Clock {
        match self.end {
            Some(end) if self.whole >= end => end,
            _ => {
                self.end = None;
                *self.fence.get_or_insert(self.whole)
            }
        }
    }

    /// It is agreed on: updates from `end` on never were.
    pub fn cut(&mut self, end: Clock) {
        self.fence = None;
        self.end = Some(end);
        self.whole = self.whole.min(end);
        let keep = end.0.saturating_sub(self.base.0);
        self.kept.truncate(keep.min(usize::MAX as u64) as usize);
    }
}
