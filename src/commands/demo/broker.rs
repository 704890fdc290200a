//! librdkafka's embedded broker, filled and read as a plain producer and consumer would.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::error::{Error, Result};
use crate::simulate::Sent;

/// Partitions of the demo's topic.
pub const PARTITIONS: i32 = 5;

/// How long any one step with a broker inside this process may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker in this process, with one topic.
pub struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    topic: &'static str,
}

fn failed(doing: &str, error: impl std::fmt::Display) -> Error {
    Error::new("the embedded broker", format_args!("{doing}: {error}"))
}

impl Broker {
    /// Starts it on a free port of the loopback interface.
    ///
    /// # Errors
    /// librdkafka can't start it.
    pub fn start(topic: &'static str) -> Result<Self> {
        let cluster = MockCluster::new(1).map_err(|error| failed("did not start", error))?;
        cluster
            .create_topic(topic, PARTITIONS, 1)
            .map_err(|error| failed("did not make the topic", error))?;
        Ok(Self { cluster, topic })
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Sends lines in their order; gives their bytes.
    ///
    /// # Errors
    /// The lines do not all fit: the embedded broker keeps 5 MiB of compressed batches a partition.
    pub fn send(&self, lines: &[Sent]) -> Result<u64> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.address())
            .set("compression.codec", "zstd")
            .set("linger.ms", "20")
            .set("batch.num.messages", "2000")
            .set("queue.buffering.max.messages", "200000")
            .create()
            .map_err(|error| failed("has no producer", error))?;
        let mut bytes = 0;
        for line in lines {
            bytes += line.line.len() as u64;
            let mut record = BaseRecord::<(), _>::to(self.topic)
                .payload(line.line.as_bytes())
                .partition(line.partition)
                .timestamp(line.timestamp_ms);
            loop {
                match producer.send(record) {
                    Ok(()) => break,
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        record = back;
                        producer.poll(Duration::from_millis(10));
                    }
                    Err((error, _)) => return Err(failed("refused a line", error)),
                }
            }
        }
        producer
            .flush(PATIENCE)
            .map_err(|error| failed("did not take all lines", error))?;
        let kept: i64 = self.watermarks()?.iter().map(|(low, high)| high - low).sum();
        if kept != lines.len() as i64 {
            return Err(failed(
                "keeps 5 MiB a partition",
                format_args!("{kept} of {} lines fit", lines.len()),
            )
            .hint("simulate fewer --hosts or --hours"));
        }
        Ok(bytes)
    }

    fn consumer(&self) -> Result<BaseConsumer> {
        ClientConfig::new()
            .set("bootstrap.servers", self.address())
            .set("group.id", "diurnal-demo-reader")
            .set("enable.auto.commit", "false")
            .create()
            .map_err(|error| failed("has no consumer", error))
    }

    fn watermarks(&self) -> Result<Vec<(i64, i64)>> {
        let consumer = self.consumer()?;
        (0..PARTITIONS)
            .map(|partition| {
                consumer
                    .fetch_watermarks(self.topic, partition, PATIENCE)
                    .map_err(|error| failed("did not say its offsets", error))
            })
            .collect()
    }

    /// All lines in the order in which a plain consumer gets them.
    ///
    /// # Errors
    /// The broker falls silent.
    pub fn read_all(&self) -> Result<Vec<Vec<u8>>> {
        let wanted: i64 = self.watermarks()?.iter().map(|(low, high)| high - low).sum();
        let consumer = self.consumer()?;
        let mut partitions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            partitions
                .add_partition_offset(self.topic, partition, Offset::Beginning)
                .map_err(|error| failed("has no partition", error))?;
        }
        consumer
            .assign(&partitions)
            .map_err(|error| failed("can't be read", error))?;
        let mut lines = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        while (lines.len() as i64) < wanted {
            match consumer.poll(PATIENCE) {
                Some(Ok(message)) => lines.push(message.payload().unwrap_or_default().to_vec()),
                Some(Err(error)) => return Err(failed("can't be read", error)),
                None => return Err(failed("can't be read", "it fell silent")),
            }
        }
        Ok(lines)
    }
}
