//! Line protocol as its page has it: a table of every rule with lines that keep and break it, a second parser to compare
//! with on random bytes, what real Telegraf agents sent, and what Telegraf writes of metrics made to be hard.

mod accepted;
mod captures;
mod differential;
mod ends;
mod reference;
mod rejected;
mod telegraf;

use diurnal::lineproto::{FieldValue, Instructions, Limits, Line, Lines, Parser, Precision, Reject};

use reference::{Outcome, Value};

/// Everything that diurnal makes of `input`, with whichever instructions.
fn outcomes(input: &[u8], precision: Precision, limits: Limits) -> Vec<Outcome> {
    let mut parser = Parser::with_instructions(precision, limits, Instructions::Portable);
    let outcomes = collect(parser.lines(input));
    for instructions in Instructions::available() {
        let mut parser = Parser::with_instructions(precision, limits, instructions);
        let shown = || format!("{}: {}", instructions.as_str(), input.escape_ascii());
        assert_eq!(collect(parser.lines(input)), outcomes, "{}", shown());
    }
    outcomes
}

fn collect(mut lines: Lines<'_, '_>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while let Some(line) = lines.next() {
        outcomes.push(outcome(line));
    }
    outcomes
}

fn outcome(parsed: Result<Line<'_, '_>, Reject<'_>>) -> Outcome {
    match parsed {
        Ok(line) => {
            let head = line.head();
            let said = |text: diurnal::lineproto::Text<'_>| text.unescape().into_owned();
            let value = |value| match value {
                FieldValue::Float(float) => Value::Float(float.to_bits()),
                FieldValue::Int(int) => Value::Int(int),
                FieldValue::Uint(uint) => Value::Uint(uint),
                FieldValue::Boolean(boolean) => Value::Boolean(boolean),
                FieldValue::String(text) => Value::String(said(text)),
            };
            Outcome::Line {
                offset: line.offset(),
                raw: line.raw().to_vec(),
                head: line.head_bytes().to_vec(),
                measurement: said(head.measurement),
                tags: head
                    .tags
                    .iter()
                    .map(|(key, value)| (said(*key), said(*value)))
                    .collect(),
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

/// One line by itself, in nanoseconds and with the default limits.
fn one(line: &[u8]) -> Outcome {
    let mut outcomes = outcomes(line, Precision::Ns, Limits::default());
    assert_eq!(outcomes.len(), 1, "{}: {outcomes:?}", line.escape_ascii());
    outcomes.remove(0)
}
