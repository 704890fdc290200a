//! A topic of a test on the real Kafka: sending to it, in transactions too, and everything that operators do to topics.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rdkafka::admin::{NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::folder::Folder;
use super::kafka::{ANSWERED, Kafka, admin_options, answer};
use super::produce::{self, Record, Refusals};
use super::run::{Diurnal, diurnal};
use super::wait_for;

/// A transaction that nobody ends stays open for longer than a test takes; 15 minutes are the broker's limit.
const STAYS_OPEN_MS: &str = "900000";

/// Length of a segment of a compacted topic.
const SEGMENT_MS: i64 = 60_000;

/// The offsets that bound a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The first offset that Kafka still has.
    pub start: i64,
    /// The last stable offset: the first offset of the oldest open transaction, else the high watermark.
    pub stable: i64,
    /// The high watermark: one after the last record of any kind.
    pub high: i64,
}

/// A topic on the real Kafka.
pub struct Topic<'k> {
    kafka: &'k Kafka,
    name: String,
}

impl Kafka {
    /// A topic whose log is compacted as soon as [`Topic::compact`] asks for it. Its records' times lie within the
    /// first minute of 1970.
    pub fn compacted_topic(&self, name: &str) -> Topic<'_> {
        self.topic(
            name,
            1,
            &[
                ("cleanup.policy", "compact"),
                ("min.cleanable.dirty.ratio", "0.01"),
                ("segment.ms", &SEGMENT_MS.to_string()),
                ("segment.jitter.ms", "0"),
            ],
        )
    }
}

impl Kafka {
    /// A topic that is there already.
    pub fn topic_named(&self, name: &str) -> Topic<'_> {
        Topic {
            kafka: self,
            name: name.to_owned(),
        }
    }
}

impl<'k> Topic<'k> {
    pub(super) fn create(kafka: &'k Kafka, name: &str, partitions: i32, config: &[(&str, &str)]) -> Self {
        let topic = Self {
            kafka,
            name: name.to_owned(),
        };
        topic.make(partitions, config);
        topic
    }

    /// One partition on these nodes, of which the first leads.
    pub(super) fn create_on(kafka: &'k Kafka, name: &str, nodes: &[i32], config: &[(&str, &str)]) -> Self {
        let topic = Self {
            kafka,
            name: name.to_owned(),
        };
        topic.make_with(1, TopicReplication::Variable(&[nodes]), config);
        topic
    }

    fn make(&self, partitions: i32, config: &[(&str, &str)]) {
        // Every node has every partition.
        let replicas = i32::try_from(self.kafka.nodes.len()).expect("a few nodes");
        self.make_with(partitions, TopicReplication::Fixed(replicas), config);
    }

    fn make_with(&self, partitions: i32, replication: TopicReplication<'_>, config: &[(&str, &str)]) {
        let plain = NewTopic::new(&self.name, partitions, replication);
        let topic = config.iter().fold(plain, |topic, (name, value)| topic.set(name, value));
        let done = answer(self.kafka.admin().create_topics([&topic], &admin_options()));
        done.expect("the broker answers")[0]
            .as_ref()
            .expect("a topic can be created");
        self.wait_for_partitions(partitions);
    }

    fn wait_for_partitions(&self, partitions: i32) {
        wait_for(&format!("{partitions} partitions of {}", self.name), || {
            let client = self.kafka.admin().inner();
            let metadata = client.fetch_metadata(Some(&self.name), ANSWERED).ok()?;
            let seen = metadata.topics().first()?.partitions();
            let led = seen.iter().filter(|p| p.leader() >= 0).count();
            (led == partitions as usize).then_some(())
        });
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn kafka(&self) -> &'k Kafka {
        self.kafka
    }

    /// Sends the records in order and waits until the broker has them.
    pub fn send(&self, records: &[Record]) {
        self.send_with(&[], records);
    }

    /// Like [`Topic::send`], with further producer properties.
    pub fn send_with(&self, properties: &[(&str, &str)], records: &[Record]) {
        let producer = produce::producer(&self.kafka.brokers(), properties);
        produce::send(&producer, &self.name, records);
    }

    /// Sends records in a transaction that is open until it is ended; dropped, it stays open.
    pub fn transaction(&self, id: &str, records: &[Record]) -> Transaction {
        let id = format!("{}-{id}", self.name);
        let producer = produce::producer(
            &self.kafka.brokers(),
            &[("transactional.id", &id), ("transaction.timeout.ms", STAYS_OPEN_MS)],
        );
        producer
            .init_transactions(ANSWERED)
            .expect("transactions can be initialised");
        producer.begin_transaction().expect("a transaction can begin");
        produce::send(&producer, &self.name, records);
        Transaction { producer }
    }

    /// Makes a topic's log cleaner drop every record that a later one of its key replaced; a topic of
    /// [`Kafka::compacted_topic`], whose first record must be such a one. The last segment is never cleaned, so a record
    /// of a later time begins a new one: segments roll by the records' own times.
    pub fn compact(&self, partition: i32) {
        let later = Record::new(partition, "").key("the next segment").at(SEGMENT_MS * 1000);
        self.send(&[later]);
        wait_for(&format!("the compaction of {}/{partition}", self.name), || {
            (self.readable_offsets(partition)[0] != 0).then_some(())
        });
    }

    pub fn ends(&self, partition: i32) -> Ends {
        let watermarks = |isolation: &str| {
            let consumer: BaseConsumer = self
                .kafka
                .client()
                .set("group.id", "ends")
                .set("isolation.level", isolation)
                .create()
                .expect("a consumer can be made");
            // A leader that has just changed refuses at first.
            wait_for(&format!("the offsets of {}/{partition}", self.name), || {
                consumer.fetch_watermarks(&self.name, partition, ANSWERED).ok()
            })
        };
        let (start, stable) = watermarks("read_committed");
        let (_, high) = watermarks("read_uncommitted");
        Ends { start, stable, high }
    }

    /// Waits until the markers of ended transactions are written: commit and abort return before that.
    pub fn settle(&self, partition: i32) -> Ends {
        wait_for(&format!("LSO = HWM on {}/{partition}", self.name), || {
            let ends = self.ends(partition);
            (ends.stable == ends.high).then_some(ends)
        })
    }

    /// Deletes every record below `before`, as retention does.
    pub fn delete_records(&self, partition: i32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets
            .add_partition_offset(&self.name, partition, Offset::Offset(before))
            .expect("an offset can be listed");
        let done = answer(self.kafka.admin().delete_records(&offsets, &admin_options()));
        let done = done.expect("the broker answers");
        for element in done.elements() {
            element.error().expect("records can be deleted");
        }
        assert_eq!(self.ends(partition).start, before);
    }

    /// Raises the number of partitions.
    pub fn add_partitions(&self, total: i32) {
        let wanted = NewPartitions::new(&self.name, total as usize);
        let done = answer(self.kafka.admin().create_partitions([&wanted], &admin_options()));
        done.expect("the broker answers")[0]
            .as_ref()
            .expect("partitions can be added");
        self.wait_for_partitions(total);
    }

    pub fn delete(&self) {
        let done = answer(self.kafka.admin().delete_topics(&[&self.name], &admin_options()));
        done.expect("the broker answers")[0]
            .as_ref()
            .expect("a topic can be deleted");
        wait_for(&format!("the end of {}", self.name), || {
            let client = self.kafka.admin().inner();
            let metadata = client.fetch_metadata(Some(&self.name), ANSWERED).ok()?;
            let error = metadata.topics().first().and_then(|topic| topic.error());
            let unknown = rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
            (error == Some(unknown)).then_some(())
        });
    }

    /// Deletes the topic and makes another one of the same name.
    pub fn recreate(&self, partitions: i32) {
        self.delete();
        self.make(partitions, &[]);
    }

    /// Flips one bit of the broker's log of this partition, inside the first occurrence of `text`: the batch with it
    /// fails its checksum from then on. Send `text` uncompressed.
    pub fn flip_bit_at(&self, partition: i32, text: &str) {
        let path = self.log(partition);
        let log = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let found = log.windows(text.len()).position(|window| window == text.as_bytes());
        let at = found.unwrap_or_else(|| panic!("{text:?} is not in {}", path.display()));
        let file = fs::OpenOptions::new().write(true).open(&path).expect("it can be read");
        file.write_all_at(&[log[at] ^ 1], at as u64).expect("it can be written");
    }

    /// How often the broker's log of this partition has a batch of each codec: none, gzip, snappy, lz4, zstd.
    pub fn codecs(&self, partition: i32) -> [usize; 5] {
        let mut codecs = [0; 5];
        for batch in batches(&self.log(partition)) {
            codecs[batch.codec] += 1;
        }
        codecs
    }

    /// Cuts the broker's log of this partition where the batch with this offset begins, as a power cut does to what was not on disk
    /// yet. The broker has to be down.
    pub fn cut_log(&self, partition: i32, offset: i64) {
        let path = self.log(partition);
        let batch = batches(&path).into_iter().find(|batch| batch.first == offset);
        let at = batch.unwrap_or_else(|| panic!("no batch begins at {offset}")).at;
        let file = fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("it can be written");
        file.set_len(at).expect("it can be cut");
    }

    /// The broker's log of this partition, of which there is one segment.
    fn log(&self, partition: i32) -> PathBuf {
        let folder = self.kafka.log_folder(&self.name, partition);
        folder.join("00000000000000000000.log")
    }

    /// The offsets that a consumer of the partition gets today, compaction and aborted transactions considered.
    pub fn readable_offsets(&self, partition: i32) -> Vec<i64> {
        let consumer: BaseConsumer = self
            .kafka
            .client()
            .set("group.id", "readable")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .create()
            .expect("a consumer can be made");
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(&self.name, partition, Offset::Beginning)
            .expect("an offset can be listed");
        consumer.assign(&assignment).expect("a partition can be assigned");
        let mut offsets = Vec::new();
        loop {
            match consumer.poll(Duration::from_secs(20)) {
                Some(Ok(message)) => offsets.push(rdkafka::Message::offset(&message)),
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return offsets,
                Some(Err(e)) => assert_ne!(
                    e.rdkafka_error_code(),
                    Some(RDKafkaErrorCode::UnknownTopicOrPartition),
                    "{e}"
                ),
                None => panic!("{}/{partition}: the end does not come", self.name),
            }
        }
    }
}

/// A batch of a broker's log.
struct Batch {
    /// Where it begins in the file.
    at: u64,
    /// The offset of its first record.
    first: i64,
    /// The number of its codec.
    codec: usize,
}

/// Those of format 2: the base offset, the length of what follows, epoch, magic and checksum, then attributes, whose lowest bits are
/// the codec.
fn batches(path: &Path) -> Vec<Batch> {
    let log = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut batches = Vec::new();
    let mut at = 0;
    while let Some(head) = log.get(at..at + 23) {
        batches.push(Batch {
            at: at as u64,
            first: i64::from_be_bytes(head[..8].try_into().expect("eight bytes")),
            codec: usize::from(head[22] & 7),
        });
        at += 12 + u32::from_be_bytes(head[8..12].try_into().expect("four bytes")) as usize;
    }
    batches
}

/// A transaction that was begun; it stays open unless it is ended.
pub struct Transaction {
    producer: BaseProducer<Refusals>,
}

impl Transaction {
    pub fn commit(self) {
        self.producer
            .commit_transaction(ANSWERED)
            .expect("a transaction can be committed");
    }

    pub fn abort(self) {
        self.producer
            .abort_transaction(ANSWERED)
            .expect("a transaction can be aborted");
    }
}

/// The words that name one topic on the real Kafka, with a group of the topic's name.
pub fn words_of(kafka: &Kafka, topic: &Topic<'_>) -> [String; 6] {
    let brokers = kafka.brokers();
    ["--brokers", &brokers, "--topic", topic.name(), "--group", topic.name()].map(str::to_owned)
}

/// `diurnal archive` of one topic.
pub fn archive(folder: &Folder, kafka: &Kafka, topic: &Topic<'_>) -> Diurnal {
    diurnal(folder, "archive").args(words_of(kafka, topic))
}
