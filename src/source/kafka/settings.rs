//! What the user says about Kafka: brokers, topics, where to start and to stop, and librdkafka's own properties.

use std::fmt;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

use super::properties::{is_secret, property_error, refuse_fixed};
use super::select::parse_patterns;
use super::{PartitionSet, Replay};
use crate::error::{Error, Result};

/// The consumer group that offsets are reported to unless the user names one.
pub const DEFAULT_GROUP: &str = "diurnal";
/// How long nothing may come while work is left, unless the user says so.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The same for `diurnal status`: somebody waits for the answer, and what the archive itself knows is shown after it.
pub const DEFAULT_LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of messages that librdkafka may hold for all threads together. Its memory is up to five times that.
pub const DEFAULT_QUEUE_BYTES: usize = 16 << 20;
/// What each thread's queue holds at least: less than one fetch would stop the flow.
const LEAST_QUEUE_BYTES: usize = 1 << 20;
/// How long a broker waits for data before it says that there is none; also the price of an end of log behind a marker.
const FETCH_WAIT_MS: &str = "100";
/// How long librdkafka looks away after its queue was full. Its default of a second throttles a slow consumer.
const FETCH_QUEUE_BACKOFF_MS: &str = "2";

/// Where a topic that the ledger doesn't know yet is read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// The first offset that Kafka still has.
    #[default]
    Earliest,
    /// The end at the moment the run starts: nothing of what is there.
    Latest,
    /// The first record stamped at or after this many milliseconds since 1970-01-01 UTC.
    Timestamp(i64),
}

/// Everything that a [`KafkaSource`](super::KafkaSource) needs to know.
#[derive(Clone)]
pub struct KafkaSettings {
    /// Addresses to start from: `host:port,host:port`.
    pub brokers: String,
    /// Topic names; a regular expression when it starts with `^`.
    pub topics: Vec<String>,
    /// The partitions of each topic that are read; without it, all.
    pub partitions: Option<PartitionSet>,
    /// librdkafka properties; a later one wins over an earlier one of the same name.
    pub properties: Vec<(String, String)>,
    /// The group that gets the offsets, for Kafka's own tools to see.
    pub group: String,
    /// Consumer threads, at least one.
    pub threads: usize,
    /// How long nothing may come while work is left.
    pub timeout: Duration,
    /// Where topics new to the ledger start.
    pub from: StartAt,
    /// Each partition stops before its first record stamped at or after this, in milliseconds since 1970-01-01 UTC.
    pub until: Option<i64>,
    /// Reads once more what the ledger says was read, instead of going on; `from` and `until` above have no say then.
    pub replay: Option<Replay>,
    /// Whether librdkafka's log lines are handed to the `log` crate, as target `librdkafka`. The property `debug` asks
    /// for it too.
    pub log: bool,
    /// Topics that may be read although they were deleted and made again since the last run.
    pub accept_recreated: Vec<String>,
    /// Bytes of messages that librdkafka may hold for all threads together.
    pub queue_bytes: usize,
}

impl KafkaSettings {
    /// Settings with the defaults for everything but brokers and topics.
    pub fn new(brokers: impl Into<String>, topics: Vec<String>) -> Self {
        Self {
            brokers: brokers.into(),
            topics,
            partitions: None,
            properties: Vec::new(),
            group: DEFAULT_GROUP.to_owned(),
            threads: 1,
            timeout: DEFAULT_TIMEOUT,
            from: StartAt::default(),
            until: None,
            replay: None,
            log: false,
            accept_recreated: Vec::new(),
            queue_bytes: DEFAULT_QUEUE_BYTES,
        }
    }

    /// Checks every property without connecting.
    ///
    /// # Errors
    /// A usage error that names the property, never its value when that is a secret.
    pub fn check(&self) -> Result<()> {
        if self.brokers.trim().is_empty() {
            return Err(Error::usage("--brokers", "is empty").hint("give host:port of a broker"));
        }
        if self.topics.is_empty() {
            return Err(Error::usage("--topic", "is missing").hint("name a topic, or an expression that starts with ^"));
        }
        parse_patterns(&self.topics)?;
        if self.group.is_empty() {
            return Err(Error::usage("--group", "is empty").hint("leave it out for group diurnal"));
        }
        // Set one by one, so that an error is about the property that the user gave.
        for (name, value) in &self.properties {
            refuse_fixed(name)?;
            let mut one = ClientConfig::new();
            one.set(name, value);
            one.create_native_config()
                .map_err(|error| property_error(name, &error))?;
        }
        Ok(())
    }

    /// The configuration of the consumer: defaults, what the user set, what is fixed.
    ///
    /// # Errors
    /// As [`KafkaSettings::check`].
    pub(super) fn client_config(&self) -> Result<ClientConfig> {
        self.check()?;
        let threads = self.threads.max(1);
        let queue = (self.queue_bytes / threads).max(LEAST_QUEUE_BYTES);
        let mut config = ClientConfig::new();
        config
            .set("client.id", "diurnal")
            .set("check.crcs", "true")
            .set("fetch.wait.max.ms", FETCH_WAIT_MS)
            .set("fetch.queue.backoff.ms", FETCH_QUEUE_BACKOFF_MS)
            .set("queued.max.messages.kbytes", (queue >> 10).to_string())
            .set("statistics.interval.ms", "0");
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", self.brokers.trim())
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .set("allow.auto.create.topics", "false");
        config.set_log_level(if self.debugs() {
            RDKafkaLogLevel::Debug
        } else {
            // Why a connection was closed comes as such a line only, never as an error.
            RDKafkaLogLevel::Info
        });
        Ok(config)
    }

    /// Whether a partition is one that is read.
    pub(super) fn takes(&self, partition: i32) -> bool {
        self.partitions
            .as_ref()
            .is_none_or(|partitions| partitions.holds(partition))
    }

    /// Whether log lines are wanted: who sets `debug` wants to see what it says.
    pub(super) fn logs(&self) -> bool {
        self.log || self.debugs()
    }

    fn debugs(&self) -> bool {
        self.properties.iter().any(|(name, _)| name == "debug")
    }
}

/// Without the values of secret properties.
impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties: Vec<(&str, &str)> = self
            .properties
            .iter()
            .map(|(name, value)| {
                let value = if is_secret(name) { "(secret)" } else { value };
                (name.as_str(), value)
            })
            .collect();
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("topics", &self.topics)
            .field("partitions", &self.partitions)
            .field("properties", &properties)
            .field("group", &self.group)
            .field("threads", &self.threads)
            .field("timeout", &self.timeout)
            .field("from", &self.from)
            .field("until", &self.until)
            .field("replay", &self.replay)
            .field("log", &self.log)
            .field("accept_recreated", &self.accept_recreated)
            .field("queue_bytes", &self.queue_bytes)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(properties: &[(&str, &str)]) -> KafkaSettings {
        KafkaSettings {
            properties: properties
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ..KafkaSettings::new(" localhost:9092 ", vec!["t".to_owned()])
        }
    }

    #[test]
    fn a_later_property_wins_and_fixed_ones_stand() {
        let config = with(&[
            ("check.crcs", "true"),
            ("fetch.wait.max.ms", "7"),
            ("check.crcs", "false"),
        ])
        .client_config()
        .unwrap();
        assert_eq!(config.get("check.crcs"), Some("false"));
        assert_eq!(config.get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(config.get("auto.offset.reset"), Some("error"));
        assert_eq!(config.get("group.id"), Some(DEFAULT_GROUP));
    }

    #[test]
    fn the_threads_share_what_librdkafka_may_hold() {
        let kbytes = |threads| {
            let settings = KafkaSettings { threads, ..with(&[]) };
            let config = settings.client_config().unwrap();
            config.get("queued.max.messages.kbytes").map(str::to_owned)
        };
        assert_eq!(kbytes(1).as_deref(), Some("16384"));
        assert_eq!(kbytes(4).as_deref(), Some("4096"));
        assert_eq!(kbytes(1000).as_deref(), Some("1024"));
    }

    #[test]
    fn what_is_missing_is_wrong_usage() {
        for settings in [
            KafkaSettings::new(" ", vec!["t".to_owned()]),
            KafkaSettings::new("b", Vec::new()),
            KafkaSettings {
                group: String::new(),
                ..with(&[])
            },
        ] {
            let error = settings.check().unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Usage, "{error}");
        }
    }
}
