//! What diurnal makes of an input, in the words of the [reference](super::reference), so that the two can be compared: by the
//! tests of this folder and by the fuzz targets, which include this file too.

use std::collections::HashSet;

use diurnal::lineproto::{FieldValue, Limits, Line, Parser, Reject, Text, whole_lines};

use super::reference::{Outcome, Value};

/// Everything that `parser` makes of `input`.
pub fn outcomes(parser: &mut Parser, input: &[u8]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut lines = parser.lines(input);
    while let Some(line) = lines.next() {
        outcomes.push(outcome(line));
    }
    outcomes
}

/// The same by a caller who looks heads and keys up himself: the heads that are in `known` are taken on trust, and those of
/// accepted lines are added to it; a line with a key twice is asked for again.
pub fn outcomes_trusting<'a>(parser: &mut Parser, input: &'a [u8], known: &mut HashSet<&'a [u8]>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut lines = parser.lines(input);
    while let Some(line) = lines.next_trusting(|head| known.contains(head)) {
        if let Ok(line) = &line {
            known.insert(line.head_bytes());
            let mut keys = HashSet::new();
            if !line.fields().all(|field| keys.insert(field.key.raw())) {
                outcomes.push(outcome(lines.again()));
                continue;
            }
        }
        outcomes.push(outcome(line));
    }
    outcomes
}

/// The same, read as a file is: `block` bytes more at a time, and what [`whole_lines`] allows of them parsed apart. `limits`
/// are those of the parser.
///
/// # Panics
/// If a cut is not behind an LF, or a line is held back though it is longer than a line may be.
pub fn outcomes_in_blocks(parser: &mut Parser, input: &[u8], limits: Limits, block: usize) -> Vec<Outcome> {
    let mut apart = Vec::new();
    let mut start = 0;
    let mut end = 0;
    while end < input.len() {
        end = input.len().min(end + block);
        let cut = whole_lines(&input[start..end], limits);
        assert!(cut == 0 || input[start + cut - 1] == b'\n', "cut inside of a line");
        let lines = outcomes(parser, &input[start..start + cut]);
        apart.extend(lines.into_iter().map(|outcome| moved(outcome, start)));
        start += cut;
        let over = end - start > limits.line_bytes && input[start + limits.line_bytes..end].contains(&b'\n');
        assert!(!over, "a line is over and was not given out");
    }
    let rest = outcomes(parser, &input[start..]);
    apart.extend(rest.into_iter().map(|outcome| moved(outcome, start)));
    apart
}

/// Checks that each byte of `input` is in a line, in a reject, in a comment, in a blank line or part of a line end.
///
/// # Panics
/// If one is not.
pub fn check_every_byte(input: &[u8], outcomes: &[Outcome]) {
    let only_blanks_and_comments = |bytes: &[u8]| {
        bytes.split(|&byte| byte == b'\n').all(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            line.trim_ascii_start().first().is_none_or(|&first| first == b'#')
        })
    };
    let mut at = 0;
    for outcome in outcomes {
        let (offset, line) = match outcome {
            Outcome::Line { offset, raw, .. } => (*offset, raw),
            Outcome::Reject { offset, line, .. } => (*offset, line),
        };
        let before = &input[at..offset];
        assert!(only_blanks_and_comments(before), "lost: {}", before.escape_ascii());
        assert_eq!(&input[offset..offset + line.len()], &line[..], "not what was sent");
        at = offset + line.len();
    }
    assert!(
        only_blanks_and_comments(&input[at..]),
        "lost: {}",
        input[at..].escape_ascii()
    );
}

/// One line or reject in the reference's words.
pub fn outcome(parsed: Result<Line<'_, '_>, Reject<'_>>) -> Outcome {
    match parsed {
        Ok(line) => {
            let head = line.head();
            Outcome::Line {
                offset: line.offset(),
                raw: line.raw().to_vec(),
                head: line.head_bytes().to_vec(),
                measurement: said(head.measurement),
                tags: head.tags.iter().map(|&(key, value)| (said(key), said(value))).collect(),
                fields: line
                    .fields()
                    .map(|field| (said(field.key), value(field.value)))
                    .collect(),
                time: line.time(),
            }
        }
        Err(reject) => Outcome::Reject {
            offset: reject.offset,
            line: reject.line.to_vec(),
            reason: reject.reason.as_str(),
            column: reject.column,
        },
    }
}

fn value(value: FieldValue<'_>) -> Value {
    match value {
        FieldValue::Float(float) => Value::Float(float.to_bits()),
        FieldValue::Int(int) => Value::Int(int),
        FieldValue::Uint(uint) => Value::Uint(uint),
        FieldValue::Boolean(boolean) => Value::Boolean(boolean),
        FieldValue::String(text) => Value::String(said(text)),
    }
}

fn said(text: Text<'_>) -> String {
    text.unescape().into_owned()
}

/// The same outcome `by` bytes further on.
fn moved(mut outcome: Outcome, by: usize) -> Outcome {
    let (Outcome::Line { offset, .. } | Outcome::Reject { offset, .. }) = &mut outcome;
    *offset += by;
    outcome
}
