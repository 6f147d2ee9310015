//! Ratings: who gave what to which item.

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
    /// Number `k` is called `first + k` in the file, for `k` below `count`.
    Counted {
        /// What number 0 is called.
        first: u32,
        /// How many there are.
        count: usize,
    },
    /// Number `k` is called `names[k]` in the file.
    Named(Vec<String>),
}

impl Ids {
    /// How many users or items there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Counted { count, .. } => *count,
            Self::Named(names) => names.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the file calls number `k`.
    pub fn name(&self, k: u32) -> String {
        match self {
            Self::Counted { first, .. } => (u64::from(*first) + u64::from(k)).to_string(),
            Self::Named(names) => names[k as usize].clone(),
        }
    }
}
