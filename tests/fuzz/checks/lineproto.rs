//! The parser against the reference: the same lines, values, rejects, reasons and columns, with every instruction set that
//! the processor has, wherever the input lies in memory.

use std::collections::HashSet;

use diurnal::lineproto::{Instructions, Limits, Parser};

use super::compare::{check_every_byte, outcomes, outcomes_in_blocks, outcomes_trusting};
use super::input::{Choices, shown};
use super::reference::{self, Outcome};

/// Every vector and cache line is aligned to this many bytes, or to less.
const ALIGNMENT: usize = 64;

/// Bytes to bring the text to the ends of longer stretches than it fills itself: that of a comment before it, and that of each
/// run in it.
const STRETCHES: [usize; 8] = [0, 0, 0, 0, 1 << 8, 1 << 12, 1 << 14, 1 << 16];

/// Stands for a run of the byte before it.
const RUN: u8 = 0x1f;

/// Bytes of all runs at most, so that an input takes milliseconds.
const MOST_RUN_BYTES: usize = 1 << 17;

/// What lies around the input in memory: taken for a part of it, it would end a line or open a string.
const AROUND: &[u8] = b"=\"\n, \\";

/// Checks one input: 8 choices (precision; limits of bytes, tags and fields; place in memory; block; comment before the text;
/// length of a run), then the text, in which 0x1f makes a run of the byte before it.
///
/// # Panics
/// If the parser and the reference disagree.
pub fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let precision = choices.precision();
    let limits = limits(&mut choices);
    let place = choices.below(ALIGNMENT);
    let block = 1 + choices.below(ALIGNMENT);
    let lead_in = choices.one_of(&STRETCHES).saturating_sub(place);
    let run = choices.one_of(&STRETCHES).saturating_sub(place);
    let text = choices.rest();
    // A long input in short blocks would be looked at all over again for each of them.
    let block = block + lead_in + run;
    // As long as its content: the address sanitizer then sees the first byte before it and the first one behind.
    let alone: Box<[u8]> = lead_in_of(lead_in).chain(with_runs(text, run)).collect();
    let mut room = Vec::new();
    let placed = placed(&mut room, &alone, place);

    let expected = reference::parse(&alone, precision.nanoseconds(), limits);
    check_every_byte(&alone, &expected);
    for set in Instructions::available() {
        let check = |how: &str, found: Vec<Outcome>| {
            let seen = || {
                let (set, text) = (set.as_str(), shown(text));
                format!("{set} {how}, {precision:?}, {limits:?}, a comment of {lead_in} bytes, runs of {run}: {text}")
            };
            assert!(
                found.len() == expected.len(),
                "{} lines, not {}: {}",
                found.len(),
                expected.len(),
                seen()
            );
            for (found, expected) in found.iter().zip(&expected) {
                assert!(found == expected, "{found:?} is not {expected:?}: {}", seen());
            }
        };
        let mut parser = Parser::with_instructions(precision, limits, set);
        check("alone", outcomes(&mut parser, &alone));
        check("in blocks", outcomes_in_blocks(&mut parser, &alone, limits, block));
        check("placed", outcomes(&mut parser, placed));
        let mut known = HashSet::new();
        check(
            "trusting what it met",
            outcomes_trusting(&mut parser, placed, &mut known),
        );
        check(
            "trusting what it knew",
            outcomes_trusting(&mut parser, placed, &mut known),
        );
    }
}

/// The default limits, or tiny ones.
fn limits(choices: &mut Choices<'_>) -> Limits {
    let mut limits = Limits::default();
    if let bytes @ 1.. = choices.below(64) {
        limits.line_bytes = bytes;
    }
    if let tags @ 1.. = choices.below(4) {
        limits.tags = tags - 1;
    }
    if let fields @ 1.. = choices.below(5) {
        limits.fields = fields;
    }
    limits
}

/// A comment of that many bytes, its line end included.
fn lead_in_of(bytes: usize) -> impl Iterator<Item = u8> {
    (1..=bytes).map(move |at| if at == bytes { b'\n' } else { b'#' })
}

/// The text with its runs: `bytes` more of the byte before each mark.
fn with_runs(text: &[u8], bytes: usize) -> Vec<u8> {
    let mut long = Vec::with_capacity(text.len());
    for &byte in text {
        match long.last() {
            Some(&before) if byte == RUN && long.len() < MOST_RUN_BYTES => long.resize(long.len() + bytes, before),
            _ => long.push(byte),
        }
    }
    long
}

/// A copy of `input` in `room` that starts `place` bytes behind a multiple of [`ALIGNMENT`].
fn placed<'r>(room: &'r mut Vec<u8>, input: &[u8], place: usize) -> &'r [u8] {
    let bytes = ALIGNMENT + place + input.len() + ALIGNMENT;
    room.extend(AROUND.iter().cycle().take(bytes));
    let start = room.as_ptr().align_offset(ALIGNMENT) + place;
    let end = start + input.len();
    room[start..end].copy_from_slice(input);
    &room[start..end]
}
