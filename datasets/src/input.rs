//! An opened source: decompressed by content, counted for progress, its first bytes at hand.
//!
//! gzip and zstd are recognised by their magic bytes, whatever the name says. A byte order mark is
//! taken off.

use crate::error::{Error, Kind};
use crate::{Progress, Source};
use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;
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
        let raw = open_raw(source, progress).map_err(|error| {
            Error::whole(
                &name,
                Kind::Io {
                    action: "open",
                    error,
                },
            )
        })?;
        let (stream, encoding) = decompressed(raw).map_err(|error| {
            Error::whole(
                &name,
                Kind::Io {
                    action: "read",
                    error,
                },
            )
        })?;
        let mut input = Self {
            name,
            stream,
            encoding,
            head: Vec::new(),
            consumed: 0,
        };
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
        self.consumed = if head.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        self.head = head;
        Ok(())
    }

    fn explain(&self, error: io::Error) -> Kind {
        match (self.encoding, error.kind()) {
            ("", _) => Kind::Io {
                action: "read",
                error,
            },
            (what, ErrorKind::UnexpectedEof) => Kind::Truncated { what },
            (what, _) => Kind::Damaged {
                what,
                reason: error.to_string(),
            },
        }
    }
}

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

/// Content that can be read from anywhere in it, as often as needed.
pub(crate) struct Storage {
    name: String,
    content: Content,
    progress: Option<Arc<Progress>>,
}

enum Content {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

pub(crate) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl Storage {
    /// The content of `source`, opened as `input`. A plain file stays where it is; what is
    /// compressed or comes through a pipe is read into memory.
    pub(crate) fn new(
        source: &Source,
        mut input: Input,
        progress: Option<&Arc<Progress>>,
    ) -> Result<Self, Error> {
        let content = match source {
            Source::File(path) if input.encoding.is_empty() => Content::File(path.clone()),
            _ => {
                let mut bytes = Vec::new();
                input.read_into(&mut bytes, usize::MAX)?;
                Content::Memory(bytes.into())
            }
        };
        Ok(Self {
            name: input.name,
            content,
            progress: progress.cloned(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn open(&self) -> Result<Box<dyn ReadSeek>, Error> {
        match &self.content {
            Content::Memory(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
            Content::File(path) => {
                let inner = File::open(path).map_err(|error| {
                    Error::whole(
                        &self.name,
                        Kind::Io {
                            action: "open",
                            error,
                        },
                    )
                })?;
                let progress = self.progress.clone().unwrap_or_default();
                Ok(Box::new(Counted { inner, progress }))
            }
        }
    }
}

fn open_raw(source: &Source, progress: Option<&Arc<Progress>>) -> io::Result<Box<dyn Read + Send>> {
    let (raw, size): (Box<dyn Read + Send>, u64) = match source {
        Source::File(path) => {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            (Box::new(file), size)
        }
        Source::Stdin => (Box::new(io::stdin()), 0),
        Source::Memory { bytes, .. } => (Box::new(Cursor::new(bytes.clone())), bytes.len() as u64),
    };
    Ok(match progress {
        None => raw,
        Some(progress) => {
            progress.expect(size);
            Box::new(Counted {
                inner: raw,
                progress: progress.clone(),
            })
        }
    })
}

fn decompressed(mut raw: Box<dyn Read + Send>) -> io::Result<(Box<dyn Read + Send>, &'static str)> {
    let mut magic = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut magic)?;
    let kind = magic.clone();
    let whole = Cursor::new(magic).chain(raw);
    Ok(match kind.as_slice() {
        [0x1f, 0x8b, ..] => (
            Box::new(flate2::read::MultiGzDecoder::new(whole)),
            "gzip stream",
        ),
        [0x28, 0xb5, 0x2f, 0xfd] => (Box::new(zstd::Decoder::new(whole)?), "zstd stream"),
        _ => (Box::new(whole), ""),
    })
}

/// Counts the bytes that pass.
struct Counted<R> {
    inner: R,
    progress: Arc<Progress>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.progress.advance(count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
