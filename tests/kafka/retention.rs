//! Records that Kafka deleted before they were archived: named, counted, exit 5 once, and the rest goes on.

use super::{ASSIGNED, archive, partition, point};
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::run::diurnal;

fn points(range: std::ops::Range<i64>) -> Vec<Record> {
    range.map(|n| Record::new(0, point(n))).collect()
}

#[test]
fn records_deleted_between_runs_are_reported_lost_once() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("lost-before", 1, &[]);
    topic.send(&points(0..5));
    archive(&folder, kafka, &topic).run().expect_code(0);
    topic.send(&points(5..20));
    topic.delete_records(0, 12);

    let ran = archive(&folder, kafka, &topic).arg("--json").run().expect_code(5);
    assert_eq!(partition(&ran.json(), topic.name(), 0), [5, 20, 8, 0, 7]);
    let ran = ran.expect_said("5").expect_said("12").expect_said(topic.name());
    assert_eq!(ran.json()["exit_code"], 5);

    topic.send(&points(20..21));
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [20, 21, 1, 0, 0]);
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn records_deleted_during_a_run_are_reported_lost() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("lost-during", 2, &[]);
    topic.send(&points(0..50));
    topic.send(&[Record::new(1, point(50))]);
    let mut run = archive(&folder, kafka, &topic).arg("--json").pause_at(ASSIGNED).start();
    run.wait_for_step(ASSIGNED);
    topic.delete_records(0, 30);
    run.resume();
    let report = run.wait().expect_code(5).json();
    assert_eq!(partition(&report, topic.name(), 0), [0, 50, 20, 0, 30]);
    assert_eq!(partition(&report, topic.name(), 1), [0, 1, 1, 0, 0]);
    archive(&folder, kafka, &topic).run().expect_code(0);
}

#[test]
fn a_batch_that_was_deleted_whole_is_lost_and_ends() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("lost-all", 1, &[]);
    topic.send(&points(0..10));
    let mut run = archive(&folder, kafka, &topic).arg("--json").pause_at(ASSIGNED).start();
    run.wait_for_step(ASSIGNED);
    topic.send(&points(10..15));
    topic.delete_records(0, 12);
    run.resume();
    let report = run.wait().expect_code(5).json();
    // The end was frozen at 10: of the records up to it nothing is left, and what lies behind is the next run's.
    assert_eq!(partition(&report, topic.name(), 0), [0, 10, 0, 0, 10]);
    let report = archive(&folder, kafka, &topic).report(5);
    assert_eq!(partition(&report, topic.name(), 0), [10, 15, 3, 0, 2]);
}

#[test]
fn a_topic_that_lost_its_start_before_the_first_run_has_lost_nothing() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("lost-early", 1, &[]);
    topic.send(&points(0..10));
    topic.delete_records(0, 4);
    let report = archive(&folder, kafka, &topic).report(0);
    assert_eq!(partition(&report, topic.name(), 0), [4, 10, 6, 0, 0]);
}
