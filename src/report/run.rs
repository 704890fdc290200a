//! The run report: `--json` of `archive`, `import` and `merge`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::store::record::{Counts, DayEntry};
use crate::table::{RejectedLine, RejectedText};

/// Rejects that a report shows; all of them are in the archive's `rejects/`.
pub const SHOWN_REJECTS: usize = 100;

/// Bytes of a rejected line that a report shows.
const SHOWN_LINE_BYTES: usize = 16 << 10;

/// How a run ended, in the order of precedence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Failed; what was committed before stays.
    Failed,
    /// What was read is archived, but not all could be read.
    Incomplete,
    /// All that Kafka still had is archived, but it no longer had some offsets.
    LostOffsets,
    /// Done, with more rejects than tolerated.
    Rejects,
    /// Done.
    #[default]
    Done,
}

impl Outcome {
    /// Its name in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Incomplete => "incomplete",
            Self::LostOffsets => "lost_offsets",
            Self::Rejects => "rejects",
            Self::Done => "done",
        }
    }

    /// Whether all that was there is archived.
    pub fn is_well(self) -> bool {
        !matches!(self, Self::Failed | Self::Incomplete)
    }

    /// The exit code that says so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::Incomplete => 1,
            Self::LostOffsets => 5,
            Self::Rejects => 3,
            Self::Done => 0,
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunReport {
    /// `archive`, `import`, `merge` or `demo`.
    pub command: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit code of the process.
    pub exit_code: u8,
    /// Whether all of this is only what a run would do; nothing was written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Whether it read once more what was archived before; `partitions` say what it read, and the archive's `next` stayed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replay: bool,
    /// Lines read: blank lines and comments are none. Of `merge`, the rows and waiting rejects of the other archives.
    pub lines: u64,
    /// Points that are new in the archive.
    pub points: u64,
    /// Lines that joined a point that was there already.
    pub folded: u64,
    /// Touched points that hold more than one value for a field.
    pub conflicts: u64,
    /// Lines that could not be archived.
    pub rejected: u64,
    /// Those of them that were on record already: a replay, or the same file once more.
    #[serde(skip_serializing_if = "is_zero")]
    pub rejected_again: u64,
    /// Bytes of line protocol read, uncompressed. Of `merge`, of the day files that rows were read from.
    pub bytes_in: u64,
    /// Seconds from the opening of the archive to the end.
    pub elapsed_s: f64,
    /// How they were spent.
    pub phases_s: Phases,
    /// Days that the run wrote, with the rows they have now.
    pub days: Vec<DayReport>,
    /// What was read of each Kafka partition; empty for `import`. Of `merge`, the ranges that another archive had read and this one not.
    pub partitions: Vec<PartitionReport>,
    /// Rejected lines by the stable name of their reason. Of `merge`, those that are new here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reject_reasons: BTreeMap<&'static str, u64>,
    /// The first rejects, [`SHOWN_REJECTS`] at most.
    pub rejects: Vec<RejectReport>,
    /// Why the run failed or is incomplete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// Seconds that the parts of a run took; what is left of the whole is between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Phases {
    /// Finding the brokers, the topics and where they end.
    pub connect: f64,
    /// Reading and parsing, and writing rows aside that there is no memory for.
    pub read: f64,
    /// Sorting, merging and encoding days, and making their files durable. Of `merge`, reading those of the others too.
    pub encode: f64,
    /// Making commits: the record, the renames, the group's offsets.
    pub commit: f64,
}

impl Phases {
    /// Each with its name.
    pub fn by_name(&self) -> [(&'static str, f64); 4] {
        [
            ("connect", self.connect),
            ("read", self.read),
            ("encode", self.encode),
            ("commit", self.commit),
        ]
    }
}

/// A day that the run wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayReport {
    /// The measurement's name, not encoded.
    pub measurement: String,
    /// `2020-06-19`
    pub day: String,
    /// Rows that the day has now.
    pub rows: u64,
    /// Path relative to the archive.
    pub parquet: Option<String>,
    /// Path relative to the archive.
    pub csv: Option<String>,
    /// Points that would be new in it; in a dry run only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points: Option<u64>,
    /// Lines that would join a point that it holds already; in a dry run only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folded: Option<u64>,
}

/// How far a partition was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionReport {
    /// The topic's name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// The first offset of the range.
    pub first: i64,
    /// The offset behind the range.
    pub next: i64,
    /// Messages read; `next - first = messages + gaps + lost`.
    pub messages: u64,
    /// Offsets that hold no message: aborted, control or compacted.
    pub gaps: u64,
    /// Offsets that Kafka no longer had.
    pub lost: u64,
    /// The last stable offset when the run began; what is between `next` and it is left. Not of a replay or a merge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
}

/// A rejected line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectReport {
    /// `topic[partition]`, or a file's path.
    pub source: String,
    /// Kafka offset, or byte offset in the file.
    pub offset: u64,
    /// The stable name of the reason: `bad_number`.
    pub reason: &'static str,
    /// Column, type and value, or the byte of the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The line, where it is UTF-8; exactly one of `line` and `line_base64` is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The line in Base64, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_base64: Option<String>,
    /// The bytes of the line, where only its beginning is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_from: Option<u64>,
}

impl From<&RejectedLine> for RejectReport {
    fn from(reject: &RejectedLine) -> Self {
        let shown = beginning(&reject.line);
        let text = RejectedLine {
            line: shown.to_vec(),
            cut_from: reject
                .cut_from
                .or_else(|| (shown.len() < reject.line.len()).then_some(reject.line.len() as u64)),
            origin: reject.origin.clone(),
            detail: None,
            place: None,
            ..*reject
        };
        let text = text.to_text();
        let source = text.source();
        let RejectedText {
            line,
            line_base64,
            cut_from,
            offset,
            ..
        } = text;
        let place = reject.byte.map(|byte| format!("at byte {byte}"));
        Self {
            source,
            offset,
            reason: reject.reason.as_str(),
            detail: reject.detail.clone().or(place),
            line,
            line_base64,
            cut_from,
        }
    }
}

/// As much of a line as a report shows: no half a character, where it is UTF-8.
fn beginning(line: &[u8]) -> &[u8] {
    let Some(cut) = line.get(..SHOWN_LINE_BYTES) else {
        return line;
    };
    match std::str::from_utf8(cut) {
        // Nothing but the last character is wrong, because it was cut.
        Err(error) if error.error_len().is_none() => &cut[..error.valid_up_to()],
        _ => cut,
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl RunReport {
    /// A report of a run that has done nothing yet.
    pub fn new(command: &'static str) -> Self {
        Self {
            command,
            ..Self::default()
        }
    }

    /// What monitoring calls it: `replay` is `archive --replay`, which says nothing about how far the archive is.
    pub fn name(&self) -> &'static str {
        match self.replay {
            true => "replay",
            false => self.command,
        }
    }

    /// Adds lines that were read, whether or not there was anything to commit.
    pub fn add_counts(&mut self, counts: &Counts) {
        self.lines += counts.lines;
        self.points += counts.points;
        self.folded += counts.folded;
        self.conflicts += counts.conflicts;
        self.rejected += counts.rejected;
        self.rejected_again += counts.rejected_again;
    }

    /// Adds the days of a commit, each with its points and folded lines; a day that several commits wrote shows its last state.
    pub fn add_days<'a>(&mut self, days_written: impl Iterator<Item = (&'a DayEntry, u64, u64)>) {
        let mut days: BTreeMap<(String, String), DayReport> = self
            .days
            .drain(..)
            .map(|day| ((day.measurement.clone(), day.day.clone()), day))
            .collect();
        for (day, points, folded) in days_written {
            let key = (day.measurement.clone(), day.day.clone());
            let earlier = days.get(&key);
            let sum = |count: u64, before: Option<u64>| self.dry_run.then(|| count + before.unwrap_or(0));
            let report = DayReport {
                measurement: day.measurement.clone(),
                day: day.day.clone(),
                rows: day.rows,
                parquet: day.parquet.as_ref().map(|file| file.path.clone()),
                csv: day.csv.as_ref().map(|file| file.path.clone()),
                points: sum(points, earlier.and_then(|day| day.points)),
                folded: sum(folded, earlier.and_then(|day| day.folded)),
            };
            days.insert(key, report);
        }
        self.days = days.into_values().collect();
    }

    /// Adds a range of a partition's offsets to what the run read of it.
    pub fn add_partition(&mut self, range: PartitionReport) {
        let same = |seen: &&mut PartitionReport| (&seen.topic, seen.partition) == (&range.topic, range.partition);
        match self.partitions.iter_mut().find(same) {
            Some(seen) => {
                seen.next = range.next;
                seen.messages += range.messages;
                seen.gaps += range.gaps;
                seen.lost += range.lost;
            }
            None => self.partitions.push(range),
        }
    }

    /// Says where a partition ended when the run began.
    pub fn set_end(&mut self, topic: &str, partition: i32, end: i64) {
        let same = |seen: &&mut PartitionReport| (seen.topic.as_str(), seen.partition) == (topic, partition);
        if let Some(seen) = self.partitions.iter_mut().find(same) {
            seen.end = Some(end);
        }
    }

    /// Counts rejected lines by their reason.
    pub fn add_reasons<'r>(&mut self, rejects: impl Iterator<Item = &'r RejectedLine>) {
        rejects.for_each(|reject| *self.reject_reasons.entry(reject.reason.as_str()).or_default() += 1);
    }

    /// Offsets that Kafka no longer had.
    pub fn lost(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.lost).sum()
    }

    /// Settles the outcome and its exit code.
    pub fn finish(&mut self, outcome: Outcome, elapsed: std::time::Duration) {
        self.outcome = outcome;
        self.exit_code = outcome.exit_code();
        self.elapsed_s = elapsed.as_secs_f64();
    }
}
