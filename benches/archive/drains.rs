//! Drains that do nothing with a message but sum up its length: what any consumer has to take. Each runs in a process of its own, as
//! `diurnal` does.

use std::collections::HashMap;
use std::time::Duration;

use diurnal::source::StopFlag;
use diurnal::source::kafka::{KafkaSettings, KafkaSource, Message, RoundLimit, Sink};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(60);

/// The floor: clients with librdkafka's default settings, polled message by message, each for its share of the partitions.
pub fn poll(brokers: &str, topic: &str, clients: usize) -> (u64, u64) {
    let client = || -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "diurnal-bench")
            .set("enable.auto.commit", "false")
            .create()
            .expect("a client")
    };
    let first = client();
    let metadata = first.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
    let ends: Vec<(i32, i64)> = partitions
        .into_iter()
        .map(|partition| {
            let ends = first.fetch_watermarks(topic, partition, PATIENCE);
            (partition, ends.expect("the broker tells its offsets").1)
        })
        .collect();
    let mut first = Some(first);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|number| {
                let consumer = first.take().unwrap_or_else(client);
                let ends = ends.iter().copied().skip(number).step_by(clients).collect();
                scope.spawn(move || poll_one(&consumer, topic, ends))
            })
            .collect();
        let sums = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        sums.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    })
}

fn poll_one(consumer: &BaseConsumer, topic: &str, mut ends: HashMap<i32, i64>) -> (u64, u64) {
    ends.retain(|_, end| *end > 0);
    let mut list = TopicPartitionList::new();
    for partition in ends.keys() {
        list.add_partition_offset(topic, *partition, Offset::Beginning)
            .expect("a partition");
    }
    consumer.assign(&list).expect("an assignment");
    let (mut messages, mut bytes) = (0, 0);
    while !ends.is_empty() {
        let Some(message) = consumer.poll(Duration::from_millis(500)) else {
            continue;
        };
        let message = message.expect("a message");
        messages += 1;
        bytes += message.payload().map_or(0, <[u8]>::len) as u64;
        let end = ends.get(&message.partition());
        if end.is_some_and(|end| message.offset() + 1 >= *end) {
            ends.remove(&message.partition());
        }
    }
    (messages, bytes)
}

/// diurnal's own way to read, without what it does with the lines: one client, forwarded queues, batches, all its checks.
pub fn batches(brokers: &str, topic: &str, threads: usize) -> (u64, u64) {
    let mut settings = KafkaSettings::new(brokers, vec![topic.to_owned()]);
    settings.threads = threads;
    let stop = StopFlag::default();
    let mut source = KafkaSource::open(&settings, &[], &stop).expect("the topic");
    let sinks = (0..source.threads()).map(|_| Sum::default()).collect();
    let round = source.round(sinks, RoundLimit::NONE, &stop).expect("all messages");
    assert!(round.finished && round.notices.is_empty(), "{:?}", round.notices);
    let sums = round.sinks.iter();
    sums.fold((0, 0), |sum, one| (sum.0 + one.messages, sum.1 + one.bytes))
}

#[derive(Default)]
struct Sum {
    messages: u64,
    bytes: u64,
}

impl Sink for Sum {
    fn message(&mut self, message: &Message<'_>) {
        self.messages += 1;
        self.bytes += message.payload.len() as u64;
    }

    fn lines_held(&self) -> u64 {
        0
    }

    fn bytes_held(&self) -> usize {
        0
    }
}
