//! Which bytes mean something in a line, and where a name ends.

use super::reason::{Problem, Reason};

/// `,`
pub(super) const COMMA: u8 = 1;
/// Space.
pub(super) const SPACE: u8 = 1 << 1;
/// `=`
pub(super) const EQUALS: u8 = 1 << 2;
/// `\`
pub(super) const BACKSLASH: u8 = 1 << 3;
/// Tab, vertical tab, form feed: rejected outside strings. LF too, though in a line it stands nowhere else.
pub(super) const CONTROL: u8 = 1 << 4;
/// Carriage return: the one of a line end is cut off before, so any other is rejected outside strings.
pub(super) const CR: u8 = 1 << 5;

/// What ends a measurement, or may be escaped in one.
pub(super) const MEASUREMENT: u8 = COMMA | SPACE | BACKSLASH | CONTROL | CR;
/// What ends a tag key, tag value or field key, or may be escaped in one.
pub(super) const KEY: u8 = MEASUREMENT | EQUALS;
/// What ends a field value that is no string, or a time.
pub(super) const TOKEN: u8 = COMMA | SPACE | CONTROL | CR;
/// What a backslash can take the meaning of.
const DELIMITERS: u8 = COMMA | SPACE | EQUALS;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    classes[b',' as usize] = COMMA;
    classes[b' ' as usize] = SPACE;
    classes[b'=' as usize] = EQUALS;
    classes[b'\\' as usize] = BACKSLASH;
    classes[b'\t' as usize] = CONTROL;
    classes[b'\n' as usize] = CONTROL;
    classes[0x0b] = CONTROL;
    classes[0x0c] = CONTROL;
    classes[b'\r' as usize] = CR;
    classes
};

/// A piece of a line: `[start, end)`, and whether an escape sequence stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) escaped: bool,
}

impl Span {
    pub(super) fn of<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        &line[self.start..self.end]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// The first byte at or after `at` that is in one of `classes`, or the end of the line.
#[inline]
pub(super) fn find(line: &[u8], at: usize, classes: u8) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    match rest.iter().position(|&byte| CLASSES[usize::from(byte)] & classes != 0) {
        Some(length) => at + length,
        None => line.len(),
    }
}

/// The name that starts at `start` and runs to the first unescaped byte of `classes`. A delimiter is escaped exactly
/// when the byte before it is a backslash; backslashes are not paired.
#[inline]
pub(super) fn name(line: &[u8], start: usize, classes: u8) -> Span {
    let mut end = start;
    let mut escaped = false;
    loop {
        end = find(line, end, classes);
        if line.get(end) != Some(&b'\\') {
            return Span { start, end, escaped };
        }
        end += 1;
        if is(line, end, classes & DELIMITERS) {
            escaped = true;
            end += 1;
        }
    }
}

/// Whether the byte at `at` is there and in one of `classes`.
pub(super) fn is(line: &[u8], at: usize, classes: u8) -> bool {
    line.get(at)
        .is_some_and(|&byte| CLASSES[usize::from(byte)] & classes != 0)
}

/// The first byte at or after `at` that is no space, or the end of the line.
pub(super) fn skip_spaces(line: &[u8], at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|&&byte| byte == b' ').count()
}

/// The problem at `at`: bytes that are rejected wherever they stand outside strings, or else `otherwise`.
pub(super) fn problem(line: &[u8], at: usize, otherwise: Reason) -> Problem {
    let reason = if is(line, at, CONTROL) {
        Reason::ControlByte
    } else if is(line, at, CR) {
        Reason::LoneCr
    } else {
        otherwise
    };
    Problem::at(reason, at)
}
