//! What goes into a round and what comes out of it.

use std::ops::Range;

use crate::error::Error;
use crate::store::record::LastMessage;

/// One message of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Index into [`KafkaSource::topics`](super::KafkaSource::topics).
    pub topic: usize,
    /// Partition number.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// The record's time in milliseconds since 1970-01-01 UTC, where it has one.
    pub timestamp_ms: Option<i64>,
    /// The value; empty for null.
    pub payload: &'a [u8],
}

/// Where a consumer thread puts its messages. It counts them: the source counts offsets.
pub trait Sink: Send {
    /// Takes one message. Those of a partition come in the order of their offsets, and always to the same sink.
    fn message(&mut self, message: &Message<'_>);
    /// A batch of messages was taken: time to say so.
    fn batch_taken(&mut self) {}
    /// Lines held since the last commit.
    fn lines_held(&self) -> u64;
    /// Bytes of memory held.
    fn bytes_held(&self) -> usize;
}

/// How much the sinks of a round may hold together. A round ends at the first batch boundary past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundLimit {
    /// Lines.
    pub lines: u64,
    /// Bytes.
    pub bytes: usize,
}

impl RoundLimit {
    /// No limit: one round reads everything.
    pub const NONE: Self = Self {
        lines: u64::MAX,
        bytes: usize::MAX,
    };
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Worth knowing; the run is complete.
    Warning,
    /// Something was not read: the run ends with exit code 1.
    Incomplete,
}

/// Something that happened to one topic or partition while the others went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// What happened.
    pub error: Error,
}

impl Notice {
    pub(super) fn warning(error: Error) -> Self {
        Self {
            severity: Severity::Warning,
            error,
        }
    }

    pub(super) fn incomplete(error: Error) -> Self {
        Self {
            severity: Severity::Incomplete,
            error,
        }
    }
}

/// What a round read of one partition: offsets `[first, next)`.
///
/// `next - first = messages + gaps + lost`, where the sinks count the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRange {
    /// Index into [`KafkaSource::topics`](super::KafkaSource::topics).
    pub topic: usize,
    /// Partition number.
    pub partition: i32,
    /// The first offset.
    pub first: i64,
    /// The offset after the last one; the frozen end once the partition is done.
    pub next: i64,
    /// Offsets without a message: aborted, control or compacted.
    pub gaps: u64,
    /// Offsets that Kafka no longer had.
    pub lost: u64,
    /// The same as ranges.
    pub lost_ranges: Vec<Range<i64>>,
    /// The last message up to `next`, where the topic has no id.
    pub last: Option<LastMessage>,
    /// The last stable offset when the source was opened, also where the run is to stop before it.
    pub end: i64,
    /// Whether all was read that the run is to read of it.
    pub done: bool,
}

/// What a round brought.
#[derive(Debug)]
pub struct Round<S> {
    /// The sinks, in the order in which they were given.
    pub sinks: Vec<S>,
    /// Every partition of the plan, idle ones too.
    pub ranges: Vec<PartitionRange>,
    /// Whether nothing is left to read; also when what is left can't be read, as notices then say.
    pub finished: bool,
    /// What happened to single topics and partitions.
    pub notices: Vec<Notice>,
}
