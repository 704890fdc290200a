//! The page of `diurnal status` for people.

use std::collections::BTreeSet;

use super::partitions::PartitionStatus;
use super::report::{DayStatus, MeasurementStatus, StatusReport, Time};
use crate::report::{age, bytes, counted, escaped, grouped, table_within};
use std::time::Duration;

/// Tables for a terminal of so many columns; `None` where it is none.
pub fn text(report: &StatusReport<'_>, by_day: bool, columns: Option<usize>) -> String {
    let mut text = head(report);
    if by_day && !report.days.is_empty() {
        text += &days(&report.days, columns);
    } else if !report.measurements.is_empty() {
        text += &measurements(&report.measurements, columns);
    }
    if !report.partitions.is_empty() {
        text += &partitions(&report.partitions, report.cluster_id.is_some(), columns);
    }
    text
}

fn head(report: &StatusReport<'_>) -> String {
    let sum = |of: fn(&MeasurementStatus<'_>) -> u64| report.measurements.iter().map(of).sum::<u64>();
    let pruned = match sum(|measurement| measurement.pruned_days) {
        0 => String::new(),
        days => format!(", {} pruned", counted(days, "day")),
    };
    let mut text = format!(
        "{}: {}, {}, {}{pruned}, time zone {}\n",
        report.archive,
        counted(sum(|measurement| measurement.days), "day file"),
        counted(sum(|measurement| measurement.rows), "row"),
        counted(report.commits, "commit"),
        report.timezone
    );
    if let Some(run) = &report.last_run {
        let last = report.last_success.get(&run.command);
        let since = match last.filter(|last| last.at == run.at) {
            Some(time) => format!("{} ago, {}", age(Duration::from_secs(time.age_s)), second(&run.at)),
            None => second(&run.at),
        };
        let success = match last.filter(|last| last.at != run.at) {
            Some(time) => format!("; last good one {} ago", age(Duration::from_secs(time.age_s))),
            None => String::new(),
        };
        text += &format!(
            "last run: {}, {} ({since} UTC){success}\n",
            run.command,
            run.outcome.replace('_', " ")
        );
    }
    if report.recovery_pending {
        text += "A run was cut short; the next one finishes or discards what it left.\n";
    }
    text
}

fn measurements(measurements: &[MeasurementStatus<'_>], columns: Option<usize>) -> String {
    let rows: Vec<Vec<String>> = measurements
        .iter()
        .map(|status| {
            let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), grouped);
            // A file has a header and a footer: of a few rows the mean says nothing, but it is what it is.
            let mean = status.bytes_per_row.map(|bytes| bytes.round() as u64);
            let time = |time: &Option<String>, length: usize| {
                let time = time.as_deref().unwrap_or("-");
                time.get(..length).unwrap_or(time).replace('T', " ")
            };
            vec![
                escaped(status.measurement),
                grouped(status.days),
                grouped(status.rows),
                bytes(status.parquet_bytes + status.csv_bytes),
                number(mean),
                number(status.columns),
                time(&status.first, "2020-06-19".len()),
                time(&status.last, "2020-06-19T12:00".len()),
            ]
        })
        .collect();
    let header = [
        "measurement",
        "days",
        "rows",
        "bytes",
        "B/row",
        "cols",
        "first",
        "last (UTC)",
    ];
    table_within(
        columns,
        &header,
        &[false, true, true, true, true, true, false, false],
        &rows,
    )
}

fn days(days: &[DayStatus<'_>], columns: Option<usize>) -> String {
    let size = |size: Option<u64>| size.map_or_else(|| "-".to_owned(), bytes);
    let rows: Vec<Vec<String>> = days
        .iter()
        .map(|day| {
            vec![
                escaped(day.measurement),
                day.day.to_owned(),
                grouped(day.rows),
                size(day.parquet_bytes),
                size(day.csv_bytes),
                minute(&day.first),
                minute(&day.last),
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
    table_within(columns, &header, &[false, false, true, true, true, false, false], &rows)
}

fn partitions(partitions: &[PartitionStatus], asked: bool, columns: Option<usize>) -> String {
    let names: BTreeSet<String> = partitions.iter().map(PartitionStatus::name).collect();
    // Ids are long and say something only where a name has several.
    let with_ids = names.len() < partitions.len();
    let rows: Vec<Vec<String>> = partitions
        .iter()
        .map(|partition| {
            let offset = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
            let read = |time: &Time| format!("{} ago", age(Duration::from_secs(time.age_s)));
            let mut row = vec![escaped(&partition.name()), offset(partition.next)];
            if asked {
                let kafka = partition.kafka;
                row.push(offset(kafka.and_then(|kafka| kafka.end)));
                let standing = kafka.map_or("-", |kafka| kafka.standing);
                let lag = kafka.and_then(|kafka| kafka.lag);
                row.push(lag.map_or_else(|| standing.to_owned(), grouped));
            }
            let read = partition.last_read.as_ref().map(read);
            let never = match (partition.next, partition.replaced) {
                (_, true) => "replaced",
                (None, _) => "never",
                (Some(_), _) => "-",
            };
            row.push(read.unwrap_or_else(|| never.to_owned()));
            if with_ids {
                row.push(partition.topic_id.clone().unwrap_or_else(|| "-".to_owned()));
                row.push(escaped(&partition.cluster_id));
            }
            row
        })
        .collect();
    let asked_for: &[&str] = if asked { &["end", "lag"] } else { &[] };
    let ids: &[&str] = if with_ids { &["topic id", "cluster"] } else { &[] };
    let header = [&["partition", "archived to"], asked_for, &["last read"], ids].concat();
    let right: Vec<bool> = header
        .iter()
        .map(|name| ["archived to", "end", "lag"].contains(name))
        .collect();
    table_within(columns, &header, &right, &rows)
}

/// `06-19 12:00` of a time whose year the day beside it shows. It is the day in UTC, which the archive's zone may call another one.
fn minute(time: &str) -> String {
    time.get(5..16).unwrap_or(time).replace('T', " ")
}

/// `2020-06-19T12:00:00.123Z` without what is smaller than a second; `--json` has the nanoseconds.
fn second(time: &str) -> String {
    time.get(..19).unwrap_or(time).replace('T', " ")
}

#[cfg(test)]
mod tests;
