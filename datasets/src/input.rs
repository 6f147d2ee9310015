//! An opened source: decompressed by content, counted for progress, its first bytes at hand.
//!
//! gzip and zstd are recognised by their magic bytes, whatever the name says. A byte order mark is
//! taken off.

use crate::error::{Error, Kind};
use crate::{Progress, Source};
use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read};
use std::sync::Arc;

/// A stream of decompressed bytes.
pub(crate) struct Input {
    name: String,
    stream: Box<dyn Read + Send>,
    encoding: &'static str,
    head: Vec<u8>,
    consumed: usize,
}

/// How much of the content is at hand to tell its format by.
const HEAD: usize = 1 << 16;

impl Input {
    pub(crate) fn open(source: &Source, progress: Option<&Arc<Progress>>) -> Result<Self, Error> {
        let name = source.to_string();
        let raw = open_raw(source, progress)
            .map_err(|error| Error::whole(&name, Kind::Io { action: "open", error }))?;
        let (stream, encoding) = decompressed(raw)
            .map_err(|error| Error::whole(&name, Kind::Io { action: "read", error }))?;
        let mut input = Self { name, stream, encoding, head: Vec::new(), consumed: 0 };
        input.look_ahead()?;
        Ok(input)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The first bytes that have not been read, up to 64 KiB of them.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head[self.consumed..]
    }

    /// Appends up to `limit` bytes to `into`; fewer only at the end of the data.
    pub(crate) fn read_into(&mut self, into: &mut Vec<u8>, limit: usize) -> Result<(), Error> {
        let from_head = self.head().len().min(limit);
        into.extend_from_slice(&self.head[self.consumed..][..from_head]);
        self.consumed += from_head;
        let rest = (limit - from_head) as u64;
        match self.stream.by_ref().take(rest).read_to_end(into) {
            Ok(_) => Ok(()),
            Err(error) => Err(Error::whole(&self.name, self.explain(error))),
        }
    }

    fn look_ahead(&mut self) -> Result<(), Error> {
        let mut head = Vec::with_capacity(HEAD);
        self.read_into(&mut head, HEAD)?;
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            let what = "UTF-16 text".to_owned();
            let advice = "convert it to UTF-8";
            return Err(Error::whole(&self.name, Kind::Unsupported { what, advice }));
        }
        self.consumed = if head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        self.head = head;
        Ok(())
    }

    fn explain(&self, error: io::Error) -> Kind {
        match (self.encoding, error.kind()) {
            ("", _) => Kind::Io { action: "read", error },
            (what, ErrorKind::UnexpectedEof) => Kind::Truncated { what },
            (what, _) => Kind::Damaged { what, reason: error.to_string() },
        }
    }
}

/// Reads everything that is left of it.
impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.head().is_empty() {
            return self.stream.read(into);
        }
        let count = self.head().len().min(into.len());
        into[..count].copy_from_slice(&self.head()[..count]);
        self.consumed += count;
        Ok(count)
    }
}

fn open_raw(
    source: &Source,
    progress: Option<&Arc<Progress>>,
) -> io::Result<Box<dyn Read + Send>> {
    let (raw, size): (Box<dyn Read + Send>, u64) = match source {
        Source::File(path) => {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            (Box::new(file), size)
        }
        Source::Stdin => (Box::new(io::stdin()), 0),
        Source::Memory { bytes, .. } => {
            (Box::new(Cursor::new(bytes.clone())), bytes.len() as u64)
        }
    };
    Ok(match progress {
        None => raw,
        Some(progress) => {
            progress.expect(size);
            Box::new(Counted { inner: raw, progress: progress.clone() })
        }
    })
}

fn decompressed(mut raw: Box<dyn Read + Send>) -> io::Result<(Box<dyn Read + Send>, &'static str)> {
    let mut magic = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut magic)?;
    let kind = magic.clone();
    let whole = Cursor::new(magic).chain(raw);
    Ok(match kind.as_slice() {
        [0x1f, 0x8b, ..] => (Box::new(flate2::read::MultiGzDecoder::new(whole)), "gzip stream"),
        [0x28, 0xb5, 0x2f, 0xfd] => (Box::new(zstd::Decoder::new(whole)?), "zstd stream"),
        _ => (Box::new(whole), ""),
    })
}

/// Counts the bytes that pass.
struct Counted {
    inner: Box<dyn Read + Send>,
    progress: Arc<Progress>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.progress.advance(count as u64);
        Ok(count)
    }
}
