//! Text cut into pieces of whole lines, which are parsed on several threads and taken in order.
//!
//! A parser sees one piece at a time and says what is wrong by offset; the line and column are
//! found here. What it makes of a piece is handed to one taker in the order of the file, so a
//! result does not depend on the number of threads, and the first error in the file is the one
//! that is reported. At most a few pieces a thread exist at a time.

use crate::error::{Error, Kind, Place};
use crate::input::Input;
use crate::number::PADDING;
use crate::text::{Flaw, Text};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Text by lines or pieces of many lines.
pub(crate) struct Lines {
    input: Input,
    /// Bytes that have been read and not been handed out.
    rest: Vec<u8>,
    lines_before: u64,
    ended: bool,
}

/// The size of a piece, unless one line is longer.
const PIECE: usize = 1 << 18;
/// The longest line.
const LONGEST_LINE: usize = 1 << 30;

impl Lines {
    pub(crate) fn new(input: Input) -> Self {
        Self {
            input,
            rest: Vec::new(),
            lines_before: 0,
            ended: false,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.input.name()
    }

    /// An error in the line that [`Self::next_line`] gave last, at a byte counted from 0.
    pub(crate) fn error(&self, at: usize, kind: Kind) -> Error {
        Error::at(
            self.name(),
            Place::Byte {
                line: self.lines_before,
                column: at as u64 + 1,
            },
            kind,
        )
    }

    /// The next line, without its line break; for headers.
    pub(crate) fn next_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Some(line) = self.peek_line()? else {
            return Ok(None);
        };
        self.lines_before += 1;
        let end = memchr::memchr(b'\n', &self.rest).expect("a line was just seen");
        self.rest.drain(..=end);
        Ok(Some(line))
    }

    /// As [`Self::next_line`], and the line stays the next one.
    pub(crate) fn peek_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut text = Vec::new();
        if !self.fill(&mut text, 0)? {
            return Ok(None);
        }
        text.truncate(text.len() - PADDING);
        self.rest.splice(0..0, text);
        let line = self
            .rest
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
    }

    /// Parses everything that is left on `threads` threads and takes the results in order.
    pub(crate) fn parse<P: Default + Send>(
        self,
        threads: usize,
        parse: impl Fn(Text<'_>, &mut P) -> Result<(), Flaw> + Sync,
        take: impl FnMut(&mut P) -> Result<(), Kind>,
    ) -> Result<(), Error> {
        if threads <= 1 {
            self.parse_here(parse, take)
        } else {
            self.parse_on(threads, parse, take)
        }
    }

    fn parse_here<P: Default>(
        mut self,
        parse: impl Fn(Text<'_>, &mut P) -> Result<(), Flaw>,
        mut take: impl FnMut(&mut P) -> Result<(), Kind>,
    ) -> Result<(), Error> {
        let (mut buffer, mut piece) = (Vec::new(), P::default());
        while self.fill(&mut buffer, PIECE)? {
            let text = text(&buffer);
            parse(text, &mut piece)
                .map_err(|flaw| flaw.located(self.name(), self.lines_before, text))?;
            take(&mut piece).map_err(|kind| Error::whole(self.name(), kind))?;
            self.lines_before += count_lines(text);
        }
        Ok(())
    }

    fn parse_on<P: Default + Send>(
        self,
        threads: usize,
        parse: impl Fn(Text<'_>, &mut P) -> Result<(), Flaw> + Sync,
        take: impl FnMut(&mut P) -> Result<(), Kind>,
    ) -> Result<(), Error> {
        let name = self.name().to_owned();
        let lines_before = self.lines_before;
        let supply = Mutex::new((0, self));
        let spares = Mutex::new(Vec::new());
        let (sender, receiver) = sync_channel(threads);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let sender = sender.clone();
                scope.spawn(|| work(&supply, &spares, &parse, sender));
            }
            drop(sender);
            take_in_order(&name, lines_before, receiver, &spares, take)
        })
    }

    /// Replaces `buffer` by the next whole lines, about `size` bytes or one line, and padding.
    /// False at the end of the data.
    fn fill(&mut self, buffer: &mut Vec<u8>, size: usize) -> Result<bool, Error> {
        buffer.clear();
        buffer.append(&mut self.rest);
        let mut searched = 0;
        let mut goal = size;
        loop {
            if !self.ended && buffer.len() < goal.max(1) {
                let wanted = goal.max(1 << 12) - buffer.len();
                let before = buffer.len();
                self.input.read_into(buffer, wanted)?;
                self.ended = buffer.len() - before < wanted;
            }
            let found = memchr::memrchr(b'\n', &buffer[searched..]);
            if let Some(last) = found {
                self.rest.extend_from_slice(&buffer[searched + last + 1..]);
                buffer.truncate(searched + last + 1);
                break;
            }
            if self.ended {
                if buffer.is_empty() {
                    return Ok(false);
                }
                buffer.push(b'\n');
                break;
            }
            if buffer.len() > LONGEST_LINE {
                let kind = Kind::TooLarge {
                    what: "a line's length in bytes",
                    found: format!("more than {LONGEST_LINE}"),
                    limit: LONGEST_LINE as u64,
                    advice: "",
                };
                return Err(Error::at(
                    self.name(),
                    Place::Line(self.lines_before + 1),
                    kind,
                ));
            }
            searched = buffer.len();
            goal = buffer.len() * 2;
        }
        buffer.resize(buffer.len() + PADDING, 0);
        Ok(true)
    }
}

/// A text with padding from somewhere else than a [`Lines`]: what `fill` leaves in a buffer.
fn text(buffer: &[u8]) -> Text<'_> {
    Text {
        bytes: buffer,
        end: buffer.len() - PADDING,
    }
}

fn count_lines(text: Text<'_>) -> u64 {
    memchr::memchr_iter(b'\n', &text.bytes[..text.end]).count() as u64
}

/// What becomes of one piece: its number, and its content with its number of lines, or the error
/// and the bytes that locate it once the lines before are counted.
type Parsed<P> = (u64, Result<(P, u64), Failure>);

enum Failure {
    Reading(Error),
    Parsing(Flaw, Vec<u8>),
}

fn work<P: Default>(
    supply: &Mutex<(u64, Lines)>,
    spares: &Mutex<Vec<P>>,
    parse: &(impl Fn(Text<'_>, &mut P) -> Result<(), Flaw> + Sync),
    sender: SyncSender<Parsed<P>>,
) {
    let mut buffer = Vec::new();
    loop {
        let (number, filled) = {
            let mut supply = lock(supply);
            supply.0 += 1;
            (supply.0, supply.1.fill(&mut buffer, PIECE))
        };
        let parsed = match filled {
            Ok(false) => return,
            Err(error) => Err(Failure::Reading(error)),
            Ok(true) => {
                let mut piece = lock(spares).pop().unwrap_or_default();
                let text = text(&buffer);
                match parse(text, &mut piece) {
                    Ok(()) => Ok((piece, count_lines(text))),
                    Err(flaw) => Err(Failure::Parsing(flaw, std::mem::take(&mut buffer))),
                }
            }
        };
        // Nobody listens any more once an earlier piece has failed.
        let failed = parsed.is_err();
        if sender.send((number, parsed)).is_err() || failed {
            return;
        }
    }
}

fn take_in_order<P>(
    name: &str,
    mut lines_before: u64,
    receiver: Receiver<Parsed<P>>,
    spares: &Mutex<Vec<P>>,
    mut take: impl FnMut(&mut P) -> Result<(), Kind>,
) -> Result<(), Error> {
    let mut early = BTreeMap::new();
    let mut next = 1;
    for (number, parsed) in receiver {
        early.insert(number, parsed);
        while let Some(parsed) = early.remove(&next) {
            match parsed {
                Ok((mut piece, lines)) => {
                    take(&mut piece).map_err(|kind| Error::whole(name, kind))?;
                    lines_before += lines;
                    lock(spares).push(piece);
                }
                Err(Failure::Reading(error)) => return Err(error),
                Err(Failure::Parsing(flaw, buffer)) => {
                    return Err(flaw.located(name, lines_before, text(&buffer)));
                }
            }
            next += 1;
        }
    }
    Ok(())
}

/// A poisoned lock means that another worker panicked; the scope passes that panic on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
