//! Dense rows that threads share, in blocks of whole rows.
//!
//! A block has one writer at a time, so that no increment is lost, and a version that is odd
//! while it is written, so that readers need no lock: they look again if it has changed. A block
//! is about a thousand cells, or one row if that is longer; taking it costs little beside writing
//! it, and no element has a lock of its own. A *racy* table ([`Consistency::Hogwild`]) skips both.
//!
//! [`Consistency::Hogwild`]: crate::consistency::Consistency::Hogwild

use super::cell::{Cell, add_cells, load_cells};
use super::index::{Index, Slots};
use crate::batch::{Batch, Cells, cells_of};
use crate::element::{Element, view};
use crate::rule::{Memory, Rule};
use crate::spec::Keys;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Cells of a block, unless its rows are longer.
const BLOCK_CELLS: usize = 1024;
/// Rows of the first segment where rows come into being one by one; each next one has twice as many.
const FIRST_ROWS: u32 = 1024;
/// Segments that hold as many rows as there are slots.
const SEGMENTS: u32 = u32::BITS + 1;
/// How often a reader looks again before it takes the writer's place.
const LOOKS: usize = 8;

/// Shared dense rows.
pub struct Dense<E: Element> {
    length: usize,
    /// Binary logarithm of the rows of a block.
    block_shift: u32,
    /// Binary logarithm of the rows of the first segment.
    first_shift: u32,
    /// Rows of a range, all of which are in the first segment.
    range: Option<usize>,
    racy: bool,
    pub index: Index,
    segments: Box<[OnceLock<Segment<E>>]>,
}

/// Memory of adjacent slots.
struct Segment<E: Element> {
    cells: Box<[E::Cell]>,
    blocks: Box<[Block]>,
}

#[derive(Default)]
struct Block {
    /// Odd while the block is written.
    version: AtomicU32,
    writer: Mutex<Optimiser>,
}

/// What the update rule remembers of a block; empty until a step is taken.
#[derive(Default)]
struct Optimiser {
    memory: Vec<Memory>,
    steps: Vec<u32>,
}

/// The right to write a block.
struct Writing<'a> {
    block: &'a Block,
    optimiser: MutexGuard<'a, Optimiser>,
}

impl Block {
    fn lock(&self) -> MutexGuard<'_, Optimiser> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Writing<'_> {
        let optimiser = self.lock();
        self.version.fetch_add(1, Relaxed);
        // What is written after this is not seen with the even version before it.
        fence(Release);
        Writing {
            block: self,
            optimiser,
        }
    }

    /// Looks at the block's cells until nobody has written them meanwhile.
    #[inline]
    fn read(&self, mut look: impl FnMut()) {
        for _ in 0..LOOKS {
            let version = self.version.load(Acquire);
            if version & 1 == 0 {
                look();
                fence(Acquire);
                if self.version.load(Relaxed) == version {
                    return;
                }
            }
            std::hint::spin_loop();
        }
        let _nobody_writes = self.lock();
        look();
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.block.version.fetch_add(1, Release);
    }
}

/// What a batch has for its rows.
pub struct Given<'a, E: Element> {
    values: Cow<'a, [E]>,
    /// Which cells they are for, if not for all.
    cells: Option<Named<'a>>,
}

/// Row ends and columns of a sparse batch.
struct Named<'a> {
    ends: Cow<'a, [u32]>,
    columns: Cow<'a, [u32]>,
}

impl<'a, E: Element> Given<'a, E> {
    /// Every cell of every row.
    pub fn all(values: &'a [E]) -> Self {
        Given {
            values: Cow::Borrowed(values),
            cells: None,
        }
    }

    pub fn of(batch: &'a Batch) -> Self {
        Given {
            values: view(&batch.values),
            cells: match &batch.cells {
                Cells::Dense => None,
                Cells::Sparse { ends, columns } => Some(Named {
                    ends: view(ends),
                    columns: view(columns),
                }),
            },
        }
    }
}

/// Adjacent positions of a batch whose rows are in the same block.
struct Span<'a, E: Element> {
    segment: &'a Segment<E>,
    block: &'a Block,
    /// The first slot of the segment, and of the block.
    segment_start: usize,
    block_start: usize,
    positions: Range<usize>,
}

impl<E: Element> Dense<E> {
    /// Zeros under `keys`.
    pub fn new(keys: Keys, length: usize, racy: bool) -> Self {
        let range = match keys {
            Keys::Range { len, .. } => Some(len as usize),
            Keys::Any => None,
        };
        let first = range.map_or(FIRST_ROWS as usize, |len| len.next_power_of_two());
        Dense {
            length,
            block_shift: (BLOCK_CELLS / length.max(1)).max(1).ilog2(),
            first_shift: first.ilog2(),
            range,
            racy,
            index: Index::new(keys),
            segments: (0..SEGMENTS).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Cells of a row.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The segment of a slot, the first slot there, and its number of slots.
    #[inline]
    fn segment(&self, slot: usize) -> (&Segment<E>, usize, usize) {
        let number = ((slot >> self.first_shift) + 1).ilog2();
        let first = ((1 << number) - 1) << self.first_shift;
        let rows = self.range.unwrap_or(1 << (self.first_shift + number));
        let segment = self.segments[number as usize].get_or_init(|| self.make_segment(rows));
        (segment, first, rows)
    }

    #[cold]
    fn make_segment(&self, rows: usize) -> Segment<E> {
        let blocks = rows.div_ceil(1 << self.block_shift);
        Segment {
            cells: bytemuck::zeroed_slice_box(rows * self.length),
            blocks: (0..blocks).map(|_| Block::default()).collect(),
        }
    }

    /// Calls `f` for each span of `slots`; absent rows are left out.
    fn each_span<'a>(
        &'a self,
        slots: &Slots,
        positions: Range<usize>,
        mut f: impl FnMut(Span<'a, E>),
    ) {
        let mut start = positions.start;
        while start < positions.end {
            let Some(slot) = slots.at(start) else {
                start += 1;
                continue;
            };
            let (segment, first, rows) = self.segment(slot);
            let block = (slot - first) >> self.block_shift;
            let block_row = block << self.block_shift;
            let block_end = (block_row + (1 << self.block_shift)).min(rows);
            let inside = first + block_row..first + block_end;
            let end = match slots {
                Slots::Run(_) => (start + inside.end - slot).min(positions.end),
                Slots::List(list) => {
                    let mut rest = list[start..positions.end].iter();
                    let outside = rest.position(|&slot| !inside.contains(&(slot as usize)));
                    outside.map_or(positions.end, |count| start + count)
                }
            };
            f(Span {
                segment,
                block: &segment.blocks[block],
                segment_start: first,
                block_start: first + block_row,
                positions: start..end,
            });
            start = end;
        }
    }

    /// The cells of `rows` rows from `slot` on, which are in the segment of `span`.
    #[inline]
    fn cells<'a>(&self, span: &Span<'a, E>, slot: usize, rows: usize) -> &'a [E::Cell] {
        let at = slot - span.segment_start;
        &span.segment.cells[at * self.length..(at + rows) * self.length]
    }

    /// Adds what is given for the rows at `slots`.
    pub fn add(&self, slots: &Slots, given: &Given<'_, E>) {
        let (from, named) = (&*given.values, &given.cells);
        self.each_span(slots, 0..slots.len(), |span| {
            let _writing = (!self.racy).then(|| span.block.write());
            match (slots, named) {
                (Slots::Run(run), None) => {
                    let positions = span.positions.clone();
                    let slot = run.start + positions.start;
                    let cells = self.cells(&span, slot, positions.len());
                    add_cells(cells, &from[self.values_of(positions)]);
                }
                (Slots::List(list), None) if self.length == 1 => {
                    let positions = span.positions.clone();
                    for (&slot, &delta) in list[positions.clone()].iter().zip(&from[positions]) {
                        let cell = &span.segment.cells[slot as usize - span.segment_start];
                        cell.store(cell.load().plus(delta));
                    }
                }
                (_, None) => {
                    for (at, slot) in span.slots(slots) {
                        let values = self.values_of(at..at + 1);
                        add_cells(self.cells(&span, slot, 1), &from[values]);
                    }
                }
                (_, Some(Named { ends, columns })) => {
                    for (at, slot) in span.slots(slots) {
                        let row = self.cells(&span, slot, 1);
                        for i in cells_of(ends, at) {
                            let cell = &row[columns[i] as usize];
                            cell.store(cell.load().plus(from[i]));
                        }
                    }
                }
            }
        });
    }

    /// Takes one step of `rule` in each row at `slots`, with what is given as the gradient.
    pub fn step(&self, slots: &Slots, given: &Given<'_, E>, rule: Rule) {
        let (from, named) = (&*given.values, &given.cells);
        self.each_span(slots, 0..slots.len(), |span| {
            let mut writing = span.block.write();
            let Optimiser { memory, steps } = &mut *writing.optimiser;
            steps.resize(1 << self.block_shift, 0);
            memory.resize(steps.len() * self.length, Memory::default());
            for (at, slot) in span.slots(slots) {
                let (row, in_block) = (self.cells(&span, slot, 1), slot - span.block_start);
                let memory = &mut memory[self.values_of(in_block..in_block + 1)];
                steps[in_block] += 1;
                let t = steps[in_block];
                let mut step = |column: usize, g: E| {
                    let w = row[column].load().to_f64();
                    let w = rule.step(w, g.to_f64(), &mut memory[column], t);
                    row[column].store(E::from_f64(w));
                };
                match named {
                    None => (0..self.length).for_each(|c| step(c, from[at * self.length + c])),
                    Some(Named { ends, columns }) => {
                        cells_of(ends, at).for_each(|i| step(columns[i] as usize, from[i]))
                    }
                }
            }
        });
    }

    /// Copies the rows at `slots`, one after the other; leaves absent ones as they are in `into`.
    pub fn read(&self, slots: &Slots, into: &mut [E]) {
        self.each_span(slots, 0..slots.len(), |span| {
            let look = || match slots {
                Slots::Run(run) => {
                    let positions = span.positions.clone();
                    let slot = run.start + positions.start;
                    let cells = self.cells(&span, slot, positions.len());
                    load_cells(cells, &mut into[self.values_of(positions)]);
                }
                Slots::List(list) if self.length == 1 => {
                    let positions = span.positions.clone();
                    let into = &mut into[positions.clone()];
                    for (&slot, value) in list[positions].iter().zip(into) {
                        *value = span.segment.cells[slot as usize - span.segment_start].load();
                    }
                }
                Slots::List(_) => {
                    for (at, slot) in span.slots(slots) {
                        let values = self.values_of(at..at + 1);
                        load_cells(self.cells(&span, slot, 1), &mut into[values]);
                    }
                }
            };
            self.look(span.block, look);
        });
    }

    /// Adds to the cells of one row from `column` on.
    #[inline]
    pub fn add_row(&self, slot: usize, column: usize, from: &[E]) {
        let (segment, first, _) = self.segment(slot);
        let at = slot - first;
        let start = at * self.length + column;
        let cells = &segment.cells[start..start + from.len()];
        let _writing = (!self.racy).then(|| segment.blocks[at >> self.block_shift].write());
        add_cells(cells, from);
    }

    /// Copies the cells of one row from `column` on.
    #[inline]
    pub fn read_row(&self, slot: usize, column: usize, into: &mut [E]) {
        let (segment, first, _) = self.segment(slot);
        let at = slot - first;
        let start = at * self.length + column;
        let cells = &segment.cells[start..start + into.len()];
        let block = &segment.blocks[at >> self.block_shift];
        self.look(block, || load_cells(cells, into));
    }

    #[inline]
    fn look(&self, block: &Block, mut look: impl FnMut()) {
        match self.racy {
            true => look(),
            false => block.read(look),
        }
    }

    /// Where the values of the rows at `positions` are.
    fn values_of(&self, positions: Range<usize>) -> Range<usize> {
        positions.start * self.length..positions.end * self.length
    }
}

impl<E: Element> Span<'_, E> {
    /// Positions and slots of its rows.
    fn slots(&self, slots: &Slots) -> impl Iterator<Item = (usize, usize)> {
        self.positions
            .clone()
            .map(|at| (at, slots.at(at).expect("the rows of a span are there")))
    }
}
