//! Where a batch ends: at the last stable offset of the moment it starts, whatever lies before and behind it.

use std::time::Duration;

use super::{ASSIGNED, archive, partition, point};
use crate::support::digest::{all_files, day_files};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::run::diurnal;

/// A run on quiet topics does not wait for anything: far below the default timeout of 60 s.
const QUICK: Duration = Duration::from_secs(15);

/// Points `range` on one partition.
fn points(partition: i32, range: std::ops::Range<i64>) -> Vec<Record> {
    range.map(|n| Record::new(partition, point(n))).collect()
}

#[test]
fn committed_transactions_are_archived_and_aborted_ones_are_gaps() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("transactions", 4, &[]);
    // Partition 0: records, a committed and an aborted transaction. 1: an aborted one alone. 2: an aborted one, then a
    // committed one. 3: empty.
    topic.send(&points(0, 0..3));
    topic.transaction("a", &points(0, 3..6)).commit();
    topic.settle(0);
    topic.transaction("b", &points(0, 100..102)).abort();
    topic.transaction("c", &points(1, 200..205)).abort();
    topic.transaction("d", &points(2, 300..301)).abort();
    topic.settle(2);
    topic.transaction("e", &points(2, 6..8)).commit();
    for number in 0..4 {
        topic.settle(number);
    }

    let ran = archive(&folder, kafka, &topic).arg("--json").run().expect_code(0);
    assert!(ran.elapsed < QUICK, "{:?}", ran.elapsed);
    let report = ran.json();
    assert_eq!(
        (report["points"].as_i64(), report["rejected"].as_i64()),
        (Some(8), Some(0))
    );
    assert_eq!(partition(&report, topic.name(), 0), [0, 10, 6, 4, 0]);
    assert_eq!(partition(&report, topic.name(), 1), [0, 6, 0, 6, 0]);
    assert_eq!(partition(&report, topic.name(), 2), [0, 5, 2, 3, 0]);
    for (_, number, _, lag) in kafka.describe_group(topic.name()) {
        assert_eq!(lag, 0, "partition {number}");
    }
    let csv = std::fs::read_to_string(folder.join("archive/m/2020-09-13.csv")).expect("a day file");
    assert_eq!(csv.lines().count(), 1 + 8, "{csv}");

    let before = all_files(&folder.archive());
    assert_eq!(archive(&folder, kafka, &topic).report(0)["lines"], 0);
    assert_eq!(all_files(&folder.archive()), before);
}

#[test]
fn an_open_transaction_ends_the_batch_before_it_with_a_warning() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("open", 2, &[]);
    topic.send(&points(0, 0..3));
    let open = topic.transaction("a", &points(0, 3..5));
    topic.send(&points(0, 5..9));
    topic.send(&points(1, 9..10));

    let ran = archive(&folder, kafka, &topic).arg("--json").run().expect_code(0);
    assert!(ran.elapsed < QUICK, "{:?}", ran.elapsed);
    assert_eq!(partition(&ran.json(), topic.name(), 0), [0, 3, 3, 0, 0]);
    assert_eq!(partition(&ran.json(), topic.name(), 1), [0, 1, 1, 0, 0]);
    ran.expect_said("transaction").expect_said(topic.name());

    open.commit();
    topic.settle(0);
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [3, 10, 6, 1, 0]);
    assert_eq!(report["points"], 6);
}

#[test]
fn the_offsets_that_compaction_took_are_gaps() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.compacted_topic("compacted");
    let records: Vec<_> = (0..100)
        .map(|n| Record::new(0, point(n)).key([(n % 5) as u8]).at(1 + n))
        .collect();
    topic.send(&records);
    topic.compact(0);
    let readable = topic.readable_offsets(0).len() as i64;

    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(
        partition(&report, topic.name(), 0),
        [0, 101, readable, 101 - readable, 0]
    );
    assert_eq!(report["points"], readable - 1, "the last record is empty");
    assert_eq!(archive(&folder, kafka, &topic).report(0)["lines"], 0);
}

#[test]
fn what_arrives_while_a_run_reads_is_left_for_the_next_one() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("frozen", 2, &[]);
    topic.send(&points(0, 0..3));
    let mut run = archive(&folder, kafka, &topic).arg("--json").pause_at(ASSIGNED).start();
    run.wait_for_step(ASSIGNED);
    topic.send(&points(0, 3..5));
    topic.send(&points(1, 5..6));
    run.resume();
    let report = run.wait().expect_code(0).json();
    assert_eq!(partition(&report, topic.name(), 0), [0, 3, 3, 0, 0]);
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [3, 5, 2, 0, 0]);
    assert_eq!(partition(&report, topic.name(), 1), [0, 1, 1, 0, 0]);
}

#[test]
fn from_and_until_bound_a_run_by_record_time_and_the_next_run_goes_on() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("bounds", 1, &[]);
    // One record a minute from 2026-01-01T00:00:00Z on.
    let records: Vec<_> = (0..30)
        .map(|n| Record::new(0, point(n)).at(1_767_225_600_000 + n * 60_000))
        .collect();
    topic.send(&records);
    let report = archive(&folder, kafka, &topic)
        .args(["--from", "2026-01-01T00:10:00Z", "--until", "2026-01-01T00:20:00Z"])
        .report(0);
    assert_eq!(partition(&report, topic.name(), 0), [10, 20, 10, 0, 0]);
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [20, 30, 10, 0, 0]);
}

#[test]
fn a_long_catch_up_is_committed_in_parts_that_give_the_same_files() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("parts", 3, &[]);
    let records: Vec<_> = (0..3_000).map(|n| Record::new((n % 3) as i32, point(n))).collect();
    // Small batches: a run may end a part between batches only.
    topic.send_with(&[("batch.num.messages", "50")], &records);
    let (whole, parts) = (Folder::new(), Folder::new());
    archive(&whole, kafka, &topic).run().expect_code(0);
    let report = archive(&parts, kafka, &topic).args(["--commit-every", "500"]).report(0);
    assert_eq!(report["points"], 3_000);
    let ledger = std::fs::read_to_string(parts.join("archive/_diurnal/ledger-000001.jsonl"));
    let commits = ledger.expect("a ledger").lines().count();
    assert!(commits > 1, "{commits} commit");
    assert_eq!(day_files(&whole.archive()), day_files(&parts.archive()));
    diurnal(&parts, "verify").run().expect_code(0);
}

#[test]
fn threads_are_not_seen_in_the_files() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = kafka.topic("threads", 5, &[]);
    let records: Vec<_> = (0..2_000)
        .map(|n| Record::new((n % 5) as i32, point(n * 7 % 2_000)))
        .collect();
    topic.send(&records);
    let (one, five) = (Folder::new(), Folder::new());
    for (folder, threads) in [(&one, "1"), (&five, "5")] {
        let report = archive(folder, kafka, &topic).args(["--threads", threads]).report(0);
        assert_eq!(report["points"], 2_000);
    }
    assert_eq!(day_files(&one.archive()), day_files(&five.archive()));
}

#[test]
fn a_line_without_time_takes_the_time_of_its_message() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("timeless", 1, &[]);
    let record = Record::new(0, "m,host=a v=1i\n").at(1_592_604_000_123);
    topic.send(&[record]);
    archive(&folder, kafka, &topic).run().expect_code(0);
    let csv = std::fs::read_to_string(folder.join("archive/m/2020-06-19.csv")).expect("a day file");
    assert_eq!(csv, "time,host,v\n2020-06-19T22:00:00.123000000Z,a,1\n");
}

#[test]
fn null_and_empty_values_keys_and_headers_do_no_harm() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("odd", 1, &[]);
    let null = Record {
        payload: None,
        ..Record::new(0, "").key("k")
    };
    let several = Record::new(0, format!("# a comment\n\n{}{}", point(1), point(2)));
    let with_headers = Record {
        headers: vec![("a", "b")],
        ..Record::new(0, point(3)).key("k")
    };
    topic.send(&[null, Record::new(0, ""), several, with_headers]);
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [0, 4, 4, 0, 0]);
    assert_eq!(
        (report["lines"].as_i64(), report["points"].as_i64()),
        (Some(3), Some(3))
    );
}
