//! Metrics made up from a seed, of pieces that mean something in line protocol.

use super::hard::START;
use super::metric::{Metric, UNSIGNED};
use crate::lineproto::reference::Value;
use crate::support::lines::Random;

/// Pieces of names and strings, each about as likely as the others.
const PIECES: [&str; 40] = [
    ",",
    ",",
    " ",
    " ",
    "=",
    "=",
    "\\",
    "\\",
    "\\",
    "\"",
    "\"",
    "\n",
    "\r",
    "\t",
    "\0",
    "\x1b",
    "\x7f",
    "#",
    ":",
    "/",
    "%",
    "'",
    ".",
    "-",
    "_",
    "a",
    "b",
    "Z",
    "0",
    "1i",
    "t",
    "time",
    "ü",
    "e\u{301}",
    "\u{200f}",
    "\u{2028}",
    "\u{feff}",
    "語",
    "🔥",
    "\u{10ffff}",
];

/// One name in so many holds a vertical tab or form feed: the first makes the line a reject.
const RARE: u64 = 300;

/// `count` metrics, each at a time of its own.
pub fn metrics(seed: u64, count: usize) -> Vec<Metric> {
    let random = &mut Random::new(seed);
    (START..).take(count).map(|time| metric(random).at(time)).collect()
}

fn metric(random: &mut Random) -> Metric {
    // Telegraf does not escape this start, and what a comment's strings hold would be taken for lines.
    let name = without_final_backslash(text(random, 8));
    let mut metric = Metric::new(name.trim_start_matches('#'));
    for _ in 0..random.below(6) {
        let (key, value) = (text(random, 6), text(random, 8));
        if !metric.tags.iter().any(|(other, _)| *other == key) {
            metric = metric.tag(key, value);
        }
    }
    for _ in 0..=random.below(8) {
        let key = without_final_backslash(text(random, 6));
        let value = value(random);
        let key = match value {
            Value::Uint(_) => format!("{UNSIGNED}{key}"),
            _ => key,
        };
        if !metric.fields.iter().any(|(other, _)| *other == key) {
            metric = metric.field(key, value);
        }
    }
    metric
}

/// Up to `most` pieces.
fn text(random: &mut Random, most: u64) -> String {
    let mut text = String::new();
    for _ in 0..random.below(most + 1) {
        text += PIECES[random.below(PIECES.len() as u64) as usize];
    }
    if random.below(RARE) == 0 {
        text += ["\x0b", "\x0c"][random.below(2) as usize];
    }
    text
}

fn without_final_backslash(text: String) -> String {
    text.trim_end_matches('\\').to_owned()
}

fn value(random: &mut Random) -> Value {
    // Numbers of every length, as those of 64 random bits are nearly all of the longest.
    let short = random.below(64);
    match random.below(6) {
        // All bit patterns, so also NaN, the infinities and numbers below the smallest normal one.
        0 => Value::Float(random.next()),
        1 => {
            let digits = random.next() >> short;
            Value::Float((digits as f64 / 10f64.powi(random.below(20) as i32)).to_bits())
        }
        2 => Value::Int(random.next() as i64 >> short),
        3 => Value::Uint(random.next() >> short),
        4 => Value::Boolean(random.below(2) == 0),
        _ => Value::String(text(random, 12)),
    }
}
