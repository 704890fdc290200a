//! What can go wrong on the way from the broker: each case ends in time, says where, and keeps what was good.

use std::net::TcpListener;
use std::time::Duration;

use super::{ASSIGNED, archive, partition, point};
use crate::support::digest::all_files;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::produce::Record;
use crate::support::run::diurnal;

/// The `--timeout` of these runs.
const TIMEOUT: &str = "3s";

/// The time that a run with [`TIMEOUT`] may take: the timeout, and what starting and closing a client takes on a slow
/// machine.
const IN_TIME: Duration = Duration::from_secs(8);

/// The payload of each record that a test damages in the broker's log.
const NEEDLE: &str = "m,host=needle";

#[test]
fn a_damaged_batch_ends_its_partition_and_names_the_offset() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("damaged", 2, &[]);
    let plain = [("compression.type", "none")];
    let batch = |range: std::ops::Range<i64>| -> Vec<_> { range.map(|n| Record::new(0, point(n))).collect() };
    // Each call ends with a flush: three batches.
    topic.send_with(&plain, &batch(0..10));
    topic.send_with(
        &plain,
        &[Record::new(0, format!("{NEEDLE} v=1i 1600000000000000000\n"))],
    );
    topic.send_with(&plain, &batch(10..20));
    topic.send(&[Record::new(1, point(20)), Record::new(1, point(21))]);
    topic.flip_bit_at(0, NEEDLE);

    let ran = archive(&folder, kafka, &topic).arg("--json").run().expect_code(1);
    let report = ran.json();
    assert_eq!(partition(&report, topic.name(), 0), [0, 10, 10, 0, 0]);
    assert_eq!(partition(&report, topic.name(), 1), [0, 2, 2, 0, 0]);
    ran.expect_said(topic.name()).expect_said("10");

    // It stays there, loudly, and costs the other partitions nothing.
    topic.send(&[Record::new(1, point(22))]);
    let report = archive(&folder, kafka, &topic).report(1);
    assert_eq!(partition(&report, topic.name(), 1), [2, 3, 1, 0, 0]);
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn an_absent_broker_is_an_error_within_the_timeout() {
    // Bound and closed at once: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("bound")
        .port();
    no_answer(&format!("127.0.0.1:{port}"));
}

#[test]
fn a_silent_broker_is_an_error_within_the_timeout() {
    // The kernel completes the connection; nobody ever reads from it.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    no_answer(&silent.local_addr().expect("bound").to_string());
}

fn no_answer(brokers: &str) {
    let folder = Folder::new();
    let ran = diurnal(&folder, "archive")
        .args(["--brokers", brokers, "--topic", "t", "--timeout", TIMEOUT])
        .run()
        .expect_code(1)
        .expect_said(brokers);
    assert!(ran.elapsed < IN_TIME, "{:?}", ran.elapsed);
}

#[test]
fn a_message_that_gets_lost_inside_fails_the_run() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("balance", 2, &[]);
    let records: Vec<_> = (0..20).map(|n| Record::new((n % 2) as i32, point(n))).collect();
    topic.send(&records);
    archive(&folder, kafka, &topic)
        .fail_at("drop-message")
        .run()
        .expect_code(1);
    let files = all_files(&folder.archive());
    assert!(
        files.keys().all(|path| path.starts_with("_diurnal/")),
        "{:?}",
        files.keys()
    );
    // Nothing of it was committed: the next run reads all of it.
    assert_eq!(archive(&folder, kafka, &topic).report(0)["points"], 20);
}

#[test]
fn a_run_that_is_told_to_stop_commits_what_it_read_and_says_incomplete() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("stopped", 1, &[]);
    topic.send(&[Record::new(0, point(0)), Record::new(0, point(1))]);
    let mut run = archive(&folder, kafka, &topic).pause_at(ASSIGNED).start();
    run.wait_for_step(ASSIGNED);
    run.terminate();
    run.resume();
    run.wait().expect_code(1);
    // However much it had read: the next run gets the rest, and nothing twice.
    archive(&folder, kafka, &topic).run().expect_code(0);
    let csv = std::fs::read_to_string(folder.join("archive/m/2020-09-13.csv")).expect("a day file");
    assert_eq!(csv.lines().count(), 1 + 2, "{csv}");
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_topic_deleted_during_a_run_does_not_hold_it_up_for_ever() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("deleted", 1, &[]);
    topic.send(&[Record::new(0, point(0))]);
    let mut run = archive(&folder, kafka, &topic)
        .args(["--timeout", TIMEOUT])
        .pause_at(ASSIGNED)
        .start();
    run.wait_for_step(ASSIGNED);
    topic.delete();
    run.resume();
    run.wait().expect_code(1).expect_said(topic.name());
}

#[test]
fn a_property_that_diurnal_fixes_is_refused() {
    let folder = Folder::new();
    diurnal(&folder, "archive")
        .args([
            "--brokers",
            "127.0.0.1:1",
            "--topic",
            "t",
            "-X",
            "enable.auto.commit=true",
        ])
        .run()
        .expect_code(2)
        .expect_said("enable.auto.commit");
}

#[test]
fn a_secret_given_by_flag_is_warned_about_and_never_repeated() {
    let folder = Folder::new();
    let ran = diurnal(&folder, "archive")
        .args(["--brokers", "127.0.0.1:1", "--topic", "t", "--timeout", TIMEOUT])
        .args(["-X", "sasl.password=hunter2-secret"])
        .run()
        .expect_code(1)
        .expect_said("sasl.password");
    assert!(!ran.stderr.contains("hunter2-secret"), "{}", ran.stderr);
}
