//! Ratings as `user item rating` lines, separated by blanks, commas, tabs or `::`.
//!
//! A header is recognised by a rating that is no number; what follows the rating (a time) is read
//! over. Integer ids are numbered in ascending order, names in the order in which they come. A
//! user may rate an item again: both ratings are kept.

use crate::error::{Error, Kind};
use crate::lines::Lines;
use crate::number::{PADDING, integer, number};
use crate::options::ReadOptions;
use crate::ratings::{Id, Ids, Numbering, Ratings};
use crate::text::{Flaw, Text, is_blank, skip_blanks};
use std::io::{self, Write};

/// What is between two fields.
#[derive(Clone, Copy, PartialEq)]
enum Separator {
    Byte(u8),
    Colons,
    Blanks,
}

/// Reads ratings. With `like`, its users and items keep their numbers and new ones come behind.
pub(crate) fn read(
    mut lines: Lines,
    options: &ReadOptions,
    like: Option<&Ratings>,
) -> Result<Ratings, Error> {
    let name = lines.name().to_owned();
    let separator = skip_header(&mut lines)?;
    let none = Ids::Integers(Vec::new());
    let mut user_ids = Numbering::after(like.map_or(&none, |like| &like.user_ids));
    let mut item_ids = Numbering::after(like.map_or(&none, |like| &like.item_ids));
    let (mut users, mut items, mut values) = (Vec::new(), Vec::new(), Vec::new());
    lines.parse(
        options.threads,
        |text, part| parse(text, separator, part),
        |part: &mut Part| {
            users.extend(part.users.iter().map(|&id| user_ids.number(part.id(id))));
            items.extend(part.items.iter().map(|&id| item_ids.number(part.id(id))));
            values.extend_from_slice(&part.values);
            enough_numbers(user_ids.len().max(item_ids.len()))
        },
    )?;
    if values.is_empty() {
        return Err(Error::whole(name, Kind::Empty { what: "ratings" }));
    }
    let (user_ids, item_ids) = match like {
        Some(_) => (user_ids.into_ids(), item_ids.into_ids()),
        None => (ordered(user_ids, &mut users), ordered(item_ids, &mut items)),
    };
    Ok(Ratings {
        users,
        items,
        values,
        user_ids,
        item_ids,
    })
}

fn enough_numbers(count: usize) -> Result<(), Kind> {
    let limit = u64::from(u32::MAX);
    if count as u64 <= limit {
        return Ok(());
    }
    let (what, found) = ("the number of users or items", format!("more than {limit}"));
    Err(Kind::TooLarge {
        what,
        found,
        limit,
        advice: "",
    })
}

fn ordered(numbering: Numbering, numbers: &mut [u32]) -> Ids {
    let (ids, order) = numbering.finish();
    if let Some(order) = order {
        numbers
            .iter_mut()
            .for_each(|number| *number = order[*number as usize]);
    }
    ids
}

/// The separator of the first line with content; takes the line away if it is a header.
fn skip_header(lines: &mut Lines) -> Result<Separator, Error> {
    while let Some(line) = lines.peek_line()? {
        let content = line.trim_ascii();
        if content.is_empty() || content[0] == b'#' {
            lines.next_line()?;
            continue;
        }
        let separator = separator(content);
        let padded = [content, b"\n", &[0; PADDING]].concat();
        let text = Text {
            bytes: &padded,
            end: content.len() + 1,
        };
        // A line whose third field is no number heads a column; if it is wrong in any other way,
        // parsing it again says how.
        let mut fields = [0; 3];
        let mut at = 0;
        for field in &mut fields {
            *field = at;
            at = after_separator(text, field_end(text, at, separator), separator).unwrap_or(at);
        }
        if fields[2] > fields[1]
            && !padded[fields[2]].is_ascii_digit()
            && number(&padded, fields[2]).is_none()
        {
            lines.next_line()?;
        }
        return Ok(separator);
    }
    Ok(Separator::Blanks)
}

fn separator(line: &[u8]) -> Separator {
    if memchr::memmem::find(line, b"::").is_some() {
        return Separator::Colons;
    }
    let seen = [b'\t', b',', b';']
        .into_iter()
        .find(|separator| line.contains(separator));
    seen.map_or(Separator::Blanks, Separator::Byte)
}

/// The ratings of one piece of text.
#[derive(Default)]
struct Part {
    /// An integer, or with the highest bit set the number of a name.
    users: Vec<u64>,
    items: Vec<u64>,
    values: Vec<f32>,
    names: Vec<String>,
}

const NAME: u64 = 1 << 63;

impl Part {
    #[inline]
    fn id(&self, id: u64) -> Id<'_> {
        match id & NAME {
            0 => Id::Integer(id),
            _ => Id::Name(&self.names[(id ^ NAME) as usize]),
        }
    }
}

fn parse(text: Text<'_>, separator: Separator, part: &mut Part) -> Result<(), Flaw> {
    part.users.clear();
    part.items.clear();
    part.values.clear();
    part.names.clear();
    let mut at = 0;
    while at < text.end {
        let start = skip_blanks(text.bytes, at);
        if !matches!(text.bytes[start], b'\n' | b'#') {
            parse_rating(text, start, separator, part)?;
        }
        at = text.line_end(start) + 1;
    }
    Ok(())
}

#[inline]
fn parse_rating(
    text: Text<'_>,
    start: usize,
    separator: Separator,
    part: &mut Part,
) -> Result<(), Flaw> {
    let (user, end) = parse_id(text, start, separator, &mut part.names)?;
    let at = after_separator(text, end, separator).ok_or_else(|| incomplete(text, end))?;
    let (item, end) = parse_id(text, at, separator, &mut part.names)?;
    let at = after_separator(text, end, separator).ok_or_else(|| incomplete(text, end))?;
    let (value, end) =
        number(text.bytes, at).ok_or_else(|| Flaw::expected(text, at, "a rating (a number)"))?;
    let ends = text.bytes[end] == b'\n' || after_separator(text, end, separator).is_some();
    if !ends && skip_blanks(text.bytes, end) != text.line_end(end) {
        return Err(Flaw::expected(text, at, "a rating (a number)"));
    }
    if !(value as f32).is_finite() {
        return Err(Flaw::not_finite(text, at));
    }
    part.users.push(user);
    part.items.push(item);
    part.values.push(value as f32);
    Ok(())
}

/// An id, and where it ends.
#[inline]
fn parse_id(
    text: Text<'_>,
    at: usize,
    separator: Separator,
    names: &mut Vec<String>,
) -> Result<(u64, usize), Flaw> {
    if let Some((id, end)) = integer(text.bytes, at) {
        let canonical = text.bytes[at] != b'0' || end == at + 1;
        let end = skip_padding(text.bytes, end, separator);
        let ends = match separator {
            Separator::Byte(separator) => text.bytes[end] == separator,
            Separator::Colons => text.bytes[end] == b':',
            Separator::Blanks => is_blank(text.bytes[end]),
        };
        if ends && canonical && id < NAME {
            return Ok((id, end));
        }
    }
    parse_name(text, at, separator, names)
}

/// Skips blanks in front of a separator that is no blank.
#[inline]
fn skip_padding(bytes: &[u8], mut at: usize, separator: Separator) -> usize {
    while separator != Separator::Blanks
        && is_blank(bytes[at])
        && separator != Separator::Byte(bytes[at])
    {
        at += 1;
    }
    at
}

#[cold]
fn parse_name(
    text: Text<'_>,
    at: usize,
    separator: Separator,
    names: &mut Vec<String>,
) -> Result<(u64, usize), Flaw> {
    let end = field_end(text, at, separator);
    let name = text.bytes[at..end].trim_ascii();
    match std::str::from_utf8(name) {
        Ok("") => Err(Flaw::expected(text, at, "a user, an item and a rating")),
        Ok(name) => {
            names.push(name.to_owned());
            Ok((NAME | (names.len() - 1) as u64, end))
        }
        Err(_) => Err(Flaw::expected(text, at, "an id in UTF-8")),
    }
}

/// Where the field that starts at `at` ends.
fn field_end(text: Text<'_>, at: usize, separator: Separator) -> usize {
    let line = &text.bytes[at..text.line_end(at)];
    let length = match separator {
        Separator::Byte(separator) => memchr::memchr(separator, line),
        Separator::Colons => memchr::memmem::find(line, b"::"),
        Separator::Blanks => line.iter().position(|byte| is_blank(*byte)),
    };
    at + length.unwrap_or(line.len())
}

/// Where the next field starts, if there is a separator at `at`.
#[inline]
fn after_separator(text: Text<'_>, at: usize, separator: Separator) -> Option<usize> {
    let bytes = text.bytes;
    let after = match separator {
        Separator::Byte(separator) => (bytes[at] == separator).then_some(at + 1),
        Separator::Colons => bytes[at..].starts_with(b"::").then_some(at + 2),
        Separator::Blanks => is_blank(bytes[at]).then_some(at + 1),
    }?;
    Some(match separator {
        Separator::Byte(b'\t') => after,
        _ => skip_blanks(bytes, after),
    })
}

#[cold]
fn incomplete(text: Text<'_>, at: usize) -> Flaw {
    Flaw::expected(text, at, "a user, an item and a rating")
}

/// Writes `user item rating` lines.
pub(crate) fn write(ratings: &Ratings, into: &mut impl Write) -> io::Result<()> {
    let triples = ratings
        .users
        .iter()
        .zip(&ratings.items)
        .zip(&ratings.values);
    for ((&user, &item), value) in triples {
        writeln!(
            into,
            "{} {} {value}",
            ratings.user_ids.name(user),
            ratings.item_ids.name(item)
        )?;
    }
    Ok(())
}
