//! A second parser of line protocol, written to be read: byte by byte, rule by rule, without care for speed. It shares no
//! code with the one it is compared with.

use std::sync::LazyLock;

use diurnal::lineproto::Limits;
use regex::bytes::Regex;

/// What became of a stretch of input.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Line {
        offset: usize,
        raw: Vec<u8>,
        head: Vec<u8>,
        measurement: String,
        tags: Vec<(String, String)>,
        fields: Vec<(String, Value)>,
        time: Option<i64>,
    },
    Reject {
        offset: usize,
        line: Vec<u8>,
        reason: &'static str,
        column: usize,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The bits of a float, so that equal means equal.
    Float(u64),
    Int(i64),
    Uint(u64),
    Boolean(bool),
    String(String),
}

/// The first problem of a line: its reason, where it is, and the place before which everything was looked at.
struct Problem(&'static str, usize, usize);

pub fn parse(input: &[u8], nanoseconds: i64, limits: Limits) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut start = 0;
    while start < input.len() {
        let end = line_end(input, start, limits.line_bytes);
        let mut line = &input[start..end];
        if line.ends_with(b"\r") {
            line = &line[..line.len() - 1];
        }
        let first = line.iter().find(|&&byte| byte != b' ');
        if !matches!(first, None | Some(b'#')) {
            outcomes.push(outcome(line, start, nanoseconds, limits));
        }
        start = end + 1;
    }
    outcomes
}

/// Where the line that starts at `start` ends: the place of its LF, or the end of the input.
pub fn line_end(input: &[u8], start: usize, line_bytes: usize) -> usize {
    enum Place {
        Spaces,
        Comment,
        Head,
        Fields,
        String,
    }
    let first_lf_from = |from: usize| {
        (from..input.len())
            .find(|&at| input[at] == b'\n')
            .unwrap_or(input.len())
    };
    let reach = input.len().min(start + line_bytes);
    let mut place = Place::Spaces;
    let mut at = start;
    while at < reach {
        let byte = input[at];
        if byte == b'\n' && !matches!(place, Place::String) {
            return at;
        }
        place = match place {
            Place::Spaces if byte == b' ' => Place::Spaces,
            Place::Spaces if byte == b'#' => Place::Comment,
            Place::Spaces => Place::Head,
            Place::Head if byte == b' ' && input[at - 1] != b'\\' => Place::Fields,
            Place::Fields if input[..=at].ends_with(b"=\"") && !input[..=at].ends_with(b"\\=\"") => Place::String,
            Place::String if byte == b'"' => Place::Fields,
            Place::String if byte == b'\\' && matches!(input.get(at + 1), Some(b'"' | b'\\')) => {
                at += 1;
                Place::String
            }
            same => same,
        };
        at += 1;
    }
    match place {
        Place::String => first_lf_from(start),
        _ => first_lf_from(reach),
    }
}

fn outcome(line: &[u8], offset: usize, nanoseconds: i64, limits: Limits) -> Outcome {
    let rejected = |reason, at: usize| Outcome::Reject {
        offset,
        line: line.to_vec(),
        reason,
        column: at + 1,
    };
    if line.len() > limits.line_bytes {
        return rejected("line_too_long", limits.line_bytes);
    }
    let not_utf8 = std::str::from_utf8(line).err().map(|error| error.valid_up_to());
    match (point(line, nanoseconds, limits), not_utf8) {
        (Err(Problem(_, _, seen)), Some(at)) if at < seen => rejected("not_utf8", at),
        (Err(Problem(reason, at, _)), _) => rejected(reason, at),
        (Ok(_), Some(at)) => rejected("not_utf8", at),
        (Ok(point), None) => Outcome::Line {
            offset,
            raw: line.to_vec(),
            head: point.head,
            measurement: text(&point.measurement),
            tags: point.tags.iter().map(|(key, value)| (text(key), text(value))).collect(),
            fields: point
                .fields
                .into_iter()
                .map(|(key, value)| (text(&key), value.into()))
                .collect(),
            time: point.time,
        },
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the whole line was checked")
}

/// A value whose string may not be UTF-8.
#[derive(PartialEq)]
enum Raw {
    Other(Value),
    String(Vec<u8>),
}

impl From<Raw> for Value {
    fn from(raw: Raw) -> Self {
        match raw {
            Raw::Other(value) => value,
            Raw::String(bytes) => Self::String(text(&bytes)),
        }
    }
}

struct Point {
    head: Vec<u8>,
    measurement: Vec<u8>,
    tags: Vec<(Vec<u8>, Vec<u8>)>,
    fields: Vec<(Vec<u8>, Raw)>,
    time: Option<i64>,
}

fn point(line: &[u8], nanoseconds: i64, limits: Limits) -> Result<Point, Problem> {
    let mut reader = Reader { line, at: 0 };
    reader.spaces();
    let head_start = reader.at;
    let measurement = reader.name(b", ", b", ")?;
    if measurement.is_empty() {
        return Err(Problem("empty_measurement", head_start, head_start));
    }
    let mut tags: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut written = 0;
    while reader.takes(b',') {
        let start = reader.at;
        let key = reader.key(written == limits.tags, "too_many_tags")?;
        written += 1;
        let value_start = reader.at;
        let value = reader.name(b", =", b", =")?;
        if reader.peek() == Some(b'=') {
            return Err(Problem("unescaped_equals", reader.at, reader.at));
        }
        if value.is_empty() {
            return Err(Problem("empty_value", value_start, value_start));
        }
        add(&mut tags, key, value, start)?;
    }
    let head = line[head_start..reader.at].to_vec();

    reader.spaces();
    if reader.peek().is_none() {
        return Err(Problem("no_fields", reader.at, reader.at));
    }
    let mut fields: Vec<(Vec<u8>, Raw)> = Vec::new();
    written = 0;
    loop {
        let start = reader.at;
        let key = reader.key(written == limits.fields, "too_many_fields")?;
        written += 1;
        let value = reader.value()?;
        add(&mut fields, key, value, start)?;
        match reader.peek() {
            Some(b',') => reader.at += 1,
            Some(b' ') | None => break,
            Some(_) => return Err(reader.unexpected("trailing_text")),
        }
    }

    reader.spaces();
    let mut time = None;
    if reader.peek().is_some() {
        let start = reader.at;
        let token = reader.token();
        if token.is_empty() {
            return Err(reader.unexpected("bad_time"));
        }
        if !TIME.is_match(token) {
            return Err(Problem("bad_time", start, reader.at));
        }
        let units: Option<i64> = text(token).parse().ok();
        time = units.and_then(|units| units.checked_mul(nanoseconds));
        if time.is_none() {
            return Err(Problem("time_overflow", start, reader.at));
        }
        reader.spaces();
        if reader.peek().is_some() {
            return Err(reader.unexpected("trailing_text"));
        }
    }
    Ok(Point {
        head,
        measurement,
        tags,
        fields,
        time,
    })
}

/// The same key twice is one with equal values, and a reject with different ones.
fn add<V: PartialEq>(all: &mut Vec<(Vec<u8>, V)>, key: Vec<u8>, value: V, start: usize) -> Result<(), Problem> {
    match all.iter().find(|(other, _)| *other == key) {
        None => all.push((key, value)),
        Some((_, other)) if *other == value => {}
        Some(_) => return Err(Problem("duplicate_key", start, start)),
    }
    Ok(())
}

struct Reader<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn spaces(&mut self) {
        while self.takes(b' ') {}
    }

    /// A problem here: that of the bytes that are forbidden everywhere outside strings, or else `otherwise`.
    fn unexpected(&mut self, otherwise: &'static str) -> Problem {
        let at = self.at;
        match self.peek() {
            Some(b'\t' | 0x0b | 0x0c) => Problem("control_byte", at, at),
            Some(b'\r') => Problem("lone_cr", at, at),
            _ => {
                self.token();
                Problem(otherwise, at, self.at)
            }
        }
    }

    /// A name, unescaped: up to the first of `ends` that no backslash stands before.
    fn name(&mut self, ends: &[u8], escapable: &[u8]) -> Result<Vec<u8>, Problem> {
        let mut name: Vec<u8> = Vec::new();
        let start = self.at;
        while let Some(byte) = self.peek() {
            let after_backslash = self.at > start && self.line[self.at - 1] == b'\\';
            if matches!(byte, b'\t' | 0x0b | 0x0c | b'\r') {
                return Err(self.unexpected("impossible"));
            }
            if after_backslash && escapable.contains(&byte) {
                name.pop();
            } else if ends.contains(&byte) {
                break;
            }
            name.push(byte);
            self.at += 1;
        }
        Ok(name)
    }

    /// A tag or field key and the `=` after it.
    fn key(&mut self, full: bool, too_many: &'static str) -> Result<Vec<u8>, Problem> {
        let start = self.at;
        match self.peek() {
            None => return Err(Problem("trailing_comma", start - 1, start - 1)),
            Some(b' ') => return Err(Problem("space_after_comma", start, start)),
            Some(_) if full => return Err(Problem(too_many, start, start)),
            Some(b'=' | b',') => return Err(Problem("empty_key", start, start)),
            Some(_) => {}
        }
        let key = self.name(b", =", b", =")?;
        if !self.takes(b'=') {
            return Err(Problem("missing_equals", self.at, self.at));
        }
        Ok(key)
    }

    /// Up to the next comma, space or byte that is forbidden outside strings.
    fn token(&mut self) -> &'a [u8] {
        let start = self.at;
        while !matches!(
            self.peek(),
            None | Some(b',' | b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
        ) {
            self.at += 1;
        }
        &self.line[start..self.at]
    }

    fn value(&mut self) -> Result<Raw, Problem> {
        let start = self.at;
        if self.takes(b'"') {
            return self.string(start);
        }
        let token = self.token();
        if token.is_empty() {
            return Err(self.unexpected("empty_value"));
        }
        match scalar(token) {
            Ok(value) => Ok(Raw::Other(value)),
            Err(reason) => Err(Problem(reason, start, self.at)),
        }
    }

    fn string(&mut self, quote: usize) -> Result<Raw, Problem> {
        let mut string = Vec::new();
        loop {
            match self.line[self.at..] {
                [] => return Err(Problem("unterminated_string", quote, self.at)),
                [b'"', ..] => {
                    self.at += 1;
                    return Ok(Raw::String(string));
                }
                [b'\\', byte @ (b'"' | b'\\'), ..] => {
                    string.push(byte);
                    self.at += 2;
                }
                [byte, ..] => {
                    string.push(byte);
                    self.at += 1;
                }
            }
        }
    }
}

/// A pattern that matches a token as a whole, byte by byte.
fn whole(pattern: &str) -> Regex {
    let whole = format!("(?-u)^(?:{pattern})$");
    Regex::new(&whole).expect("a pattern of this file")
}

static TIME: LazyLock<Regex> = LazyLock::new(|| whole("-?[0-9]+"));
static INT: LazyLock<Regex> = LazyLock::new(|| whole("-?[0-9]+i"));
static UINT: LazyLock<Regex> = LazyLock::new(|| whole("[0-9]+u"));
static FLOAT: LazyLock<Regex> = LazyLock::new(|| whole("-?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([eE][+-]?[0-9]+)?"));
static NOT_FINITE: LazyLock<Regex> = LazyLock::new(|| whole("[+-]?(?i:nan|inf|infinity)"));

fn scalar(token: &[u8]) -> Result<Value, &'static str> {
    match token {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => return Ok(Value::Boolean(true)),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => return Ok(Value::Boolean(false)),
        _ => {}
    }
    if INT.is_match(token) {
        let digits = text(&token[..token.len() - 1]);
        return digits.parse().map(Value::Int).map_err(|_| "int_overflow");
    }
    if UINT.is_match(token) {
        let digits = text(&token[..token.len() - 1]);
        return digits.parse().map(Value::Uint).map_err(|_| "uint_overflow");
    }
    if FLOAT.is_match(token) {
        let float: f64 = text(token).parse().expect("a float by the grammar");
        return if float.is_finite() {
            Ok(Value::Float(float.to_bits()))
        } else {
            Err("float_out_of_range")
        };
    }
    if NOT_FINITE.is_match(token) {
        return Err("not_finite");
    }
    Err("bad_number")
}
