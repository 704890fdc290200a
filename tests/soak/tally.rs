//! What is missing in an archive, and what is there too often.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::digest::day_files;

/// Figures of a comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub lost: u64,
    pub doubled: u64,
}

/// The rows of the CSV files of an archive against those that there should be.
pub fn rows(archive: &Path, wanted: &Path) -> Tally {
    // Their hashes: there may be millions.
    let mut seen: HashMap<blake3::Hash, i64> = HashMap::new();
    for (root, step) in [(archive, 1), (wanted, -1)] {
        for path in day_files(root).into_keys().filter(|path| path.ends_with(".csv")) {
            let text = fs::read_to_string(root.join(&path)).expect("a CSV file is text");
            for row in text.lines() {
                let row = blake3::hash(format!("{path} {row}").as_bytes());
                *seen.entry(row).or_default() += step;
            }
        }
    }
    let mut tally = Tally::default();
    for count in seen.into_values() {
        match count < 0 {
            true => tally.lost += count.unsigned_abs(),
            false => tally.doubled += count.unsigned_abs(),
        }
    }
    tally
}

/// The rejects that an archive lists against the lines that are broken. A message that Kafka has twice is two of them, one of an offset.
pub fn rejects(listed: &Value, broken: &[String]) -> Tally {
    let lines = listed["lines"].as_array().expect("rejects are listed");
    let mut origins: BTreeMap<(String, u64, String), u64> = BTreeMap::new();
    for line in lines {
        let text = line["line"].as_str().expect("it is UTF-8").to_owned();
        let source = line["source"].as_str().expect("it came from somewhere").to_owned();
        let offset = line["offset"].as_u64().expect("it has an offset");
        *origins.entry((source, offset, text)).or_default() += 1;
    }
    let found: BTreeSet<&String> = origins.keys().map(|(_, _, text)| text).collect();
    Tally {
        lost: broken.iter().filter(|line| !found.contains(line)).count() as u64,
        doubled: origins.values().map(|times| times - 1).sum(),
    }
}
