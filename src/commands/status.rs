//! `diurnal status`: the days of the archive, and how far each partition was read.

use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

use crate::console::Console;
use crate::error::Result;
use crate::report::{bytes, counted, escaped, grouped, table};
use crate::store::Archive;
use crate::store::record::{Counts, DayEntry};

/// What `diurnal status --json` prints.
#[derive(Serialize)]
struct StatusReport<'a> {
    command: &'static str,
    archive: String,
    timezone: &'a str,
    commits: u64,
    totals: Counts,
    days: Vec<DayStatus<'a>>,
    partitions: Vec<PartitionStatus<'a>>,
    /// Whether a killed run left work that the next one will finish or discard.
    recovery_pending: bool,
}

#[derive(Serialize)]
struct DayStatus<'a> {
    measurement: &'a str,
    day: &'a str,
    rows: u64,
    row_groups: usize,
    parquet_bytes: Option<u64>,
    csv_bytes: Option<u64>,
    first: String,
    last: String,
}

#[derive(Serialize)]
struct PartitionStatus<'a> {
    cluster_id: &'a str,
    topic_id: Option<&'a str>,
    topic: &'a str,
    partition: i32,
    next: i64,
}

pub(super) fn run(console: Console, folder: &Path) -> Result<u8> {
    let archive = Archive::read(folder)?;
    let state = archive.state();
    let report = StatusReport {
        command: "status",
        archive: folder.display().to_string(),
        timezone: &archive.settings().timezone,
        commits: state.commits,
        totals: state.totals,
        days: state.days.values().map(day_status).collect(),
        partitions: state
            .sources
            .values()
            .map(|source| PartitionStatus {
                cluster_id: &source.cluster_id,
                topic_id: source.topic_id.as_deref(),
                topic: &source.topic,
                partition: source.partition,
                next: source.next,
            })
            .collect(),
        recovery_pending: archive.pending().is_some(),
    };
    if console.json {
        console.print_json(&report);
    } else {
        console.print(text(&report));
    }
    Ok(0)
}

fn day_status(entry: &DayEntry) -> DayStatus<'_> {
    DayStatus {
        measurement: &entry.measurement,
        day: &entry.day,
        rows: entry.rows,
        row_groups: entry.leaves.len(),
        parquet_bytes: entry.parquet.as_ref().map(|file| file.bytes),
        csv_bytes: entry.csv.as_ref().map(|file| file.bytes),
        first: rfc3339(entry.first),
        last: rfc3339(entry.last),
    }
}

/// A time as the CSV files write it.
fn rfc3339(time: i64) -> String {
    DateTime::from_timestamp_nanos(time).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

fn text(report: &StatusReport<'_>) -> String {
    let has_file = |day: &&DayStatus<'_>| day.parquet_bytes.or(day.csv_bytes).is_some();
    let left = report.days.iter().filter(has_file);
    let pruned = match report.days.len() - left.clone().count() {
        0 => String::new(),
        days => format!(", {} pruned", counted(days as u64, "day")),
    };
    let mut text = format!(
        "{}: {}, {}, {}{pruned}, time zone {}\n",
        report.archive,
        counted(left.clone().count() as u64, "day file"),
        counted(left.map(|day| day.rows).sum(), "row"),
        counted(report.commits, "commit"),
        report.timezone
    );
    if report.recovery_pending {
        text += "A run was cut short; the next one finishes or discards what it left.\n";
    }
    if !report.days.is_empty() {
        let size = |size: Option<u64>| size.map_or_else(|| "-".to_owned(), bytes);
        // The table shows whole seconds; --json has the nanoseconds.
        let second = |time: &str| time.get(..19).unwrap_or(time).replace('T', " ");
        let rows: Vec<Vec<String>> = report
            .days
            .iter()
            .map(|day| {
                vec![
                    escaped(day.measurement),
                    day.day.to_owned(),
                    grouped(day.rows),
                    size(day.parquet_bytes),
                    size(day.csv_bytes),
                    second(&day.first),
                    second(&day.last),
                ]
            })
            .collect();
        let header = [
            "measurement",
            "day",
            "rows",
            ".parquet",
            ".csv",
            "first (UTC)",
            "last (UTC)",
        ];
        text += &table(&header, &[false, false, true, true, true, false, false], &rows);
    }
    if !report.partitions.is_empty() {
        let rows: Vec<Vec<String>> = report
            .partitions
            .iter()
            .map(|source| {
                vec![
                    format!("{}[{}]", source.topic, source.partition),
                    source.next.to_string(),
                    source.topic_id.unwrap_or("-").to_owned(),
                    source.cluster_id.to_owned(),
                ]
            })
            .collect();
        let header = ["partition", "archived to", "topic id", "cluster"];
        text += &table(&header, &[false, true, false, false], &rows);
    }
    text
}
