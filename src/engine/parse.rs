//! Messages -> blocks of typed rows: what a task of an engine does first.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray};
use serde::{Deserialize, Serialize};

use super::batch::{Columns, batch, parsed_schema, present};
use super::intent::Intent;
use crate::calendar::Zone;
use crate::error::{Error, Result};
use crate::settings::Memory;
use crate::source::{Origin, TopicIdentity};
use crate::store::SpillSpace;
use crate::table::spill::{PORTABLE_BLOCK_BYTES, TableHead, portable};
use crate::table::{Collector, RejectedText};

/// What a task met, beside its blocks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Summary {
    pub task: u32,
    /// Lines parsed, rejected ones included.
    pub lines: u64,
    /// Bytes of the messages.
    pub bytes: u64,
    pub rejects: Vec<RejectedText>,
    /// The tables that it made blocks of, with the number of the first block of each in this task.
    pub tables: Vec<(TableHead, u64)>,
    /// Topic, partition, and what was met of it.
    pub partitions: Vec<(String, i32, Met)>,
}

/// What a task met of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Met {
    pub messages: u64,
    /// The first offset.
    pub first: i64,
    /// The last offset.
    pub last: i64,
}

/// A partition that the run reads.
#[derive(Debug)]
struct Reading {
    topic: Arc<TopicIdentity>,
    partition: i32,
    offsets: Range<i64>,
    met: Option<Met>,
}

/// The name of a block.
pub(super) fn block_name(task: u32, number: u64) -> String {
    format!("{task}.{number}")
}

/// Parses the messages that a task is given. Deterministic: the same messages in the same order make the same blocks.
#[derive(Debug)]
pub struct ParseTask {
    task: u32,
    collector: Collector,
    most_bytes: usize,
    zone: Zone,
    space: SpillSpace,
    partitions: Vec<Reading>,
    /// The number of the one that the last message was of.
    current: usize,
    lines: u64,
    bytes: u64,
    rejects: Vec<RejectedText>,
    tables: Vec<(TableHead, u64)>,
    blocks: u64,
}

impl ParseTask {
    /// Begins a task of the run that has this intent. `task` is a number that no other task of this step has, and that it has again when
    /// it is repeated.
    ///
    /// # Errors
    /// An intent of another version.
    pub fn new(intent: &[u8], task: u32) -> Result<Self> {
        let intent = Intent::parse(intent)?;
        let topics: Vec<Arc<TopicIdentity>> = intent.topics.iter().cloned().map(Arc::new).collect();
        let reading = |(topic, partition, offsets): &(String, i32, Range<i64>)| {
            let topic = topics.iter().find(|known| known.topic == *topic)?;
            Some(Reading {
                topic: Arc::clone(topic),
                partition: *partition,
                offsets: offsets.clone(),
                met: None,
            })
        };
        Ok(Self {
            task,
            collector: Collector::new(intent.collect_settings()?),
            most_bytes: Memory::new(intent.memory).collecting(),
            zone: intent.zone()?,
            space: SpillSpace::temporary(),
            partitions: intent.partitions.iter().filter_map(reading).collect(),
            current: 0,
            lines: 0,
            bytes: 0,
            rejects: Vec::new(),
            tables: Vec::new(),
            blocks: 0,
        })
    }

    /// Parses messages: `topic`, `partition`, `offset`, `timestamp` (milliseconds, null where the record has none), `value` (null is empty).
    /// Those of a partition come in the order of their offsets. Gives blocks once enough rows are there.
    ///
    /// # Errors
    /// Columns that are not there; a message that this run is not to read, or that comes twice; the disk's.
    pub fn push(&mut self, messages: &RecordBatch) -> Result<Option<RecordBatch>> {
        let columns = Columns(messages);
        let topics = columns.texts("topic")?;
        let partitions = columns.ints("partition")?;
        let offsets = columns.longs("offset")?;
        let timestamps = columns.longs("timestamp")?;
        let values = columns.bytes("value")?;
        let mut blocks = Blocks::default();
        for row in 0..messages.num_rows() {
            let topic = present(&topics, row, "topic", || topics.value(row))?;
            let partition = present(&partitions, row, "partition", || partitions.value(row))?;
            let offset = present(&offsets, row, "offset", || offsets.value(row))?;
            let topic = self.meet(topic, partition, offset)?;
            let timestamp_ms = timestamps
                .is_valid(row)
                .then(|| timestamps.value(row))
                .filter(|ms| *ms >= 0);
            let payload = match values.is_valid(row) {
                true => values.value(row),
                false => &[],
            };
            self.bytes += payload.len() as u64;
            let default_time = timestamp_ms.and_then(|ms| ms.checked_mul(1_000_000));
            let mut at = 0;
            while at < payload.len() {
                let origin = |_| Origin::Kafka {
                    topic: Arc::clone(&topic),
                    partition,
                    offset,
                    timestamp_ms,
                };
                at += self
                    .collector
                    .push_up_to(self.most_bytes, &payload[at..], default_time, origin);
                if self.collector.bytes() > self.most_bytes {
                    self.give(&mut blocks)?;
                }
            }
        }
        Ok(blocks.finish())
    }

    /// The last blocks, and the summary.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(mut self) -> Result<RecordBatch> {
        let mut blocks = Blocks::default();
        self.give(&mut blocks)?;
        let summary = Summary {
            task: self.task,
            lines: self.lines,
            bytes: self.bytes,
            rejects: self.rejects,
            tables: self.tables,
            partitions: self
                .partitions
                .into_iter()
                .filter_map(|reading| Some((reading.topic.topic.clone(), reading.partition, reading.met?)))
                .collect(),
        };
        let summary = serde_json::to_vec(&summary).expect("a summary holds strings and numbers only");
        blocks.summary = Some(summary);
        Ok(blocks.finish().expect("there is a summary"))
    }

    /// Counts a message, which has to be one of those to read; gives its topic.
    fn meet(&mut self, topic: &str, partition: i32, offset: i64) -> Result<Arc<TopicIdentity>> {
        let refuse = |cause: &str| {
            let message = format_args!("{topic}[{partition}] offset {offset}");
            Err(Error::new(message, cause)
                .hint("nothing may be committed: give the engine the run's starting and ending offsets"))
        };
        let is_of = |reading: &Reading| reading.partition == partition && reading.topic.topic == topic;
        // Neighbours are of one partition.
        if !self.partitions.get(self.current).is_some_and(is_of) {
            self.current = self.partitions.iter().position(is_of).unwrap_or(usize::MAX);
        }
        let Some(reading) = self.partitions.get_mut(self.current) else {
            return refuse("is of a partition that this run does not read");
        };
        if !reading.offsets.contains(&offset) {
            return refuse("is not of those that this run reads");
        }
        match &mut reading.met {
            Some(met) if met.last >= offset => return refuse("comes after a later one of its partition"),
            Some(met) => {
                met.messages += 1;
                met.last = offset;
            }
            none => {
                *none = Some(Met {
                    messages: 1,
                    first: offset,
                    last: offset,
                });
            }
        }
        Ok(Arc::clone(&reading.topic))
    }

    /// Makes blocks of what the collector holds.
    fn give(&mut self, blocks: &mut Blocks) -> Result<()> {
        let mut collected = self.collector.take();
        for (head, bytes) in portable(&mut collected, &self.space, self.zone, PORTABLE_BLOCK_BYTES)? {
            let first = self.blocks;
            for (block, bytes) in head.blocks.iter().zip(bytes) {
                blocks.names.push(block_name(self.task, self.blocks));
                blocks.measurements.push(head.measurement.clone());
                blocks.days.push(block.day.clone());
                blocks.firsts.push(block.first);
                blocks.lasts.push(block.last);
                blocks.rows.push(i64::try_from(block.rows).unwrap_or(i64::MAX));
                blocks.payloads.push(bytes);
                self.blocks += 1;
            }
            self.tables.push((head, first));
        }
        self.lines += collected.lines;
        self.rejects
            .extend(collected.rejects.iter().map(|reject| reject.to_text()));
        Ok(())
    }
}

/// Blocks that are ready to go.
#[derive(Default)]
struct Blocks {
    names: Vec<String>,
    measurements: Vec<String>,
    days: Vec<String>,
    firsts: Vec<i64>,
    lasts: Vec<i64>,
    rows: Vec<i64>,
    payloads: Vec<Vec<u8>>,
    summary: Option<Vec<u8>>,
}

impl Blocks {
    fn finish(self) -> Option<RecordBatch> {
        let more = self.summary.iter().len();
        if self.names.is_empty() && more == 0 {
            return None;
        }
        let texts = |texts: Vec<String>| -> ArrayRef {
            let nulls = std::iter::repeat_n(None, more);
            Arc::new(texts.into_iter().map(Some).chain(nulls).collect::<StringArray>())
        };
        let numbers = |numbers: Vec<i64>| -> ArrayRef {
            let nulls = std::iter::repeat_n(None, more);
            Arc::new(numbers.into_iter().map(Some).chain(nulls).collect::<Int64Array>())
        };
        let payloads: BinaryArray = self.payloads.iter().chain(&self.summary).map(Some).collect();
        let columns = vec![
            texts(self.names),
            texts(self.measurements),
            texts(self.days),
            numbers(self.firsts),
            numbers(self.lasts),
            numbers(self.rows),
            Arc::new(payloads),
        ];
        Some(batch(parsed_schema(), columns))
    }
}
