//! librdkafka's embedded broker: a broker for tests that runs everywhere, without transactions, record times and topic ids.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::produce::{self, Record};

/// A broker inside this test process.
pub struct Embedded {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Embedded {
    pub fn start() -> Self {
        Self {
            cluster: MockCluster::new(1).expect("an embedded broker can be started"),
        }
    }

    pub fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    pub fn create_topic(&self, topic: &str, partitions: i32) {
        self.cluster
            .create_topic(topic, partitions, 1)
            .expect("a topic can be created");
    }

    pub fn send(&self, topic: &str, records: &[Record]) {
        produce::send(&produce::producer(&self.brokers(), &[]), topic, records);
    }
}
