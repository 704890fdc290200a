//! The data sets: made in memory, the same bytes for the same size on every machine.

use std::fs;
use std::ops::Range;
use std::path::Path;

use diurnal::lineproto::{Limits, Parser, Precision};

use crate::contenders::blocks;
use crate::options::Options;
use crate::{made_up, telegraf};

/// The sets of a run that isn't told otherwise.
pub const NAMES: &[&str] = &["cpu-mem", "wide", "strings", "many-series", "captures"];

/// The set that is read from `DIURNAL_BENCH_FILE`.
pub const FILE: &str = "file";

/// Bytes of a line of `cpu-mem`, to make the other sets about as large.
const LINE_BYTES: usize = 340;

/// Hosts of `cpu-mem`.
const HOSTS: usize = 50;

/// Hosts of `many-series`.
const MANY_HOSTS: usize = 100_000;

/// Lines of `many-series` for one of `cpu-mem`: three for each host by default, so that two of three meet a known one.
const MANY: usize = 3;

/// Lines of line protocol, and two ways to cut them.
pub struct Set {
    /// Its name.
    pub name: String,
    /// All lines.
    pub text: String,
    /// Blocks of whole lines, as `import` makes them.
    pub blocks: Vec<Range<usize>>,
    /// One line each, as Kafka's messages.
    pub messages: Vec<Range<usize>>,
}

/// Makes the set of this name.
///
/// # Errors
/// A file that can't be read.
pub fn make(name: &str, options: &Options) -> Result<Set, String> {
    let lines = options.lines;
    let bytes = lines * LINE_BYTES;
    let text = match name {
        "cpu-mem" => telegraf::cpu_mem(lines, HOSTS),
        "wide" => made_up::wide(bytes),
        "strings" => made_up::strings(bytes),
        "many-series" => telegraf::cpu_total(MANY * lines, MANY_HOSTS),
        "captures" => captures(bytes)?,
        _ => match &options.file {
            Some(path) => read(path)?,
            None => unreachable!("the options name known sets only: {name}"),
        },
    };
    Ok(Set {
        name: name.to_owned(),
        blocks: blocks(text.as_bytes()),
        messages: messages(text.as_bytes()),
        text,
    })
}

/// From each line's first byte to the next one's.
fn messages(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut starts = Vec::new();
    let mut parser = Parser::new(Precision::Ns, Limits::default());
    let mut lines = parser.lines(bytes);
    while let Some(line) = lines.next() {
        starts.push(match line {
            Ok(line) => line.offset(),
            Err(reject) => reject.offset,
        });
    }
    let ends = starts.iter().copied().skip(1).chain([bytes.len()]);
    starts
        .iter()
        .copied()
        .zip(ends)
        .map(|(start, end)| start..end)
        .collect()
}

/// The tests' real captures of Telegraf, again and again, each time a day later.
fn captures(bytes: usize) -> Result<String, String> {
    const DAY_NS: i64 = 86_400_000_000_000;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/telegraf");
    let mut lines = Vec::new();
    for file in ["my-computer-metric.kcat.jsonl", "wide.kcat.jsonl"] {
        for record in read(&folder.join(file))?.lines() {
            let record: serde_json::Value = serde_json::from_str(record).map_err(|error| format!("{file}: {error}"))?;
            let payload = record["payload"].as_str().unwrap_or_default().to_owned();
            let (line, time) = payload.trim_end().rsplit_once(' ').unwrap_or_default();
            let time: i64 = time.parse().map_err(|error| format!("{file}: {payload}: {error}"))?;
            lines.push((line.to_owned(), time));
        }
    }
    let mut text = String::with_capacity(bytes + bytes / 8);
    for day in 0.. {
        for (line, time) in &lines {
            if text.len() >= bytes {
                return Ok(text);
            }
            text.push_str(&format!("{line} {}\n", time + day * DAY_NS));
        }
    }
    Ok(text)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
