//! Ratings: who gave what to which item.

use std::collections::HashMap;

/// Ratings in the order of the file, with users and items numbered from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratings {
    /// The user of each rating.
    pub users: Vec<u32>,
    /// The item of each rating.
    pub items: Vec<u32>,
    /// The rating itself.
    pub values: Vec<f32>,
    /// Who the users are.
    pub user_ids: Ids,
    /// What the items are.
    pub item_ids: Ids,
}

impl Ratings {
    /// The number of ratings.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// What the file calls the users or items that are numbered from 0 here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Number `k` is called by the integer at `k`.
    Integers(Vec<u64>),
    /// Number `k` is called by the name at `k`.
    Names(Vec<String>),
}

impl Ids {
    /// How many users or items there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(integers) => integers.len(),
            Self::Names(names) => names.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the file calls number `k`.
    pub fn name(&self, k: u32) -> String {
        match self {
            Self::Integers(integers) => integers[k as usize].to_string(),
            Self::Names(names) => names[k as usize].clone(),
        }
    }
}

/// Numbers ids in the order in which they come.
pub(crate) struct Numbering {
    ids: Ids,
    /// The number of each small integer plus one, 0 if it has none.
    small: Vec<u32>,
    integers: HashMap<u64, u32>,
    names: HashMap<String, u32>,
}

/// An id as written: an integer without leading zeros, or anything else.
#[derive(Clone, Copy)]
pub(crate) enum Id<'a> {
    Integer(u64),
    Name(&'a str),
}

impl Numbering {
    /// Ids that have their numbers already; new ones get those behind.
    pub(crate) fn after(ids: &Ids) -> Self {
        let mut numbering = Self {
            ids: Ids::Integers(Vec::new()),
            small: Vec::new(),
            integers: HashMap::new(),
            names: HashMap::new(),
        };
        match ids {
            Ids::Integers(known) => known.iter().for_each(|&id| {
                numbering.number(Id::Integer(id));
            }),
            Ids::Names(known) => {
                numbering.ids = Ids::Names(Vec::new());
                known.iter().for_each(|name| {
                    numbering.number(Id::Name(name));
                });
            }
        }
        numbering
    }

    /// The number of an id; a new one if it has none yet.
    #[inline]
    pub(crate) fn number(&mut self, id: Id<'_>) -> u32 {
        match id {
            Id::Integer(integer) => match self.small.get(integer as usize) {
                Some(&known) if known > 0 => known - 1,
                _ => self.number_integer(integer),
            },
            Id::Name(name) => self.number_name(name),
        }
    }

    #[cold]
    fn number_integer(&mut self, integer: u64) -> u32 {
        let Ids::Integers(known) = &mut self.ids else {
            return self.number_name(&integer.to_string());
        };
        if let Some(&number) = self.integers.get(&integer) {
            return number;
        }
        let number = known.len() as u32;
        known.push(integer);
        // A table as long as the ids warrant; those far above go by hash.
        let warranted = (1 << 16) + 16 * known.len();
        if integer < warranted as u64 {
            if self.small.len() <= integer as usize {
                self.small.resize(warranted, 0);
            }
            self.small[integer as usize] = number + 1;
        } else {
            self.integers.insert(integer, number);
        }
        number
    }

    /// From the first name on, integers are names too.
    #[cold]
    fn number_name(&mut self, name: &str) -> u32 {
        if let Ids::Integers(integers) = &self.ids {
            let names: Vec<_> = integers.iter().map(u64::to_string).collect();
            self.names = names.iter().cloned().zip(0..).collect();
            self.ids = Ids::Names(names);
            self.small = Vec::new();
        }
        let Ids::Names(names) = &mut self.ids else {
            unreachable!("they were just made names")
        };
        if let Some(&number) = self.names.get(name) {
            return number;
        }
        let number = names.len() as u32;
        names.push(name.to_owned());
        self.names.insert(name.to_owned(), number);
        number
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The ids, and in which order they now are: integers ascend, and `order[k]` is the new number
    /// of what had number `k`; names stay in the order in which they came.
    pub(crate) fn finish(self) -> (Ids, Option<Vec<u32>>) {
        match self.ids {
            Ids::Integers(integers) if !integers.is_sorted() => {
                let mut ascending: Vec<_> = (0..integers.len() as u32).collect();
                ascending.sort_unstable_by_key(|&k| integers[k as usize]);
                let mut order = vec![0; integers.len()];
                ascending
                    .iter()
                    .zip(0..)
                    .for_each(|(&k, new)| order[k as usize] = new);
                let sorted = ascending.iter().map(|&k| integers[k as usize]).collect();
                (Ids::Integers(sorted), Some(order))
            }
            ids => (ids, None),
        }
    }

    /// The ids in the order in which they came.
    pub(crate) fn into_ids(self) -> Ids {
        self.ids
    }
}
