//! How many rows and columns there may be.

use crate::error::Kind;
use crate::options::ReadOptions;

/// Counts rows as they come, up to what a `u32` numbers.
#[derive(Default)]
pub(crate) struct RowCounter {
    rows: u64,
}

impl RowCounter {
    /// The number of the next row.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<u32, Kind> {
        let row = u32::try_from(self.rows).map_err(|_| Kind::TooLarge {
            what: "the number of rows",
            found: format!("more than {}", u32::MAX),
            limit: u64::from(u32::MAX),
            advice: "\nsplit the file",
        })?;
        self.rows += 1;
        Ok(row)
    }

    /// How many there are: at least one.
    pub(crate) fn total(&self) -> Result<usize, Kind> {
        match self.rows {
            0 => Err(Kind::Empty { what: "rows" }),
            rows => Ok(rows as usize),
        }
    }
}

/// The number of columns of a matrix whose entries need `met` columns: the one told, or that.
pub(crate) fn width(met: usize, entries: usize, options: &ReadOptions) -> Result<usize, Kind> {
    match options.columns {
        Some(told) if told < met => {
            let what = "the number of features";
            Err(Kind::Mismatch {
                what,
                expected: told as u64,
                found: met as u64,
            })
        }
        Some(told) => Ok(told),
        None => proven("the number of features", met, entries),
    }
}

/// Refuses a size that the data do not bear out: a few bytes must not reserve gigabytes.
pub(crate) fn proven(what: &'static str, size: usize, entries: usize) -> Result<usize, Kind> {
    const ALWAYS: usize = 1 << 24;
    const PER_ENTRY: usize = 1000;
    let limit = ALWAYS.max(entries.saturating_mul(PER_ENTRY));
    if size <= limit {
        return Ok(size);
    }
    Err(Kind::TooLarge {
        what,
        found: size.to_string(),
        limit: limit as u64,
        advice: " for so few entries\ncorrect it, or name the number of features to read it all the same",
    })
}

/// Refuses a target that does not have one number for each row.
pub(crate) fn one_target_a_row(targets: usize, rows: usize) -> Result<(), Kind> {
    if targets == rows {
        return Ok(());
    }
    let what = "the length of the target";
    Err(Kind::Mismatch {
        what,
        expected: rows as u64,
        found: targets as u64,
    })
}
