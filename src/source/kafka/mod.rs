//! Kafka as a source: a batch of messages with an exact beginning and end.
//!
//! [`KafkaSource::open`] connects, finds the topics and freezes the end of each partition; [`KafkaSource::round`] drains
//! them into sinks, one per thread, until all partitions are done or the sinks hold enough for a commit. What is read
//! from where is the ledger's word, never Kafka's group offsets, which are told afterwards and only for Kafka's own
//! tools to see.

mod client;
mod context;
mod cut;
mod drain;
mod facts;
mod group;
mod identity;
mod look;
mod open;
mod partitions;
mod plan;
pub mod properties;
mod raw;
mod recover;
mod refusal;
mod replay;
mod round;
mod select;
pub mod settings;
mod track;
mod verify;
mod watch;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

pub use look::{Bounds, Look, Seen, SourceFilter, Standing, look};
pub use partitions::PartitionSet;
pub use replay::Replay;
pub use round::{Message, Notice, PartitionRange, Round, RoundLimit, Severity, Sink};
pub use settings::{KafkaSettings, StartAt};

use self::client::Client;
use self::drain::{Slot, Worker};
use self::identity::changed_topics;
use self::raw::Queue;
use self::watch::{Halt, Shared};
use super::{StopFlag, TopicIdentity};
use crate::error::{Error, Result};
use crate::store::record::SourceRange;

/// How long the question about topic ids may take before a commit.
const RECREATED_PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take while a round waits for messages.
const EXISTENCE_PATIENCE: Duration = Duration::from_secs(2);

/// A connected batch of Kafka topics.
pub struct KafkaSource {
    // Queues and messages go before the client they belong to.
    queues: Vec<Queue>,
    client: Client,
    brokers: Vec<i32>,
    settings: KafkaSettings,
    topics: Vec<Arc<TopicIdentity>>,
    /// What was left out of each topic.
    left_out: Vec<Option<PartitionSet>>,
    slots: Vec<Slot>,
    notices: Vec<Notice>,
    assigned: bool,
    /// Loses one message between the count and the sink, so that tests see the balance fail.
    #[cfg(debug_assertions)]
    drop_message: bool,
}

impl KafkaSource {
    /// Connects, finds the topics and freezes the end of every partition.
    ///
    /// `known` is the ledger's last range of each partition. A topic that was deleted and made again, a log that was
    /// cut, a partition without a leader are left out with a notice; the others go on.
    ///
    /// # Errors
    /// Wrong usage; no broker answers within `settings.timeout`; a topic that neither the cluster nor the ledger knows;
    /// the stop flag.
    pub fn open(settings: &KafkaSettings, known: &[SourceRange], stop: &StopFlag) -> Result<Self> {
        open::open(settings, known, stop)
    }

    fn new(
        client: Client,
        brokers: Vec<i32>,
        settings: &KafkaSettings,
        (topics, left_out): (Vec<Arc<TopicIdentity>>, Vec<Option<PartitionSet>>),
        mut slots: Vec<Slot>,
        notices: Vec<Notice>,
    ) -> Self {
        let threads = settings.threads.max(1);
        deal(&mut slots, threads);
        Self {
            queues: (0..threads).map(|_| Queue::new(client.consumer())).collect(),
            client,
            brokers,
            settings: settings.clone(),
            topics,
            left_out,
            slots,
            notices,
            assigned: false,
            #[cfg(debug_assertions)]
            drop_message: std::env::var("DIURNAL_FAILPOINT").is_ok_and(|name| name == "drop-message"),
        }
    }

    /// The topics that are read; messages and ranges name them by their index.
    pub fn topics(&self) -> &[Arc<TopicIdentity>] {
        &self.topics
    }

    /// What was noticed while the source was opened; each notice is given once.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Number of consumer threads, and so of sinks that a round takes.
    pub fn threads(&self) -> usize {
        self.queues.len()
    }

    /// The partitions of each topic that `partitions` of the settings leaves out, in words, such as `partitions 0-2,5`.
    pub fn left_out(&self) -> impl Iterator<Item = (&TopicIdentity, String)> + '_ {
        let of_topics = self.topics.iter().zip(&self.left_out);
        of_topics.filter_map(|(topic, left_out)| Some((&**topic, left_out.as_ref()?.named())))
    }

    /// What is open: the topic's index, the partition, the next offset and the frozen end.
    pub fn ahead(&self) -> impl Iterator<Item = (usize, i32, Range<i64>)> + '_ {
        let open = self.slots.iter().filter(|slot| slot.track.is_open());
        open.map(|slot| (slot.topic, slot.partition, slot.track.next()..slot.track.end().0))
    }

    /// Number of offsets between what was read and the frozen ends; gaps are among them.
    pub fn remaining(&self) -> u64 {
        self.slots
            .iter()
            .filter(|slot| slot.track.is_open())
            .map(|slot| slot.track.end().0.abs_diff(slot.track.next()))
            .sum()
    }

    /// Reads into the sinks, one for each thread, until all partitions are done, the sinks hold `limit`, the stop flag
    /// is set, or nothing has come for the time-out. The next round goes on where this one ends.
    ///
    /// # Errors
    /// What was counted is not what came out of librdkafka: nothing of this round may be committed.
    ///
    /// # Panics
    /// When the number of sinks is not [`KafkaSource::threads`].
    pub fn round<S: Sink>(&mut self, sinks: Vec<S>, limit: RoundLimit, stop: &StopFlag) -> Result<Round<S>> {
        assert_eq!(sinks.len(), self.threads(), "one sink for each thread");
        self.assign()?;
        let shared = Shared::new(
            &self.client,
            &self.topics,
            sinks.len(),
            limit,
            #[cfg(debug_assertions)]
            self.drop_message,
        );
        let mut of_thread: Vec<Vec<&mut Slot>> = sinks.iter().map(|_| Vec::new()).collect();
        for slot in &mut self.slots {
            of_thread[slot.queue].push(slot);
        }
        let workers: Vec<Worker<'_, S>> = sinks
            .into_iter()
            .zip(of_thread)
            .enumerate()
            .map(|(thread, (sink, slots))| Worker::new(thread, &shared, slots, sink))
            .collect();
        let mut sinks = Vec::with_capacity(workers.len());
        let mut notices = Vec::new();
        let gone = || changed_topics(&self.client, &self.brokers, &self.topics, EXISTENCE_PATIENCE).unwrap_or_default();
        let halt = std::thread::scope(|scope| {
            let (alive, ended) = mpsc::channel::<()>();
            let threads: Vec<_> = workers
                .into_iter()
                .zip(&mut self.queues)
                .map(|(worker, queue)| {
                    let alive = alive.clone();
                    scope.spawn(move || {
                        let result = worker.run(queue);
                        drop(alive);
                        result
                    })
                })
                .collect();
            drop(alive);
            let halt = watch::watch(&shared, &ended, self.settings.timeout, stop, gone);
            for thread in threads {
                match thread.join() {
                    Ok((sink, noticed)) => {
                        sinks.push(sink);
                        for notice in noticed {
                            if !notices.contains(&notice) {
                                notices.push(notice);
                            }
                        }
                    }
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            halt
        })?;
        if matches!(halt, Halt::Stalled) {
            notices.extend(self.give_up());
        }
        Ok(Round {
            sinks,
            ranges: self.take_ranges(),
            finished: self.slots.iter().all(|slot| !slot.track.is_open()),
            notices,
        })
    }

    /// Assigns the open partitions, once.
    fn assign(&mut self) -> Result<()> {
        if self.assigned {
            return Ok(());
        }
        self.assigned = true;
        let mut list = TopicPartitionList::new();
        for slot in self.slots.iter().filter(|slot| slot.track.is_open()) {
            let topic = &self.topics[slot.topic].topic;
            // Before the assignment, so that nothing goes elsewhere.
            self.queues[slot.queue].collect(topic, slot.partition);
            list.add_partition_offset(topic, slot.partition, Offset::Offset(slot.track.next()))
                .map_err(|error| Error::new(format_args!("topic {topic}"), error))?;
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.client
            .consumer()
            .incremental_assign(&list)
            .map_err(|error| Error::new(self.client.brokers(), error))
    }

    /// Ends the partitions that nothing came of any more: one notice for each topic.
    fn give_up(&mut self) -> Vec<Notice> {
        let reason = self
            .client
            .last_error()
            .map(|text| format!("; the last error was: {text}"))
            .unwrap_or_default();
        let mut notices = Vec::new();
        for (index, topic) in self.topics.iter().enumerate() {
            let mut left = Vec::new();
            for slot in self
                .slots
                .iter_mut()
                .filter(|slot| slot.topic == index && slot.track.is_open())
            {
                left.push(format!(
                    "{} ({}..{})",
                    slot.partition,
                    slot.track.next(),
                    slot.track.end().0
                ));
                slot.track.abandon();
            }
            if !left.is_empty() {
                notices.push(Notice::incomplete(
                    Error::new(
                        format_args!("topic {}", topic.topic),
                        format_args!(
                            "nothing came for {} s, though work is left in partition {}{reason}",
                            self.settings.timeout.as_secs_f32(),
                            left.join(", ")
                        ),
                    )
                    .hint("what was read is archived; run again when the brokers are well; --timeout waits longer"),
                ));
            }
        }
        notices
    }

    /// The ranges of a batch that others read from the offsets that [`ahead`](KafkaSource::ahead) gives to the frozen ends: `messages` says
    /// how many messages of a topic and partition they met.
    ///
    /// # Errors
    /// More messages than offsets: they did not read this.
    pub fn read_by_others(&mut self, messages: impl Fn(usize, i32) -> u64) -> Result<Vec<PartitionRange>> {
        for slot in self.slots.iter_mut().filter(|slot| slot.track.is_open()) {
            let met = messages(slot.topic, slot.partition);
            if !slot.track.read_by_others(met) {
                let partition = format_args!("{}[{}]", self.topics[slot.topic].topic, slot.partition);
                let cause = format_args!("{met} messages were read of fewer offsets: nothing may be committed");
                return Err(Error::new(partition, cause));
            }
        }
        Ok(self.take_ranges())
    }

    fn take_ranges(&mut self) -> Vec<PartitionRange> {
        self.slots
            .iter_mut()
            .map(|slot| {
                let span = slot.track.take();
                // Told by the range that goes back: one without offsets is on no record.
                let again = match span.next > span.first {
                    true => std::mem::take(&mut slot.again),
                    false => 0,
                };
                PartitionRange {
                    topic: slot.topic,
                    partition: slot.partition,
                    first: span.first,
                    next: span.next,
                    gaps: span.gaps,
                    lost: span.lost_count(),
                    lost_ranges: span.lost,
                    again,
                    last: slot.last.clone(),
                    epoch: slot.epoch,
                    end: slot.stable_end,
                    done: slot.track.is_done(),
                }
            })
            .collect()
    }

    /// Topics, by index, that were deleted or made again since the source was opened. Asked before each commit: nothing
    /// of them may be committed. Empty at once where no topic has an id.
    ///
    /// # Errors
    /// No answer within 10 s: nothing is proven. What was read may be committed all the same, for the next run compares
    /// the ids again before it reads.
    pub fn recreated(&self) -> Result<Vec<usize>> {
        changed_topics(
            &self.client,
            &self.brokers,
            &self.topics,
            RECREATED_PATIENCE.min(self.settings.timeout),
        )
        .map_err(|text| {
            Error::new(
                self.client.brokers(),
                format_args!("no topic ids before the commit: {text}"),
            )
            .hint("run again when the brokers are well")
        })
    }

    /// Says which logs were cut while these ranges were read of them, so that the run has missed records that took the place of
    /// others. Asked before each commit, and brokers that do not answer prove nothing: what was read may be committed in any case,
    /// for the next run goes back to the cut.
    pub fn cut_meanwhile(&mut self, read: &[PartitionRange], stop: &StopFlag) -> Vec<Notice> {
        cut::meanwhile(&self.client, &self.settings, &self.topics, &mut self.slots, read, stop)
    }

    /// Tells Kafka how far the archive is, for its own tools to show. It takes 5 s at most. `ranges` are those of what was
    /// committed to the ledger, idle ones too: a group's offsets expire after 7 days. The notice is a warning.
    pub fn commit_group_offsets(&mut self, ranges: &[PartitionRange]) -> Option<Notice> {
        group::commit(&self.client, &self.settings.group, &self.topics, ranges)
    }
}

/// Deals partitions over threads: the longest first, each to the thread with the least to do.
fn deal(slots: &mut [Slot], threads: usize) {
    let mut order: Vec<usize> = (0..slots.len()).collect();
    let length = |slot: &Slot| (slot.track.end().0 - slot.track.next()).max(0);
    order.sort_by_key(|&index| std::cmp::Reverse(length(&slots[index])));
    let mut load = vec![(0i64, 0usize); threads];
    for index in order {
        let thread = (0..threads).min_by_key(|&thread| load[thread]).unwrap_or_default();
        load[thread].0 += length(&slots[index]);
        load[thread].1 += 1;
        slots[index].queue = thread;
    }
}
