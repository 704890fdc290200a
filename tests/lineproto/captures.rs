//! What three real Telegraf agents sent is read without a reject.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use diurnal::lineproto::{FieldValue, Limits, Parser, Precision};
use serde_json::Value as Json;

use super::reference;

/// The Kafka messages of a capture: their timestamps in milliseconds and their values.
fn messages(name: &str) -> Vec<(i64, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/telegraf")
        .join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .map(|line| {
            let message: Json = serde_json::from_str(line).unwrap();
            let value = message["payload"].as_str().unwrap().to_owned();
            (message["ts"].as_i64().unwrap(), value)
        })
        .collect()
}

/// Lines of each measurement in a capture, all of them checked.
fn lines_by_measurement(name: &str) -> BTreeMap<String, usize> {
    let mut parser = Parser::new(Precision::Ns, Limits::default());
    let mut counts = BTreeMap::new();
    for (timestamp_ms, value) in messages(name) {
        let mut lines = parser.lines(value.as_bytes());
        while let Some(line) = lines.next() {
            let line = line.unwrap_or_else(|reject| panic!("{value}: {reject:?}"));
            assert_eq!(line.time(), Some(timestamp_ms * 1_000_000), "{value}");
            *counts
                .entry(line.head().measurement.unescape().into_owned())
                .or_insert(0) += 1;
        }
        let expected = reference::parse(value.as_bytes(), 1, Limits::default());
        assert_eq!(
            super::outcomes(value.as_bytes(), Precision::Ns, Limits::default()),
            expected
        );
    }
    counts
}

#[test]
fn the_capture_of_cpu_and_mem_is_all_good_lines() {
    let expected = [("cpu", 897), ("mem", 303)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(
        lines_by_measurement("my-computer-metric.kcat.jsonl"),
        BTreeMap::from(expected)
    );
}

#[test]
fn the_capture_of_many_inputs_is_all_good_lines() {
    let expected = [
        ("cpu", 1192),
        ("disk", 401),
        ("diskio", 401),
        ("kernel", 399),
        ("mem", 399),
        ("net", 802),
        ("processes", 400),
        ("swap", 803),
        ("system", 1203),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(lines_by_measurement("wide.kcat.jsonl"), BTreeMap::from(expected));
}

#[test]
fn fields_have_the_types_that_telegraf_gives_them() {
    let (_, value) = messages("my-computer-metric.kcat.jsonl").swap_remove(0);
    let mut parser = Parser::new(Precision::Ns, Limits::default());
    let mut lines = parser.lines(value.as_bytes());
    let line = lines.next().unwrap().unwrap();
    assert_eq!(line.head_bytes(), b"mem,host=web-02");
    assert_eq!(line.fields().len(), 34);
    let value = |key: &str| line.fields().find(|field| field.key.unescape() == key).unwrap().value;
    assert_eq!(value("vmalloc_total"), FieldValue::Int(35_184_372_087_808));
    assert_eq!(value("used_percent"), FieldValue::Float(3.2071829905673663));
}
