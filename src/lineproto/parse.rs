//! The parser: one input to its lines, each good or rejected.

use super::Precision;
use super::bytes::{self, TOKEN};
use super::duplicates::Keys;
use super::fields::{self, Fields, Slot, unexpected_text};
use super::head::{self, Head, Tag};
use super::instructions::Instructions;
use super::limits::Limits;
use super::number;
use super::reason::{Problem, Reason, Reject, as_text};
use super::split::Splitter;

/// Parses line protocol. It keeps its memory from line to line and from input to input, so that lines cost no allocation.
#[derive(Debug)]
pub struct Parser {
    precision: Precision,
    limits: Limits,
    instructions: Instructions,
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Scratch {
    tags: Vec<Tag>,
    slots: Vec<Slot>,
    keys: Keys,
}

impl Parser {
    /// A parser of lines whose times are in `precision`, with the best instructions that the processor has.
    pub fn new(precision: Precision, limits: Limits) -> Self {
        Self::with_instructions(precision, limits, Instructions::best())
    }

    /// As [`Parser::new`], with the given instructions.
    ///
    /// # Panics
    ///
    /// If the processor does not have them.
    pub fn with_instructions(precision: Precision, limits: Limits, instructions: Instructions) -> Self {
        assert!(
            instructions.is_available(),
            "this processor has no {} instructions",
            instructions.as_str()
        );
        Self {
            precision,
            limits,
            instructions,
            scratch: Scratch::default(),
        }
    }

    /// The lines of `input`: the value of one message, a whole file, or as much of a file as
    /// [`whole_lines`](super::whole_lines) allows.
    pub fn lines<'p, 'a>(&'p mut self, input: &'a [u8]) -> Lines<'p, 'a> {
        Lines {
            splitter: Splitter::new(self.limits.line_bytes),
            parser: self,
            input,
            at: 0,
        }
    }
}

/// The lines of one input. Blank lines and comments are left out; every other byte is in a [`Line`], in a [`Reject`], or
/// part of a line end.
#[derive(Debug)]
pub struct Lines<'p, 'a> {
    parser: &'p mut Parser,
    splitter: Splitter,
    input: &'a [u8],
    at: usize,
}

impl<'a> Lines<'_, 'a> {
    /// The next line, everything in it checked; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// A bad line as it stands, with the first problem in it. The lines after it are not affected.
    #[expect(
        clippy::should_implement_trait,
        reason = "a line borrows the parser's memory until the next one, which Iterator can't say"
    )]
    pub fn next(&mut self) -> Option<Result<Line<'_, 'a>, Reject<'a>>> {
        self.next_trusting(|_| false)
    }

    /// As [`Lines::next`], but a head for which `known` is true isn't checked again: these very bytes were the
    /// [`Line::head_bytes`] of a line that was accepted before under the same limits. The results are the same.
    ///
    /// # Errors
    ///
    /// As [`Lines::next`].
    pub fn next_trusting(&mut self, known: impl FnMut(&'a [u8]) -> bool) -> Option<Result<Line<'_, 'a>, Reject<'a>>> {
        let (offset, line, start) = self.next_bytes()?;
        let Parser {
            precision,
            limits,
            scratch,
            ..
        } = &mut *self.parser;
        let parsed = if line.len() > limits.line_bytes {
            Err(Problem {
                reason: Reason::LineTooLong,
                at: limits.line_bytes,
                seen: 0,
            })
        } else {
            parse(line, start, *precision, *limits, scratch, known)
        };
        Some(match as_text(parsed, line) {
            Ok((Parsed { head_end, time }, text)) => Ok(Line {
                text,
                offset,
                head: &line[start..head_end],
                slots: &scratch.slots,
                time,
            }),
            Err((reason, column)) => Err(Reject {
                line,
                offset,
                reason,
                column,
            }),
        })
    }

    /// The next line that is neither blank nor a comment: where it starts in the input, its bytes without the line end, and
    /// where in them the spaces before it are over.
    fn next_bytes(&mut self) -> Option<(usize, &'a [u8], usize)> {
        while self.at < self.input.len() {
            let offset = self.at;
            let end = self.splitter.last_line_end(self.input, offset);
            self.at = end + 1;
            let line = &self.input[offset..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let start = bytes::skip_spaces(line, 0);
            if !matches!(line.get(start), None | Some(b'#')) {
                return Some((offset, line, start));
            }
        }
        None
    }
}

struct Parsed {
    head_end: usize,
    time: Option<i64>,
}

/// Parses a line whose head starts at `start`; its fields are left in `scratch`. Bytes in names and strings that are not
/// UTF-8 pass.
fn parse<'a>(
    line: &'a [u8],
    start: usize,
    precision: Precision,
    limits: Limits,
    scratch: &mut Scratch,
    mut known: impl FnMut(&'a [u8]) -> bool,
) -> Result<Parsed, Problem> {
    let Scratch { tags, slots, keys } = scratch;
    let head_end = head::end(line, start);
    if !known(&line[start..head_end]) {
        head::scan(line, start, limits.tags, tags, keys)?;
    }
    let first_field = bytes::skip_spaces(line, head_end);
    if first_field == line.len() {
        return Err(Problem::at(Reason::NoFields, first_field));
    }
    let fields_end = fields::scan(line, first_field, limits.fields, slots, keys)?;
    let time = time(line, bytes::skip_spaces(line, fields_end), precision)?;
    Ok(Parsed { head_end, time })
}

/// The time that starts at `start`, where the spaces after the fields are over, with nothing but spaces behind it.
fn time(line: &[u8], start: usize, precision: Precision) -> Result<Option<i64>, Problem> {
    if start == line.len() {
        return Ok(None);
    }
    let end = bytes::find(line, start, TOKEN);
    if start == end {
        return Err(bytes::problem(line, start, Reason::BadTime));
    }
    let problem = |reason| Problem {
        reason,
        at: start,
        seen: end,
    };
    let units = number::time(&line[start..end]).map_err(problem)?;
    let time = units
        .checked_mul(precision.nanoseconds())
        .ok_or_else(|| problem(Reason::TimeOverflow))?;
    let after = bytes::skip_spaces(line, end);
    if after < line.len() {
        return Err(unexpected_text(line, after));
    }
    Ok(Some(time))
}

/// One good line. It borrows its bytes from the input and its fields from the parser.
#[derive(Clone, Copy, Debug)]
pub struct Line<'s, 'a> {
    text: &'a str,
    offset: usize,
    head: &'a [u8],
    slots: &'s [Slot],
    time: Option<i64>,
}

impl<'s, 'a> Line<'s, 'a> {
    /// The line as it stands, spaces before and after it included, without the line end.
    pub fn raw(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// Where its first byte stands in the input.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Measurement and tags as they stand: from the first byte that is no space to the first unescaped space.
    pub fn head_bytes(&self) -> &'a [u8] {
        self.head
    }

    /// Measurement and tags, parsed anew at each call: for a series that is not known yet.
    ///
    /// # Panics
    ///
    /// If the `known` of [`Lines::next_trusting`] vouched for bytes that are no head.
    pub fn head(&self) -> Head<'a> {
        Head::parse(self.head).expect("the head was checked, or vouched for by the caller")
    }

    /// The fields in the order sent, each key once.
    pub fn fields(&self) -> Fields<'s, 'a> {
        Fields::new(self.text, self.slots)
    }

    /// Nanoseconds since 1970-01-01 UTC, if the line has a time.
    pub fn time(&self) -> Option<i64> {
        self.time
    }
}
