//! Line protocol as its page has it: a table of every rule with lines that keep and break it, a second parser to compare
//! with on random bytes, what real Telegraf agents sent, and what Telegraf writes of metrics made to be hard.

mod accepted;
mod captures;
mod compare;
mod differential;
mod ends;
mod reference;
mod rejected;
mod telegraf;

use diurnal::lineproto::{Instructions, Limits, Parser, Precision};

use reference::Outcome;

/// Everything that diurnal makes of `input`, with whichever instructions.
fn outcomes(input: &[u8], precision: Precision, limits: Limits) -> Vec<Outcome> {
    let outcomes_with = |set| compare::outcomes(&mut Parser::with_instructions(precision, limits, set), input);
    let outcomes = outcomes_with(Instructions::Portable);
    for instructions in Instructions::available() {
        let shown = || format!("{}: {}", instructions.as_str(), input.escape_ascii());
        assert_eq!(outcomes_with(instructions), outcomes, "{}", shown());
    }
    outcomes
}

/// One line by itself, in nanoseconds and with the default limits.
fn one(line: &[u8]) -> Outcome {
    let mut outcomes = outcomes(line, Precision::Ns, Limits::default());
    assert_eq!(outcomes.len(), 1, "{}: {outcomes:?}", line.escape_ascii());
    outcomes.remove(0)
}
