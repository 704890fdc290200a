//! `diurnal archive`: what Kafka holds beyond the archive, once, on a schedule, or what it gave already once more.

mod details;
mod follow;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::follow::Schedule;
use super::archiver::Archiver;
use super::commit_rows::Commitment;
use super::ending::{FailedRun, metrics_of, told};
use crate::cli::ArchiveArgs;
use crate::console::{Console, PartitionAhead, Progress, Reading};
use crate::error::{Error, Result};
use crate::report::RunReport;
use crate::settings::{IngestSettings, follow_every, kafka_settings};
use crate::source::kafka::{
    KafkaSettings, KafkaSource, Message, Notice, PartitionRange, Round, RoundLimit, Severity, Sink,
};
use crate::source::{Origin, StopFlag, TopicIdentity};
use crate::store::record::SourceRange;
use crate::store::{SourceKey, failpoint};
use crate::table::spill::{Gathered, Gatherer};

pub(super) fn run(console: Console, archive: &Path, args: &ArchiveArgs) -> Result<u8> {
    let metrics = metrics_of(&args.ingest.metrics, archive, args.ingest.dry_run)?;
    let tell = |ended| told(console, &metrics, "archive", ended);
    let (settings, kafka, every) = match prepare(console, archive, args) {
        Ok(ready) => ready,
        Err(error) => return tell(Err(error.into())).map(|report| report.exit_code),
    };
    super::set_worker_threads(settings.threads);
    let stop = super::stop_on_signals()?;
    if let Some(every) = every {
        return follow::run(console, Schedule::start(every), &stop, || {
            // Ages such as `--until -1h` are those of this run.
            let (kafka, _) = kafka_settings(args, &settings, console.verbose, super::now())?;
            tell(drain(console, settings.clone(), &kafka, &stop, AtSignal::Done))
        });
    }
    let report = tell(drain(console, settings, &kafka, &stop, AtSignal::Incomplete))?;
    console.finish(&report);
    Ok(report.exit_code)
}

/// What was typed, resolved and checked.
fn prepare(
    console: Console,
    archive: &Path,
    args: &ArchiveArgs,
) -> Result<(IngestSettings, KafkaSettings, Option<Duration>)> {
    let settings = IngestSettings::for_archive(archive, args)?;
    let (kafka, warnings) = kafka_settings(args, &settings, console.verbose, super::now())?;
    let every = follow_every(args)?;
    for warning in &warnings {
        console.warning(warning);
    }
    Ok((settings, kafka, every))
}

/// What it means that a signal ends a run early. What was read by then is archived in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtSignal {
    /// The run is incomplete.
    Incomplete,
    /// All is well: the run goes on with the next one, whenever that is.
    Done,
}

/// Archives what the topics hold, in as many commits as the settings ask for.
pub(super) fn drain(
    console: Console,
    settings: IngestSettings,
    kafka: &KafkaSettings,
    stop: &StopFlag,
    at_signal: AtSignal,
) -> Result<RunReport, FailedRun> {
    let mut archiver = Archiver::open("archive", settings.clone(), console)?;
    if kafka.replay.is_some() {
        archiver = archiver.replaying();
    }
    match drain_into(console, &mut archiver, &settings, kafka, stop, at_signal) {
        Ok(()) => Ok(archiver.finish()),
        Err(error) => Err(archiver.fail(error)),
    }
}

fn drain_into(
    console: Console,
    archiver: &mut Archiver,
    settings: &IngestSettings,
    kafka: &KafkaSettings,
    stop: &StopFlag,
    at_signal: AtSignal,
) -> Result<()> {
    let limit = RoundLimit {
        lines: settings.commit_every,
        bytes: settings.memory.rejects(),
    };
    let goes_on = kafka.replay.is_none();
    let began = Instant::now();
    let connecting = console.progress().wait(format!("connecting to {}", kafka.brokers));
    let opened = archiver.timed(
        |phases| &mut phases.connect,
        |archiver| KafkaSource::open(kafka, &archiver.positions(), stop),
    );
    drop(connecting);
    let mut source = match opened {
        // Nothing was read yet, and a client that is stopped while it connects has no better reason than that.
        Err(_) if stop.is_set() && at_signal == AtSignal::Done => return Ok(()),
        opened => opened?,
    };
    warn_of_notices(archiver, source.notices());
    details::assigned(console, &source, &kafka.brokers, began.elapsed());
    failpoint::reach("kafka-assigned");
    loop {
        if stop.is_set() {
            if at_signal == AtSignal::Incomplete {
                archiver.stopped("run it again to go on");
            }
            break;
        }
        let threads = source.threads();
        let ahead = Ahead::show(archiver.progress(), &source);
        let sinks = (0..threads)
            .map(|_| TopicSink::new(archiver, threads, source.topics(), &ahead))
            .collect();
        let began = Instant::now();
        let round = archiver.timed(|phases| &mut phases.read, |_| source.round(sinks, limit, stop))?;
        drop(ahead);
        details::round(
            console,
            count(&round, TopicSink::messages),
            count(&round, |sink| sink.bytes_read),
            began.elapsed(),
        );
        warn_of_notices(archiver, &round.notices);
        let finished = round.finished;
        failpoint::reach("before-commit");
        archiver.expect_more(!finished);
        let identities = source.recreated();
        if let Err(error) = &identities {
            // Nothing is proven, but nothing is lost either: the record names the topics' ids, and the next run compares them
            // before it reads.
            archiver.notice(error, false);
        }
        // Brokers that did not answer just now would only hold up the end, here and below.
        if identities.is_ok() {
            warn_of_notices(archiver, source.cut_meanwhile(&round.ranges, stop));
        }
        let recreated = identities.as_deref().unwrap_or_default();
        for &topic in recreated {
            archiver.notice(&made_again(&source.topics()[topic]), true);
        }
        let ranges = commit_round(console, archiver, source.topics(), round, recreated, lost_notice(kafka))?;
        if goes_on {
            say_how_far(archiver, source.topics(), &ranges);
        }
        if goes_on && !settings.dry_run && identities.is_ok() {
            let told = archiver.timed(|phases| &mut phases.commit, |_| source.commit_group_offsets(&ranges));
            match told {
                Some(notice) => warn_of_notices(archiver, [notice]),
                None => details::told_group(console, &kafka.group, ranges.len()),
            }
        }
        if finished {
            break;
        }
    }
    Ok(())
}

/// Commits what the tasks of an engine read and made since `begun`: of every partition all that was there when the source was opened.
/// `messages` says how many messages of a topic and partition they met.
pub(crate) fn commit_read_by_others(
    archiver: &mut Archiver,
    source: &mut KafkaSource,
    kafka: &KafkaSettings,
    messages: impl Fn(&str, i32) -> u64,
    settled: Commitment,
    begun: Instant,
) -> Result<()> {
    let topics = source.topics().to_vec();
    let messages = |topic: usize, partition: i32| messages(&topics[topic].topic, partition);
    let ranges = source.read_by_others(messages)?;
    let identities = source.recreated();
    match &identities {
        // Nothing is proven: the next run compares the ids before it reads.
        Err(error) => archiver.notice(error, false),
        Ok(recreated) => {
            if let Some(&topic) = recreated.first() {
                return Err(made_again(&topics[topic]));
            }
            warn_of_notices(archiver, source.cut_meanwhile(&ranges, &StopFlag::new()));
        }
    }
    say_what_is_lost(archiver, &topics, &ranges, lost_notice(kafka));
    let sources = ranges
        .iter()
        .map(|range| source_range(&topics[range.topic], range, messages(range.topic, range.partition)));
    archiver.commit_made(settled, sources.collect(), begun)?;
    if kafka.replay.is_none() {
        say_how_far(archiver, &topics, &ranges);
        if identities.is_ok() {
            warn_of_notices(archiver, source.commit_group_offsets(&ranges));
        }
    }
    Ok(())
}

/// Says what happened to single topics and partitions.
pub(crate) fn warn_of_notices(archiver: &mut Archiver, notices: impl IntoIterator<Item: Borrow<Notice>>) {
    for notice in notices {
        let notice = notice.borrow();
        archiver.notice(&notice.error, notice.severity == Severity::Incomplete);
    }
}

/// Tells the report where the partitions end, and which of them were read up to there.
fn say_how_far(archiver: &mut Archiver, topics: &[Arc<TopicIdentity>], ranges: &[PartitionRange]) {
    for range in ranges {
        let topic = &topics[range.topic];
        let source = SourceKey {
            cluster_id: topic.cluster_id.clone(),
            topic_id: topic.topic_id.clone(),
            topic: topic.topic.clone(),
            partition: range.partition,
        };
        archiver.reached(source, range.end, range.done);
    }
}

/// A sum over the sinks of a round.
fn count(round: &Round<TopicSink>, of: impl Fn(&TopicSink) -> u64) -> u64 {
    round.sinks.iter().map(of).sum()
}

fn made_again(topic: &TopicIdentity) -> Error {
    Error::new(
        &topic.topic,
        "was deleted, or deleted and made again, while it was read; nothing of it was committed in this step",
    )
    .hint(format_args!(
        "run again with --accept-recreated {} to go on with the new one",
        topic.topic
    ))
}

/// Names a topic's partition and offsets of it that Kafka no longer had.
type LostNotice = fn(&TopicIdentity, i32, &Range<i64>) -> Error;

fn lost_notice(kafka: &KafkaSettings) -> LostNotice {
    match kafka.replay {
        Some(_) => not_there_again,
        None => no_longer_there,
    }
}

fn no_longer_there(topic: &TopicIdentity, partition: i32, lost: &Range<i64>) -> Error {
    Error::new(
        format_args!("{}[{partition}]", topic.topic),
        format_args!(
            "Kafka no longer had offsets [{}, {}): {} are lost, the rest was read",
            lost.start,
            lost.end,
            lost.end - lost.start
        ),
    )
    .hint("archive more often than the topic's retention; a mirror or a file of these messages can still be imported")
}

/// The same of a replay: the archive loses nothing by it.
fn not_there_again(topic: &TopicIdentity, partition: i32, lost: &Range<i64>) -> Error {
    Error::new(
        format_args!("{}[{partition}]", topic.topic),
        format_args!(
            "Kafka deleted offsets [{}, {}) before they could be replayed; the rest was",
            lost.start, lost.end
        ),
    )
    .hint("what the archive holds of them stays")
}

/// Commits what a round read of all topics but those that were made again meanwhile; gives the ranges committed.
fn commit_round(
    console: Console,
    archiver: &mut Archiver,
    topics: &[Arc<TopicIdentity>],
    round: Round<TopicSink>,
    recreated: &[usize],
    lost_notice: LostNotice,
) -> Result<Vec<PartitionRange>> {
    let mut messages: HashMap<(usize, i32), u64> = HashMap::new();
    let mut gathered: Vec<Gathered> = Vec::new();
    for sink in round.sinks {
        archiver.add_bytes(sink.bytes_read);
        for (topic, counts) in sink.messages.into_iter().enumerate() {
            for (partition, count) in (0..).zip(counts) {
                *messages.entry((topic, partition)).or_default() += count;
            }
        }
        let kept = sink
            .gatherers
            .into_iter()
            .enumerate()
            .filter(|(topic, _)| !recreated.contains(topic));
        for (_, gatherer) in kept {
            gathered.push(gatherer.finish()?);
        }
    }
    let ranges: Vec<PartitionRange> = round
        .ranges
        .into_iter()
        .filter(|range| !recreated.contains(&range.topic))
        .collect();
    let messages = |range: &PartitionRange| messages.get(&(range.topic, range.partition)).copied().unwrap_or(0);
    details::read(console, topics, &ranges, messages);
    say_what_is_lost(archiver, topics, &ranges, lost_notice);
    let sources = ranges
        .iter()
        .map(|range| source_range(&topics[range.topic], range, messages(range)));
    archiver.commit(gathered, sources.collect(), Vec::new())?;
    Ok(ranges)
}

/// Names the offsets that Kafka no longer had.
fn say_what_is_lost(
    archiver: &mut Archiver,
    topics: &[Arc<TopicIdentity>],
    ranges: &[PartitionRange],
    notice: LostNotice,
) {
    for range in ranges {
        for lost in &range.lost_ranges {
            archiver.notice(&notice(&topics[range.topic], range.partition, lost), false);
        }
    }
}

/// What the ledger says of a range in which so many messages were.
fn source_range(topic: &TopicIdentity, range: &PartitionRange, messages: u64) -> SourceRange {
    SourceRange {
        cluster_id: topic.cluster_id.clone(),
        topic_id: topic.topic_id.clone(),
        topic: topic.topic.clone(),
        partition: range.partition,
        first: range.first,
        next: range.next,
        messages,
        gaps: range.gaps,
        lost: range.lost,
        again: range.again,
        last: range.last.clone(),
        epoch: range.epoch,
    }
}

/// Where a consumer thread puts its messages: one gatherer a topic, so that a topic can be left out of a commit.
struct TopicSink {
    topics: Vec<Arc<TopicIdentity>>,
    gatherers: Vec<Gatherer>,
    /// Messages parsed, by topic, then by partition.
    messages: Vec<Vec<u64>>,
    bytes_read: u64,
    ahead: Arc<Ahead>,
    /// What is new since it was shown: messages, their bytes, and how far each partition is.
    unshown: (u64, u64),
    reached: Vec<(usize, i32, i64)>,
}

/// What is left to read, on the screen.
struct Ahead {
    reading: Reading,
    /// The place of a topic's partition among those that are shown.
    places: HashMap<(usize, i32), usize>,
}

impl Ahead {
    fn show(progress: &Progress, source: &KafkaSource) -> Arc<Self> {
        let (mut partitions, mut places) = (Vec::new(), HashMap::new());
        for (topic, partition, range) in source.ahead() {
            places.insert((topic, partition), partitions.len());
            partitions.push(PartitionAhead {
                name: format!("{}[{partition}]", source.topics()[topic].topic),
                next: range.start,
                end: range.end,
            });
        }
        let reading = progress.partitions(partitions);
        Arc::new(Self { reading, places })
    }
}

impl TopicSink {
    fn new(archiver: &Archiver, threads: usize, topics: &[Arc<TopicIdentity>], ahead: &Arc<Ahead>) -> Self {
        let gatherer = |_| archiver.gatherer(threads * topics.len());
        Self {
            gatherers: topics.iter().map(gatherer).collect(),
            topics: topics.to_vec(),
            messages: vec![Vec::new(); topics.len()],
            bytes_read: 0,
            ahead: Arc::clone(ahead),
            unshown: (0, 0),
            reached: Vec::new(),
        }
    }
}

impl TopicSink {
    /// Messages that it was given.
    fn messages(&self) -> u64 {
        self.messages.iter().flatten().sum()
    }

    fn count(&mut self, message: &Message<'_>) {
        let counts = &mut self.messages[message.topic];
        let partition = usize::try_from(message.partition).expect("partitions are numbered from 0");
        if partition >= counts.len() {
            counts.resize(partition + 1, 0);
        }
        counts[partition] += 1;
        self.unshown.0 += 1;
        self.unshown.1 += message.payload.len() as u64;
        let next = message.offset + 1;
        match self.reached.last_mut() {
            Some((topic, partition, reached)) if (*topic, *partition) == (message.topic, message.partition) => {
                *reached = next
            }
            _ => self.reached.push((message.topic, message.partition, next)),
        }
    }
}

impl Sink for TopicSink {
    fn message(&mut self, message: &Message<'_>) {
        let topic = &self.topics[message.topic];
        let default_time = message.timestamp_ms.and_then(|ms| ms.checked_mul(1_000_000));
        self.gatherers[message.topic].push(message.payload, default_time, |_| Origin::Kafka {
            topic: Arc::clone(topic),
            partition: message.partition,
            offset: message.offset,
            timestamp_ms: message.timestamp_ms,
        });
        self.count(message);
        self.bytes_read += message.payload.len() as u64;
    }

    fn batch_taken(&mut self) {
        let (messages, bytes) = std::mem::take(&mut self.unshown);
        self.ahead.reading.add(messages, bytes);
        for (topic, partition, next) in self.reached.drain(..) {
            if let Some(&place) = self.ahead.places.get(&(topic, partition)) {
                self.ahead.reading.read_to(place, next);
            }
        }
    }

    fn lines_held(&self) -> u64 {
        self.gatherers.iter().map(Gatherer::lines).sum()
    }

    fn bytes_held(&self) -> usize {
        // What can't be spilled is no reason to read on.
        match self.gatherers.iter().any(Gatherer::is_failed) {
            true => usize::MAX / self.gatherers.len(),
            false => self.gatherers.iter().map(Gatherer::lasting_bytes).sum(),
        }
    }
}
