//! The topic that is drained: on the broker that `DIURNAL_BENCH_BROKERS` names, or on librdkafka's embedded one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ProducerContext, ThreadedProducer};

use super::answer::answer;
use super::load::{Sent, each_line};

const PATIENCE: Duration = Duration::from_secs(60);
const SEED: u64 = 2;

/// A broker, and what of it ends with this process.
pub struct Broker {
    pub address: String,
    embedded: Option<MockCluster<'static, DefaultProducerContext>>,
}

impl Broker {
    /// The one that is named, or the embedded one.
    pub fn find() -> Self {
        if let Ok(address) = std::env::var("DIURNAL_BENCH_BROKERS") {
            return Self {
                address,
                embedded: None,
            };
        }
        let cluster = MockCluster::new(1).expect("an embedded broker");
        Self {
            address: cluster.bootstrap_servers(),
            embedded: Some(cluster),
        }
    }

    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// The topic with so many lines over so many partitions, filled unless it was before; all lines go to `see` as well.
    pub fn topic(&self, lines: u64, partitions: i32, mut see: impl FnMut(&str)) -> String {
        let name = format!("diurnal-bench-{lines}-{partitions}-{SEED}");
        self.make(&name, partitions);
        let there = self.messages(&name, partitions);
        assert!(
            there == 0 || there == lines,
            "topic {name} has {there} messages: delete it"
        );
        let producer = (there == 0).then(|| self.producer());
        each_line(lines, SEED, partitions, |sent| {
            see(sent.line);
            if let Some(producer) = &producer {
                send(producer, &name, &sent);
            }
        });
        if let Some(producer) = producer {
            producer.flush(PATIENCE).expect("the broker takes all lines");
            assert_eq!(producer.context().refused.load(Ordering::Relaxed), 0, "lines refused");
        }
        let there = self.messages(&name, partitions);
        assert_eq!(
            there, lines,
            "not all lines are there; the embedded broker keeps 5 MiB a partition"
        );
        name
    }

    fn make(&self, name: &str, partitions: i32) {
        if let Some(cluster) = &self.embedded {
            cluster.create_topic(name, partitions, 1).expect("a topic");
            return;
        }
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("a client");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1)).set("retention.ms", "-1");
        let made = answer(admin.create_topics([&topic], &AdminOptions::new())).expect("the broker answers");
        match &made[0] {
            Ok(_) => std::thread::sleep(Duration::from_secs(1)),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, error)) => panic!("topic {name}: {error}"),
        }
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    fn producer(&self) -> ThreadedProducer<Refused> {
        // One request at a time, so that the same lines make the same log.
        self.client()
            .set("compression.codec", "lz4")
            .set("max.in.flight.requests.per.connection", "1")
            .set("linger.ms", "200")
            .set("batch.num.messages", "1000")
            .set("batch.size", "4000000")
            .set("queue.buffering.max.messages", "200000")
            .create_with_context(Refused::default())
            .expect("a producer")
    }

    fn messages(&self, name: &str, partitions: i32) -> u64 {
        let consumer: BaseConsumer = self.client().create().expect("a client");
        let messages = |partition| {
            let ends = consumer.fetch_watermarks(name, partition, PATIENCE);
            let (low, high) = ends.expect("the broker tells its offsets");
            high.abs_diff(low)
        };
        (0..partitions).map(messages).sum()
    }
}

#[derive(Default)]
struct Refused {
    refused: AtomicU64,
}

impl ClientContext for Refused {}

impl ProducerContext for Refused {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn send(producer: &ThreadedProducer<Refused>, topic: &str, sent: &Sent<'_>) {
    let mut record: BaseRecord<'_, (), str> = BaseRecord::to(topic)
        .payload(sent.line)
        .partition(sent.partition)
        .timestamp(sent.timestamp_ms);
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                std::thread::sleep(Duration::from_millis(2));
            }
            Err((error, _)) => panic!("topic {topic}: {error}"),
        }
    }
}
