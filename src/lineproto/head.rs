//! The head of a line: measurement and tags, up to the first unescaped space.

use super::bytes::{self, COMMA, KEY, MEASUREMENT, SPACE, Span};
use super::duplicates::Keys;
use super::reason::{Problem, Reason, as_text};
use super::text::{Escapes, Text};

/// Measurement and tags of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The measurement's name.
    pub measurement: Text<'a>,
    /// Keys and values in the order sent. A key is there once: repetitions with the same value are dropped.
    pub tags: Vec<(Text<'a>, Text<'a>)>,
}

impl<'a> Head<'a> {
    /// Parses a head by itself, without a limit on the tags.
    ///
    /// # Errors
    ///
    /// What is wrong, and the byte of `head` that is, counted from 1. A space that is not escaped ends a head, so what
    /// follows one is [`Reason::TrailingText`].
    pub fn parse(head: &'a [u8]) -> Result<Self, (Reason, usize)> {
        let mut tags = Vec::new();
        let scanned = scan(head, 0, usize::MAX, &mut tags, &mut Keys::default());
        let scanned = match scanned {
            Ok(scanned) if scanned.end < head.len() => Err(Problem::at(Reason::TrailingText, scanned.end)),
            other => other,
        };
        let Scanned { measurement, .. } = as_text(scanned, head)?;
        Ok(Self {
            measurement: Text::new(measurement.of(head), measurement.escaped, Escapes::Measurement),
            tags: tags
                .iter()
                .map(|tag| (key_text(head, tag.key), key_text(head, tag.value)))
                .collect(),
        })
    }
}

fn key_text(head: &[u8], span: Span) -> Text<'_> {
    Text::new(span.of(head), span.escaped, Escapes::Key)
}

/// Where a tag stands in its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    key: Span,
    value: Span,
}

/// What a good head turned out to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanned {
    measurement: Span,
    /// The unescaped space after the head, or the end of the line.
    pub(super) end: usize,
}

/// Checks the head that starts at `start`; its tags are left in `tags`. Bytes that are not UTF-8 pass.
pub(super) fn scan(
    line: &[u8],
    start: usize,
    most_tags: usize,
    tags: &mut Vec<Tag>,
    keys: &mut Keys,
) -> Result<Scanned, Problem> {
    tags.clear();
    keys.clear();
    let measurement = bytes::name(line, start, MEASUREMENT);
    let mut at = measurement.end;
    if measurement.is_empty() {
        return Err(bytes::problem(line, at, Reason::EmptyMeasurement));
    }
    for count in 0.. {
        match line.get(at) {
            Some(b',') => at += 1,
            None | Some(b' ') => break,
            Some(_) => return Err(bytes::problem(line, at, Reason::ControlByte)),
        }
        let key = key(line, at, count == most_tags, Reason::TooManyTags)?;
        let value = bytes::name(line, key.end + 1, KEY);
        at = value.end;
        if bytes::is(line, at, KEY & !COMMA & !SPACE) {
            return Err(bytes::problem(line, at, Reason::UnescapedEquals));
        }
        if value.is_empty() {
            return Err(Problem::at(Reason::EmptyValue, at));
        }
        match keys.add(key.of(line), |index| tags[index].key.of(line)) {
            None => tags.push(Tag { key, value }),
            Some(index) if tags[index].value.of(line) == value.of(line) => {}
            Some(_) => return Err(Problem::at(Reason::DuplicateKey, key.start)),
        }
    }
    Ok(Scanned { measurement, end: at })
}

/// The tag or field key that starts at `start`, after a comma or where the fields begin, with its `=` behind it.
/// `full`: the line has as many as it may have, and one more is the problem `too_many`.
pub(super) fn key(line: &[u8], start: usize, full: bool, too_many: Reason) -> Result<Span, Problem> {
    match line.get(start) {
        None => return Err(Problem::at(Reason::TrailingComma, start - 1)),
        Some(b' ') => return Err(Problem::at(Reason::SpaceAfterComma, start)),
        Some(_) if full => return Err(Problem::at(too_many, start)),
        Some(_) => {}
    }
    let key = bytes::name(line, start, KEY);
    match line.get(key.end) {
        Some(b'=' | b',') if key.is_empty() => Err(Problem::at(Reason::EmptyKey, start)),
        Some(b'=') => Ok(key),
        _ => Err(bytes::problem(line, key.end, Reason::MissingEquals)),
    }
}

/// Where the head that starts at `start` ends: at its first unescaped space, or with the line.
pub(super) fn end(line: &[u8], start: usize) -> usize {
    let mut end = start;
    while let Some(found) = memchr::memchr(b' ', &line[end..]) {
        end += found;
        if end == start || line[end - 1] != b'\\' {
            return end;
        }
        end += 1;
    }
    line.len()
}
