//! The state of training on disk: a topic a token, in the order of the corpus.
//!
//! Everything else is counted from that. A checkpoint is written beside its place, flushed and
//! renamed, so that there is always a whole one; it carries its length and a checksum.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use strads_datasets::Corpus;

use super::program::Lda;
use super::shard::Shard;
use crate::failure::Failure;

/// What a checkpoint says of itself, as its first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// How many sweeps were completed.
    pub sweeps: u64,
    /// How many topics there are.
    pub topics: usize,
    /// How many tokens follow, four bytes each.
    pub tokens: u64,
    /// The run's seed.
    pub seed: u64,
    /// α and β, to the bit.
    pub prior: (u32, u32),
    /// CRC-32 of what follows.
    pub checksum: u32,
}

/// Writes the state into `directory`.
pub fn save(
    directory: &Path,
    corpus: &Corpus,
    lda: &Lda,
    shards: &[Shard],
    seed: u64,
) -> io::Result<()> {
    let mut bytes = vec![0; 4 * lda.tokens() as usize];
    for (worker, shard) in shards.iter().enumerate() {
        shard.topics(corpus, &lda.layout, worker, |token, topic| {
            bytes[4 * token as usize..][..4].copy_from_slice(&topic.to_le_bytes());
        });
    }
    let header = Header {
        sweeps: lda.sweeps(),
        topics: lda.topics(),
        tokens: lda.tokens(),
        seed,
        prior: (lda.prior.alpha.to_bits(), lda.prior.beta.to_bits()),
        checksum: crc32fast::hash(&bytes),
    };
    fs::create_dir_all(directory)?;
    let (part, whole) = (directory.join("lda.part"), path(directory));
    let mut file = File::create(&part)?;
    writeln!(file, "{}", serde_json::to_string(&header)?)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(part, whole)?;
    File::open(directory)?.sync_all()
}

/// Reads the state of `corpus` with `topics` topics from `directory`.
pub fn load(directory: &Path, tokens: u64, topics: usize) -> Result<(Header, Vec<u32>), Failure> {
    let path = path(directory);
    let wrong = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| wrong(format!("cannot read the checkpoint: {error}")))?;
    let line = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(bytes.len());
    let header: Header = serde_json::from_slice(&bytes[..line])
        .map_err(|error| wrong(format!("not a checkpoint of this program: {error}")))?;
    let body = bytes.get(line + 1..).unwrap_or_default();
    if body.len() as u64 != header.tokens.saturating_mul(4)
        || crc32fast::hash(body) != header.checksum
    {
        return Err(wrong("the checkpoint is damaged or cut off".to_owned()));
    }
    if (header.tokens, header.topics) != (tokens, topics) {
        return Err(wrong(format!(
            "the checkpoint has {} tokens and {} topics, this run {tokens} and {topics}\n\
             go on with the corpus and the options that it was made with",
            header.tokens, header.topics
        )));
    }
    let given: Vec<u32> = body
        .chunks_exact(4)
        .map(|four| u32::from_le_bytes(four.try_into().expect("chunks of four")))
        .collect();
    if given.iter().any(|&topic| topic as usize >= topics) {
        return Err(wrong(
            "the checkpoint names a topic that does not exist".to_owned(),
        ));
    }
    Ok((header, given))
}

fn path(directory: &Path) -> PathBuf {
    directory.join("lda.checkpoint")
}
