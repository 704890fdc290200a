//! Every page that a person can see.

use std::collections::BTreeMap;

use super::*;
use crate::commands::status::partitions::InKafka;
use crate::store::LastRun;
use crate::store::record::Counts;

fn report() -> StatusReport<'static> {
    StatusReport {
        command: "status",
        exit_code: 0,
        archive: "archive".to_owned(),
        timezone: "UTC",
        commits: 1_234,
        last_commit: None,
        totals: Counts::default(),
        measurements: Vec::new(),
        days: Vec::new(),
        partitions: Vec::new(),
        last_run: None,
        last_success: BTreeMap::new(),
        cluster_id: None,
        recovery_pending: false,
        errors: Vec::new(),
    }
}

fn measurement(name: &'static str, days: u64, rows: u64) -> MeasurementStatus<'static> {
    MeasurementStatus {
        measurement: name,
        days,
        pruned_days: 3,
        rows,
        parquet_bytes: rows * 15,
        csv_bytes: rows * 164,
        bytes_per_row: (rows > 0).then_some(179.0),
        columns: Some(12),
        first: (rows > 0).then(|| "2020-06-19T12:00:00.000000000Z".to_owned()),
        last: (rows > 0).then(|| "2020-06-20T11:59:50.000000000Z".to_owned()),
    }
}

fn partition(
    topic: &str,
    number: i32,
    next: Option<i64>,
    read: Option<u64>,
    kafka: Option<InKafka>,
) -> PartitionStatus {
    PartitionStatus {
        cluster_id: "5L6g3nShT-eMCtK--X86sw".to_owned(),
        topic_id: Some("21nrVFMpQmmoFuFDzkw3fQ".to_owned()),
        topic: topic.to_owned(),
        partition: number,
        next,
        last_read: read.map(|age_s| Time {
            at: "2026-11-23T18:40:00Z".to_owned(),
            age_s,
        }),
        replaced: false,
        kafka,
    }
}

fn kafka(standing: &'static str, end: Option<i64>, lag: Option<u64>) -> Option<InKafka> {
    Some(InKafka {
        standing,
        start: Some(0),
        end,
        lag,
        lost: lag.map(|_| 0),
    })
}

#[test]
fn a_new_archive_is_a_line() {
    let empty = StatusReport { commits: 0, ..report() };
    assert_eq!(
        text(&empty, false, None),
        "archive: 0 day files, 0 rows, 0 commits, time zone UTC\n"
    );
}

#[test]
fn what_is_there_and_how_old_it_is_fits_80_columns() {
    let last = |at: &str, outcome: &str| LastRun {
        command: "archive".to_owned(),
        outcome: outcome.to_owned(),
        exit_code: 0,
        at: at.to_owned(),
    };
    let at = "2026-11-23T18:40:00Z";
    let success = Time {
        at: at.to_owned(),
        age_s: 700,
    };
    let report = StatusReport {
        measurements: vec![
            measurement("cpu", 400, 43_200_000),
            measurement("a measurement of a rather long name", 2, 2),
            measurement("gone", 0, 0),
        ],
        partitions: vec![
            partition("my-computer-metric", 0, Some(17_259), Some(700), None),
            partition("my-computer-metric", 1, Some(17_243), None, None),
        ],
        last_run: Some(last(at, "done")),
        last_success: BTreeMap::from([("archive".to_owned(), success)]),
        recovery_pending: true,
        ..report()
    };
    let expected = "\
archive: 402 day files, 43,200,002 rows, 1,234 commits, 9 days pruned, time zone UTC
last run: archive, done (11 min ago, 2026-11-23 18:40:00 UTC)
A run was cut short; the next one finishes or discards what it left.
  measurement   days        rows   bytes  B/row  cols  first       last (UTC)
  cpu            400  43,200,000  7.7 GB    179    12  2020-06-19  2020-06-20 11:59
  a meas… name     2           2   358 B    179    12  2020-06-19  2020-06-20 11:59
  gone             0           0     0 B      -    12  -           -
  partition              archived to  last read
  my-computer-metric[0]        17259  11 min ago
  my-computer-metric[1]        17243  -
";
    assert_eq!(text(&report, false, Some(80)), expected);
    assert!(text(&report, false, None).contains("a measurement of a rather long name"));
    assert_eq!(text(&report, false, Some(200)), text(&report, false, None));

    let failed = StatusReport {
        last_run: Some(last("2026-11-23T18:50:00Z", "lost_offsets")),
        ..report
    };
    let page = text(&failed, false, None);
    let line = page.lines().nth(1).unwrap();
    assert_eq!(
        line,
        "last run: archive, lost offsets (2026-11-23 18:50:00 UTC); last good one 11 min ago"
    );
}

#[test]
fn what_kafka_says_stands_beside_what_the_archive_has() {
    let replaced = PartitionStatus {
        replaced: true,
        topic_id: Some("an older topic".to_owned()),
        ..partition("t", 0, Some(50), None, kafka("replaced", None, None))
    };
    let report = StatusReport {
        cluster_id: Some("5L6g3nShT-eMCtK--X86sw".to_owned()),
        partitions: vec![
            replaced,
            partition(
                "t",
                0,
                Some(1_000),
                Some(30),
                kafka("known", Some(1_234_567), Some(1_233_567)),
            ),
            partition("t", 1, Some(7), Some(90_000), kafka("cut", Some(5), None)),
            partition("t", 2, None, None, kafka("new", Some(3), Some(3))),
            partition("u\u{1b}[31m", 0, Some(9), Some(3), kafka("gone", None, None)),
        ],
        ..report()
    };
    let expected = "\
archive: 0 day files, 0 rows, 1,234 commits, time zone UTC
  partition       archived to      end        lag  last read  topic id                cluster
  t[0]                     50        -   replaced  replaced   an older topic          5L6g3nShT-eMCtK--X86sw
  t[0]                   1000  1234567  1,233,567  30 s ago   21nrVFMpQmmoFuFDzkw3fQ  5L6g3nShT-eMCtK--X86sw
  t[1]                      7        5        cut  25 h ago   21nrVFMpQmmoFuFDzkw3fQ  5L6g3nShT-eMCtK--X86sw
  t[2]                      -        3          3  never      21nrVFMpQmmoFuFDzkw3fQ  5L6g3nShT-eMCtK--X86sw
  u\\u{1b}[31m[0]            9        -       gone  3 s ago    21nrVFMpQmmoFuFDzkw3fQ  5L6g3nShT-eMCtK--X86sw
";
    assert_eq!(text(&report, false, None), expected);
}

#[test]
fn days_are_shown_where_they_are_asked_for() {
    let report = StatusReport {
        measurements: vec![measurement("cpu", 1, 21_600)],
        days: vec![DayStatus {
            measurement: "cpu",
            day: "2020-06-19",
            rows: 21_600,
            row_groups: 1,
            parquet_bytes: Some(322_879),
            csv_bytes: None,
            first: "2020-06-19T12:00:00.000000000Z".to_owned(),
            last: "2020-06-19T23:59:50.000000000Z".to_owned(),
        }],
        ..report()
    };
    let expected = "\
archive: 1 day file, 21,600 rows, 1,234 commits, 3 days pruned, time zone UTC
  measurement  day           rows  .parquet  .csv  first (UTC)  last (UTC)
  cpu          2020-06-19  21,600  322.9 kB     -  06-19 12:00  06-19 23:59
";
    assert_eq!(text(&report, true, Some(200)), expected);
}
