//! Where messages come from: Kafka topics and line-protocol files.

pub mod files;
pub mod kafka;
mod pipe;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A Kafka topic as the ledger knows it: the name alone is not an identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TopicIdentity {
    /// The cluster's own id; empty where the broker gives none.
    pub cluster_id: String,
    /// The topic's own id, new each time a topic of that name is created; `None` on old brokers and the embedded one.
    pub topic_id: Option<String>,
    /// The topic's name.
    pub topic: String,
}

/// Asks everything that reads to end soon. Clones share one flag; a signal handler sets it.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that isn't set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the end. Safe to call in a signal handler.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The flag itself, for signal handlers.
    pub fn as_atomic(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether the end was asked for.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where a line was found, kept with every reject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A Kafka message.
    Kafka {
        /// The topic it was read from.
        topic: Arc<TopicIdentity>,
        /// Partition number.
        partition: i32,
        /// Offset of the message.
        offset: i64,
        /// The record's timestamp in milliseconds, where it has one.
        timestamp_ms: Option<i64>,
    },
    /// A file or standard input.
    File {
        /// The path as the user gave it, `-` for standard input.
        path: Arc<str>,
        /// Byte offset of the line's first byte in the uncompressed stream.
        offset: u64,
    },
}
