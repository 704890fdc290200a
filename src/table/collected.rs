//! What a collector holds, on its way to being settled with that of the others.

use std::sync::Arc;

use hashbrown::HashMap;

use super::builder::Chunk;
use super::kept::KeptLines;
use super::reject::RejectedLine;
use super::room::Room;
use super::schema::{ColumnType, MeasurementSchema};

/// A map with a fast hash: keys come from producers, and its seed is new in every process.
pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What a collector gives to [`settle`](super::settle::settle).
#[derive(Debug, Default)]
pub struct Collected {
    /// One entry a measurement, in no particular order.
    pub tables: Vec<CollectedTable>,
    /// Lines that can be no rows.
    pub rejects: Vec<RejectedLine>,
    /// Lines parsed, rejected ones included.
    pub lines: u64,
    /// How many new names find a place: the same for all collectors of a commit.
    pub room: Room,
}

impl Collected {
    /// Adds what the same collector saw later; it has no tables yet.
    pub(super) fn add(&mut self, later: Self) {
        debug_assert!(self.tables.is_empty(), "what was collected earlier was spilled");
        self.tables = later.tables;
        self.rejects.extend(later.rejects);
        self.lines += later.lines;
        self.room = later.room;
    }

    /// Bytes that a reject takes.
    pub(super) fn bytes_of(reject: &RejectedLine) -> usize {
        size_of::<RejectedLine>() + reject.line.len()
    }
}

/// The rows of one measurement that one collector saw.
#[derive(Debug)]
pub struct CollectedTable {
    /// The measurement's name, unescaped.
    pub measurement: String,
    /// What was settled about the measurement before this commit.
    pub known: Option<Arc<MeasurementSchema>>,
    /// The distinct tag keys, in the order in which they were met.
    pub tag_keys: Vec<String>,
    /// For each tag key its distinct values.
    pub tag_values: Vec<Vec<String>>,
    /// For each series its tags as (tag key, tag value) numbers.
    pub series: Vec<Vec<(u32, u32)>>,
    /// The columns of the chunks.
    pub columns: Vec<LocalColumn>,
    /// The rows, in the order in which they came.
    pub chunks: Vec<Chunk>,
    /// Lines that may yet turn out not to fit the type their column will get.
    pub kept: KeptLines,
}

/// A column as one collector keeps it: one for each type that a key was seen with.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LocalColumn {
    /// The field key.
    pub key: String,
    /// The type it was seen with, or that of the settled column.
    pub ty: ColumnType,
    /// The column of the known schema that it is, where there is one.
    pub settled: Option<usize>,
}
