//! Sending messages to a broker, real or embedded, to the partition and with the time that a test asks for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};

/// How long a broker may take to acknowledge.
const ACKNOWLEDGED: Duration = Duration::from_secs(180);

/// A message to send.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub partition: i32,
    /// `None` is a null value (a tombstone on compacted topics).
    pub payload: Option<Vec<u8>>,
    pub key: Option<Vec<u8>>,
    /// Milliseconds since 1970, not 0, which librdkafka takes for now; the time of sending where it is left out.
    pub timestamp_ms: Option<i64>,
    pub headers: Vec<(&'static str, &'static str)>,
}

impl Record {
    /// Lines as Telegraf sends them: no key, no headers.
    pub fn new(partition: i32, payload: impl AsRef<[u8]>) -> Self {
        Self {
            partition,
            payload: Some(payload.as_ref().to_vec()),
            ..Self::default()
        }
    }

    pub fn at(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }

    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.key = Some(key.as_ref().to_vec());
        self
    }
}

/// Counts what the broker refused.
#[derive(Default)]
pub struct Refusals(AtomicU64);

impl ClientContext for Refusals {}

impl ProducerContext for Refusals {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A producer; further librdkafka properties after those that every test wants.
pub fn producer(brokers: &str, properties: &[(&str, &str)]) -> BaseProducer<Refusals> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("broker.address.family", "v4")
        .set("compression.type", "lz4")
        .set("linger.ms", "2");
    for (name, value) in properties {
        config.set(*name, *value);
    }
    config
        .create_with_context(Refusals::default())
        .expect("a producer with these properties can be made")
}

/// Sends the records in order and waits until the broker has all of them.
pub fn send(producer: &BaseProducer<Refusals>, topic: &str, records: &[Record]) {
    for record in records {
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(record.partition);
        if let Some(payload) = &record.payload {
            message = message.payload(payload);
        }
        if let Some(key) = &record.key {
            message = message.key(key);
        }
        if let Some(timestamp) = record.timestamp_ms {
            message = message.timestamp(timestamp);
        }
        if !record.headers.is_empty() {
            let headers = record.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
                all.insert(Header {
                    key,
                    value: Some(*value),
                })
            });
            message = message.headers(headers);
        }
        loop {
            match producer.send(message) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    producer.poll(Duration::from_millis(10));
                    message = back;
                }
                Err((e, _)) => panic!("{topic}: cannot send: {e}"),
            }
        }
        producer.poll(Duration::ZERO);
    }
    producer
        .flush(ACKNOWLEDGED)
        .expect("the broker takes the messages in time");
    let refused = producer.context().0.load(Ordering::Relaxed);
    assert_eq!(refused, 0, "{topic}: the broker refused messages");
}
