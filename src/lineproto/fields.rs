//! The fields of a line.

use memchr::memchr2;

use super::bytes::{self, Span, TOKEN};
use super::duplicates::Keys;
use super::head::key;
use super::number;
use super::reason::{Problem, Reason};
use super::text::{Escapes, Text};

/// One field of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// The field's name.
    pub key: Text<'a>,
    /// Its value.
    pub value: FieldValue<'a>,
}

/// A field's value, in the type that the line gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// `0.5`, `100`; always finite.
    Float(f64),
    /// `4i`
    Int(i64),
    /// `4u`
    Uint(u64),
    /// `t`, `false`
    Boolean(bool),
    /// `"text"`
    String(Text<'a>),
}

/// The fields of one line in the order sent; repetitions with the same value are dropped.
#[derive(Clone, Debug)]
pub struct Fields<'s, 'a> {
    line: &'a str,
    slots: std::slice::Iter<'s, Slot>,
}

impl<'s, 'a> Fields<'s, 'a> {
    pub(super) fn new(line: &'a str, slots: &'s [Slot]) -> Self {
        let slots = slots.iter();
        Self { line, slots }
    }
}

impl<'a> Iterator for Fields<'_, 'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let Slot { key, value } = *self.slots.next()?;
        let line = self.line;
        let text = |span: Span, escapes| Text::new(&line[span.start..span.end], span.escaped, escapes);
        Some(Field {
            key: text(key, Escapes::Key),
            value: match value {
                Value::Scalar(value) => value,
                Value::String(span) => FieldValue::String(text(span, Escapes::String)),
            },
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}

impl ExactSizeIterator for Fields<'_, '_> {}

/// Where a field stands in its line, and its value unless that stands there too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    key: Span,
    value: Value,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    Scalar(FieldValue<'static>),
    /// Without the quotes.
    String(Span),
}

impl Value {
    /// Whether two values of `line` are of one type and equal: floats bit for bit, strings by what they say.
    fn is_same(&self, other: &Self, line: &[u8]) -> bool {
        match (self, other) {
            (Self::String(a), Self::String(b)) => string_bytes(line, a).eq(string_bytes(line, b)),
            (Self::Scalar(FieldValue::Float(a)), Self::Scalar(FieldValue::Float(b))) => a.to_bits() == b.to_bits(),
            (Self::Scalar(a), Self::Scalar(b)) => a == b,
            _ => false,
        }
    }
}

/// What a string says, byte by byte, UTF-8 or not.
fn string_bytes<'a>(line: &'a [u8], span: &Span) -> impl Iterator<Item = u8> + 'a {
    let raw = span.of(line);
    let mut at = 0;
    std::iter::from_fn(move || {
        if raw.get(at) == Some(&b'\\') && matches!(raw.get(at + 1), Some(b'"' | b'\\')) {
            at += 1;
        }
        at += 1;
        raw.get(at - 1).copied()
    })
}

/// Parses the fields, the first of which starts at `at`, into `slots`. Returns the place after the last one, where the
/// line ends or a space stands. Bytes in names and strings that are not UTF-8 pass.
pub(super) fn scan(
    line: &[u8],
    mut at: usize,
    most_fields: usize,
    slots: &mut Vec<Slot>,
    keys: &mut Keys,
) -> Result<usize, Problem> {
    slots.clear();
    keys.clear();
    for count in 0.. {
        let key = key(line, at, count == most_fields, Reason::TooManyFields)?;
        let (value, end) = value(line, key.end + 1)?;
        match keys.add(key.of(line), |index| slots[index].key.of(line)) {
            None => slots.push(Slot { key, value }),
            Some(index) if slots[index].value.is_same(&value, line) => {}
            Some(_) => return Err(Problem::at(Reason::DuplicateKey, key.start)),
        }
        at = end;
        match line.get(at) {
            Some(b',') => at += 1,
            None | Some(b' ') => break,
            Some(_) => return Err(unexpected_text(line, at)),
        }
    }
    Ok(at)
}

/// The value that starts at `start`, and the place after it.
fn value(line: &[u8], start: usize) -> Result<(Value, usize), Problem> {
    if line.get(start) == Some(&b'"') {
        let span = string(line, start + 1)?;
        return Ok((Value::String(span), span.end + 1));
    }
    let end = bytes::find(line, start, TOKEN);
    if start == end {
        return Err(bytes::problem(line, start, Reason::EmptyValue));
    }
    match number::scalar(&line[start..end]) {
        Ok(value) => Ok((Value::Scalar(value), end)),
        Err(reason) => Err(Problem {
            reason,
            at: start,
            seen: end,
        }),
    }
}

/// The string whose first byte is at `start`, behind its opening quote.
fn string(line: &[u8], start: usize) -> Result<Span, Problem> {
    let mut end = start;
    let mut escaped = false;
    while let Some(found) = memchr2(b'"', b'\\', line.get(end..).unwrap_or_default()) {
        end += found;
        if line[end] == b'"' {
            return Ok(Span { start, end, escaped });
        }
        if matches!(line.get(end + 1), Some(b'"' | b'\\')) {
            escaped = true;
            end += 1;
        }
        end += 1;
    }
    Err(Problem {
        reason: Reason::UnterminatedString,
        at: start - 1,
        seen: line.len(),
    })
}

/// The problem of text at `at` where a value or the time is over.
pub(super) fn unexpected_text(line: &[u8], at: usize) -> Problem {
    Problem {
        seen: bytes::find(line, at, TOKEN),
        ..bytes::problem(line, at, Reason::TrailingText)
    }
}
