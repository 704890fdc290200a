//! The consumer threads: each drains one queue in batches, counts offsets and hands messages to its sink.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::raw::{Entry, Queue};
use super::recover::{self, Fault, MOST_RESTARTS, Range, Shortfall, Suspicion};
use super::round::{Message, Notice, Sink};
use super::track::{LogEnd, Step, Track};
use super::watch::Shared;
use crate::error::Error;
use crate::store::failpoint;
use crate::store::record::LastMessage;

/// How long a batch call waits for messages. It waits the whole time unless its batch is full, so this is short.
const BATCH_WAIT: Duration = Duration::from_millis(15);
/// How often it is told where the partitions are, while they are read.
const POSITION_RHYTHM: Duration = Duration::from_secs(10);
/// How often the forwarding of a partition is renewed that was started anew and is still silent.
const FORWARD_RHYTHM: Duration = Duration::from_millis(100);

/// One partition of the plan.
pub struct Slot {
    /// Index of its topic.
    pub topic: usize,
    /// Partition number.
    pub partition: i32,
    /// Index of the queue that its messages come from.
    pub queue: usize,
    /// How far it was read.
    pub track: Track,
    /// The last stable offset when the source was opened.
    pub stable_end: i64,
    /// The last message read, kept where the topic has no id.
    pub last: Option<LastMessage>,
    /// Whether to keep the last message.
    pub keep_last: bool,
    /// The leader's epoch when the end was frozen, where Kafka says it.
    pub epoch: Option<i32>,
    /// Offsets that the ledger has already, of other records, and that no range has told yet: the log was cut.
    pub again: u64,
    /// Whether it was said that the log was cut while it was read.
    pub is_cut: bool,
    /// Since when nothing has come after a start.
    silent: Option<Instant>,
    shortfall: Option<Shortfall>,
    restarts: u32,
}

impl Slot {
    /// A partition that no queue is decided for yet.
    pub fn new(
        topic: usize,
        partition: i32,
        track: Track,
        stable_end: i64,
        last: Option<LastMessage>,
        keep_last: bool,
    ) -> Self {
        Self {
            topic,
            partition,
            queue: 0,
            track,
            stable_end,
            last,
            keep_last,
            epoch: None,
            again: 0,
            is_cut: false,
            silent: None,
            shortfall: None,
            restarts: 0,
        }
    }
}

/// One consumer thread.
pub struct Worker<'a, S> {
    thread: usize,
    shared: &'a Shared<'a>,
    slots: Vec<&'a mut Slot>,
    index: HashMap<(&'a str, i32), usize>,
    open: usize,
    /// Slots closed since librdkafka was told to fetch no more of them.
    closed: Vec<usize>,
    sink: S,
    notices: Vec<Notice>,
    /// When it was told last where the partitions are.
    told: Instant,
}

impl<'a, S: Sink> Worker<'a, S> {
    /// A thread for these partitions.
    pub fn new(thread: usize, shared: &'a Shared<'a>, slots: Vec<&'a mut Slot>, sink: S) -> Self {
        let index = slots
            .iter()
            .enumerate()
            .map(|(index, slot)| ((shared.topics[slot.topic].topic.as_str(), slot.partition), index))
            .collect();
        let open = slots.iter().filter(|slot| slot.track.is_open()).count();
        Self {
            thread,
            shared,
            slots,
            index,
            open,
            closed: Vec::new(),
            sink,
            notices: Vec::new(),
            told: Instant::now(),
        }
    }

    /// Drains the queue until the partitions are done or the round is halted. Gives back the sink and what happened.
    pub fn run(mut self, queue: &mut Queue) -> (S, Vec<Notice>) {
        for slot in self.slots.iter_mut().filter(|slot| slot.track.is_open()) {
            slot.silent = Some(Instant::now());
        }
        while self.open > 0 && !self.shared.is_halted() {
            self.batch(queue);
            self.look_after(queue);
            self.release_closed();
            if self.told.elapsed() >= POSITION_RHYTHM {
                self.tell_positions();
            }
        }
        (self.sink, self.notices)
    }

    fn batch(&mut self, queue: &mut Queue) {
        let batch = queue.next_batch(BATCH_WAIT);
        if batch.len() == 0 {
            return;
        }
        let _busy = self.shared.busy();
        let mut found: Option<(usize, i32, usize)> = None;
        let mut last: Vec<(usize, Entry<'_>)> = Vec::new();
        let mut moved = false;
        for entry in batch.entries() {
            let key = (entry.topic_address(), entry.partition());
            let slot = match found {
                Some((topic, partition, slot)) if (topic, partition) == key => slot,
                _ => match self.index.get(&(entry.topic(), entry.partition())) {
                    Some(&slot) => {
                        found = Some((key.0, key.1, slot));
                        slot
                    }
                    None => {
                        self.note(&entry);
                        continue;
                    }
                },
            };
            let was_open = self.slots[slot].track.is_open();
            moved |= match entry.error() {
                None => self.message(slot, &entry, &mut last),
                Some(code) => self.error(slot, code, &entry),
            };
            if was_open && !self.slots[slot].track.is_open() {
                self.close(slot);
            }
        }
        for (slot, entry) in last {
            self.slots[slot].last = Some(LastMessage {
                offset: entry.offset(),
                digest: digest(entry.payload()),
            });
        }
        self.sink.batch_taken();
        if moved {
            self.shared.moved();
        }
        self.shared
            .held(self.thread, self.sink.lines_held(), self.sink.bytes_held());
        failpoint::reach("kafka-batch");
    }

    /// Returns whether the message was part of the batch.
    fn message<'b>(&mut self, index: usize, entry: &Entry<'b>, last: &mut Vec<(usize, Entry<'b>)>) -> bool {
        let slot = &mut self.slots[index];
        if slot.track.message(entry.offset()) == Step::Ignore {
            return false;
        }
        slot.silent = None;
        slot.shortfall = None;
        slot.restarts = 0;
        if slot.keep_last {
            match last.iter_mut().find(|(slot, _)| *slot == index) {
                Some((_, kept)) => *kept = *entry,
                None => last.push((index, *entry)),
            }
        }
        #[cfg(debug_assertions)]
        if self.shared.drops_message() {
            return true;
        }
        self.sink.message(&Message {
            topic: slot.topic,
            partition: slot.partition,
            offset: entry.offset(),
            timestamp_ms: entry.timestamp_ms(),
            payload: entry.payload(),
        });
        true
    }

    /// Returns whether the error brought the partition on.
    fn error(&mut self, index: usize, code: i32, entry: &Entry<'_>) -> bool {
        let slot = &mut self.slots[index];
        if !slot.track.is_open() {
            return false;
        }
        match recover::fault(code) {
            Fault::EndOfLog => {
                if slot.track.end_of_log(entry.offset()) == LogEnd::Closed {
                    return true;
                }
                slot.shortfall.get_or_insert_with(|| Shortfall::seen(Instant::now()));
                false
            }
            Fault::OutOfRange => {
                self.out_of_range(index, entry.offset());
                true
            }
            Fault::Unreadable => {
                let text = String::from_utf8_lossy(entry.payload()).into_owned();
                self.abandon(
                    index,
                    format_args!("can't be read from offset {} on: {text}", entry.offset()),
                    "the log is damaged there, or written by a newer producer; what came before is archived",
                );
                true
            }
            Fault::Gone => {
                self.gone(index);
                true
            }
            Fault::Forbidden => {
                self.abandon(
                    index,
                    "this user may not read it",
                    "grant READ on the topic, then run again",
                );
                true
            }
            Fault::Passing => {
                self.note(entry);
                false
            }
        }
    }

    /// The offset to be fetched isn't there: goes on at the new log start, or ends the partition.
    fn out_of_range(&mut self, index: usize, failed: i64) {
        let (client, topics) = (self.shared.client, self.shared.topics);
        let slot = &mut self.slots[index];
        let topic = topics[slot.topic].topic.as_str();
        let end = slot.track.end().0;
        // An error before any fetch carries no offset.
        let failed = failed.max(slot.track.next());
        slot.restarts += 1;
        let at = match recover::ask(client, topic, slot.partition, failed, end) {
            Ok(Range::Overtaken(low)) => {
                slot.track.overtaken(failed, low);
                slot.track.next()
            }
            Ok(Range::Cut(now)) => {
                let notice = recover::cut_error(topic, slot.partition, now, end);
                slot.track.abandon();
                self.notices.push(Notice::incomplete(notice));
                return;
            }
            Ok(Range::Within) if slot.restarts <= MOST_RESTARTS => failed,
            Ok(Range::Within) => {
                self.abandon(
                    index,
                    format_args!("the broker refuses offset {failed}, which its log holds"),
                    "run again later",
                );
                return;
            }
            Err(text) => {
                self.abandon(
                    index,
                    format_args!("offset {failed} is out of range, and the log's bounds are not to be had: {text}"),
                    "run again later",
                );
                return;
            }
        };
        if !slot.track.is_open() {
            return;
        }
        slot.silent = Some(Instant::now());
        if let Err(error) = recover::restart(client, topic, slot.partition, at) {
            self.abandon(
                index,
                format_args!("can't be started again at offset {at}: {error}"),
                "run again later",
            );
        }
    }

    /// Between batches: partitions that were started and stay silent, that ended too early, or whose topic is gone.
    fn look_after(&mut self, queue: &Queue) {
        let (client, topics) = (self.shared.client, self.shared.topics);
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            if !slot.track.is_open() {
                continue;
            }
            let topic = topics[slot.topic].topic.as_str();
            if self.shared.is_gone(slot.topic) {
                self.gone(index);
                self.close(index);
                continue;
            }
            if slot.silent.is_some_and(|since| since.elapsed() >= FORWARD_RHYTHM) {
                queue.collect(topic, slot.partition);
                slot.silent = Some(Instant::now());
            }
            let Some(shortfall) = &mut slot.shortfall else {
                continue;
            };
            match shortfall.look(client, topic, slot.partition, slot.track.end().0) {
                Suspicion::Waiting => {}
                Suspicion::Cleared => slot.shortfall = None,
                Suspicion::Confirmed(now) => {
                    let notice = recover::cut_error(topic, slot.partition, now, slot.track.end().0);
                    slot.track.abandon();
                    self.notices.push(Notice::incomplete(notice));
                    self.close(index);
                }
            }
        }
    }

    /// The same notice for each partition of the topic; the round keeps one.
    fn gone(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.track.abandon();
        let topic = &self.shared.topics[slot.topic].topic;
        self.notices.push(Notice::incomplete(
            Error::new(
                format_args!("topic {topic}"),
                "was deleted, or deleted and made again, while it was read",
            )
            .hint("what was read of it since the last commit is not archived; run again"),
        ));
    }

    fn abandon(&mut self, index: usize, cause: impl std::fmt::Display, hint: &str) {
        let slot = &mut self.slots[index];
        slot.track.abandon();
        let object = format!(
            "topic {}, partition {}",
            self.shared.topics[slot.topic].topic, slot.partition
        );
        self.notices
            .push(Notice::incomplete(Error::new(object, cause).hint(hint)));
    }

    fn close(&mut self, index: usize) {
        self.open -= 1;
        self.closed.push(index);
    }

    /// Tells librdkafka to fetch no more of the partitions that are done.
    fn release_closed(&mut self) {
        if self.closed.is_empty() {
            return;
        }
        let mut list = TopicPartitionList::with_capacity(self.closed.len());
        for index in self.closed.drain(..) {
            let slot = &self.slots[index];
            list.add_partition(&self.shared.topics[slot.topic].topic, slot.partition);
        }
        // Only saves work: what still comes of them is dropped.
        if let Err(error) = self.shared.client.consumer().incremental_unassign(&list) {
            log::debug!("cannot end the fetching of finished partitions: {error}");
        }
    }

    /// Keeps an error that librdkafka deals with itself: it is the reason if nothing comes any more.
    fn note(&self, entry: &Entry<'_>) {
        if let Some(code) = entry.error() {
            let text = String::from_utf8_lossy(entry.payload()).into_owned();
            let (topic, partition) = (entry.topic(), entry.partition());
            log::warn!(topic, partition, code; "fetching {topic}[{partition}]: {text}");
            self.shared.client.note_error(text);
        }
    }

    fn tell_positions(&mut self) {
        self.told = Instant::now();
        for slot in self.slots.iter().filter(|slot| slot.track.is_open()) {
            let topic = self.shared.topics[slot.topic].topic.as_str();
            let (partition, offset, end) = (slot.partition, slot.track.next(), slot.track.end().0);
            let left = end.abs_diff(offset);
            log::debug!(topic, partition, offset, end; "at offset {offset} of {topic}[{partition}], {left} left");
        }
    }
}

/// BLAKE3 of a message's value, hexadecimal: what [`LastMessage`] keeps.
pub fn digest(payload: &[u8]) -> String {
    blake3::hash(payload).to_hex().to_string()
}
