//! Group offsets: what Kafka's own tools show as lag. The ledger is the truth, these are advisory.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client::Client;
use super::raw::admin;
use super::{Notice, PartitionRange};
use crate::error::Error;
use crate::source::TopicIdentity;

/// How long the run waits for the answer. A synchronous commit has no limit and would hold the archive's lock.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// Commits `next` of every range, idle ones too: a group's offsets expire 7 days after their last commit.
pub fn commit(
    client: &Client,
    group: &str,
    topics: &[Arc<TopicIdentity>],
    ranges: &[PartitionRange],
) -> Option<Notice> {
    if ranges.is_empty() {
        return None;
    }
    let failed = |cause: String| {
        Some(Notice::warning(Error::new(format_args!("group {group}"), cause).hint(
            "the archive and its ledger are complete; only the lag that Kafka's tools show is out of date. \
                 A live consumer in this group? --group names another one",
        )))
    };
    let mut list = TopicPartitionList::with_capacity(ranges.len());
    for range in ranges {
        let topic = &topics[range.topic].topic;
        if let Err(error) = list.add_partition_offset(topic, range.partition, Offset::Offset(range.next)) {
            return failed(format!("offset {} is none: {error}", range.next));
        }
    }
    match admin::commit_group_offsets(client.consumer(), group, &list, COMMIT_PATIENCE) {
        Ok(()) => None,
        Err(text) => failed(format!("offsets are not committed: {text}")),
    }
}
