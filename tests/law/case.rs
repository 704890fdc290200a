//! A case: what is archived, and on which ways it comes to one archive. It holds all that was chosen, so it can be played again, and
//! played with a part of it left out.

use std::fmt;

use diurnal::format::{Formats, TimeUnit};
use diurnal::lineproto::Precision;
use diurnal::order::LeafSize;
use diurnal::store::record::{LastMessage, SourceRange};

use super::common::Budget;
use super::disk::Kill;
use super::points::Point;

#[derive(Clone)]
pub struct Case {
    pub seed: u64,
    pub timezone: &'static str,
    pub time_unit: TimeUnit,
    pub precision: Precision,
    pub formats: Formats,
    pub leaf_size: LeafSize,
    /// Threads that sort and encode.
    pub workers: usize,
    /// The texts of the schema files.
    pub schemas: Vec<String>,
    pub messages: Vec<Message>,
    /// Messages that each archive gets first, alone: they settle types and names.
    pub first: Vec<usize>,
    pub partitions: Vec<Partition>,
    /// The runs that make each of the archives which get lines of their own.
    pub archives: Vec<Vec<Run>>,
    /// In this order; the last archive that is left is the one that is compared.
    pub merges: Vec<Merge>,
    /// Runs of that one.
    pub late: Vec<Run>,
}

/// What is read at once: lines of a file, or a Kafka message.
#[derive(Clone)]
pub struct Message {
    pub text: String,
    /// Partition and offset.
    pub place: Option<(usize, i64)>,
    pub timestamp_ms: Option<i64>,
    pub lines: u64,
    pub rejected: u64,
    pub points: Vec<Point>,
}

#[derive(Clone)]
pub struct Partition {
    pub topic: &'static str,
    /// Of a topic without one, the last message is on record.
    pub topic_id: Option<&'static str>,
    pub number: i32,
    /// Messages with their offsets; those in between are gaps.
    pub log: Vec<(usize, i64)>,
    /// The offset that comes after the log.
    pub end: i64,
}

/// Messages of a partition, from one place in its log to another.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub partition: usize,
    pub from: usize,
    pub to: usize,
}

#[derive(Clone)]
pub struct Run {
    /// Each of them ends with a commit.
    pub steps: Vec<Step>,
    pub budget: Budget,
    /// Reads what the archive has read before.
    pub is_replay: bool,
    /// When the process dies: the first time, and when it is made again.
    pub kills: Vec<Kill>,
    /// Whether it is not made again if all of its commits happened, and what it left to do stays undone until the next one.
    pub is_left: bool,
    /// Whether what was committed before it was killed is read again, by the run that is made again.
    pub again: bool,
}

#[derive(Clone)]
pub struct Step {
    /// The messages that each thread gets.
    pub threads: Vec<Vec<usize>>,
    /// Where they come from, as far as it is not from files.
    pub spans: Vec<Span>,
}

#[derive(Clone)]
pub struct Merge {
    /// A number behind all archives so far is a new one.
    pub into: usize,
    pub others: Vec<usize>,
    pub memory: u64,
    pub kills: Vec<Kill>,
    /// Whether the same is merged once more, which changes nothing.
    pub again: bool,
}

impl Case {
    /// The messages that some archive gets.
    pub fn given(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| message.lines > 0)
    }

    pub fn runs_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        self.archives.iter_mut().flatten().chain(&mut self.late)
    }
}

impl Message {
    /// As if it had been empty.
    pub fn clear(&mut self) {
        self.text.clear();
        (self.lines, self.rejected) = (0, 0);
        self.points.clear();
    }
}

impl Partition {
    pub const CLUSTER: &str = "cluster";

    /// The offset of a place in the log.
    pub fn offset(&self, place: usize) -> i64 {
        self.log.get(place).map_or(self.end, |(_, offset)| *offset)
    }

    /// What a ledger says of a span.
    pub fn range(&self, span: Span) -> SourceRange {
        let (first, next) = (self.offset(span.from), self.offset(span.to));
        let messages = (span.to - span.from) as u64;
        let last = |(_, offset): &(usize, i64)| LastMessage {
            offset: *offset,
            digest: format!("{}-{offset}", self.number),
        };
        let is_known_by_last = self.topic_id.is_none();
        SourceRange {
            cluster_id: Self::CLUSTER.to_owned(),
            topic_id: self.topic_id.map(str::to_owned),
            topic: self.topic.to_owned(),
            partition: self.number,
            first,
            next,
            messages,
            gaps: (next - first) as u64 - messages,
            lost: 0,
            again: 0,
            last: self.log[..span.to].last().filter(|_| is_known_by_last).map(last),
            epoch: None,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            timezone,
            time_unit,
            precision,
            formats,
            leaf_size,
            workers,
            ..
        } = self;
        writeln!(
            out,
            "{timezone}, {time_unit:?}, lines in {precision:?}, {formats:?}, {leaf_size:?}, {workers} workers"
        )?;
        for text in &self.schemas {
            writeln!(out, "schema: {}", text.trim_end().replace('\n', "\n  "))?;
        }
        for (number, message) in self
            .messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.lines > 0)
        {
            let place = message.place.map(|(partition, offset)| {
                let Partition { topic, number, .. } = &self.partitions[partition];
                format!(" of {topic}[{number}] at {offset}, {:?} ms", message.timestamp_ms)
            });
            writeln!(out, "message {number}{}: {:?}", place.unwrap_or_default(), message.text)?;
        }
        writeln!(out, "first: {:?}", self.first)?;
        for (number, runs) in self.archives.iter().enumerate() {
            writeln!(out, "archive {number}:")?;
            runs.iter().try_for_each(|run| self.show_run(out, run))?;
        }
        for merge in &self.merges {
            let Merge {
                into,
                others,
                memory,
                kills,
                again,
            } = merge;
            writeln!(
                out,
                "merge {others:?} into {into}, memory {memory}, again: {again}, kills {kills:?}"
            )?;
        }
        writeln!(out, "then:")?;
        self.late.iter().try_for_each(|run| self.show_run(out, run))
    }
}

impl Case {
    fn show_run(&self, out: &mut fmt::Formatter<'_>, run: &Run) -> fmt::Result {
        let Run {
            budget,
            is_replay,
            kills,
            is_left,
            again,
            ..
        } = run;
        writeln!(
            out,
            "  run: {budget:?}, replay: {is_replay}, again: {again}, left: {is_left}, kills {kills:?}"
        )?;
        for step in &run.steps {
            let threads = step.threads.iter().map(|messages| {
                let some = messages.iter().filter(|message| self.messages[**message].lines > 0);
                some.copied().collect::<Vec<usize>>()
            });
            writeln!(out, "    {:?} from {:?}", threads.collect::<Vec<_>>(), step.spans)?;
        }
        Ok(())
    }
}
