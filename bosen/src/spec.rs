//! What a table is: its shape, its keys, its consistency and its update rule, as one value that
//! all workers and shards agree on.

use crate::batch::{Batch, Layout, Misfit};
use crate::consistency::Consistency;
use crate::element::{Element, ElementKind};
use crate::filter::Filters;
use crate::rows::RowSet;
use crate::rule::Rule;
use serde::{Deserialize, Serialize};

/// The description of a table.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct TableSpec {
    /// The shape of its rows.
    pub layout: Layout,
    /// The keys it can have.
    pub keys: Keys,
    /// How far apart workers may be on it.
    pub consistency: Consistency,
    /// What an increment does.
    pub rule: Rule,
    /// What becomes of increments on their way.
    pub filters: Filters,
}

/// The keys that a table can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Keys {
    /// Any; rows come into being when they are first incremented.
    Any,
    /// Those from `first` on; all rows exist from the beginning, and lie next to each other.
    Range {
        /// The least key.
        first: u64,
        /// The number of keys.
        len: u64,
    },
}

/// A table that cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub enum BadSpec {
    /// Optimisers step over dense rows of floating-point numbers.
    #[error("an optimiser needs dense rows of floating-point numbers")]
    Rule,
    /// More than a shard can hold, or keys beyond the greatest.
    #[error("a table of {rows} rows of {row_bytes} bytes is beyond the limit of {limit} bytes")]
    Size {
        /// Rows asked for.
        rows: u64,
        /// Bytes of one.
        row_bytes: u64,
        /// Bytes that a table with a range of keys may take.
        limit: u64,
    },
    /// Filters that cannot keep what their type or the consistency promises.
    #[error("the filters do not fit the table's type of cell, or its consistency")]
    Filters,
    /// A staleness, delay or bound that is not a number, or a quorum of nobody.
    #[error("the consistency's parameter is out of range")]
    Consistency,
}

/// The greatest table whose rows exist from the beginning.
const RANGE_LIMIT_BYTES: u64 = 1 << 40;

impl TableSpec {
    /// A table of dense rows of `length` cells, any keys, bulk synchronous, increments added.
    pub fn dense<E: Element>(length: u32) -> TableSpec {
        TableSpec::new(Layout {
            kind: E::KIND,
            length: Some(length),
        })
    }

    /// A table of sparse rows, any keys, bulk synchronous, increments added.
    pub fn sparse<E: Element>() -> TableSpec {
        TableSpec::new(Layout {
            kind: E::KIND,
            length: None,
        })
    }

    fn new(layout: Layout) -> TableSpec {
        TableSpec {
            layout,
            keys: Keys::Any,
            consistency: Consistency::Bsp,
            rule: Rule::Add,
            filters: Filters::default(),
        }
    }

    /// The same with the keys `first..first + len`.
    pub fn range(self, first: u64, len: u64) -> TableSpec {
        TableSpec {
            keys: Keys::Range { first, len },
            ..self
        }
    }

    /// The same with another consistency.
    pub fn consistency(self, consistency: Consistency) -> TableSpec {
        TableSpec {
            consistency,
            ..self
        }
    }

    /// The same with another update rule.
    pub fn rule(self, rule: Rule) -> TableSpec {
        TableSpec { rule, ..self }
    }

    /// The same with filters.
    pub fn filters(self, filters: Filters) -> TableSpec {
        TableSpec { filters, ..self }
    }

    /// The type of a cell.
    pub fn kind(&self) -> ElementKind {
        self.layout.kind
    }

    /// Whether all its rows exist from the beginning.
    pub fn is_range(&self) -> bool {
        matches!(self.keys, Keys::Range { .. })
    }

    /// Checks that such a table can be.
    pub fn check(&self) -> Result<(), BadSpec> {
        if !self.rule.is_additive() && (self.layout.length.is_none() || !self.kind().is_float()) {
            return Err(BadSpec::Rule);
        }
        let in_range = match self.consistency {
            Consistency::ValueBound { bound } => bound.is_finite() && bound > 0.0,
            Consistency::Backup { needed } => needed > 0,
            _ => true,
        };
        if !in_range {
            return Err(BadSpec::Consistency);
        }
        // What is kept back is unseen, and a value bound bounds that already.
        let bounded = matches!(self.consistency, Consistency::ValueBound { .. });
        if !self.filters.fit(self.kind()) || (bounded && self.filters.keep_back(self.kind())) {
            return Err(BadSpec::Filters);
        }
        let row_bytes = self.layout.row_bytes().max(1) as u64;
        let rows = match self.keys {
            Keys::Any => 1,
            Keys::Range { first, len } => len.max(first.checked_add(len).map_or(u64::MAX, |_| 0)),
        };
        match rows.checked_mul(row_bytes) {
            Some(bytes) if bytes <= RANGE_LIMIT_BYTES && rows < u64::from(u32::MAX) => Ok(()),
            _ => Err(BadSpec::Size {
                rows,
                row_bytes,
                limit: RANGE_LIMIT_BYTES,
            }),
        }
    }

    /// Checks that `rows` are among the table's keys.
    pub fn check_rows(&self, rows: &RowSet) -> Result<(), Misfit> {
        let Keys::Range { first, len } = self.keys else {
            return Ok(());
        };
        if rows.is_empty() {
            return Ok(());
        }
        let outside = |row: u64| row < first || row - first >= len;
        match [rows.key(0), rows.key(rows.len() - 1)]
            .into_iter()
            .find(|&row| outside(row))
        {
            Some(row) => Err(Misfit::Row { row }),
            None => Ok(()),
        }
    }

    /// Checks that `batch` fits.
    pub fn check_batch(&self, batch: &Batch) -> Result<(), Misfit> {
        self.check_rows(&batch.rows)?;
        self.layout.check(batch)
    }
}
