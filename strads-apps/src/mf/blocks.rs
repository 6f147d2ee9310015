//! The model with its ratings, in blocks that can be lent: what both solvers work on.

use strads::cluster::{Passport, Programs, Remote};
use strads::policy::Rotation;
use strads::{Error, Executor, Lender, Loan, Moved, Plan, Program, Round, Run, Shares, Stop};
use strads_common::random::stream;

use super::cells::Cell;
use super::grid::{Cut, Grid, Triples};
use super::measure::{Errors, measure};
use super::rows::{Aside, Rows};

/// What ratings are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// To learn from.
    Train,
    /// To decide when to stop.
    Validation,
    /// To say how good the result is.
    Test,
}

/// Users with their factors and their ratings.
#[derive(Debug)]
pub struct Strip {
    /// The users' factors.
    pub users: Rows,
    /// The ratings of each [`Set`], by block of items.
    pub cells: [Vec<Cell>; 3],
}

impl Strip {
    /// The users, and the ratings of `set` in `block`.
    pub fn split(&mut self, set: Set, block: usize) -> (&mut Rows, &mut Cell) {
        (&mut self.users, &mut self.cells[set as usize][block])
    }
}

/// Ratings by what they are for, with users and items numbered alike.
#[derive(Debug, Default)]
pub struct Data {
    /// How many users there are in all sets.
    pub users: usize,
    /// How many items.
    pub items: usize,
    /// The ratings of each [`Set`].
    pub sets: [Triples; 3],
}

/// How ratings in the file relate to those in cells: r = mean + scale · r′.
///
/// With r′ of mean 0 and deviation 1, rates and λ mean the same on every scale of ratings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The mean of the ratings to learn from, or 0.
    pub mean: f32,
    /// Their standard deviation.
    pub deviation: f32,
}

/// The sizes of a model and of its parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// k, the number of entries of a row.
    pub rank: usize,
    /// How the ratings are cut.
    pub cut: Cut,
    /// First entries are uniform in ±reach, or in 0..reach if they may not be negative.
    pub reach: f32,
    /// No entry is below 0.
    pub non_negative: bool,
}

/// The model and the ratings.
#[derive(Debug)]
pub struct Blocks {
    /// Users.
    pub strips: Lender<Strip>,
    /// Items.
    pub items: Lender<Rows>,
    /// How many ratings each cell has, by [`Set`], strip and block: known also where cells are away.
    counts: [Vec<Vec<usize>>; 3],
    /// Where they are.
    pub grid: Grid,
    /// What ratings mean.
    pub scale: Scale,
    rank: usize,
}

/// A plain copy of the factors, in the order of ids and on the scale of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// k.
    pub rank: usize,
    /// Row-major entries.
    pub entries: Vec<f32>,
    /// One a row.
    pub bias: Vec<f32>,
}

impl Blocks {
    /// Lays out `data` and draws the first factors: small, random, and 0 for users and items
    /// that nothing is known of.
    pub fn new(data: Data, scale: Scale, shape: Shape, threads: usize) -> Self {
        let Data { users, items, sets } = data;
        let [train, ..] = &sets;
        let grid = Grid::new(train, users, items, shape.cut);
        let known = |ids: &[u32], count: usize| {
            let mut known = vec![false; count];
            ids.iter().for_each(|&id| known[id as usize] = true);
            known
        };
        let (known_users, known_items) = (known(&train.users, users), known(&train.items, items));
        // Ratings are there twice only while their cells are filled; factors come after that.
        let [train, validation, test] =
            sets.map(|set| grid.cells(&set, scale.mean, scale.deviation, threads));
        let count = |set: &Vec<Vec<Cell>>| {
            let strips = set
                .iter()
                .map(|cells| cells.iter().map(Cell::len).collect());
            strips.collect()
        };
        let counts = [&train, &validation, &test].map(count);
        let draw = |parts, known: &[bool], purpose: &str| {
            let mut random = stream(shape.cut.seed, purpose, 0);
            Grid::rows(parts, shape.rank, |id, rows, at| {
                if known[id as usize] {
                    rows.scatter(at, shape.reach, shape.non_negative, &mut random);
                }
            })
        };
        let users = draw(&grid.users, &known_users, "mf user factors");
        let items = draw(&grid.items, &known_items, "mf item factors");
        let cells = train.into_iter().zip(validation).zip(test);
        let strips = users
            .into_iter()
            .zip(cells)
            .map(|(users, ((train, validation), test))| Strip {
                users,
                cells: [train, validation, test],
            });
        Self {
            strips: Lender::new(strips),
            items: Lender::new(items),
            counts,
            grid,
            scale,
            rank: shape.rank,
        }
    }

    /// k.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many ratings of `set` are in a cell.
    pub fn count(&self, set: Set, strip: usize, block: usize) -> usize {
        self.counts[set as usize][strip][block]
    }

    /// The errors on `set`, on the scale of the file.
    pub fn errors(&self, set: Set, executor: &Executor) -> Result<Errors, Error> {
        let mut measuring = Measuring {
            blocks: self,
            set,
            errors: Errors::default(),
        };
        if self.counts[set as usize]
            .iter()
            .flatten()
            .all(|&count| count == 0)
        {
            return Ok(Errors::default());
        }
        let mut shards = vec![(); self.strips.len()];
        let rounds = Stop::after_rounds(self.items.len() as u64);
        Run::new()
            .until(rounds)
            .on(executor, &mut measuring, &mut shards)?;
        Ok(measuring.errors.scaled(f64::from(self.scale.deviation)))
    }

    /// Brings users and items home, to be looked at.
    pub fn recall(&self, executor: &Executor) -> Result<(), Error> {
        executor.recall(&self.strips)?;
        executor.recall(&self.items)
    }

    /// The mean square of the items' entries.
    pub fn item_square(&self) -> f32 {
        let (mut sum, mut count) = (0.0, 0);
        for block in 0..self.items.len() {
            self.items.with(block, |rows| {
                sum += rows.squares();
                count += rows.len() * rows.rank();
            });
        }
        (sum / count.max(1) as f64) as f32
    }

    /// Shows every user's row to `look`, by id.
    pub fn each_user(&self, mut look: impl FnMut(u32, &mut Rows, usize)) {
        for id in 0..self.grid.users.len() as u32 {
            let place = self.grid.users.place(id);
            self.strips.with(place.part as usize, |strip| {
                look(id, &mut strip.users, place.row as usize);
            });
        }
    }

    /// Shows every item's row to `look`, by id.
    pub fn each_item(&self, mut look: impl FnMut(u32, &mut Rows, usize)) {
        for id in 0..self.grid.items.len() as u32 {
            let place = self.grid.items.place(id);
            self.items.with(place.part as usize, |rows| {
                look(id, rows, place.row as usize)
            });
        }
    }

    /// The users' factors; those of the first `count` ids.
    pub fn users(&self, count: usize) -> Factors {
        self.factors(count, |look| self.each_user(look))
    }

    /// The items' factors; those of the first `count` ids.
    pub fn items(&self, count: usize) -> Factors {
        self.factors(count, |look| self.each_item(look))
    }

    fn factors(
        &self,
        count: usize,
        each: impl FnOnce(&mut dyn FnMut(u32, &mut Rows, usize)),
    ) -> Factors {
        // The deviation is shared evenly between the two sides of a product.
        let part = self.scale.deviation.sqrt();
        let mut factors = Factors {
            rank: self.rank,
            entries: Vec::with_capacity(count * self.rank),
            bias: Vec::with_capacity(count),
        };
        each(&mut |id, rows, at| {
            if (id as usize) < count {
                let Aside { bias, .. } = rows.aside(at);
                factors
                    .entries
                    .extend(rows.row(at).iter().map(|x| x * part));
                factors.bias.push(bias * self.scale.deviation);
            }
        });
        factors
    }
}

/// The programs of this app, for nodes.
pub fn programs(programs: Programs) -> Programs {
    programs
        .and::<super::sgd::Sgd<'_>>()
        .and::<super::ccd::Ccd<'_>>()
        .and::<Measuring<'_>>()
}

/// Measuring as a program: blocks rotate past strips as they do in training.
struct Measuring<'a> {
    blocks: &'a Blocks,
    set: Set,
    errors: Errors,
}

/// One cell to measure.
struct Look {
    strip: Loan<Strip>,
    items: Loan<Rows>,
    set: Set,
}

impl Remote for Measuring<'_> {
    const NAME: &'static str = "mf errors";
}

impl Program for Measuring<'_> {
    type Shard = ();
    type Task = Look;
    type Share = Errors;

    fn schedule(&mut self, round: &mut Round) -> Plan<Look> {
        let rotation = Rotation::new(self.blocks.items.len(), self.blocks.strips.len());
        Plan::one_each(
            rotation
                .blocks(round.number())
                .enumerate()
                .map(|(strip, block)| Look {
                    strip: self.blocks.strips.lend(strip),
                    items: self.blocks.items.lend(block),
                    set: self.set,
                }),
        )
    }

    fn push(_: &mut (), mut task: Look) -> Errors {
        let block = task.items.block();
        let (mut strip, items) = (task.strip.open(), task.items.open());
        let (users, cell) = strip.split(task.set, block);
        measure(users, &items, cell)
    }

    fn passport() -> Option<Passport<Self>> {
        Some(Passport::new())
    }

    fn pull(&mut self, shares: Shares<Self>) -> Moved {
        shares
            .into_values()
            .for_each(|errors| self.errors += errors);
        Moved::default()
    }
}

strads::travel_by_variants!(Set { 0 => Train, 1 => Validation, 2 => Test });
strads::travel_by_fields!(Strip { users, cells } Look { strip, items, set });
