//! The parser: one input to its lines, each good or rejected.

use std::ops::Range;

use super::Precision;
use super::bytes::{self, TOKEN};
use super::duplicates::Keys;
use super::fast::{Read, ReadLine, Tile};
use super::fields::{self, Fields, Slot, unexpected_text};
use super::head::{self, Head, Tag};
use super::instructions::Instructions;
use super::limits::Limits;
use super::number;
use super::reason::{Problem, Reason, Reject, as_text};
use super::simd::Available;
use super::split::Splitter;

/// Parses line protocol. It keeps its memory from line to line and from input to input, so that lines cost no allocation.
#[derive(Debug)]
pub struct Parser {
    precision: Precision,
    limits: Limits,
    simd: Available,
    tile: Tile,
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
    ///
    /// Lines of more than 4 GiB are too long whatever the limits say.
    pub fn new(precision: Precision, limits: Limits) -> Self {
        Self::with_instructions(precision, limits, Instructions::best())
    }

    /// As [`Parser::new`], with the given instructions.
    ///
    /// # Panics
    ///
    /// If the processor does not have them.
    pub fn with_instructions(precision: Precision, limits: Limits, instructions: Instructions) -> Self {
        let Some(simd) = Available::detect(instructions) else {
            panic!("this processor has no {} instructions", instructions.as_str());
        };
        Self {
            precision,
            limits: Limits {
                line_bytes: limits.line_bytes.min(u32::MAX as usize),
                ..limits
            },
            simd,
            tile: Tile::default(),
            scratch: Scratch::default(),
        }
    }

    /// The lines of `input`: the value of one message, a whole file, or as much of a file as
    /// [`whole_lines`](super::whole_lines) allows.
    pub fn lines<'p, 'a>(&'p mut self, input: &'a [u8]) -> Lines<'p, 'a> {
        self.tile.clear();
        Lines {
            splitter: Splitter::new(self.limits.line_bytes),
            parser: self,
            input,
            at: 0,
            place: 0,
            thorough_until: 0,
            last: 0..0,
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
    /// The number of the tile's first place that is not before `at`.
    place: u16,
    /// Lines that start before this are not tried the straight way: a string was found open there, and each of them would
    /// follow it again.
    thorough_until: usize,
    /// The line that was given last, without its line end.
    last: Range<usize>,
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
        let found = self.advance(|_| false)?;
        let Scratch { slots, keys, .. } = &mut self.parser.scratch;
        let line = &self.input[self.last.clone()];
        if found.is_ok() && !fields::keys_differ(line, slots, keys) {
            return Some(self.again());
        }
        Some(self.give(found))
    }

    /// As [`Lines::next`], for a caller who looks heads and keys up anyway:
    ///
    /// - A head for which `known` is true isn't checked again: these very bytes were the [`Line::head_bytes`] of a line that was
    ///   accepted before under the same limits.
    /// - A key may stand in a line twice. The caller sees that, and then takes what [`Lines::again`] gives instead.
    ///
    /// # Errors
    ///
    /// As [`Lines::next`].
    pub fn next_trusting(&mut self, known: impl FnMut(&'a [u8]) -> bool) -> Option<Result<Line<'_, 'a>, Reject<'a>>> {
        let found = self.advance(known)?;
        Some(self.give(found))
    }

    /// The line that was given last once more, as [`Lines::next`] gives it: with each key once, or rejected.
    ///
    /// # Errors
    ///
    /// As [`Lines::next`].
    pub fn again(&mut self) -> Result<Line<'_, 'a>, Reject<'a>> {
        let found = self.parse_last(|_| false);
        self.give(found)
    }

    /// Parses the next line into the scratch; `last` is the line then.
    fn advance(&mut self, mut known: impl FnMut(&'a [u8]) -> bool) -> Option<Result<Parsed, (Reason, usize)>> {
        while self.at < self.input.len() {
            let Parser {
                precision,
                limits,
                simd,
                tile,
                scratch,
            } = &mut *self.parser;
            if self.at < self.thorough_until {
                if self.next_bytes() {
                    return Some(self.parse_last(known));
                }
                continue;
            }
            if self.at >= tile.end() {
                tile.index(*simd, self.input, self.at);
                self.place = 0;
            }
            let Scratch { tags, slots, keys } = scratch;
            let read = simd.run(ReadLine {
                tile,
                input: self.input,
                at: self.at,
                place: self.place,
                precision: *precision,
                limits: *limits,
                head_is_good: |head| known(head) || head::scan(head, 0, limits.tags, tags, keys).is_ok(),
                slots,
            });
            match read {
                Read::Line {
                    head_end,
                    end,
                    with_end,
                    time,
                    next_place,
                } => {
                    self.last = self.at..self.at + end;
                    self.at += with_end;
                    self.place = next_place;
                    return Some(Ok(Parsed {
                        head: 0..head_end,
                        time,
                    }));
                }
                Read::Blank => {
                    self.at += 1;
                    self.place += 1;
                }
                // With all of the tile before it, the line may end in it.
                Read::Cut { .. } if tile.start() < self.at => {
                    tile.index(*simd, self.input, self.at);
                    self.place = 0;
                }
                Read::Cut { in_string: true } => self.thorough_until = tile.end(),
                Read::Cut { in_string: false } | Read::Other => {
                    if self.next_bytes() {
                        return Some(self.parse_last(known));
                    }
                }
            }
        }
        None
    }

    /// Takes the line at `at` whatever is in it; `last` is the line then. False if it is blank or a comment.
    fn next_bytes(&mut self) -> bool {
        let start = self.at;
        let end = self.splitter.last_line_end(self.input, start);
        self.at = end + 1;
        let tile = &self.parser.tile;
        if self.at < tile.end() {
            self.place = tile.skip_to(self.place, self.at);
        }
        let line = &self.input[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.last = start..start + line.len();
        !matches!(line.get(bytes::skip_spaces(line, 0)), None | Some(b'#'))
    }

    /// Parses the line that was taken last the thorough way.
    fn parse_last(&mut self, known: impl FnMut(&'a [u8]) -> bool) -> Result<Parsed, (Reason, usize)> {
        let Parser {
            precision,
            limits,
            scratch,
            ..
        } = &mut *self.parser;
        let line = &self.input[self.last.clone()];
        let parsed = if line.len() > limits.line_bytes {
            Err(Problem {
                reason: Reason::LineTooLong,
                at: limits.line_bytes,
                seen: 0,
            })
        } else {
            parse(line, *precision, *limits, scratch, known)
        };
        as_text(parsed, line)
    }

    fn give(&self, found: Result<Parsed, (Reason, usize)>) -> Result<Line<'_, 'a>, Reject<'a>> {
        let line = &self.input[self.last.clone()];
        let offset = self.last.start;
        match found {
            Ok(Parsed { head, time }) => Ok(Line {
                line,
                offset,
                head: &line[head],
                slots: &self.parser.scratch.slots,
                time,
            }),
            Err((reason, column)) => Err(Reject {
                line,
                offset,
                reason,
                column,
            }),
        }
    }
}

/// What a line is beside its fields.
struct Parsed {
    head: Range<usize>,
    time: Option<i64>,
}

/// Parses a line that is not blank; its fields are left in `scratch`. Bytes in names and strings that are not UTF-8 pass.
fn parse<'a>(
    line: &'a [u8],
    precision: Precision,
    limits: Limits,
    scratch: &mut Scratch,
    mut known: impl FnMut(&'a [u8]) -> bool,
) -> Result<Parsed, Problem> {
    let Scratch { tags, slots, keys } = scratch;
    let start = bytes::skip_spaces(line, 0);
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
    Ok(Parsed {
        head: start..head_end,
        time,
    })
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
    line: &'a [u8],
    offset: usize,
    head: &'a [u8],
    slots: &'s [Slot],
    time: Option<i64>,
}

impl<'s, 'a> Line<'s, 'a> {
    /// The line as it stands, spaces before and after it included, without the line end.
    pub fn raw(&self) -> &'a [u8] {
        self.line
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
        Fields::new(self.line, self.slots)
    }

    /// The fields as the parser found them.
    #[inline(always)]
    pub(crate) fn slots(&self) -> &'s [Slot] {
        self.slots
    }

    /// Nanoseconds since 1970-01-01 UTC, if the line has a time.
    pub fn time(&self) -> Option<i64> {
        self.time
    }
}
