//! What `-v` tells of a run over Kafka: what is to be read, what was read, and how long it took.

use std::sync::Arc;
use std::time::Duration;

use crate::console::Console;
use crate::report::{bytes, counted, grouped};
use crate::source::TopicIdentity;
use crate::source::kafka::{KafkaSource, PartitionRange};

/// The brokers answered: which partitions there is something to read of.
pub fn assigned(console: Console, source: &KafkaSource, brokers: &str, took: Duration) {
    let seconds = took.as_secs_f64();
    console.detail_of(
        format_args!("connected to {brokers} in {seconds:.2} s"),
        [("brokers", brokers.into()), ("seconds", seconds.into())],
    );
    for (topic, partitions) in source.left_out() {
        let topic = topic.topic.as_str();
        console.detail_of(
            format_args!("left out {partitions} of {topic}: --partitions names others"),
            [("topic", topic.into()), ("left_out", partitions.as_str().into())],
        );
    }
    for (topic, partition, range) in source.ahead() {
        let topic = &source.topics()[topic].topic;
        console.detail_of(
            format_args!(
                "assigned {topic}[{partition}]: offsets {} to {}",
                range.start, range.end
            ),
            [
                ("topic", topic.as_str().into()),
                ("partition", partition.into()),
                ("offset", range.start.into()),
                ("end", range.end.into()),
            ],
        );
    }
}

/// Where each partition is after a round.
pub fn read(
    console: Console,
    topics: &[Arc<TopicIdentity>],
    ranges: &[PartitionRange],
    messages: impl Fn(&PartitionRange) -> u64,
) {
    for range in ranges.iter().filter(|range| range.next > range.first) {
        let (topic, partition, next) = (&topics[range.topic].topic, range.partition, range.next);
        let messages = messages(range);
        console.detail_of(
            format_args!(
                "read {topic}[{partition}] from offset {} to {next}: {}, {} gaps, {} lost",
                range.first,
                counted(messages, "message"),
                grouped(range.gaps),
                grouped(range.lost)
            ),
            [
                ("topic", topic.as_str().into()),
                ("partition", partition.into()),
                ("first", range.first.into()),
                ("offset", next.into()),
                ("messages", messages.into()),
                ("gaps", range.gaps.into()),
                ("lost", range.lost.into()),
            ],
        );
    }
}

/// A round is over.
pub fn round(console: Console, messages: u64, size: u64, took: Duration) {
    let seconds = took.as_secs_f64();
    console.detail_of(
        format_args!(
            "read {} with {} in {seconds:.2} s",
            counted(messages, "message"),
            bytes(size)
        ),
        [
            ("messages", messages.into()),
            ("bytes", size.into()),
            ("seconds", seconds.into()),
        ],
    );
}

/// The group was told how far the archive is.
pub fn told_group(console: Console, group: &str, partitions: usize) {
    console.detail_of(
        format_args!(
            "told group {group} the offsets of {}",
            counted(partitions as u64, "partition")
        ),
        [("group", group.into()), ("partitions", partitions.into())],
    );
}
