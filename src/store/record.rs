//! What a ledger record says. Users' programs read these words: see "On disk" of the format page.

use serde::{Deserialize, Serialize};

/// One commit: everything that became true at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// 1, 2, 3, ...: also the name of the staging folder.
    pub id: u64,
    /// The command that made it: `archive`, `import`, `rejects`, `prune`, `merge`, `schema`.
    pub command: String,
    /// When it was made, by the clock of the machine: RFC 3339 in UTC, whole seconds. Information only; the first records had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How far each Kafka partition was read. Empty for `import` and for a replay.
    pub sources: Vec<SourceRange>,
    /// What was imported; information only, identity is in the points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
    /// Day files that this commit wrote or replaced.
    pub days: Vec<DayEntry>,
    /// Schema and reject files that this commit wrote or replaced, relative to the archive.
    pub files: Vec<FileEntry>,
    /// Files that this commit removed, relative to the archive: day files that their day's entry no longer has, reject files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// How the lines of this commit balance.
    pub counts: Counts,
    /// Stored rejects that were driven again by this commit and are archived since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retried: Vec<Retried>,
    /// What a replay read of each Kafka partition; information only, it moves no `next`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replayed: Vec<SourceRange>,
    /// Kinds of rejects that no commit before this one had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject_kinds: Vec<RejectKind>,
    /// Other archives that this commit took over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<Merged>,
}

/// Another archive, whose rows, columns and rejects became this one's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// Its path as it was given; information only.
    pub archive: String,
    /// The last of its commits that was taken over.
    pub commits: u64,
    /// The ranges that it had read and this archive had not, or not all of. They may overlap with what this one had, so they are told
    /// as they were read there; with it they leave no hole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceRange>,
}

/// What all commits so far add up to: the first record of each segment of the ledger but the first one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Id of the last of these commits.
    pub commits: u64,
    /// When that one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Sums over them.
    pub totals: Counts,
    /// The last range of each partition.
    pub sources: Vec<SourceRange>,
    /// All that was read of each partition, here or by archives that were merged into this one.
    pub read: Vec<SourceRange>,
    /// The last entry of each measurement and day.
    pub days: Vec<DayEntry>,
    /// The current schema and reject files.
    pub files: Vec<FileEntry>,
    /// Stored rejects that were driven again and are archived since.
    pub retried: Vec<Retried>,
    /// Every kind of reject so far.
    pub reject_kinds: Vec<RejectKind>,
}

/// What rejects have in common that are worth telling a person once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RejectKind {
    /// The stable name of the reason: `bad_number`.
    pub reason: String,
    /// The measurement, where the reason concerns one column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement: Option<String>,
    /// That column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// Lines of a reject file that were driven again and are archived since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// The reject file's path relative to the archive.
    pub path: String,
    /// First and last number of runs of lines, from 1, ascending.
    pub lines: Vec<(u64, u64)>,
}

/// `lines = points + folded + rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Lines read: blank lines and comments are none.
    pub lines: u64,
    /// Points that are new in the archive.
    pub points: u64,
    /// Lines that joined a point that was there already, in the archive or earlier in this commit.
    pub folded: u64,
    /// Touched points that hold more than one value for a field.
    pub conflicts: u64,
    /// Lines that could not be archived.
    pub rejected: u64,
    /// Those of them that were on record as rejects already and so are not in this commit's reject file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejected_again: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Offsets `[first, next)` of one partition that this commit covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRange {
    /// The cluster's id; empty where the broker gives none.
    pub cluster_id: String,
    /// The topic's id, where the broker has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The first offset of the range: `next` of the commit before, less `again`.
    pub first: i64,
    /// The offset that comes after the range.
    pub next: i64,
    /// Messages read in the range; `next - first = messages + gaps + lost`.
    pub messages: u64,
    /// Offsets that hold no message: aborted, control or compacted.
    pub gaps: u64,
    /// Offsets that Kafka no longer had.
    pub lost: u64,
    /// Offsets before the `next` of the commit before that are read again, because Kafka cut its log there and gave them to other
    /// records.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub again: u64,
    /// The last message read up to `next`, for brokers without topic ids: tells a topic that was made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastMessage>,
    /// A leader epoch that no record before `next` is above, where the broker has them (KIP-101): tells a log that was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i32>,
}

/// Offset and digest of a partition's last message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastMessage {
    /// Its offset.
    pub offset: i64,
    /// BLAKE3 of the payload, hexadecimal.
    pub digest: String,
}

/// An imported file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The path as it was given, `-` for standard input.
    pub path: String,
    /// Uncompressed bytes read.
    pub bytes: u64,
}

/// One measurement on one day: its files and leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DayEntry {
    /// The measurement's name, not encoded.
    pub measurement: String,
    /// `2020-06-19`.
    pub day: String,
    /// Rows of each of its files: the sum over the leaves.
    pub rows: u64,
    /// First time, nanoseconds since 1970-01-01 UTC.
    pub first: i64,
    /// Last time, nanoseconds since 1970-01-01 UTC.
    pub last: i64,
    /// Version of the encoder that wrote the files.
    pub encoder: u32,
    /// In the order of time, which is their order in the files.
    pub leaves: Vec<Leaf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// The Parquet file, where the archive has that format.
    pub parquet: Option<DayFileEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// The CSV file, where the archive has that format.
    pub csv: Option<DayFileEntry>,
}

impl DayEntry {
    /// Whether a file of the day is left. Of a day that was pruned only this entry is.
    pub fn has_file(&self) -> bool {
        self.parquet.is_some() || self.csv.is_some()
    }

    /// Paths of the files that are left, relative to the archive.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let files = [&self.parquet, &self.csv].into_iter().flatten();
        files.map(|file| file.path.as_str())
    }
}

/// One row group, and the same rows in the CSV file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// Rows.
    pub rows: u64,
    /// First time, nanoseconds since 1970-01-01 UTC.
    pub first: i64,
    /// Last time, nanoseconds since 1970-01-01 UTC.
    pub last: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// Where it is in the Parquet file: its row group.
    pub parquet: Option<Piece>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    /// Where it is in the CSV file: its lines.
    pub csv: Option<Piece>,
}

/// A range of bytes of a file and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3, hexadecimal.
    pub hash: String,
    /// XXH3 of 128 bits, hexadecimal. The first records had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<String>,
}

/// One of the two files of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayFileEntry {
    /// Path relative to the archive: `cpu/2020-06-19.parquet`.
    pub path: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// BLAKE3 of what is no leaf: everything before the first and after the last one (header, page index, footer).
    pub rest: String,
    /// Bytes of the file this one replaced, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<u64>,
}

/// A schema or reject file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path relative to the archive: `_diurnal/schema/cpu.toml`.
    pub path: String,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// BLAKE3 of the whole file, hexadecimal.
    pub hash: String,
}
