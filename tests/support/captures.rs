//! Real Telegraf captures, as `kcat -J` printed them: one JSON object a message.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::produce::Record;
use super::root;

/// Captures of `outputs.kafka` on 5 partitions; see the README beside them.
pub const NAMES: [&str; 2] = ["my-computer-metric", "wide"];

/// Number of partitions of the captured topics.
pub const PARTITIONS: i32 = 5;

/// The capture's file.
pub fn path(name: &str) -> PathBuf {
    root().join(format!("tests/data/telegraf/{name}.kcat.jsonl"))
}

/// The captured messages with their partitions and times, in the order of the file.
pub fn records(name: &str) -> Vec<Record> {
    let path = path(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let record = |line: &str| {
        let message: Value = serde_json::from_str(line).expect("each line is a JSON object");
        let partition = message["partition"].as_i64().expect("it has a partition");
        let payload = message["payload"].as_str().expect("it has a payload");
        Record::new(partition as i32, payload).at(message["ts"].as_i64().expect("it has a time"))
    };
    text.lines().map(record).collect()
}

/// The captured lines as a line-protocol file.
pub fn lines(name: &str) -> Vec<u8> {
    records(name)
        .into_iter()
        .flat_map(|record| record.payload.unwrap_or_default())
        .collect()
}
