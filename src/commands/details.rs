//! What `-v` tells of a commit: lines and days, files and bytes, and how long each phase took.

use std::time::Duration;

use super::commit_rows::Commitment;
use super::day_file::LeafCounts;
use crate::console::Console;
use crate::report::{bytes, counted, escaped, grouped};
use crate::store::record::{Commit, DayEntry};

/// The lines of a commit have their tables and types.
pub fn sorted(console: Console, settled: &Commitment, took: Duration) {
    let (lines, rejected) = (settled.lines, settled.rejects.len() as u64);
    let measurements = settled.rows.schemas().count() as u64;
    let seconds = took.as_secs_f64();
    console.detail_of(
        format_args!(
            "{} of {} settled in {seconds:.2} s, {} rejected",
            counted(lines, "line"),
            counted(measurements, "measurement"),
            grouped(rejected)
        ),
        [
            ("lines", lines.into()),
            ("rejected", rejected.into()),
            ("measurements", measurements.into()),
            ("seconds", seconds.into()),
        ],
    );
}

/// A day's files are staged.
pub fn encoded(console: Console, entry: &DayEntry, leaves: LeafCounts) {
    console.detail_of(
        format_args!(
            "{} {}: {}, {} leaves encoded, {} copied",
            escaped(&entry.measurement),
            entry.day,
            counted(entry.rows, "row"),
            leaves.encoded,
            leaves.copied
        ),
        [
            ("measurement", entry.measurement.as_str().into()),
            ("day", entry.day.as_str().into()),
            ("rows", entry.rows.into()),
            ("leaves_encoded", leaves.encoded.into()),
            ("leaves_copied", leaves.copied.into()),
        ],
    );
}

/// A commit has happened.
pub fn committed(console: Console, commit: &Commit, encoding: Duration, committing: Duration) {
    let files = || commit.days.iter().flat_map(|day| [&day.parquet, &day.csv]).flatten();
    let (number, size) = (files().count() as u64, files().map(|file| file.bytes).sum());
    let (encoding, committing) = (encoding.as_secs_f64(), committing.as_secs_f64());
    console.detail_of(
        format_args!(
            "commit {}: {} with {}, encoded in {encoding:.2} s, committed in {committing:.2} s",
            commit.id,
            counted(number, "day file"),
            bytes(size)
        ),
        [
            ("commit", commit.id.into()),
            ("files", number.into()),
            ("bytes", size.into()),
            ("encode_seconds", encoding.into()),
            ("commit_seconds", committing.into()),
        ],
    );
}
