//! The source against librdkafka's embedded broker, which has no transactions, times, compaction or delete-records.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::error::Kind;

mod faults;
mod reading;
mod refusals;

const TOPIC: &str = "metrics";
const PARTITIONS: i32 = 5;
const PATIENCE: Duration = Duration::from_secs(20);

type Broker = MockCluster<'static, DefaultProducerContext>;

/// Remembers everything.
#[derive(Debug, Default)]
struct Memory {
    messages: Vec<(usize, i32, i64, Vec<u8>)>,
    bytes: usize,
}

impl Sink for Memory {
    fn message(&mut self, message: &Message<'_>) {
        self.bytes += message.payload.len();
        self.messages.push((
            message.topic,
            message.partition,
            message.offset,
            message.payload.to_vec(),
        ));
    }

    fn lines_held(&self) -> u64 {
        self.messages.len() as u64
    }

    fn bytes_held(&self) -> usize {
        self.bytes
    }
}

fn broker() -> Broker {
    let broker = MockCluster::new(1).unwrap();
    broker.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    broker
}

/// Sends messages `first..first + count` to partitions in turn and waits until they are there.
fn produce(broker: &Broker, topic: &str, first: usize, count: usize) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap_servers())
        .set("linger.ms", "1")
        .create()
        .unwrap();
    for number in first..first + count {
        let payload = format!("cpu usage={number} {number}");
        let partition = number as i32 % PARTITIONS;
        let mut record = BaseRecord::<(), _>::to(topic).partition(partition).payload(&payload);
        while let Err((_, returned)) = producer.send(record) {
            record = returned;
            producer.poll(Duration::from_millis(5));
        }
    }
    producer.flush(PATIENCE).unwrap();
}

fn settings(broker: &Broker) -> KafkaSettings {
    KafkaSettings {
        timeout: PATIENCE,
        ..KafkaSettings::new(broker.bootstrap_servers(), vec![TOPIC.to_owned()])
    }
}

fn open(settings: &KafkaSettings, known: &[SourceRange]) -> KafkaSource {
    KafkaSource::open(settings, known, &StopFlag::new()).unwrap()
}

fn round(source: &mut KafkaSource, limit: RoundLimit) -> Round<Memory> {
    let sinks = (0..source.threads()).map(|_| Memory::default()).collect();
    source.round(sinks, limit, &StopFlag::new()).unwrap()
}

/// What the ledger would keep of a round.
fn ledger(source: &KafkaSource, round: &Round<Memory>) -> Vec<SourceRange> {
    round
        .ranges
        .iter()
        .map(|range| {
            let topic = &source.topics()[range.topic];
            SourceRange {
                cluster_id: topic.cluster_id.clone(),
                topic_id: topic.topic_id.clone(),
                topic: topic.topic.clone(),
                partition: range.partition,
                first: range.first,
                next: range.next,
                messages: counts(round).get(&(range.topic, range.partition)).copied().unwrap_or(0),
                gaps: range.gaps,
                lost: range.lost,
                again: range.again,
                last: range.last.clone(),
                epoch: range.epoch,
            }
        })
        .collect()
}

fn counts<'a>(rounds: impl IntoIterator<Item = &'a Round<Memory>>) -> BTreeMap<(usize, i32), u64> {
    let mut counts = BTreeMap::new();
    for round in rounds {
        for message in round.sinks.iter().flat_map(|sink| &sink.messages) {
            *counts.entry((message.0, message.1)).or_default() += 1;
        }
    }
    counts
}

/// The numbers in the payloads, sorted: each was sent once.
fn numbers(rounds: &[Round<Memory>]) -> Vec<usize> {
    let mut numbers: Vec<usize> = rounds
        .iter()
        .flat_map(|round| &round.sinks)
        .flat_map(|sink| &sink.messages)
        .map(|message| {
            let text = std::str::from_utf8(&message.3).unwrap();
            text.rsplit(' ').next().unwrap().parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

fn assert_balanced(round: &Round<Memory>) {
    let counts = counts([round]);
    for range in &round.ranges {
        let messages = counts.get(&(range.topic, range.partition)).copied().unwrap_or(0);
        assert_eq!(
            range.next.abs_diff(range.first),
            messages + range.gaps + range.lost,
            "{range:?}"
        );
    }
}

impl<'a> IntoIterator for &'a Round<Memory> {
    type Item = &'a Round<Memory>;
    type IntoIter = std::iter::Once<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}
