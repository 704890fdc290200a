//! The connection: one librdkafka consumer, what it says, and the questions that it is asked.
//!
//! librdkafka never gives up by itself and its errors are notices, so every question here has a deadline.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::context::Context;
use super::raw::admin::{self, TopicDescription};
use super::settings::KafkaSettings;
use crate::error::{Error, Result};
use crate::source::StopFlag;

/// The consumer with our context.
pub type Consumer = BaseConsumer<Context>;

/// How long the first question waits; each further one twice as long, so that the stop flag is seen between them.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);
/// How long a question waits at most before the stop flag is looked at.
const MOST_PATIENCE: Duration = Duration::from_secs(5);
/// The pause after a question that failed, in which librdkafka is listened to.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long partitions may be without a leader before the run goes on without them.
const LEADER_PATIENCE: Duration = Duration::from_secs(10);
/// How often the cluster is asked whether a leader has been found.
const LEADER_RHYTHM: Duration = Duration::from_millis(250);
/// How long a broker has to answer at least, however many there are to ask.
const LEAST_ADMIN_WAIT: Duration = Duration::from_millis(500);
/// How often offsets are asked for that were refused.
const OFFSET_ATTEMPTS: u32 = 4;
/// The pause before they are asked for again.
const OFFSET_PAUSE: Duration = Duration::from_millis(250);
/// Events handled in one go.
const EVENTS_AT_ONCE: usize = 64;

/// A moment by which something must have happened.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait)
    }

    /// The time that is left, zero when it is over.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it is over.
    pub fn is_over(self) -> bool {
        self.remaining().is_zero()
    }

    /// The time that is left, but not more than `most`.
    pub fn at_most(self, most: Duration) -> Duration {
        self.remaining().min(most)
    }
}

/// A partition as the cluster's metadata shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionMeta {
    pub partition: i32,
    pub has_leader: bool,
}

/// The cluster at one moment.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Its id, empty where the broker gives none.
    pub id: String,
    /// Its brokers' numbers; the one that answered comes first.
    pub brokers: Vec<i32>,
    /// All topics that this user may see.
    pub topics: BTreeMap<String, Vec<PartitionMeta>>,
}

/// An offset, `None` where there is no such record, or why it isn't to be had.
pub type Answer = Result<Option<i64>, String>;

/// A connected consumer.
pub struct Client {
    consumer: Arc<Consumer>,
    brokers: String,
}

impl Client {
    /// Makes the consumer and waits until a broker answers.
    ///
    /// # Errors
    /// Wrong properties; no answer within the time-out; credentials or certificates refused; the stop flag.
    pub fn connect(settings: &KafkaSettings, stop: &StopFlag, deadline: Deadline) -> Result<(Self, Cluster)> {
        let config = settings.client_config()?;
        let context = Context::new(settings.logs());
        let consumer = Consumer::from_config_and_context(&config, context).map_err(|error| match error {
            KafkaError::ClientCreation(text) => {
                Error::usage("Kafka client", text).hint("check the properties given by -X and -F")
            }
            other => Error::usage("Kafka client", other),
        })?;
        let client = Self {
            consumer: Arc::new(consumer),
            brokers: settings.brokers.trim().to_owned(),
        };
        let mut cluster = client.cluster(settings, stop, deadline)?;
        cluster.id = client
            .consumer
            .client()
            .fetch_cluster_id(deadline.at_most(MOST_PATIENCE))
            .unwrap_or_default();
        if settings.logs() {
            // A short run would be over before anything is heard of its connection.
            client.serve_events_for(RETRY_PAUSE)?;
        }
        Ok((client, cluster))
    }

    /// A second client that goes where Kafka says when an offset is no more what it was. It waits for nobody.
    ///
    /// # Errors
    /// librdkafka's text.
    pub fn that_follows_cuts(settings: &KafkaSettings) -> Result<Self> {
        let mut config = settings.client_config()?;
        config.set("auto.offset.reset", "earliest");
        let consumer = Consumer::from_config_and_context(&config, Context::new(settings.logs()))
            .map_err(|error| Error::new(settings.brokers.trim(), error))?;
        Ok(Self {
            consumer: Arc::new(consumer),
            brokers: settings.brokers.trim().to_owned(),
        })
    }

    fn cluster(&self, settings: &KafkaSettings, stop: &StopFlag, deadline: Deadline) -> Result<Cluster> {
        let mut patience = FIRST_PATIENCE;
        loop {
            if stop.is_set() {
                return Err(Error::new(&self.brokers, "stopped before a broker answered"));
            }
            match self.consumer.fetch_metadata(None, deadline.at_most(patience)) {
                Ok(metadata) => {
                    return Ok(Cluster {
                        id: String::new(),
                        brokers: broker_numbers(&metadata),
                        topics: metadata.topics().iter().map(topic_meta).collect(),
                    });
                }
                Err(_) => {
                    // A broker that closes connections at once must not be asked in a busy loop.
                    self.serve_events_for(RETRY_PAUSE)?;
                    if let Some(refusal) = self.consumer.context().refusal() {
                        return Err(refusal.into_error(settings)?);
                    }
                    if deadline.is_over() {
                        let reason = self.last_error().map_or_else(String::new, |text| format!(": {text}"));
                        return Err(Error::new(
                            &self.brokers,
                            format_args!("no broker answered within {} s{reason}", settings.timeout.as_secs_f32()),
                        )
                        .hint(
                            "check that the broker runs and is reached from here, the port, and security.protocol; --timeout waits longer",
                        ));
                    }
                }
            }
            patience = (patience * 2).min(MOST_PATIENCE);
        }
    }

    /// Waits a moment for partitions that have no leader, as during an election. Returns the newest view.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn wait_for_leaders(
        &self,
        mut cluster: Cluster,
        topics: &[&str],
        settings: &KafkaSettings,
        stop: &StopFlag,
    ) -> Result<Cluster> {
        let deadline = Deadline::after(LEADER_PATIENCE.min(settings.timeout / 2));
        let leaderless = |cluster: &Cluster| {
            topics.iter().any(|&topic| match cluster.topics.get(topic) {
                Some(partitions) => partitions
                    .iter()
                    .any(|partition| !partition.has_leader && settings.takes(partition.partition)),
                None => false,
            })
        };
        while leaderless(&cluster) && !deadline.is_over() && !stop.is_set() {
            std::thread::sleep(deadline.at_most(LEADER_RHYTHM));
            let id = std::mem::take(&mut cluster.id);
            cluster = self.cluster(settings, stop, Deadline::after(settings.timeout))?;
            cluster.id = id;
        }
        Ok(cluster)
    }

    /// The consumer itself.
    pub fn consumer(&self) -> &Arc<Consumer> {
        &self.consumer
    }

    /// The addresses that the user gave.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Handles what librdkafka has to say. Errors are kept as the last one heard; they are notices.
    ///
    /// # Errors
    /// A message came this way, past the queues that count offsets. It would be lost silently otherwise.
    pub fn serve_events(&self) -> Result<()> {
        (0..EVENTS_AT_ONCE).try_for_each(|_| self.serve(Duration::ZERO))
    }

    /// The same for so long, however many there are: with the property `debug` an error has hundreds of lines before it.
    fn serve_events_for(&self, wait: Duration) -> Result<()> {
        let end = Deadline::after(wait);
        while !end.is_over() {
            self.serve(end.remaining())?;
        }
        Ok(())
    }

    fn serve(&self, wait: Duration) -> Result<()> {
        match self.consumer.poll(wait) {
            Some(Ok(_)) => Err(
                Error::new("librdkafka", "handed out a message outside its partition's queue")
                    .hint("this is a bug in diurnal; nothing was committed"),
            ),
            _ => Ok(()),
        }
    }

    /// The last error that librdkafka reported.
    pub fn last_error(&self) -> Option<String> {
        self.consumer.context().last_error()
    }

    /// Keeps an error of a partition's queue as the last one heard.
    pub fn note_error(&self, text: String) {
        self.consumer.context().note_error(text);
    }

    /// Topic ids, from the first of these brokers that answers.
    ///
    /// # Errors
    /// No answer in time, with librdkafka's text.
    pub fn describe(
        &self,
        topics: &[&str],
        brokers: &[i32],
        deadline: Deadline,
    ) -> Result<Vec<TopicDescription>, String> {
        let mut failure = "the cluster names no broker".to_owned();
        for (index, &broker) in brokers.iter().enumerate() {
            let left = u32::try_from(brokers.len() - index).unwrap_or(u32::MAX);
            let wait = (deadline.remaining() / left).max(LEAST_ADMIN_WAIT);
            match admin::describe_topics(&self.consumer, topics, broker, wait) {
                Ok(described) => return Ok(described),
                Err(text) => failure = text,
            }
            if deadline.is_over() {
                break;
            }
        }
        Err(failure)
    }

    /// Offsets of partitions by time: `Offset::Beginning`, `Offset::End` (the last stable offset) or a time in
    /// milliseconds as `Offset::Offset`. The answer has the order of the question; `None` says that there is no such
    /// record.
    ///
    /// All partitions are asked about at once. Where that fails, for one bad partition fails them all, they are asked
    /// about one by one; and what fails still, again after a moment, for a leader may be moving.
    pub fn offsets(&self, partitions: &[(&str, i32)], which: Offset, deadline: Deadline) -> Vec<Answer> {
        let mut answers: Vec<Answer> = vec![Err("not asked in time".to_owned()); partitions.len()];
        let mut open: Vec<usize> = (0..partitions.len()).collect();
        for attempt in 0..OFFSET_ATTEMPTS {
            if open.is_empty() || deadline.is_over() {
                break;
            }
            if attempt > 0 {
                std::thread::sleep(deadline.at_most(OFFSET_PAUSE));
            }
            let asked: Vec<(&str, i32)> = open.iter().map(|&index| partitions[index]).collect();
            // Half the time, so that some is left for asking again.
            let given = match self.ask_offsets(&asked, which, deadline.remaining() / 2) {
                Ok(given) => given,
                Err(_) => self.ask_one_by_one(&asked, which, deadline),
            };
            for (&index, answer) in open.iter().zip(given) {
                answers[index] = answer;
            }
            open.retain(|&index| answers[index].is_err());
        }
        answers
    }

    fn ask_one_by_one(&self, partitions: &[(&str, i32)], which: Offset, deadline: Deadline) -> Vec<Answer> {
        partitions
            .iter()
            .enumerate()
            .map(|(index, &partition)| {
                let left = u32::try_from(partitions.len() - index).unwrap_or(u32::MAX);
                self.ask_offsets(&[partition], which, deadline.remaining() / left)?
                    .pop()
                    .unwrap_or(Ok(None))
            })
            .collect()
    }

    fn ask_offsets(&self, partitions: &[(&str, i32)], which: Offset, wait: Duration) -> Result<Vec<Answer>, String> {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for &(topic, partition) in partitions {
            list.add_partition_offset(topic, partition, which)
                .map_err(|error| error.to_string())?;
        }
        let answer = self
            .consumer
            .offsets_for_times(list, wait)
            .map_err(|error| error.to_string())?;
        let by_partition: HashMap<(String, i32), Answer> = answer
            .elements()
            .iter()
            .map(|element| {
                let offset = match (element.error(), element.offset()) {
                    (Err(error), _) => Err(error.to_string()),
                    (Ok(()), Offset::Offset(offset)) => Ok(Some(offset)),
                    (Ok(()), _) => Ok(None),
                };
                ((element.topic().to_owned(), element.partition()), offset)
            })
            .collect();
        Ok(partitions
            .iter()
            .map(|&(topic, partition)| {
                by_partition
                    .get(&(topic.to_owned(), partition))
                    .cloned()
                    .unwrap_or_else(|| Err("not in the answer".to_owned()))
            })
            .collect())
    }

    /// Log start and last stable offset of one partition.
    ///
    /// # Errors
    /// librdkafka's text.
    pub fn watermarks(&self, topic: &str, partition: i32, wait: Duration) -> Result<(i64, i64), String> {
        self.consumer
            .fetch_watermarks(topic, partition, wait)
            .map_err(|error| error.to_string())
    }
}

/// The bootstrap connection that answered has no number yet, so it may not be among them.
fn broker_numbers(metadata: &rdkafka::metadata::Metadata) -> Vec<i32> {
    let answered = metadata.orig_broker_id();
    let mut brokers: Vec<i32> = metadata.brokers().iter().map(|broker| broker.id()).collect();
    brokers.sort_by_key(|&broker| (broker != answered, broker));
    brokers
}

fn topic_meta(topic: &rdkafka::metadata::MetadataTopic) -> (String, Vec<PartitionMeta>) {
    let mut partitions: Vec<PartitionMeta> = topic
        .partitions()
        .iter()
        .map(|partition| PartitionMeta {
            partition: partition.id(),
            has_leader: partition.leader() >= 0,
        })
        .collect();
    partitions.sort_by_key(|partition| partition.partition);
    (topic.name().to_owned(), partitions)
}
