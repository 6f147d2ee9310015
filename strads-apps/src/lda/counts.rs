//! Sparse topic counts: one row a word, one row a document.
//!
//! Both keep only topics that occur, in no particular order, and both have room for as many as
//! can ever occur (`min(tokens, topics)`), so that sampling never allocates. Where topics are few,
//! documents keep a count for each of them instead: then nothing has to be looked for.

use strads::cluster::{Malformed, Packer, Travel, Unpacker};

use super::wide::{LANES, Wide};

/// What no token has as its topic.
pub const NO_TOPIC: u32 = u32::MAX - 1;
/// The topic of a free place in a document's row.
const FREE: u32 = u32::MAX;

/// Topic counts of words. Rows are read and rewritten whole.
#[derive(Clone, Debug, Default)]
pub struct WordCounts {
    /// Where each row's places start, and at last where they end.
    starts: Vec<usize>,
    /// How many places of each row are taken.
    taken: Vec<u32>,
    places: Vec<(u32, u32)>,
}

impl WordCounts {
    /// Empty rows for words that occur `tokens` times.
    pub fn new(tokens: impl IntoIterator<Item = usize>, topics: usize) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for tokens in tokens {
            end += tokens.min(topics);
            starts.push(end);
        }
        Self {
            taken: vec![0; starts.len() - 1],
            places: vec![(0, 0); end],
            starts,
        }
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// The topics of a word and how often it has each.
    #[inline(always)]
    pub fn row(&self, word: usize) -> &[(u32, u32)] {
        let start = self.starts[word];
        &self.places[start..start + self.taken[word] as usize]
    }

    /// All counts of all words.
    pub fn counts(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.len()).flat_map(|word| self.row(word).iter().map(|&(_, count)| count))
    }

    /// How far words have come together: the mean over a word's tokens of the share of them that has the
    /// same topic, summed over tokens.
    pub fn together(&self) -> f64 {
        (0..self.len())
            .map(|word| together(self.row(word).iter().map(|&(_, count)| count)))
            .sum()
    }

    /// Replaces a row.
    #[inline(always)]
    pub fn write(&mut self, word: usize, row: impl IntoIterator<Item = (u32, u32)>) {
        let places = &mut self.places[self.starts[word]..self.starts[word + 1]];
        let mut taken = 0;
        for (place, entry) in places.iter_mut().zip(row) {
            *place = entry;
            taken += 1;
        }
        self.taken[word] = taken;
    }
}

/// The same for one word, of these counts.
pub fn together(counts: impl Iterator<Item = u32>) -> f64 {
    let (all, squares) = counts.fold((0.0, 0.0), |(all, squares), count| {
        let count = f64::from(count);
        (all + count, squares + count * count)
    });
    if all > 0.0 { squares / all } else { 0.0 }
}

/// Sixteen places of a document's row. Counts are `f32` because they are multiplied, never
/// formatted: whole numbers below 2^24 are exact.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    /// The topics; [`FREE`] where the place is.
    pub topics: [u32; LANES],
    /// How often the document has each; 0 where the place is free.
    pub counts: [f32; LANES],
}

const EMPTY: Chunk = Chunk {
    topics: [FREE; LANES],
    counts: [0.0; LANES],
};

/// Up to this many topics, documents keep a count for each.
pub const DENSE_UP_TO: usize = 192;

/// Topic counts of documents. Rows change one count at a time.
#[derive(Clone, Debug)]
pub enum DocumentCounts {
    /// A count for each topic.
    Dense(DenseRows),
    /// The topics that occur.
    Sparse(SparseRows),
}

impl DocumentCounts {
    /// Empty rows for documents of `lengths` tokens.
    pub fn new(lengths: &[u32], topics: usize, dense: bool) -> Self {
        if dense {
            Self::Dense(DenseRows::new(lengths.len(), topics))
        } else {
            let lengths = lengths.iter().map(|&length| length as usize);
            Self::Sparse(SparseRows::new(lengths, topics))
        }
    }

    /// The topics of a document and how often it has each.
    pub fn row(&self, document: usize) -> impl Iterator<Item = (u32, u32)> + '_ {
        let (dense, sparse) = match self {
            Self::Dense(rows) => (Some(rows.row(document).as_flattened()), None),
            Self::Sparse(rows) => (None, Some(rows.row(document))),
        };
        let counts = dense
            .unwrap_or_default()
            .iter()
            .map(|&count| u32::from(count));
        let dense = (0..).zip(counts).filter(|&(_, count)| count > 0);
        dense.chain(sparse.into_iter().flatten())
    }

    /// Counts one more token of `topic`.
    #[inline(always)]
    pub fn add<W: Wide>(&mut self, wide: W, document: usize, topic: u32) {
        match self {
            Self::Dense(rows) => rows.add(document, topic),
            Self::Sparse(rows) => rows.add(wide, document, topic),
        }
    }

    /// Forgets all counts.
    pub fn clear(&mut self) {
        match self {
            Self::Dense(rows) => rows.counts.fill([0; LANES]),
            Self::Sparse(rows) => rows.clear(),
        }
    }
}

/// Sixteen counts.
pub type Counts = [u16; LANES];

/// One token of the topic that is in this lane.
const ONE: [Counts; LANES] = {
    let mut ones = [[0; LANES]; LANES];
    let mut lane = 0;
    while lane < LANES {
        ones[lane][lane] = 1;
        lane += 1;
    }
    ones
};

/// Rows of a count for each topic, in whole nodes.
#[derive(Clone, Debug)]
pub struct DenseRows {
    nodes: usize,
    counts: Vec<Counts>,
}

impl DenseRows {
    /// A count has to fit.
    pub const LONGEST: u32 = u16::MAX as u32;

    fn new(documents: usize, topics: usize) -> Self {
        let nodes = topics.div_ceil(LANES);
        Self {
            nodes,
            counts: vec![[0; LANES]; documents * nodes],
        }
    }

    /// The counts of a document by topic.
    #[inline(always)]
    pub fn row(&self, document: usize) -> &[Counts] {
        &self.counts[document * self.nodes..(document + 1) * self.nodes]
    }

    /// The rows, if they have `N` nodes.
    #[inline(always)]
    pub fn rows<const N: usize>(&mut self) -> &mut [[Counts; N]] {
        assert_eq!(N, self.nodes);
        self.counts.as_chunks_mut().0
    }

    /// Counts one more token of `topic`.
    #[inline(always)]
    pub fn add(&mut self, document: usize, topic: u32) {
        let node = document * self.nodes + topic as usize / LANES;
        self.counts[node] = with_one_more(self.counts[node], topic);
    }
}

/// Counts one more token of `topic`. Nodes are written whole: reading one as a whole right after a part
/// of it was written stalls.
#[inline(always)]
pub fn with_one_more(node: Counts, topic: u32) -> Counts {
    let one = &ONE[topic as usize % LANES];
    std::array::from_fn(|lane| node[lane].wrapping_add(one[lane]))
}

/// Counts one token of `topic` less.
#[inline(always)]
pub fn with_one_less(node: Counts, topic: u32) -> Counts {
    let one = &ONE[topic as usize % LANES];
    std::array::from_fn(|lane| node[lane].wrapping_sub(one[lane]))
}

/// Rows of the topics that occur.
#[derive(Clone, Debug, Default)]
pub struct SparseRows {
    starts: Vec<usize>,
    taken: Vec<u32>,
    chunks: Vec<Chunk>,
}

impl SparseRows {
    /// Empty rows for documents of `lengths` tokens.
    fn new(lengths: impl IntoIterator<Item = usize>, topics: usize) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        for length in lengths {
            end += length.min(topics).div_ceil(LANES);
            starts.push(end);
        }
        Self {
            taken: vec![0; starts.len() - 1],
            chunks: vec![EMPTY; end],
            starts,
        }
    }

    /// The row of a document, in whole chunks.
    #[inline(always)]
    pub fn chunks(&self, document: usize) -> &[Chunk] {
        let start = self.starts[document];
        &self.chunks[start..start + (self.taken[document] as usize).div_ceil(LANES)]
    }

    /// The topics of a document and how often it has each.
    fn row(&self, document: usize) -> impl Iterator<Item = (u32, u32)> + '_ {
        let places = self.chunks(document).iter();
        places
            .flat_map(|chunk| chunk.topics.iter().zip(&chunk.counts))
            .take(self.taken[document] as usize)
            .map(|(&topic, &count)| (topic, count as u32))
    }

    /// Counts one more token of `topic`.
    #[inline(always)]
    pub fn add<W: Wide>(&mut self, wide: W, document: usize, topic: u32) {
        let place = match self.place(wide, document, topic) {
            Some(place) => place,
            None => {
                let place = self.taken[document] as usize;
                self.taken[document] += 1;
                place
            }
        };
        let chunk = &mut self.chunks[self.starts[document] + place / LANES];
        chunk.topics[place % LANES] = topic;
        chunk.counts[place % LANES] += 1.0;
    }

    /// Counts one token of `topic` less; the last place fills a place that becomes free.
    #[inline(always)]
    pub fn remove<W: Wide>(&mut self, wide: W, document: usize, topic: u32) {
        let Some(place) = self.place(wide, document, topic) else {
            debug_assert!(false, "topic {topic} is not in document {document}");
            return;
        };
        let start = self.starts[document];
        let chunk = &mut self.chunks[start + place / LANES];
        chunk.counts[place % LANES] -= 1.0;
        if chunk.counts[place % LANES] > 0.0 {
            return;
        }
        self.taken[document] -= 1;
        let last = self.taken[document] as usize;
        let end = &mut self.chunks[start + last / LANES];
        let (topic, count) = (end.topics[last % LANES], end.counts[last % LANES]);
        (end.topics[last % LANES], end.counts[last % LANES]) = (FREE, 0.0);
        if place != last {
            let chunk = &mut self.chunks[start + place / LANES];
            (chunk.topics[place % LANES], chunk.counts[place % LANES]) = (topic, count);
        }
    }

    /// Forgets all counts.
    fn clear(&mut self) {
        self.taken.fill(0);
        self.chunks.fill(EMPTY);
    }

    #[inline(always)]
    fn place<W: Wide>(&self, wide: W, document: usize, topic: u32) -> Option<usize> {
        for (number, chunk) in self.chunks(document).iter().enumerate() {
            let matches = wide.matches(&chunk.topics, topic);
            if matches != 0 {
                return Some(number * LANES + matches.trailing_zeros() as usize);
            }
        }
        None
    }
}

strads::travel_by_variants!(DocumentCounts { 0 => Dense(rows), 1 => Sparse(rows) });
strads::travel_by_fields!(
    Chunk { topics, counts }
    DenseRows { nodes, counts }
    SparseRows { starts, taken, chunks }
);

/// Places that are free do not travel.
impl Travel for WordCounts {
    fn pack(&self, out: &mut Packer<'_>) {
        self.starts.pack(out);
        self.taken.pack(out);
        let rows = (0..self.len()).flat_map(|word| self.row(word));
        let flat: Vec<u32> = rows.flat_map(|&(topic, count)| [topic, count]).collect();
        flat.pack(out);
    }

    fn unpack(from: &mut Unpacker<'_>) -> Result<Self, Malformed> {
        let (starts, taken, flat) = <(Vec<usize>, Vec<u32>, Vec<u32>)>::unpack(from)?;
        let wrong = Malformed("counts of words");
        let mut places = vec![(0, 0); *starts.last().ok_or(wrong)?];
        let mut rest = flat.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        if starts.len() != taken.len() + 1 {
            return Err(wrong);
        }
        for (room, &taken) in starts.windows(2).zip(&taken) {
            let room = places.get_mut(room[0]..room[1]).ok_or(wrong)?;
            let row = room.get_mut(..taken as usize).ok_or(wrong)?;
            for place in row {
                *place = rest.next().ok_or(wrong)?;
            }
        }
        Ok(Self {
            starts,
            taken,
            places,
        })
    }
}
