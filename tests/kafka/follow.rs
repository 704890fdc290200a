//! `--follow`: runs on a schedule in one process, each whole by itself, until a signal ends it.

use serde_json::Value;

use super::{ASSIGNED, BEFORE_COMMIT, archive, partition, point};
use crate::support::digest::{all_files, assert_no_debris};
use crate::support::embedded::Embedded;
use crate::support::folder::Folder;
use crate::support::kafka::Kafka;
use crate::support::ledger::{change_last_commit, ledger};
use crate::support::produce::Record;
use crate::support::run::{Diurnal, diurnal};
use crate::support::wait_for;

/// The step between two runs.
const WAITING: &str = "follow-waiting";

/// The topic on the embedded broker.
const TOPIC: &str = "t";

fn points(range: std::ops::Range<i64>) -> Vec<Record> {
    range.map(|n| Record::new(0, point(n))).collect()
}

fn broker() -> Embedded {
    let broker = Embedded::start();
    broker.create_topic(TOPIC, 1);
    broker
}

fn follow(folder: &Folder, broker: &Embedded, every: &str) -> Diurnal {
    diurnal(folder, "archive").args([
        "--brokers",
        &broker.brokers(),
        "--topic",
        TOPIC,
        "--follow",
        "--every",
        every,
    ])
}

fn sum(reports: &[Value], name: &str) -> i64 {
    reports
        .iter()
        .map(|report| report[name].as_i64().expect("a number"))
        .sum()
}

/// Rows of the one day of [`point`]s.
fn rows(folder: &Folder) -> usize {
    let csv = std::fs::read_to_string(folder.join("archive/m/2020-09-13.csv")).expect("a day file");
    csv.lines().count() - 1
}

#[test]
fn each_tick_takes_what_came_since_the_last_one_and_prints_its_object() {
    let (broker, folder) = (broker(), Folder::new());
    broker.send(TOPIC, &points(0..3));
    let mut run = follow(&folder, &broker, "1s").arg("--json").start();
    run.wait_for_step(WAITING);
    for part in 1..4 {
        broker.send(TOPIC, &points(part * 3..part * 3 + 3));
        run.wait_for_json_lines("the new points", |reports| {
            (sum(reports, "points") >= part * 3 + 3).then_some(())
        });
    }
    run.terminate();
    let ran = run.wait().expect_code(0);
    let reports = ran.json_lines();
    assert!(reports.len() >= 4, "{} reports", reports.len());
    assert_eq!(sum(&reports, "points"), 12);
    assert_eq!(sum(&reports, "exit_code"), 0);
    let mut next = 0;
    for report in &reports {
        let [first, end, messages, gaps, lost] = partition(report, TOPIC, 0);
        assert_eq!((first, messages, gaps, lost), (next, end - first, 0, 0));
        next = end;
    }
    assert_eq!(rows(&folder), 12);
    assert_no_debris(&folder.archive());
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn memory_does_not_grow_from_tick_to_tick() {
    /// By then every day's rows are there and the allocator has what it wants.
    const WARM: usize = 20;
    const TICKS: usize = 80;
    if !crate::support::long() || !cfg!(target_os = "linux") {
        return;
    }
    let (broker, folder) = (broker(), Folder::new());
    let mut run = follow(&folder, &broker, "1s").arg("-q").start();
    let mut least = u64::MAX;
    for tick in 1..=TICKS {
        run.wait_for_steps(WAITING, tick);
        let status = std::fs::read_to_string(format!("/proc/{}/status", run.pid())).expect("it runs");
        let line = status
            .lines()
            .find(|line| line.starts_with("RssAnon:"))
            .expect("Linux tells it");
        let kib: u64 = line
            .trim_matches(|letter: char| !letter.is_ascii_digit())
            .parse()
            .expect("a number");
        match tick {
            ..WARM => {}
            WARM => least = kib,
            // Each tick merges with the same day, so that there is as much to hold.
            _ => assert!(
                kib < least + least / 2,
                "{least} kB at tick {WARM}, {kib} kB at tick {tick}"
            ),
        }
        broker.send(TOPIC, &points(0..10_000));
    }
    run.terminate();
    run.wait().expect_code(0);
}

#[test]
fn between_two_ticks_the_archive_is_free_and_the_end_comes_at_once() {
    let (broker, folder) = (broker(), Folder::new());
    broker.send(TOPIC, &points(0..3));
    let mut run = follow(&folder, &broker, "1h").arg("-q").start();
    run.wait_for_step(WAITING);
    folder.write("more.txt", point(3));
    diurnal(&folder, "import").arg("more.txt").run().expect_code(0);
    assert_eq!(rows(&folder), 4);
    run.terminate();
    let ran = run.wait().expect_code(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    assert!(ran.elapsed < crate::support::PATIENCE, "{:?}", ran.elapsed);
}

#[test]
fn a_tick_that_finds_the_archive_taken_warns_and_the_next_one_tries_again() {
    let (broker, folder) = (broker(), Folder::new());
    broker.send(TOPIC, &points(0..3));
    folder.write("more.txt", point(3));
    let mut holder = diurnal(&folder, "import")
        .arg("more.txt")
        .pause_at(BEFORE_COMMIT)
        .start();
    holder.wait_for_step(BEFORE_COMMIT);
    let mut run = follow(&folder, &broker, "1s").arg("--json").start();
    run.wait_until_said(&format!("process {}", holder.pid()));
    run.wait_until_said("the next try is at ");
    holder.resume();
    holder.wait().expect_code(0);
    run.wait_for_json_lines("the points", |reports| (sum(reports, "points") == 3).then_some(()));
    run.terminate();
    let ran = run.wait().expect_code(0);
    assert_eq!(ran.json_lines()[0]["exit_code"], 4);
    assert_eq!(rows(&folder), 4);
}

#[test]
fn a_broker_that_dies_and_comes_back_costs_a_tick_and_no_line() {
    let Some(kafka) = Kafka::breakable() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("followed", 1, &[]);
    topic.send(&points(0..3));
    let mut run = archive(&folder, &kafka, &topic)
        .args(["--timeout", "2s", "--follow", "--every", "1s", "--json"])
        .start();
    run.wait_for_json_lines("the points", |reports| (sum(reports, "points") == 3).then_some(()));
    kafka.kill();
    run.wait_for_json_lines("a tick that fails", |reports| {
        reports.iter().any(|report| report["outcome"] == "failed").then_some(())
    });
    run.wait_until_said("the next try is at ");
    kafka.start_again();
    topic.send(&points(3..8));
    run.wait_for_json_lines("the points after that", |reports| {
        (sum(reports, "points") == 8).then_some(())
    });
    run.terminate();
    let ran = run.wait().expect_code(0);
    let said = ran.stderr.matches("the next try is at ").count();
    let failed = ran
        .json_lines()
        .iter()
        .filter(|report| report["exit_code"] == 1)
        .count();
    assert_eq!(said, failed, "{}", ran.stderr);
    assert_eq!(rows(&folder), 8);
    diurnal(&folder, "verify").run().expect_code(0);
}

#[test]
fn a_signal_lets_the_tick_commit_what_it_read_and_ends_well() {
    let (broker, folder) = (broker(), Folder::new());
    broker.send(TOPIC, &points(0..3));
    let mut run = follow(&folder, &broker, "1h")
        .arg("--json")
        .pause_at(BEFORE_COMMIT)
        .start();
    run.wait_for_step(BEFORE_COMMIT);
    run.terminate();
    run.resume();
    let ran = run.wait().expect_code(0);
    let [report] = &ran.json_lines()[..] else {
        panic!("not one report: {}", ran.stdout);
    };
    assert_eq!(
        (&report["outcome"], report["points"].as_i64()),
        (&"done".into(), Some(3))
    );
    assert_eq!(ran.stderr, "");
    assert_eq!(rows(&folder), 3);
}

#[test]
fn a_signal_before_anything_was_read_ends_well_too() {
    let Some(kafka) = Kafka::shared() else { return };
    let folder = Folder::new();
    let topic = kafka.topic("follow-stopped", 1, &[]);
    topic.send(&points(0..3));
    let mut run = archive(&folder, kafka, &topic)
        .args(["--follow", "-q"])
        .pause_at(ASSIGNED)
        .start();
    run.wait_for_step(ASSIGNED);
    run.terminate();
    run.resume();
    let ran = run.wait().expect_code(0);
    assert_eq!(ran.stderr, "");
    archive(&folder, kafka, &topic).run().expect_code(0);
    assert_eq!(rows(&folder), 3);
}

#[test]
fn a_signal_while_no_broker_answers_ends_well_too() {
    let folder = Folder::new();
    // The kernel completes the connection; nobody ever reads from it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("bound").to_string();
    let mut run = diurnal(&folder, "archive")
        .args(["--brokers", &address, "--topic", TOPIC, "--follow", "-q"])
        .start();
    // The client connects after the signals are listened to.
    let _connection = silent.accept().expect("the client connects");
    run.wait_for_step("open-done");
    run.terminate();
    let ran = run.wait().expect_code(0);
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_second_signal_stops_at_once_with_nothing_changed() {
    let (broker, folder) = (broker(), Folder::new());
    broker.send(TOPIC, &points(0..3));
    let mut run = follow(&folder, &broker, "1h").pause_at(BEFORE_COMMIT).start();
    run.wait_for_step(BEFORE_COMMIT);
    let before = all_files(&folder.archive());
    wait_for("the end", || {
        // Two signals that come at the same time are one.
        run.terminate();
        run.has_ended().then_some(())
    });
    run.wait().expect_code(1);
    let mut after = all_files(&folder.archive());
    let lock = "_diurnal/lock";
    assert_eq!(after.remove(lock).is_some(), before.contains_key(lock));
    let mut before = before;
    before.remove(lock);
    assert_eq!(after, before);
}

#[test]
fn what_no_later_tick_could_mend_ends_it() {
    let (broker, folder) = (broker(), Folder::new());
    broker.send(TOPIC, &points(0..3));
    diurnal(&folder, "archive")
        .args(["--brokers", &broker.brokers(), "--topic", TOPIC])
        .run()
        .expect_code(0);
    follow(&folder, &broker, "1h")
        .args(["--timezone", "Asia/Seoul"])
        .run()
        .expect_code(2)
        .expect_said("--timezone");
    follow(&folder, &broker, "999ms")
        .run()
        .expect_code(2)
        .expect_said("--every");

    folder.write("more.txt", point(3));
    diurnal(&folder, "import").arg("more.txt").run().expect_code(0);
    folder.leaves_damaged("archive");
    change_last_commit(&folder, |commit| commit.replace(r#""id":2"#, r#""id":7"#));
    let before = ledger(&folder).1;
    let ran = follow(&folder, &broker, "1h").arg("--json").run().expect_code(1);
    assert_eq!(ran.json()["outcome"], "failed");
    assert!(!ran.stderr.contains("the next try"), "{}", ran.stderr);
    assert_eq!(ledger(&folder).1, before);
}
