//! What `diurnal status --json` prints; the page for people is made of the same. `docs/reference/json.md` documents every key.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::partitions::{CUT, PartitionStatus, partitions};
use crate::commands::small_files::load_schemas;
use crate::error::Error;
use crate::source::kafka::{Look, SourceFilter};
use crate::store::record::{Counts, DayEntry, SourceRange};
use crate::store::{Archive, LastRun};

#[derive(Serialize)]
pub struct StatusReport<'a> {
    pub command: &'static str,
    pub exit_code: u8,
    pub archive: String,
    pub timezone: &'a str,
    pub commits: u64,
    /// When the last of them was made.
    pub last_commit: Option<&'a str>,
    pub totals: Counts,
    pub measurements: Vec<MeasurementStatus<'a>>,
    pub days: Vec<DayStatus<'a>>,
    pub partitions: Vec<PartitionStatus>,
    pub last_run: Option<LastRun>,
    /// For each command, its last run that archived all that there was.
    pub last_success: BTreeMap<String, Time>,
    /// The cluster that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    /// Whether a killed run left work that the next one will finish or discard.
    pub recovery_pending: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// A time and how long ago it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Time {
    pub at: String,
    pub age_s: u64,
}

#[derive(Serialize)]
pub struct MeasurementStatus<'a> {
    pub measurement: &'a str,
    /// Days that have a file, and those that were pruned.
    pub days: u64,
    pub pruned_days: u64,
    pub rows: u64,
    pub parquet_bytes: u64,
    pub csv_bytes: u64,
    /// Of both formats; none where there is no row.
    pub bytes_per_row: Option<f64>,
    /// Tags and fields; none where the schema can't be read.
    pub columns: Option<u64>,
    pub first: Option<String>,
    pub last: Option<String>,
}

#[derive(Serialize)]
pub struct DayStatus<'a> {
    pub measurement: &'a str,
    pub day: &'a str,
    pub rows: u64,
    pub row_groups: usize,
    pub parquet_bytes: Option<u64>,
    pub csv_bytes: Option<u64>,
    pub first: String,
    pub last: String,
}

impl<'a> StatusReport<'a> {
    pub fn new(archive: &'a Archive, filter: &SourceFilter, seen: Option<&Look>, now: i64) -> Self {
        let state = archive.state();
        let times = archive.run_times();
        let known = state.sources.values();
        let known: Vec<&SourceRange> = known
            .filter(|range| filter.takes(&range.topic, range.partition))
            .collect();
        Self {
            command: "status",
            exit_code: 0,
            archive: archive.dir().display().to_string(),
            timezone: &archive.settings().timezone,
            commits: state.commits,
            last_commit: state.at.as_deref(),
            totals: state.totals,
            measurements: measurements(archive),
            days: state.days.values().map(day_status).collect(),
            partitions: partitions(&known, seen, &times, now),
            last_run: times.last,
            last_success: times
                .well
                .into_iter()
                .filter_map(|(command, at)| Some((command, time(at, now)?)))
                .collect(),
            cluster_id: seen.map(|look| look.cluster_id.clone()),
            recovery_pending: archive.pending().is_some(),
            errors: Vec::new(),
        }
    }

    /// The errors that the exit code is for.
    pub fn set_errors<'e>(&mut self, errors: impl Iterator<Item = &'e Error>) {
        self.errors = errors.map(Error::to_string).collect();
        self.exit_code = u8::from(!self.errors.is_empty());
    }

    /// What does not fit between Kafka and the archive.
    pub fn problems(&self) -> Vec<Error> {
        let cut = self.partitions.iter().filter_map(|partition| {
            let (next, end) = (partition.next?, partition.kafka?.end?);
            let is_cut = partition.kafka?.standing == CUT;
            is_cut.then(|| {
                let cause = format_args!("ends at offset {end} in Kafka, but the archive has read to {next}");
                Error::new(partition.name(), cause).hint(
                    "a new leader can be behind for a moment; if it stays, the log was cut, and a run will say so",
                )
            })
        });
        cut.collect()
    }

    /// What is worth knowing, and no reason for another exit code.
    pub fn warnings(&self) -> Vec<Error> {
        let lost = self.partitions.iter().filter_map(|partition| {
            let lost = partition.kafka?.lost.filter(|lost| *lost > 0)?;
            let (next, start) = (partition.next?, partition.kafka?.start?);
            let cause = format_args!("Kafka no longer has offsets [{next}, {start}): {lost} are lost to this archive");
            Some(
                Error::new(partition.name(), cause)
                    .hint("the next run records that; archive more often than the topic's retention"),
            )
        });
        lost.collect()
    }
}

fn measurements(archive: &Archive) -> Vec<MeasurementStatus<'_>> {
    let state = archive.state();
    // A schema that can't be read is for `verify` to tell.
    let schemas = load_schemas(state, &|target| archive.locate(target)).unwrap_or_default();
    let mut by_name: BTreeMap<&str, Vec<&DayEntry>> = BTreeMap::new();
    for day in state.days.values() {
        by_name.entry(&day.measurement).or_default().push(day);
    }
    by_name
        .into_iter()
        .map(|(name, days)| {
            let columns = schemas.get(name).map(|schema| schema.columns.len() as u64);
            measurement_status(name, days, columns)
        })
        .collect()
}

fn measurement_status<'a>(measurement: &'a str, days: Vec<&DayEntry>, columns: Option<u64>) -> MeasurementStatus<'a> {
    let (left, pruned): (Vec<&DayEntry>, Vec<&DayEntry>) = days.into_iter().partition(|day| day.has_file());
    let sum = |of: fn(&DayEntry) -> u64| left.iter().map(|day| of(day)).sum::<u64>();
    let rows = sum(|day| day.rows);
    let parquet_bytes = sum(|day| day.parquet.as_ref().map_or(0, |file| file.bytes));
    let csv_bytes = sum(|day| day.csv.as_ref().map_or(0, |file| file.bytes));
    let per_row = |rows: u64| (parquet_bytes + csv_bytes) as f64 / rows as f64;
    MeasurementStatus {
        measurement,
        days: left.len() as u64,
        pruned_days: pruned.len() as u64,
        rows,
        parquet_bytes,
        csv_bytes,
        bytes_per_row: (rows > 0).then(|| (per_row(rows) * 10.0).round() / 10.0),
        columns,
        first: left.iter().map(|day| day.first).min().map(rfc3339),
        last: left.iter().map(|day| day.last).max().map(rfc3339),
    }
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

/// A time of a day file as the CSV files write it.
fn rfc3339(time: i64) -> String {
    DateTime::from_timestamp_nanos(time).to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// A time that stands in a file, if it is one. One that is ahead, by a clock that was set back, is no time ago.
pub fn time(at: String, now: i64) -> Option<Time> {
    let then = DateTime::parse_from_rfc3339(&at).ok()?;
    let age = DateTime::<Utc>::from_timestamp_nanos(now) - then.to_utc();
    Some(Time {
        at,
        age_s: u64::try_from(age.num_seconds()).unwrap_or(0),
    })
}
