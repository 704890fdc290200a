//! Where lines end. A quoted string may hold line ends, so a message can't be cut at every LF.
//!
//! Where a line ends depends on its bytes alone, whether it is good or bad: the head runs to its first unescaped space
//! and knows no strings; after it a quote directly behind an unescaped `=` opens a string, which its next unescaped
//! quote closes; the line ends at its first LF outside strings. Strings are followed no further than `line_bytes` from
//! the line's start:
//! - a string still open there, or at the end of the input, never closes: the line ends at its first LF;
//! - outside strings, a line that goes on past that point ends at its next LF, quotes or not.

use memchr::{memchr, memchr2, memchr3, memrchr};

use super::bytes::skip_spaces;
use super::limits::Limits;

/// How many leading bytes of `block` are surely whole lines, whatever follows it: 0, or the place after an LF.
///
/// So a file can be read in blocks and each block's whole lines parsed apart, with the same lines and rejects as if the
/// file were parsed at once. The rest of the block is the start of the next one; at the end of the file it is parsed
/// as it is.
///
/// 0 means that the first line is not surely over: the reader appends more (doubling the block, so that the cost stays
/// linear). A block of more than `limits.line_bytes` bytes without a whole line starts with a comment, a blank line or
/// a `line_too_long` reject, and its end is the next LF that is read: no quote is followed so far.
pub fn whole_lines(block: &[u8], limits: Limits) -> usize {
    let mut splitter = Splitter::new(limits.line_bytes);
    let mut cut = 0;
    while let Some(quote) = memchr(b'"', &block[cut..]) {
        let before = &block[..cut + quote];
        cut = after_last_lf(before, cut);
        match splitter.line_end(block, cut) {
            Some(end) => cut = end + 1,
            None => return cut,
        }
    }
    after_last_lf(block, cut)
}

/// The place after the last LF at or after `from`, or `from`.
fn after_last_lf(block: &[u8], from: usize) -> usize {
    memrchr(b'\n', &block[from..]).map_or(from, |at| from + at + 1)
}

/// Finds the ends of the lines of one input, in order.
#[derive(Debug)]
pub(super) struct Splitter {
    line_bytes: usize,
    /// What is known from the last line whose string never closed. Without it, lines that all open a string would
    /// each be followed to the far end of their reach.
    unclosed: Option<Unclosed>,
}

/// A stretch of input, from the start of an earlier line on, all of whose LFs stand in strings if one does: then none
/// of them ends a line, and what is open at one of them goes the same way to the stretch's end.
#[derive(Clone, Copy, Debug)]
struct Unclosed {
    /// The end of the stretch, where a string is open: going on in the string from here is going on from any LF.
    resume: usize,
}

/// Where a string leads.
enum Close {
    /// The closing quote.
    At(usize),
    /// It is open at the end of the reach; from this place on the string can be taken up again.
    Open(usize),
}

impl Splitter {
    pub(super) fn new(line_bytes: usize) -> Self {
        Self {
            line_bytes,
            unclosed: None,
        }
    }

    /// The LF that surely ends the line starting at `start`, whatever follows `input`.
    fn line_end(&mut self, input: &[u8], start: usize) -> Option<usize> {
        self.end(input, start, false)
    }

    /// The LF that ends the line starting at `start` when nothing follows `input`, or the end of the input.
    pub(super) fn last_line_end(&mut self, input: &[u8], start: usize) -> usize {
        self.end(input, start, true).unwrap_or(input.len())
    }

    /// `complete`: nothing follows `input`, so that a string open at its end never closes.
    #[inline]
    fn end(&mut self, input: &[u8], start: usize, complete: bool) -> Option<usize> {
        let first = start + memchr2(b'\n', b'"', &input[start..])?;
        if input[first] == b'\n' {
            return Some(first);
        }
        self.end_after_quotes(input, start, complete)
    }

    fn end_after_quotes(&mut self, input: &[u8], start: usize, complete: bool) -> Option<usize> {
        if input.get(skip_spaces(input, start)) == Some(&b'#') {
            return find_lf(input, start);
        }
        let reach = input.len().min(start.saturating_add(self.line_bytes));
        let reached = &input[..reach];
        let mut at = match head_end(reached, start) {
            Some(end) if reached[end] == b'\n' => return Some(end),
            Some(end) => end,
            None => return find_lf(input, reach),
        };
        while let Some(found) = memchr2(b'\n', b'"', &reached[at..]) {
            let found = at + found;
            if reached[found] == b'\n' {
                return Some(found);
            }
            at = found + 1;
            if opens_string(reached, found) {
                match self.close(reached, at) {
                    Close::At(quote) => at = quote + 1,
                    Close::Open(_) if reach - start < self.line_bytes && !complete => return None,
                    Close::Open(resume) => {
                        self.unclosed = Some(Unclosed { resume });
                        return find_lf(input, start);
                    }
                }
            }
        }
        find_lf(input, reach)
    }

    /// Follows the string whose first byte is at `at` through `reached`.
    fn close(&self, reached: &[u8], mut at: usize) -> Close {
        if let Some(Unclosed { resume }) = self.unclosed {
            while at < resume {
                let Some(found) = memchr3(b'\n', b'"', b'\\', &reached[at..]) else {
                    return Close::Open(reached.len());
                };
                at += found;
                match reached[at] {
                    b'"' => return Close::At(at),
                    // The earlier line was in a string here as well.
                    b'\n' if at < resume => at = resume,
                    b'\n' => break,
                    _ => match after_backslash(reached, at) {
                        Some(after) => at = after,
                        None => return Close::Open(at),
                    },
                }
            }
        }
        while let Some(found) = memchr2(b'"', b'\\', &reached[at..]) {
            at += found;
            if reached[at] == b'"' {
                return Close::At(at);
            }
            match after_backslash(reached, at) {
                Some(after) => at = after,
                None => return Close::Open(at),
            }
        }
        Close::Open(reached.len())
    }
}

/// The first byte that the backslash at `at` has no hold on; `None` where the byte behind it is out of reach.
fn after_backslash(reached: &[u8], at: usize) -> Option<usize> {
    match reached.get(at + 1)? {
        b'"' | b'\\' => Some(at + 2),
        _ => Some(at + 1),
    }
}

/// The unescaped space or the LF that ends the head of the line starting at `start`.
fn head_end(reached: &[u8], start: usize) -> Option<usize> {
    let mut at = skip_spaces(reached, start);
    loop {
        at += memchr2(b'\n', b' ', reached.get(at..)?)?;
        if reached[at] == b'\n' || reached[at - 1] != b'\\' {
            return Some(at);
        }
        at += 1;
    }
}

/// Whether the quote at `at`, after the head and outside strings, stands directly behind an unescaped `=`.
fn opens_string(reached: &[u8], at: usize) -> bool {
    reached[at - 1] == b'=' && reached[at - 2] != b'\\'
}

fn find_lf(input: &[u8], from: usize) -> Option<usize> {
    memchr(b'\n', &input[from..]).map(|at| from + at)
}
