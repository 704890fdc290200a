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
    words: [u64; 2],
}

impl Field<'_> {
    /// The first and the last eight bytes of the raw key as little-endian numbers, zeros in place of what a shorter key lacks
    /// (at the end of the first, at the beginning of the last). Keys of up to 16 bytes are equal if these and their lengths
    /// are, so that a table can look a key up without touching its bytes.
    pub fn key_words(&self) -> [u64; 2] {
        self.words
    }
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
    line: &'a [u8],
    slots: std::slice::Iter<'s, Slot>,
}

impl<'s, 'a> Fields<'s, 'a> {
    pub(super) fn new(line: &'a [u8], slots: &'s [Slot]) -> Self {
        let slots = slots.iter();
        Self { line, slots }
    }
}

impl<'a> Iterator for Fields<'_, 'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        Some(self.slots.next()?.of(self.line))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}

impl ExactSizeIterator for Fields<'_, '_> {}

/// A stretch of a line, which is shorter than 4 GiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    start: u32,
    len: u32,
}

impl Stretch {
    /// From `start` to just before `end`, both within a line that is parsed.
    #[inline(always)]
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            len: (end - start) as u32,
        }
    }

    #[inline(always)]
    pub(super) fn of(self, line: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &line[start..start + self.len as usize]
    }
}

/// Where a field stands in its line, and its value unless that stands there too. A table that knows what to expect takes it
/// from here; [`Field`] is the same for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    words: [u64; 2],
    bits: u64,
    key: Stretch,
    key_escaped: bool,
    value_escaped: bool,
    kind: Kind,
}

/// A value: what of it the line does not hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    kind: Kind,
    escaped: bool,
    /// The number; or the stretch of a string without its quotes.
    bits: u64,
}

/// The type that the line gives a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Float,
    Int,
    Uint,
    Boolean,
    String,
}

impl Slot {
    #[inline(always)]
    pub(super) fn new(key: Stretch, key_escaped: bool, words: [u64; 2], value: Value) -> Self {
        Self {
            words,
            bits: value.bits,
            key,
            key_escaped,
            value_escaped: value.escaped,
            kind: value.kind,
        }
    }

    /// See [`Field::key_words`].
    #[inline(always)]
    pub(crate) fn key_words(&self) -> [u64; 2] {
        self.words
    }

    /// The type that the line gives the value.
    #[inline(always)]
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The value as 64 bits, but for a string: a float's own, an integer, 1 or 0.
    #[inline(always)]
    pub(crate) fn bits(&self) -> u64 {
        self.bits
    }

    /// The raw key, in the line that the slot belongs to.
    #[inline(always)]
    pub(crate) fn key<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        self.key.of(line)
    }

    /// The field, in the line that the slot belongs to.
    #[inline(always)]
    pub(crate) fn of<'a>(&self, line: &'a [u8]) -> Field<'a> {
        Field {
            key: Text::new(self.key.of(line), self.key_escaped, Escapes::Key),
            value: self.value().of(line),
            words: self.words,
        }
    }

    #[inline(always)]
    fn value(&self) -> Value {
        Value {
            kind: self.kind,
            escaped: self.value_escaped,
            bits: self.bits,
        }
    }
}

impl Value {
    #[inline(always)]
    fn plain(kind: Kind, bits: u64) -> Self {
        let escaped = false;
        Self { kind, escaped, bits }
    }

    #[inline(always)]
    pub(super) fn float(value: f64) -> Self {
        Self::plain(Kind::Float, value.to_bits())
    }

    #[inline(always)]
    pub(super) fn int(value: i64) -> Self {
        Self::plain(Kind::Int, value as u64)
    }

    #[inline(always)]
    pub(super) fn uint(value: u64) -> Self {
        Self::plain(Kind::Uint, value)
    }

    pub(super) fn boolean(value: bool) -> Self {
        Self::plain(Kind::Boolean, u64::from(value))
    }

    /// The string between two quotes.
    #[inline(always)]
    pub(super) fn quoted(inside: Stretch, escaped: bool) -> Self {
        let kind = Kind::String;
        let bits = u64::from(inside.start) | u64::from(inside.len) << 32;
        Self { kind, escaped, bits }
    }

    #[inline(always)]
    fn string(self) -> Stretch {
        Stretch {
            start: self.bits as u32,
            len: (self.bits >> 32) as u32,
        }
    }

    /// The value, in a line that it was found in.
    #[inline(always)]
    pub(super) fn of(self, line: &[u8]) -> FieldValue<'_> {
        match self.kind {
            Kind::Float => FieldValue::Float(f64::from_bits(self.bits)),
            Kind::Int => FieldValue::Int(self.bits as i64),
            Kind::Uint => FieldValue::Uint(self.bits),
            Kind::Boolean => FieldValue::Boolean(self.bits != 0),
            Kind::String => FieldValue::String(Text::new(self.string().of(line), self.escaped, Escapes::String)),
        }
    }

    /// Whether two values of `line` are of one type and equal: floats bit for bit, strings by what they say.
    fn is_same(self, other: Self, line: &[u8]) -> bool {
        match (self.kind, other.kind) {
            (Kind::String, Kind::String) => string_bytes(line, self.string()).eq(string_bytes(line, other.string())),
            (a, b) => a == b && self.bits == other.bits,
        }
    }
}

/// See [`Field::key_words`].
pub(super) fn key_words(key: &[u8]) -> [u64; 2] {
    let mut first = [0; 8];
    let mut last = [0; 8];
    let len = key.len().min(8);
    first[..len].copy_from_slice(&key[..len]);
    last[8 - len..].copy_from_slice(&key[key.len() - len..]);
    [u64::from_le_bytes(first), u64::from_le_bytes(last)]
}

/// What a string says, byte by byte, UTF-8 or not.
fn string_bytes(line: &[u8], inside: Stretch) -> impl Iterator<Item = u8> + '_ {
    let raw = inside.of(line);
    let mut at = 0;
    std::iter::from_fn(move || {
        if raw.get(at) == Some(&b'\\') && matches!(raw.get(at + 1), Some(b'"' | b'\\')) {
            at += 1;
        }
        at += 1;
        raw.get(at - 1).copied()
    })
}

/// Whether no two of these slots of `line` have one key.
pub(super) fn keys_differ(line: &[u8], slots: &[Slot], keys: &mut Keys) -> bool {
    keys.clear();
    let earlier = |index: usize| slots[index].key.of(line);
    slots.iter().all(|slot| keys.add(slot.key.of(line), earlier).is_none())
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
            None => {
                let stretch = Stretch::new(key.start, key.end);
                slots.push(Slot::new(stretch, key.escaped, key_words(key.of(line)), value));
            }
            Some(index) if slots[index].value().is_same(value, line) => {}
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
        let inside = Stretch::new(span.start, span.end);
        return Ok((Value::quoted(inside, span.escaped), span.end + 1));
    }
    let end = bytes::find(line, start, TOKEN);
    if start == end {
        return Err(bytes::problem(line, start, Reason::EmptyValue));
    }
    match number::scalar(&line[start..end]) {
        Ok(value) => Ok((value, end)),
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
