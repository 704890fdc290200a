//! `diurnal archive` against brokers: what the batch contract promises, on a real Kafka and on the embedded one.

mod broker;
mod captures;
mod changes;
mod cluster;
mod codecs;
mod codes;
mod embedded;
mod ends;
mod faults;
mod follow;
mod group;
mod identity;
mod lag;
mod midway;
mod partitions;
mod replay;
mod retention;
mod security;
mod truncation;

use serde_json::Value;

use crate::support::topic::archive;

/// The step at which a run knows its ends and has fetched nothing yet.
const ASSIGNED: &str = "kafka-assigned";

/// The step before a run asks for the topic ids once more and commits.
const BEFORE_COMMIT: &str = "before-commit";

/// The step after each batch of messages that a thread took.
const BATCH: &str = "kafka-batch";

/// A line of measurement `m` that is point `n` of its series.
fn point(n: i64) -> String {
    format!("m,host=a v={n}i {}\n", n * 1_000_000_000 + 1_600_000_000_000_000_000)
}

/// What a report says of one partition: (first, next, messages, gaps, lost).
fn partition(report: &Value, topic: &str, partition: i64) -> [i64; 5] {
    let rows = report["partitions"].as_array().expect("a report lists partitions");
    let mut found = rows
        .iter()
        .filter(|row| row["topic"] == topic && row["partition"] == partition);
    let row = found
        .next()
        .unwrap_or_else(|| panic!("{topic}/{partition} is not in {report:#}"));
    assert!(found.next().is_none(), "{topic}/{partition} is listed twice");
    ["first", "next", "messages", "gaps", "lost"]
        .map(|name| row[name].as_i64().unwrap_or_else(|| panic!("no {name} in {row}")))
}
