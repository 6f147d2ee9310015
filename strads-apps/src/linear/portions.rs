//! A set of columns, divided among workers.

use std::ops::Range;
use std::sync::Arc;

use strads::policy::contiguous;

use super::design::Design;

/// Stored entries below which handing a portion over costs more than it saves.
const WORTH_SHARING: usize = 20_000;

/// Columns, cut into ranges that take about as long to go through. Where they ascend neighbours stay
/// together: in most data they are the ones that correlate.
#[derive(Clone, Debug, Default)]
pub(super) struct Portions {
    columns: Arc<Vec<u32>>,
    cuts: Vec<Range<usize>>,
    /// Stored entries of each range.
    loads: Vec<usize>,
}

/// What one worker gets of a set of columns.
#[derive(Clone, Debug)]
pub struct Portion {
    columns: Arc<Vec<u32>>,
    own: Range<usize>,
}

impl Portions {
    /// Divides `columns` among `workers`, or leaves them whole if going through them takes no
    /// time to speak of.
    pub fn of(columns: Vec<u32>, design: &Design, workers: usize) -> Self {
        let ends: Vec<usize> = (columns.iter())
            .scan(0, |end, &j| {
                *end += design.stored(j as usize);
                Some(*end)
            })
            .collect();
        let stored = ends.last().copied().unwrap_or(0);
        let cuts = contiguous(&ends, if stored > WORTH_SHARING { workers } else { 1 });
        let upto = |at: usize| if at == 0 { 0 } else { ends[at - 1] };
        Self {
            loads: cuts
                .iter()
                .map(|cut| upto(cut.end) - upto(cut.start))
                .collect(),
            columns: Arc::new(columns),
            cuts,
        }
    }

    /// The same columns, undivided.
    pub fn whole(&self) -> Self {
        Self {
            columns: Arc::clone(&self.columns),
            cuts: std::iter::once(0..self.columns.len()).collect(),
            loads: vec![self.loads.iter().sum()],
        }
    }

    /// All columns.
    pub fn columns(&self) -> &[u32] {
        &self.columns
    }

    /// Each worker's range of the columns with what it costs.
    pub fn each(&self) -> impl Iterator<Item = (Range<usize>, Portion, usize)> {
        self.cuts.iter().zip(&self.loads).map(|(cut, &load)| {
            let portion = Portion {
                columns: Arc::clone(&self.columns),
                own: cut.clone(),
            };
            (cut.clone(), portion, load)
        })
    }
}

impl std::ops::Deref for Portion {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.columns[self.own.clone()]
    }
}

strads::travel_by_fields!(Portion { columns, own });
