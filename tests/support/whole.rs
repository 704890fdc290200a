//! Lost and doubled, counted: what an archive holds against one import of the lines that it has to hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::digest::{all_files, day_files_and_schemas};
use super::folder::Folder;
use super::ledger::ledger;
use super::produce::Record;
use super::run::diurnal;

/// Fails unless the archive in `folder` holds these lines, each once, in the very bytes that one import of them makes; counts
/// what is lost and doubled from the rows, the ledger's counts included, and prints it.
#[track_caller]
pub fn expect_nothing_lost_or_doubled(folder: &Folder, what: &str, lines: &[u8]) {
    expect_all_read_some_again(folder, what, lines, 0);
}

/// The same where so many of the lines were read once more: they joined their points.
#[track_caller]
pub fn expect_all_read_some_again(folder: &Folder, what: &str, lines: &[u8], again: u64) {
    let imported = Folder::new();
    imported.write("lines.txt", lines);
    diurnal(&imported, "import").arg("lines.txt").run().expect_code(0);

    let (wanted, found) = (rows(&imported.archive()), rows(&folder.archive()));
    let times = |rows: &BTreeMap<String, u64>, row: &str| rows.get(row).copied().unwrap_or(0);
    let more = |rows: &BTreeMap<String, u64>, than: &BTreeMap<String, u64>| -> u64 {
        let surplus = rows.iter().map(|(row, count)| count.saturating_sub(times(than, row)));
        surplus.sum()
    };
    // A line that was archived twice makes no second row: it joins the first, and the ledger counts it.
    let (mut wanted_counts, found_counts) = (counts(&imported), counts(folder));
    wanted_counts[0] += again;
    wanted_counts[1] += again;
    let twice = found_counts[1].saturating_sub(wanted_counts[1]);
    let (lost, doubled) = (more(&wanted, &found), more(&found, &wanted) + twice);
    let all: u64 = wanted.values().sum();
    println!(
        "{what}: {} lines, {all} rows: lost {lost}, doubled {doubled}",
        found_counts[0]
    );
    assert!(all > 0, "{what}: no rows to compare");
    assert_eq!((lost, doubled), (0, 0), "{what}: rows lost and doubled");
    assert_eq!(found_counts, wanted_counts, "{what}: lines, folded and rejected");
    assert_eq!(
        day_files_and_schemas(&folder.archive()),
        day_files_and_schemas(&imported.archive()),
        "{what}: the bytes"
    );
    diurnal(folder, "verify").run().expect_code(0);
}

/// How often each row is there, named by its file and its CSV line.
pub fn rows(archive: &Path) -> BTreeMap<String, u64> {
    let mut rows = BTreeMap::new();
    for path in all_files(archive).into_keys().filter(|path| path.ends_with(".csv")) {
        let text = fs::read_to_string(archive.join(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        for line in text.lines().skip(1) {
            *rows.entry(format!("{path}: {line}")).or_default() += 1;
        }
    }
    rows
}

/// Lines, folded lines and rejects of all commits.
fn counts(folder: &Folder) -> [u64; 3] {
    let mut sums = [0; 3];
    for commit in commits(folder) {
        for (sum, name) in sums.iter_mut().zip(["lines", "folded", "rejected"]) {
            *sum += commit["counts"][name]
                .as_u64()
                .unwrap_or_else(|| panic!("no {name} in {commit}"));
        }
    }
    sums
}

/// How far the ledger says that each partition of the topic was read.
pub fn read_so_far(folder: &Folder, topic: &str) -> BTreeMap<i64, i64> {
    let mut read = BTreeMap::new();
    for commit in commits(folder) {
        for source in commit["sources"].as_array().expect("a list") {
            let number = |name: &str| source[name].as_i64().expect("a number");
            if source["topic"] == topic {
                read.insert(number("partition"), number("next"));
            }
        }
    }
    read
}

/// The lines of those of the records, in the order in which they were sent, that the ledger says were read. No offset but theirs may
/// be in the topic.
pub fn lines_read(folder: &Folder, topic: &str, sent: &[Record]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (partition, next) in read_so_far(folder, topic) {
        let of_partition = sent.iter().filter(|record| i64::from(record.partition) == partition);
        let read = usize::try_from(next).expect("no offset is negative");
        lines.extend(lines_of(of_partition.take(read)));
    }
    lines
}

/// The lines of these records.
pub fn lines_of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<u8> {
    records
        .into_iter()
        .filter_map(|record| record.payload.as_deref())
        .flatten()
        .copied()
        .collect()
}

fn commits(folder: &Folder) -> Vec<Value> {
    let commit = |line: &String| serde_json::from_str::<Value>(line).expect("JSON")["commit"].clone();
    ledger(folder).1.iter().map(commit).collect()
}
